"""What a training run was, in a small file beside its weights: the model card quotes it."""

from __future__ import annotations

import csv
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from anchorgen.train.loop import FitResult, LoopConfig

FILE_NAME = "run.json"
MODEL_RECORDS = "training.json"
METRICS = "metrics.csv"
_POINTS = 40
_NOT_CURVES = ("step", "seconds", "bad_steps", "grad_norm", "learning_rate")


def write_run_record(out: Path, loop: LoopConfig, result: FitResult, module: nn.Module, **facts: Any) -> None:
    """Writes `run.json`: steps, seconds, seed, settings, machine, parameters and curve, with `facts` (rooms, batch size, ...).

    Args:
        out: folder of the run.
        loop: its settings.
        result: what `fit` gave.
        module: the network whose parameters count.
        facts: JSON values; no paths, since they would name one machine's folders.
    """
    record = {
        **facts,
        "parameters": sum(p.numel() for p in module.parameters()),
        "steps": result.step,
        "seconds": round(result.seconds),
        "bad_steps": result.bad_steps,
        "seed": loop.seed,
        "learning_rate": loop.learning_rate,
        "mixed_precision": loop.mixed_precision,
        "machine": machine(),
        "curve": curve(out / METRICS),
    }
    (Path(out) / FILE_NAME).write_text(json.dumps(record, indent=1) + "\n")


def curve(metrics: Path, points: int = _POINTS) -> dict[str, list[float]]:
    """What was logged while training, as means over as many stretches of steps; `step` is the last of each."""
    with open(metrics, newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in _NOT_CURVES and not name.startswith("eval/")] if rows else []
    table = np.array([[float(row[name] or "nan") for name in ("step", *names)] for row in rows])
    parts = np.array_split(table, min(points, len(table))) if rows else []
    means = {name: [float(f"{part[:, k].mean():.4g}") for part in parts] for k, name in enumerate(names, 1)}
    return {"step": [int(part[-1, 0]) for part in parts], **means}


def first_part(run: Path | None, network: str = "") -> dict[str, Any]:
    """What a run that goes on from another notes of it: `{"first_part": its record}`, or nothing if there is none.

    Args:
        run: its folder, or that of a model, which has the records of all its networks.
        network: which of these.
    """
    if run is None:
        return {}
    whole = run / MODEL_RECORDS
    if whole.is_file():
        return {"first_part": json.loads(whole.read_text())[network]}
    return {"first_part": read_run_records(run.parent, (run.name,))[run.name]}


def read_run_records(runs: Path, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The record of each run `runs/NAME`.

    Raises:
        FileNotFoundError: a run has none; the message says how to get it.
    """
    records = {}
    for name in names:
        path = runs / name / FILE_NAME
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; call `anchorgen train {name}` again: a finished run writes it")
        records[name] = json.loads(path.read_text())
    return records


def machine() -> str:
    """E.g. "x86_64, 2 cores" or "NVIDIA H100"."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {os.cpu_count()} cores"
