"""Pictures, masks and workers for the tests of SAM 3D's file protocol."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from anchorgen.encode.sam3 import ObjectMask
from anchorgen.encode.sam3d import folder

FAKE = Path(__file__).with_name("fake_sam3d.py")
SIDE = 56


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def block(row: int, column: int, side: int = 14) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def masks(count: int = 3) -> list[ObjectMask]:
    """The first has the top left pixel; no two touch."""
    corners = [(0, 0), (0, 28), (28, 0), (28, 28)][:count]
    return [ObjectMask(label, 0.9 - 0.1 * i, block(*corners[i])) for i, label in zip(range(count), "abcd")]


def add(job: Path, name: str, count: int = 3, seed: int = 0) -> Path:
    found = masks(count)
    stack = np.array([m.mask for m in found], bool).reshape(-1, SIDE, SIDE)
    labels, scores = [m.label for m in found], [m.score for m in found]
    return folder.add_picture(folder.create(job), name, picture(seed), stack, labels, scores, seed=seed)


def checkpoint(path: Path, how: str = "") -> Path:
    file = path / "pipeline.yaml"
    file.write_text(how)
    return file


def start_worker(job: Path, how: Path, *options: str) -> subprocess.Popen:
    """Another process, as SAM 3D's environment would be."""
    command = [sys.executable, str(FAKE), str(job), "--checkpoint", str(how), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_worker(job: Path, how: Path, *options: str) -> subprocess.CompletedProcess:
    process = start_worker(job, how, *options)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
