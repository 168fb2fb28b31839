"""Numbers that compare pictures. Pictures are `[H, W, 3]` uint8 arrays or PIL pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, laplace


def as_array(picture: Any) -> np.ndarray:
    """`[H, W, 3]` float64 in [0, 1].

    Raises:
        ValueError: not an RGB picture.
    """
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"got an array of shape {array.shape}; expected an RGB picture [H, W, 3]")
    return array.astype(float) / (255.0 if array.dtype == np.uint8 else 1.0)


def mse(a: Any, b: Any, mask: np.ndarray | None = None) -> float:
    """Mean squared error over all pixels, or those of `mask` `[H, W]`.

    Raises:
        ValueError: pictures of two sizes, or a mask of another size or without a pixel.
    """
    x, y = as_array(a), as_array(b)
    if x.shape != y.shape:
        raise ValueError(f"got pictures of {x.shape[:2]} and {y.shape[:2]} pixels; expected one size: resize one")
    if mask is not None and (mask.shape != x.shape[:2] or not mask.any()):
        raise ValueError(
            f"got a mask of {mask.shape} with {mask.sum()} pixels; expected {x.shape[:2]} and at least one"
        )
    error = np.square(x - y).mean(-1)
    return float(error.mean() if mask is None else error[mask].mean())


def psnr(a: Any, b: Any, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB, at most 60 (equal pictures)."""
    return float(-10 * np.log10(max(mse(a, b, mask), 1e-6)))


def ssim(a: Any, b: Any) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 1.5 px, mean over channels and pixels."""
    x, y = as_array(a), as_array(b)

    def blur(z: np.ndarray) -> np.ndarray:
        return gaussian_filter(z, (1.5, 1.5, 0), truncate=3.5)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def laplacian_energy(picture: Any) -> float:
    """Mean squared Laplacian of the luminance: what blur takes away."""
    grey = as_array(picture) @ np.array([0.2126, 0.7152, 0.0722])
    return float(np.square(laplace(grey)).mean())


def change_map(a: Any, b: Any) -> np.ndarray:
    """`[H, W]` in [0, 1]: the largest change of a channel at each pixel."""
    return np.abs(as_array(a) - as_array(b)).max(-1)


def mean_and_interval(values: Any) -> tuple[float, float]:
    """Mean over scenes, and half the width of its 95% interval (normal)."""
    values = np.asarray(values, float)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(values.mean()), float(half)


def named_mean(name: str, values: Any) -> dict[str, float | None]:
    """`{name: mean, name_ci95: half width}` of values, one a scene; None for what so few cannot tell."""
    if len(values) == 0:
        return {name: None, f"{name}_ci95": None}
    mean, half = mean_and_interval(values)
    return {name: mean, f"{name}_ci95": None if np.isnan(half) else half}
