"""Depth and normals as whole numbers: two pairs of functions, exact on what they themselves have made."""

from __future__ import annotations

import numpy as np

_MM = 1000.0
_MAX_MM = 65_535
_STEPS, _ZERO = 127, 128


def depth_to_mm(depth: np.ndarray) -> np.ndarray:
    """`[H, W]` metres to uint16 millimetres. What is not finite or not positive is 0; beyond 65.535 m it is clipped."""
    metres = np.where(np.isfinite(depth), depth, 0)
    return np.clip(np.round(metres * _MM), 0, _MAX_MM).astype(np.uint16)


def mm_to_depth(mm: np.ndarray) -> np.ndarray:
    """Inverse of `depth_to_mm`, up to half a millimetre: `[H, W]` float32 metres."""
    return (mm / _MM).astype(np.float32)


def normals_to_rgb(normals: np.ndarray) -> np.ndarray:
    """`[H, W, 3]` in [-1, 1] to uint8: round(127 n) + 128. What is not finite is 0."""
    n = np.clip(np.where(np.isfinite(normals), normals, 0), -1, 1)
    return (np.round(n * _STEPS) + _ZERO).astype(np.uint8)


def rgb_to_normals(rgb: np.ndarray) -> np.ndarray:
    """Inverse of `normals_to_rgb`, up to 1/254 a component: `[H, W, 3]` float32, so their length is 1 +- 0.007."""
    return ((rgb.astype(np.float32) - _ZERO) / _STEPS).astype(np.float32)
