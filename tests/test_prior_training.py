"""The prior's network, loss and trainer."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
import torch
from prior_rooms import LABELS, toy_rooms

from anchorgen.prior import AnchorBatch, PriorConfig, ScenePrior, sample
from anchorgen.prior.loss import LossConfig, PriorLoss, draw_times
from anchorgen.prior.paths import VariableTimes
from anchorgen.train.latents import LatentSet
from anchorgen.train.loop import LoopConfig
from anchorgen.train.prior import PriorTraining, train

SMALL = PriorConfig(
    num_tokens=2,
    num_channels=8,
    num_background_tokens=2,
    width=32,
    depth=2,
    num_heads=2,
    modulation_rank=4,
    labels=LABELS,
)


def test_preset_sizes():
    with torch.device("meta"):
        paper = ScenePrior.from_preset("paper", labels=LABELS)
        bundled = ScenePrior.from_preset("bundled", labels=LABELS)
    assert 105e6 < sum(p.numel() for p in paper.parameters()) < 130e6
    assert paper.whitening.num_layout_channels == 10
    assert 3e6 < sum(p.numel() for p in bundled.parameters()) < 5e6
    with pytest.raises(ValueError, match="preset"):
        ScenePrior.from_preset("huge")
    with pytest.raises(ValueError, match="divisible"):
        ScenePrior.from_preset("bundled", tokens_per_appearance=3)


@pytest.mark.parametrize("groups", [1, 2])
def test_saved_and_loaded_is_the_same(tmp_path, groups):
    model = ScenePrior(replace(SMALL, tokens_per_appearance=groups, rotation="quat"))
    scene, _ = toy_rooms(3).batch(slice(None))
    model.whitening.fit([scene])
    model.save(tmp_path / "prior.safetensors", torch.float32)
    again = ScenePrior.load(tmp_path / "prior.safetensors")
    assert again.config == model.config
    times = VariableTimes.full(3, 5, 0.5)
    variables = model.whitening.encode(scene)
    for a, b in zip(vars(model(variables, times)).values(), vars(again(variables, times)).values(), strict=True):
        assert torch.equal(a, b)
    LatentSet(*vars(toy_rooms(2)).values()).save(tmp_path / "latents.safetensors")
    with pytest.raises(ValueError, match="prior_config"):
        ScenePrior.load(tmp_path / "latents.safetensors")


def test_time_schemes():
    present = torch.rand(4000, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    generator = torch.Generator().manual_seed(1)
    iid, hidden = draw_times(LossConfig(iid=1, shared=0, anchored=0), present, generator)
    assert not hidden.any() and iid.layout.std() > 0.25 and (iid.layout != iid.appearance).all()
    shared, _ = draw_times(LossConfig(iid=0, shared=1, anchored=0), present, generator)
    assert torch.equal(shared.layout[:, 0], shared.background)
    anchored, hidden = draw_times(LossConfig(iid=0, shared=0, anchored=1), present, generator)
    free = (anchored.layout < 1) | (anchored.appearance < 1) | (anchored.presence < 1)
    alone = (free.sum(1) == 1).float().mean()
    assert 0.3 < alone < 0.7 and (free.sum(1) == 5).float().mean() > 0.1
    assert hidden.any() and (anchored.presence[hidden] < 1).all() and (anchored.layout[hidden] == 1).all()
    whole = (anchored.layout < 1) & (anchored.presence < 1)
    assert torch.equal(anchored.layout[whole], anchored.presence[whole])


def test_asked_presence_is_trained_with_layout_at_noise():
    torch.manual_seed(0)
    module = PriorLoss(ScenePrior(SMALL), LossConfig(iid=0, shared=0, anchored=1))
    scene, _ = toy_rooms(500).batch(slice(None))
    module.model.whitening.fit([scene])
    clean = module.model.whitening.with_absent_code(module.model.whitening.encode(scene), scene.presence)
    noisy, noise, times = module._noisy(clean, scene.presence, torch.Generator().manual_seed(0))
    asked = (noisy.presence == 2) & (times.layout == 0) & (times.appearance == 0)
    assert asked.any() and torch.equal(noisy.layout[asked], noise["layout"][asked])


def test_latent_files_tell_what_is_wrong(tmp_path):
    data = toy_rooms(4)
    data.save(tmp_path / "a.safetensors")
    again = LatentSet.load(tmp_path / "a.safetensors")
    assert again.labels == LABELS and torch.equal(again.label, data.label)
    assert again.scene.appearance.dtype == torch.half
    ScenePrior(SMALL).save(tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="LatentSet.save"):
        LatentSet.load(tmp_path / "b.safetensors")


def _settings(folder, name: str, **loop) -> PriorTraining:
    steps = LoopConfig(steps=60, warmup_steps=10, learning_rate=3e-3, log_every=10, evaluate_every=30)
    latents = folder / "latents.safetensors"
    if not latents.exists():
        toy_rooms(400).save(latents)
    sizes = {"width": 32, "depth": 2, "num_heads": 2}
    return PriorTraining(latents, folder / name, latents, batch_size=16, loop=replace(steps, **loop), **sizes)


def _rows(path) -> list[dict]:
    with open(path / "metrics.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_training_lowers_the_loss_resumes_exactly_and_samples(tmp_path):
    whole = train(_settings(tmp_path, "whole"))
    rows = _rows(tmp_path / "whole")
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])
    assert float(rows[-1]["eval/name_accuracy"]) > 0.8
    train(_settings(tmp_path, "cut", max_seconds=0.3))
    assert len(_rows(tmp_path / "cut")) < len(rows)
    train(_settings(tmp_path, "cut"))
    assert _rows(tmp_path / "cut") == rows
    model = ScenePrior.load(whole)
    again = ScenePrior.load(tmp_path / "cut" / "prior.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    scene, _ = toy_rooms(1, seed=9).batch(slice(None))
    result, _ = sample(model, scene, AnchorBatch.full(1, 5, 0.0), [0], 8)
    assert torch.isfinite(result.background).all()
