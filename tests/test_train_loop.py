"""The training loop: exact resume, bad steps, budget."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from anchorgen.train.loop import LoopConfig, fit, learning_rate_at

DATA = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
CONFIG = LoopConfig(steps=30, log_every=3, checkpoint_every=5, warmup_steps=5, learning_rate=1e-2)
LONG = replace(CONFIG, steps=80, log_every=1, checkpoint_every=10)


class _Killed(Exception):
    pass


def _module() -> nn.Module:
    torch.manual_seed(7)
    hidden = nn.Linear(128, 128)
    return nn.Sequential(nn.Linear(4, 128), nn.Dropout(0.2), nn.SiLU(), hidden, nn.SiLU(), nn.Linear(128, 1))


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


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_stopped_run_goes_on_exactly(tmp_path, optimizer):
    config = replace(CONFIG, optimizer=optimizer)
    whole = fit(config, _module(), _batch, _loss, tmp_path / "whole")

    calls = 0

    def dying(module, batch, generator):
        nonlocal calls
        calls += 1
        if calls == 14:
            raise _Killed
        return _loss(module, batch, generator)

    with pytest.raises(_Killed):
        fit(config, _module(), _batch, dying, tmp_path / "cut")
    torch.manual_seed(99)
    again = fit(config, _module(), _batch, _loss, tmp_path / "cut")
    assert _rows(tmp_path / "cut") == _rows(tmp_path / "whole")
    for name, value in whole.ema.state_dict().items():
        assert torch.equal(value, again.ema.state_dict()[name])
    assert whole.finished and again.step == 30
    saved = load_file(tmp_path / "cut" / "ema.safetensors")
    assert torch.equal(saved["0.weight"], whole.ema.state_dict()["0.weight"])
    assert [p.name for p in (tmp_path / "cut").glob("step-*")] == ["step-00000030"]


def _killed_at(step: int, out: str) -> None:
    """Trains until the process kills itself as `kill -9` would, in the middle of a step."""

    def loss(module, batch, generator):
        if torch.equal(batch["step"], torch.tensor(step)):
            os.kill(os.getpid(), signal.SIGKILL)
        return _loss(module, batch, generator)

    def batch(at, generator):
        return _batch(at, generator) | {"step": torch.tensor(at)}

    fit(LONG, _module(), batch, loss, out)


def test_after_kill_9_fifty_losses_are_the_same(tmp_path):
    code = f"import test_train_loop as t; t._killed_at(33, {str(tmp_path / 'cut')!r})"
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "cut" / "step-00000080").exists()
    fit(LONG, _module(), _batch, _loss, tmp_path / "whole")
    fit(LONG, _module(), _batch, _loss, tmp_path / "cut")
    cut, whole = _rows(tmp_path / "cut"), _rows(tmp_path / "whole")
    assert len(whole) == 80 and cut[30:] == whole[30:] and cut == whole


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
