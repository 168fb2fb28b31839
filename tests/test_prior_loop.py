"""The training loop: exact resume, bad steps, budget."""

from __future__ import annotations

import csv

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from anchorgen.train.loop import LoopConfig, fit, learning_rate_at

DATA = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
CONFIG = LoopConfig(steps=30, log_every=3, checkpoint_every=5, warmup_steps=5, learning_rate=1e-2)


class _Killed(Exception):
    pass


def _module() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.2), nn.SiLU(), nn.Linear(16, 1))


def _batch(step: int, generator: torch.Generator) -> dict:
    index = torch.randint(len(DATA), (32,), generator=generator)
    return {"x": DATA[index], "keys": index.tolist()}


def _loss(module: nn.Module, batch: dict, generator: torch.Generator):
    noisy = batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=generator)
    loss = (module(noisy).squeeze(-1) - batch["x"].sum(-1)).square().mean()
    return loss, {"double": 2 * loss.item()}


def _rows(path) -> list[dict]:
    with open(path / "metrics.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_a_killed_run_goes_on_exactly(tmp_path):
    whole = fit(CONFIG, _module(), _batch, _loss, tmp_path / "whole")

    calls = 0

    def dying(module, batch, generator):
        nonlocal calls
        calls += 1
        if calls == 14:
            raise _Killed
        return _loss(module, batch, generator)

    with pytest.raises(_Killed):
        fit(CONFIG, _module(), _batch, dying, tmp_path / "cut")
    torch.manual_seed(99)
    again = fit(CONFIG, _module(), _batch, _loss, tmp_path / "cut")
    assert _rows(tmp_path / "cut") == _rows(tmp_path / "whole")
    for name, value in whole.ema.state_dict().items():
        assert torch.equal(value, again.ema.state_dict()[name])
    assert whole.finished and again.step == 30
    saved = load_file(tmp_path / "cut" / "ema.safetensors")
    assert torch.equal(saved["0.weight"], whole.ema.state_dict()["0.weight"])
    assert [p.name for p in (tmp_path / "cut").glob("step-*")] == ["step-00000030"]


def test_loss_falls(tmp_path):
    fit(LoopConfig(steps=150, log_every=10, learning_rate=1e-2), _module(), _batch, _loss, tmp_path)
    rows = _rows(tmp_path)
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])


def test_bad_steps_are_named_skipped_and_counted(tmp_path, capsys):
    def sometimes_nan(module, batch, generator):
        loss, numbers = _loss(module, batch, generator)
        return loss * (float("nan") if batch["keys"][0] % 7 == 0 else 1.0), numbers

    result = fit(CONFIG, _module(), _batch, sometimes_nan, tmp_path / "a")
    assert 0 < result.bad_steps < 20
    assert all(torch.isfinite(p).all() for p in result.ema.parameters())
    assert "Records: [" in capsys.readouterr().err
    with pytest.raises(FloatingPointError, match="not finite"):
        fit(LoopConfig(steps=30, max_bad_steps=0), _module(), _batch, sometimes_nan, tmp_path / "b")


def test_time_budget_leaves_a_checkpoint(tmp_path):
    result = fit(LoopConfig(steps=10_000, max_seconds=0.0), _module(), _batch, _loss, tmp_path)
    assert result.step == 1 and not result.finished
    assert (tmp_path / "step-00000001" / "optimizer.pt").exists()


def test_learning_rate_warms_up_and_falls():
    config = LoopConfig(steps=100, warmup_steps=10, learning_rate=1.0, final_lr_ratio=0.1)
    rates = [learning_rate_at(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0) and rates[-1] < 0.11
    assert rates[10:] == sorted(rates[10:], reverse=True)
