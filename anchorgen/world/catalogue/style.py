"""A room's style: what its furniture has in common, so that a prior has something to learn."""

from __future__ import annotations

from typing import Any

import numpy as np

Rgb = tuple[float, float, float]

PERIODS = ("modern", "classic", "country")
WOODS: dict[str, tuple[Rgb, ...]] = {
    "modern": ((0.86, 0.84, 0.80), (0.78, 0.62, 0.44), (0.16, 0.14, 0.13), (0.70, 0.52, 0.34)),
    "classic": ((0.42, 0.25, 0.14), (0.30, 0.18, 0.11), (0.50, 0.30, 0.18)),
    "country": ((0.62, 0.42, 0.25), (0.78, 0.62, 0.44), (0.86, 0.84, 0.80), (0.70, 0.52, 0.34)),
}
FABRICS: tuple[Rgb, ...] = (
    (0.75, 0.71, 0.64), (0.30, 0.40, 0.50), (0.62, 0.33, 0.28), (0.45, 0.53, 0.42), (0.80, 0.66, 0.40),
    (0.86, 0.85, 0.83), (0.35, 0.33, 0.38), (0.72, 0.52, 0.52), (0.25, 0.42, 0.42), (0.55, 0.58, 0.66),
)  # fmt: skip
METALS: dict[str, tuple[Rgb, ...]] = {
    "modern": ((0.25, 0.25, 0.27), (0.75, 0.75, 0.77)),
    "classic": ((0.80, 0.65, 0.35), (0.62, 0.42, 0.22)),
    "country": ((0.25, 0.25, 0.27), (0.80, 0.65, 0.35)),
}
# Wall, main fabric, accent, curtain: colours that people put together.
PALETTES: tuple[tuple[Rgb, Rgb, Rgb, Rgb], ...] = (
    ((0.86, 0.84, 0.80), (0.75, 0.71, 0.64), (0.62, 0.33, 0.28), (0.80, 0.77, 0.70)),  # cream and brick
    ((0.66, 0.72, 0.80), (0.30, 0.40, 0.50), (0.86, 0.85, 0.83), (0.30, 0.40, 0.50)),  # navy
    ((0.74, 0.76, 0.66), (0.45, 0.53, 0.42), (0.80, 0.66, 0.40), (0.86, 0.85, 0.83)),  # sage and straw
    ((0.84, 0.78, 0.76), (0.72, 0.52, 0.52), (0.86, 0.85, 0.83), (0.72, 0.52, 0.52)),  # rose
    ((0.70, 0.74, 0.72), (0.25, 0.42, 0.42), (0.80, 0.66, 0.40), (0.25, 0.42, 0.42)),  # teal and ochre
    ((0.80, 0.74, 0.66), (0.80, 0.66, 0.40), (0.35, 0.33, 0.38), (0.62, 0.33, 0.28)),  # ochre
    ((0.82, 0.82, 0.83), (0.35, 0.33, 0.38), (0.55, 0.58, 0.66), (0.86, 0.85, 0.83)),  # greys
    ((0.55, 0.60, 0.58), (0.86, 0.85, 0.83), (0.45, 0.53, 0.42), (0.75, 0.71, 0.64)),  # dark sage and linen
    ((0.62, 0.50, 0.46), (0.75, 0.71, 0.64), (0.25, 0.42, 0.42), (0.86, 0.85, 0.83)),  # clay
    ((0.78, 0.80, 0.86), (0.55, 0.58, 0.66), (0.72, 0.52, 0.52), (0.55, 0.58, 0.66)),  # lavender
)
FLOORS: dict[str, tuple[Rgb, ...]] = {
    "modern": ((0.70, 0.54, 0.38), (0.76, 0.70, 0.62), (0.52, 0.50, 0.48)),
    "classic": ((0.42, 0.28, 0.18), (0.58, 0.40, 0.25)),
    "country": ((0.58, 0.40, 0.25), (0.70, 0.54, 0.38)),
}


def sample_style(rng: np.random.Generator) -> dict[str, Any]:
    """JSON-able: period, wood, metal and a palette that the things of one room mostly share."""
    period = str(rng.choice(PERIODS))
    wall, cloth, accent, curtain = PALETTES[rng.integers(len(PALETTES))]
    return {
        "period": period,
        "wood": jitter(rng, one_of(rng, WOODS[period])),
        "metal": one_of(rng, METALS[period]),
        "fabric": jitter(rng, cloth),
        "accent": jitter(rng, accent),
        "wall": jitter(rng, wall, 0.03),
        "curtain": jitter(rng, curtain),
        "floor": jitter(rng, one_of(rng, FLOORS[period])),
    }


def one_of(rng: np.random.Generator, choices: Any) -> Any:
    """One of a sequence, whatever it holds."""
    return choices[int(rng.integers(len(choices)))]


def of_period(rng: np.random.Generator, style: dict[str, Any], **choices: tuple[str, ...]) -> Any:
    """A form (a word) that the room's period favours, four times out of five; else one of any period."""
    own = choices[style["period"]]
    return str(one_of(rng, own if rng.random() < 0.8 else sum(choices.values(), ())))


def jitter(rng: np.random.Generator, colour: Rgb, amount: float = 0.05) -> Rgb:
    """The colour, each channel a little different."""
    values = np.clip(np.asarray(colour) * (1 + rng.normal(0, amount, 3)), 0.03, 0.92)
    return tuple(round(float(v), 4) for v in values)  # type: ignore[return-value]


def wood_of(rng: np.random.Generator, style: dict[str, Any]) -> Rgb:
    """The room's wood, four times out of five."""
    other = one_of(rng, WOODS[str(one_of(rng, PERIODS))])
    return jitter(rng, style["wood"] if rng.random() < 0.8 else other)


def fabric_of(rng: np.random.Generator, style: dict[str, Any]) -> Rgb:
    """One of the room's fabrics, four times out of five."""
    own = style["fabric"] if rng.random() < 0.6 else style["accent"]
    return jitter(rng, own if rng.random() < 0.8 else one_of(rng, FABRICS))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform, to a tenth of a millimetre, so that JSON keeps it exactly."""
    return round(float(rng.uniform(low, high)), 4)


def pattern_seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1000))
