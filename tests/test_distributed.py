"""Two processes (gloo) are as one: same losses, same weights, same shards, and runs pass from one to two and back."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import distributed_job as job
import pytest
import torch
from accelerate import Accelerator
from picture_files import exported
from safetensors.torch import load_file

from anchorgen.prior import ScenePrior
from anchorgen.train.encode_pictures import EncodeJob, encode_pictures
from anchorgen.train.loop import fit
from anchorgen.train.step import parts_of

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What one process does alone (`alone/`) and what two do together, some of it begun by one."""
    folder = tmp_path_factory.mktemp("distributed")
    job.prepare(folder)
    exported(folder / "pictures")
    job.blocks_run(folder / "alone" / "blocks", job.LOOP.steps)
    job.blocks_run(folder / "alone" / "bad", job.LOOP.steps, loss_fn=job.sometimes_nan)
    job.blocks_run(folder / "alone" / "frozen", job.LOOP.steps, frozen=True)
    (folder / "alone" / "latents.safetensors").symlink_to(folder / "latents.safetensors")
    job.prior_run(folder / "alone", "prior")
    for name in ("one-to-two", "one-to-two-full"):
        job.blocks_run(folder / name, job.STOP)
    job.blocks_run(folder / "frozen-to-full", job.STOP, frozen=True)
    encode_pictures(EncodeJob(folder / "pictures", folder / "alone" / "shards", device="cpu", shard_size=4), False)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*command, str(TESTS / "distributed_job.py"), str(folder)], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr[-3000:]
    for name in ("two-to-one", "two-full-to-one"):
        job.blocks_run(folder / name, job.LOOP.steps)
    job.blocks_run(folder / "frozen-full-to-one", job.LOOP.steps, frozen=True)
    return folder


def rows(path: Path) -> list[dict[str, float]]:
    with open(path / "metrics.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds" and v} for row in csv.DictReader(file)]


def assert_same(a: Path, b: Path, count: int = job.LOOP.steps) -> None:
    """Equal numbers in every row, equal averaged weights."""
    for mine, other in zip(rows(a), rows(b), strict=True):
        assert mine.keys() == other.keys()
        assert mine == pytest.approx(other, rel=1e-4, abs=1e-6)
    assert len(rows(a)) == count
    first, second = (load_file(path / "ema.safetensors") for path in (a, b))
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["ddp", "full", "one-to-two", "one-to-two-full", "two-to-one", "two-full-to-one"])
def test_losses_and_weights_are_those_of_one_process(done, name):
    assert_same(done / name, done / "alone" / "blocks")


@pytest.mark.parametrize("name", ["frozen-to-full", "frozen-full-to-one"])
def test_what_is_frozen_is_neither_trained_nor_saved(done, name):
    assert_same(done / name, done / "alone" / "frozen")
    names = set(load_file(done / name / "ema.safetensors"))
    assert names == {"first.weight", "first.bias", "last.weight", "last.bias"}


def test_frozen_parameters_are_not_copied(tmp_path):
    module = job.Blocks()
    module.blocks.requires_grad_(False)
    result = fit(replace(job.LOOP, steps=2), module, job.batch, job.loss, tmp_path)
    shared = [a is b for a, b in zip(module.parameters(), result.ema.parameters(), strict=True)]
    assert shared == [not p.requires_grad for p in module.parameters()]
    assert len(load_file(tmp_path / "ema.safetensors")) == len(module.state_dict())


@pytest.mark.parametrize("name", ["bad-ddp", "bad-full"])
def test_a_bad_part_skips_the_step_for_all(done, name):
    alone = rows(done / "alone" / "bad")
    assert 0 < alone[-1]["bad_steps"] < len(alone)
    for mine, other in zip(rows(done / name), alone, strict=True):
        assert mine == pytest.approx(other, rel=1e-4, abs=1e-6)
    reports = [sorted((done / n / "bad_steps.csv").read_text().splitlines()) for n in (name, "alone/bad")]
    assert [line.split(",")[0] for line in reports[0]] == sorted({line.split(",")[0] for line in reports[0]})
    assert {line.split(",")[0] for line in reports[0]} == {line.split(",")[0] for line in reports[1]}


@pytest.mark.parametrize("name", ["prior-ddp", "prior-full"])
def test_the_prior_is_that_of_one_process(done, name):
    assert_same(done / name, done / "alone" / "prior")
    assert "eval/loss" in rows(done / name)[-1]
    one, two = (ScenePrior.load(done / n / "prior.safetensors") for n in ("alone/prior", name))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


def test_shards_are_equal_byte_by_byte(done):
    two, one = ({p.name: p.read_bytes() for p in f.glob("*.tar")} for f in (done / "shards", done / "alone" / "shards"))
    assert len(one) == 3 and one == two


def test_parts_are_means_of_gradients(tmp_path):
    """Four parts of 8 give the gradient of one of 32: with no noise, no dropout, and the same records."""
    plain = replace(job.LOOP, steps=6, log_every=1)

    def quiet(module, batch, generator):
        value = (module.eval()(batch["x"]).squeeze(-1) - batch["x"].sum(-1)).square().mean()
        return value, {}

    def whole(step, generator):
        return {"x": job.DATA[32 * step : 32 * step + 32]}

    calls = iter(range(10**6))

    def quarter(step, generator):
        start = 8 * (next(calls) % 4)
        return {"x": whole(step, generator)["x"][start : start + 8]}

    one = fit(replace(plain, parts=1), job.Blocks(), whole, quiet, tmp_path / "one")
    four = fit(replace(plain, parts=4, prefetch=False), job.Blocks(), quarter, quiet, tmp_path / "four")
    for a, b in zip(one.ema.parameters(), four.ema.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_what_cannot_be_shared_is_said(tmp_path):
    class Two:
        num_processes, process_index = 2, 0

    assert parts_of(Two(), 6) == [0, 2, 4]
    with pytest.raises(ValueError, match=r"start \[1, 3\] processes"):
        parts_of(Two(), 3)
    with pytest.raises(ValueError, match="there is one process"):
        fit(replace(job.LOOP, sharding="full"), job.Blocks(), job.batch, job.loss, tmp_path)
    with pytest.raises(ValueError, match="expected 'adamw'"):
        fit(replace(job.LOOP, sharding="full", optimizer="muon"), job.Blocks(), job.batch, job.loss, tmp_path)


def test_accelerates_own_sharding_is_refused(tmp_path, monkeypatch):
    from accelerate.utils import DistributedType

    monkeypatch.setattr(Accelerator, "distributed_type", DistributedType.FSDP)
    with pytest.raises(ValueError, match=r"--loop\.sharding full instead"):
        fit(job.LOOP, job.Blocks(), job.batch, job.loss, tmp_path)
