"""The prior in the paper's configuration: without values, small, and what its latents take on disk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from prior_rooms import toy_rooms

from anchorgen.analysis.scale_costs import meta_scene, prior_costs
from anchorgen.prior import ScenePrior
from anchorgen.prior.loss import PriorLoss
from anchorgen.prior.model import PRESETS
from anchorgen.prior.paths import VariableTimes
from anchorgen.scene.batch import SceneBatch
from anchorgen.train.latents import LatentSet
from anchorgen.train.loop import LoopConfig
from anchorgen.train.prior import PriorTraining, _chunks, train

PAPER = PRESETS["paper"]


def paper_rooms(count: int, channels: int) -> LatentSet:
    """Toy rooms with 8 x C appearance tokens an object and one background token."""
    rooms, g = toy_rooms(count), torch.Generator().manual_seed(1)
    appearance = torch.randn(count, rooms.label.shape[1], 8, channels, generator=g).half()
    scene = rooms.scene.replace(appearance=appearance, background=torch.randn(count, 1, channels, generator=g).half())
    return LatentSet(scene, rooms.label, rooms.labels, "paper")


def test_sizes_are_the_papers():
    with torch.device("meta"):
        model = ScenePrior.from_preset("paper")
    assert len(model.blocks) == 12 and all(block.attention.num_heads == 12 for block in model.blocks)
    assert model.embed_layout.weight.shape == (768, 10)
    assert model.embed_appearance.weight.shape == (768, 1024) and model.tokens_per_slot == 1 + 8 + 1
    assert model.embed_focal.weight.shape == (768, 2) and model.embed_background.weight.shape == (768, 1024)
    parameters = sum(p.numel() for p in model.parameters())
    assert round(parameters / 1e6) in range(117, 120)  # the paper says 118 M
    modulation = sum(p.numel() for name, p in model.named_parameters() if "modulation" in name)
    full = parameters - modulation + sum(6 * 768 * 769 for _ in model.blocks) + 2 * 768 * 769
    assert full > 130e6  # a modulation of its own in every block would not be the paper's size


def test_a_forward_pass_without_values_has_the_right_shapes():
    with torch.device("meta"), torch.no_grad():
        out = ScenePrior.from_preset("paper")(*meta_scene(PAPER, 16))
    assert out.layout.shape == (1, 16, 10) and out.appearance.shape == (1, 16, 8, 1024)
    assert (
        out.focal.shape == (1, 2) and out.background.shape == (1, 1, 1024) and out.presence_logits.shape == (1, 16, 2)
    )
    parameters, operations = prior_costs()
    tokens = 16 * 10 + 2
    assert 0.7 < operations / (2 * parameters * tokens) < 1.1  # modulation and heads of one token pull it down


def test_the_same_configuration_small_learns(tmp_path):
    data = paper_rooms(40, 16)
    data.save(tmp_path / "latents.safetensors")
    loop = LoopConfig(steps=40, warmup_steps=5, learning_rate=3e-3, log_every=20)
    sizes = {"width": 32, "depth": 2, "num_heads": 2, "batch_size": 16}
    path = train(PriorTraining(tmp_path / "latents.safetensors", tmp_path / "run", preset="paper", loop=loop, **sizes))
    model = ScenePrior.load(path)
    assert (model.config.rotation, model.config.tokens_per_appearance, model.tokens_per_slot) == ("quat", 8, 10)
    scene, label = data.batch(slice(None))
    fresh = PriorLoss(ScenePrior(model.config))
    fresh.model.whitening.load_state_dict(model.whitening.state_dict())
    with torch.no_grad():
        losses = [float(m(scene, label, torch.Generator().manual_seed(3))[0]) for m in (PriorLoss(model), fresh)]
    assert losses[0] < 0.95 * losses[1]


def test_a_forward_pass_at_the_papers_width_is_finite():
    torch.manual_seed(0)
    model = ScenePrior.from_preset("paper", depth=1).eval()
    for parameter in model.parameters():
        if not parameter.any():  # zero at first, so that nothing would come through
            torch.nn.init.normal_(parameter, std=0.02)
    scene, _ = paper_rooms(2, 1024).batch(slice(None))
    model.whitening.fit([scene])
    with torch.no_grad():
        variables = model.whitening.with_absent_code(model.whitening.encode(scene), scene.presence)
        out = model(variables, VariableTimes.full(2, 5, 0.5))
    assert all(torch.isfinite(value).all() and value.std() > 0 for value in vars(out).values())


def test_latents_are_mapped_not_read(tmp_path):
    count = 1500
    scene = {f: getattr(paper_rooms(2, 1024).scene, f) for f in SceneBatch.__dataclass_fields__}
    big = SceneBatch(**{name: value[:1].expand(count, *value.shape[1:]) for name, value in scene.items()})
    LatentSet(big, torch.zeros(count, 5, dtype=torch.long), ("bed",), "x").save(tmp_path / "l.safetensors")
    size, before = (tmp_path / "l.safetensors").stat().st_size, resident_bytes()
    data = LatentSet.load(tmp_path / "l.safetensors")
    data.batch(torch.tensor([3, 700]))
    assert size > 100e6 and resident_bytes() - before < 0.2 * size


def resident_bytes() -> int:
    """Of this process, without what only the page cache holds."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        pytest.skip("no /proc here")


def test_whitening_reads_at_most_what_is_asked():
    rooms = toy_rooms(3000)
    counts = [sum(len(chunk) for chunk in _chunks(rooms, limit)) for limit in (10**6, 3000, 2000, 1)]
    assert counts == [3000, 3000, 1024 + 952, 1024]  # whole, whole, the first and third run, the first
    tiny = replace(PAPER, num_channels=8, num_tokens=2, tokens_per_appearance=1, num_background_tokens=2)
    means = []
    for limit in (10**6, 1500):
        model = ScenePrior(replace(tiny, width=32, num_heads=2, depth=1))
        model.whitening.fit(_chunks(rooms, limit))
        means.append(model.whitening.layout_mean.numpy())
    assert np.abs(means[0] - means[1]).max() < 0.2
