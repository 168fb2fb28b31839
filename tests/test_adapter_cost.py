"""The adapter's cost is measured against the same backbone without it."""

from __future__ import annotations

import time

import pytest
import torch
from test_decode import TINY, make_batch

from anchorgen.analysis.adapter_cost import adapter_cost, bare_backbone, medians_in_turns
from anchorgen.decode.velocity import SceneVelocity


@pytest.fixture(scope="module")
def velocity() -> SceneVelocity:
    torch.manual_seed(0)
    return SceneVelocity(TINY).eval()


def test_the_bare_backbone_is_the_same_network_without_the_adapter(velocity):
    bare = bare_backbone(velocity)
    assert not any(".processor." in name for name in bare.state_dict())
    size = TINY.token_channels + TINY.stem_channels
    inputs = {
        "hidden_states": torch.randn(1, TINY.grid**2, size),
        "encoder_hidden_states": torch.zeros(1, 0, TINY.channels),
        "timestep": torch.ones(1),
        "img_ids": velocity.image_ids,
        "txt_ids": velocity.image_ids[:0],
        "return_dict": False,
    }
    context, _ = velocity.context(make_batch(1))
    with torch.no_grad():
        without = bare(**inputs)[0]
        assert torch.equal(without, velocity.transformer(**inputs)[0])
        with_scene = velocity.transformer(**inputs, joint_attention_kwargs={"scene": context})[0]
    assert not torch.allclose(without, with_scene)


def test_a_step_with_the_adapter_costs_more(velocity):
    before = {name: value.clone() for name, value in velocity.state_dict().items()}
    figures = adapter_cost(velocity, make_batch(1))
    assert 0 < figures["adapter_overhead"] < 2 and figures["backbone_step_ms"] > 0
    assert all(torch.equal(value, before[name]) for name, value in velocity.state_dict().items())
    with pytest.raises(ValueError, match="got 2 scenes"):
        adapter_cost(velocity, make_batch(2))


def test_medians_leave_out_the_first_calls_and_a_slow_one():
    waits = iter([0.05, 0.05] + [0.002, 0.05, 0.002, 0.002, 0.002])
    slow, quick = medians_in_turns(lambda: time.sleep(0.006), lambda: time.sleep(next(waits)), turns=5, warm=2)
    assert 0.002 <= quick < slow and 0.006 <= slow < 0.05
