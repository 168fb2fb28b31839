"""Ways to run in less memory change little or nothing in the picture."""

from __future__ import annotations

import pytest
import torch
from flux2_helpers import TINY, awake, scenes, tiny_decoder

from anchorgen.decode import flux2_errors
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.decode.flux2_memory import MemoryPlan, is_quantised

WIDE = TINY.transformer | {"attention_head_dim": 32, "axes_dims_rope": (8, 8, 8, 8), "joint_attention_dim": 32}


def drawn(plan: MemoryPlan, **changes) -> torch.Tensor:
    decoder = awake(tiny_decoder(**changes)).use(plan, "cpu")
    return decoder.render(scenes(), [1, 2], steps=2, guidance=1.5).int()


def test_an_offloaded_backbone_draws_the_same_picture():
    assert torch.equal(drawn(MemoryPlan(offload=True)), drawn(MemoryPlan()))


def test_an_offloaded_backbone_is_left_to_its_hooks():
    velocity = tiny_decoder().use(MemoryPlan(offload=True), "cpu").velocity
    velocity.to(torch.float64)
    assert velocity.scene.no_scene.dtype == torch.float64 and velocity.image_ids.dtype == torch.float64
    assert velocity.transformer.x_embedder.weight.dtype == torch.float32


def test_weights_in_fp8_leave_the_adapter_alone():
    decoder = awake(tiny_decoder()).use(MemoryPlan(fp8=True), "cpu")
    state = decoder.velocity.transformer.state_dict()
    stored = {name for name, value in state.items() if value.dtype == torch.float8_e4m3fn}
    assert any("to_qkv_mlp_proj" in name for name in stored) and any(".ff." in name for name in stored)
    assert not any(".processor." in name or "norm" in name for name in stored)
    assert decoder.velocity.dtype == torch.float32
    change = (drawn(MemoryPlan(fp8=True)) - drawn(MemoryPlan())).abs().float()
    assert 0 < change.mean() < 4


def test_fp8_weights_can_be_offloaded():
    assert torch.equal(drawn(MemoryPlan(fp8=True, offload=True)), drawn(MemoryPlan(fp8=True)))


def test_bfloat16_is_near_float32():
    near = (drawn(MemoryPlan(), dtype="bfloat16") - drawn(MemoryPlan())).abs().float()
    assert 0 < near.mean() < 4


def test_int8_weights_leave_the_adapter_alone():
    pytest.importorskip("torchao")
    decoder = awake(tiny_decoder(transformer=WIDE)).use(MemoryPlan(int8=True), "cpu")
    modules = dict(decoder.velocity.transformer.named_modules())
    quantised = {n for n, m in modules.items() if type(getattr(m, "weight", None)).__name__.startswith("Int8")}
    assert quantised == {n for n, m in modules.items() if is_quantised(m, n)}
    assert quantised and not any("processor" in name for name in quantised)
    change = (drawn(MemoryPlan(int8=True), transformer=WIDE) - drawn(MemoryPlan(), transformer=WIDE)).abs().float()
    assert change.mean() < 4


def test_compiled_blocks_draw_the_same_picture():
    plan = MemoryPlan(compile=True, compile_options=(("backend", "aot_eager"), ("fullgraph", True)))
    assert (drawn(plan) - drawn(MemoryPlan())).abs().max() <= 1


def test_plans_that_cannot_be_had_say_so(monkeypatch):
    for plan in ({"fp8": True, "int8": True}, {"compile": True, "offload": True}, {"offload": True, "int8": True}):
        with pytest.raises(ValueError, match="expected one"):
            MemoryPlan(**plan)

    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(flux2_errors.importlib, "import_module", missing)
    with pytest.raises(BackboneError, match=r"anchorgen\[int8\]"):
        tiny_decoder().use(MemoryPlan(int8=True), "cpu")
