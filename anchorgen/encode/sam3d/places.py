"""Where this machine has SAM 3D Objects: three environment variables, as no model's folder can know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch

from anchorgen.encode.sam3d.explain import PerceptionError
from anchorgen.encode.sam3d.workers import Sam3dWorkers

PYTHON, CHECKPOINT, JOB = "ANCHORGEN_SAM3D_PYTHON", "ANCHORGEN_SAM3D_CHECKPOINT", "ANCHORGEN_SAM3D_JOB"
_MEANING = {
    PYTHON: "the python of its own environment",
    CHECKPOINT: "the pipeline.yaml of its checkpoints",
    JOB: "a job folder on a local disk",
}


def workers_here(device: torch.device, environment: Mapping[str, str] = os.environ) -> Sam3dWorkers:
    """Workers as the environment variables say, on the GPU that this process uses; none is started yet.

    Raises:
        PerceptionError: a variable is not set, or names no file.
    """
    missing = [name for name in _MEANING if not environment.get(name)]
    if missing:
        said = ", ".join(f"{name} ({_MEANING[name]})" for name in missing)
        raise PerceptionError(
            f"SAM 3D Objects: it runs in an environment of its own, and this machine's is not known: set {said}, or "
            "pipe.encoder.workers = Sam3dWorkers(...); how to install it: docs/sam3d.md"
        )
    for name in (PYTHON, CHECKPOINT):
        if not Path(environment[name]).is_file():
            raise PerceptionError(
                f"SAM 3D Objects: {name} is {environment[name]}, which is no file; expected {_MEANING[name]}: docs/sam3d.md"
            )
    return Sam3dWorkers(environment[JOB], environment[PYTHON], environment[CHECKPOINT], (gpu_of(device, environment),))


def gpu_of(device: torch.device, environment: Mapping[str, str] = os.environ) -> str:
    """What CUDA_VISIBLE_DEVICES must be for another process to see this device; "0" for a CPU."""
    number = device.index or 0
    visible = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible[number] if number < len(visible) else str(number)
