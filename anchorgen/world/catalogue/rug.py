"""Rugs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, fabric_of, of_period, pattern_seed
from anchorgen.world.meshes import Paint, lathe, sheet, smooth_noise, solid
from anchorgen.world.types import Furniture


@dataclass(frozen=True)
class Rug:
    """Metres, linear RGB."""

    shape: Literal["square", "round"]
    width_m: float
    depth_m: float
    pattern: Literal["diamonds", "stripes", "dots", "rings"]
    period_m: float
    border_m: float
    first: Rgb
    second: Rgb
    border: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Rug:
        shape: Any = str(rng.choice(["square", "square", "square", "round"]))
        depth = between(rng, 1.3, 1.9)
        return Rug(
            shape=shape,
            width_m=depth if shape == "round" else between(rng, 1.6, 2.6),
            depth_m=depth,
            pattern="rings" if shape == "round" else _pattern(rng, style),
            period_m=between(rng, 0.2, 0.34),
            border_m=between(rng, 0.06, 0.14),
            first=fabric_of(rng, style),
            second=fabric_of(rng, style),
            border=fabric_of(rng, style),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        if self.shape == "round":
            radius = np.linspace(1e-3, self.width_m / 2, 28)
            rim = lathe([(self.width_m / 2, 0), (self.width_m / 2, 0.014)], solid(self.border), sides=40)
            angle = np.linspace(0, 2 * np.pi, 41)
            x, y = radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle)
            top = np.stack([x, y, np.full_like(x, 0.014)], -1)
            return Furniture(tuple(sheet(top, self._paint()) + rim))
        half_x, half_y, rows = self.width_m / 2, self.depth_m / 2, 0.055
        x = np.linspace(-half_x, half_x, int(self.width_m / rows) + 2)
        y = np.linspace(-half_y, half_y, int(self.depth_m / rows) + 2)
        top = np.stack([*np.meshgrid(x, y, indexing="ij"), np.full((len(x), len(y)), 0.016)], -1)
        rim = np.array([[-half_x, -half_y], [half_x, -half_y], [half_x, half_y], [-half_x, half_y], [-half_x, -half_y]])
        sides = np.stack([np.concatenate([rim, np.full((5, 1), z)], 1) for z in (0.0, 0.016)], 1)
        return Furniture(tuple(sheet(top, self._paint()) + sheet(sides, solid(self.border))))

    def _paint(self) -> Paint:
        def paint(p: np.ndarray) -> np.ndarray:
            x, y = p[:, 0], p[:, 1]
            if self.pattern == "rings":
                ring = (np.hypot(x, y) / (self.width_m / 2) * 6).astype(int) % 3
                return np.array([self.first, self.second, self.border])[np.minimum(ring, 2)]
            masks = {
                "diamonds": lambda: ((np.abs(x) + np.abs(y)) / self.period_m) % 1 < 0.5,
                "stripes": lambda: (x / self.period_m) % 1 < 0.5,
                "dots": lambda: np.sin(x * 4 / self.period_m) * np.sin(y * 4 / self.period_m) > 0.2,
            }
            colours = np.where(masks[self.pattern]()[:, None], self.first, self.second)
            edge = np.minimum(self.width_m / 2 - np.abs(x), self.depth_m / 2 - np.abs(y))
            colours = np.where((edge < self.border_m)[:, None], self.border, colours)
            return np.clip(colours * (1 + 0.08 * (2 * smooth_noise(p, self.seed, 30)[:, None] - 1)), 0, 1)

        return paint


def _pattern(rng: np.random.Generator, style: dict[str, Any]) -> Any:
    return of_period(rng, style, modern=("stripes", "dots"), classic=("diamonds",), country=("stripes", "diamonds"))
