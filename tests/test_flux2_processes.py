"""Two processes train the paper's decoder as one does: in copies, in shards, and across a resume."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from test_flux2_training import LOOP, losses, run, settings, shards  # noqa: F401

from anchorgen.train.flux2_parts import LORA_FILE

WEIGHTS = "diffusion_pytorch_model.safetensors"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def runs(shards, tmp_path_factory) -> Path:  # noqa: F811
    """`one`: four steps of one process. `resumed`: one of one process, then three of two."""
    out = tmp_path_factory.mktemp("processes")
    short = replace(LOOP, steps=4)
    run(settings(shards, out / "one", short), latent_noise=0.0)
    run(settings(shards, out / "one-full", short, what="full"), latent_noise=0.0)
    run(settings(shards, out / "resumed", replace(short, max_seconds=0.0)), latent_noise=0.0)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launch, str(HERE / "flux2_two_processes.py"), str(shards), str(out)]
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.parametrize("name", ["copies", "shards", "resumed"])
def test_two_processes_lose_what_one_loses(runs, name):
    one, two = losses(runs / "one"), losses(runs / name)
    assert len(one) == len(two) == 4
    np.testing.assert_allclose(two, one, rtol=1e-4)


@pytest.mark.parametrize("name", ["copies", "shards", "resumed"])
def test_two_processes_leave_the_weights_of_one(runs, name):
    one, two = (load_file(runs / which / "adapter.safetensors") for which in ("one", name))
    assert one.keys() == two.keys()
    # Adam's first steps are signs, also of gradients that are nothing but rounding.
    change = sum((two[key] - value).square().sum() for key, value in one.items())
    assert change <= 1e-5 * sum(value.square().sum() for value in one.values())


def test_a_frozen_backbone_in_bfloat16_is_sharded_too(runs):
    assert len(losses(runs / "half")) == 2 and all(np.isfinite(losses(runs / "half")))
    np.testing.assert_allclose(losses(runs / "half")[0], losses(runs / "one")[0], rtol=0.05)


def test_a_whole_backbone_is_trained_in_shards(runs):
    np.testing.assert_allclose(losses(runs / "full"), losses(runs / "one-full"), rtol=1e-4)
    one, two = (load_file(runs / n / "transformer" / WEIGHTS) for n in ("one-full", "full"))
    assert one.keys() == two.keys() and not any(".processor." in name for name in one)


def test_lora_layers_are_trained_in_shards(runs, shards, tmp_path):  # noqa: F811
    pytest.importorskip("peft")
    run(settings(shards, tmp_path, replace(LOOP, steps=4), what="lora", lora_rank=2), latent_noise=0.0)
    np.testing.assert_allclose(losses(runs / "lora"), losses(tmp_path), rtol=1e-4)
    assert load_file(runs / "lora" / LORA_FILE).keys() == load_file(tmp_path / LORA_FILE).keys()
