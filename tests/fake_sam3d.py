"""A stand-in for SAM 3D Objects that speaks the worker's protocol: run as a script, without anchorgen and torch.

    python fake_sam3d.py JOB --checkpoint FILE [options of the worker]

The object of a mask is a block of voxels whose features tell the mask's area. What FILE holds says how it misbehaves:
"slow" (a pause an object), "oom" and "crash" (at the object whose mask has the top left pixel), "cuda" (at the load).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np


class FakeSam3d:
    def __init__(self, checkpoint: Path):
        self.how = checkpoint.read_text()
        if "cuda" in self.how:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    def camera(self, rgb):
        """A wall 2 in front of the camera, seen with focal length 1: in PyTorch3D's frame x is left and y is up."""
        height, width = rgb.shape[:2]
        v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
        points = np.stack([-(u - 0.5) * 2, -(v - 0.5) * 2, np.full_like(u, 2.0)], -1)
        return {
            "points": points.astype(np.float32),
            "intrinsics": np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]], np.float32),
        }

    def encode(self, rgb, mask, points, seed):
        if "slow" in self.how:
            time.sleep(0.25)
        if mask[0, 0] and "oom" in self.how:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if mask[0, 0] and "crash" in self.how:
            os._exit(9)
        rng = np.random.default_rng(seed)
        coords = np.stack(np.meshgrid(range(16, 48), range(24, 40), range(8), indexing="ij"), -1).reshape(-1, 3)
        quat = np.array([1.0, 0, 0, 0]) + 0.1 * rng.normal(size=4)
        return {
            "coords": coords.astype(np.uint8),
            "feats": np.full((len(coords), 8), mask.mean(), np.float16),
            "rotation": (quat / np.linalg.norm(quat)).astype(np.float32),
            "translation": np.array([0.2, -0.1, 2.0], np.float32),
            "scale": np.full(3, 1.5, np.float32),
            "slat_mean": np.full(8, 0.5, np.float32),
            "slat_std": np.full(8, 2.0, np.float32),
        }

    def recover(self):
        pass


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "anchorgen" / "encode" / "sam3d"))
    import worker

    assert "anchorgen" not in sys.modules
    assert "torch" not in sys.modules
    sys.exit(worker.main(load=FakeSam3d))
