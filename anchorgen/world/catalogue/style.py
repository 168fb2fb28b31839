"""A room's style: what its furniture has in common, so that a prior has something to learn."""

from __future__ import annotations

from typing import Any

import numpy as np

Rgb = tuple[float, float, float]

WOODS: tuple[Rgb, ...] = (
    (0.62, 0.42, 0.25), (0.42, 0.25, 0.14), (0.78, 0.62, 0.44), (0.30, 0.18, 0.11), (0.86, 0.84, 0.80), (0.70, 0.52, 0.34),
)  # fmt: skip
FABRICS: tuple[Rgb, ...] = (
    (0.75, 0.71, 0.64), (0.30, 0.40, 0.50), (0.62, 0.33, 0.28), (0.45, 0.53, 0.42), (0.80, 0.66, 0.40),
    (0.86, 0.85, 0.83), (0.35, 0.33, 0.38), (0.72, 0.52, 0.52), (0.25, 0.42, 0.42), (0.55, 0.58, 0.66),
)  # fmt: skip
METALS: tuple[Rgb, ...] = ((0.80, 0.65, 0.35), (0.25, 0.25, 0.27), (0.75, 0.75, 0.77))
WALLS: tuple[Rgb, ...] = (
    (0.86, 0.84, 0.80), (0.70, 0.74, 0.72), (0.80, 0.74, 0.66), (0.66, 0.72, 0.80), (0.84, 0.78, 0.76), (0.74, 0.76, 0.66),
)  # fmt: skip


def sample_style(rng: np.random.Generator) -> dict[str, Any]:
    """JSON-able: a wood, two fabrics, a metal and a wall colour that the objects of one room mostly share."""
    return {
        "wood": jitter(rng, WOODS[rng.integers(len(WOODS))]),
        "fabric": jitter(rng, FABRICS[rng.integers(len(FABRICS))]),
        "accent": jitter(rng, FABRICS[rng.integers(len(FABRICS))]),
        "metal": METALS[rng.integers(len(METALS))],
        "wall": jitter(rng, WALLS[rng.integers(len(WALLS))], 0.03),
    }


def jitter(rng: np.random.Generator, colour: Rgb, amount: float = 0.05) -> Rgb:
    """The colour, each channel a little different."""
    values = np.clip(np.asarray(colour) * (1 + rng.normal(0, amount, 3)), 0.03, 0.92)
    return tuple(round(float(v), 4) for v in values)  # type: ignore[return-value]


def wood_of(rng: np.random.Generator, style: dict[str, Any]) -> Rgb:
    """The room's wood, three times out of four."""
    return jitter(rng, style["wood"] if rng.random() < 0.75 else WOODS[rng.integers(len(WOODS))])


def fabric_of(rng: np.random.Generator, style: dict[str, Any]) -> Rgb:
    """One of the room's fabrics, three times out of four."""
    own = style["fabric"] if rng.random() < 0.6 else style["accent"]
    return jitter(rng, own if rng.random() < 0.75 else FABRICS[rng.integers(len(FABRICS))])


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform, to a tenth of a millimetre, so that JSON keeps it exactly."""
    return round(float(rng.uniform(low, high)), 4)


def pattern_seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1000))
