"""Potted plants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, pattern_seed
from anchorgen.world.meshes import lathe, sheet, solid
from anchorgen.world.types import Furniture


@dataclass(frozen=True)
class Plant:
    """A pot and arching leaves. Metres, linear RGB."""

    pot_height_m: float
    pot_radius_m: float
    num_leaves: int
    leaf_length_m: float
    leaf_width_m: float
    spread: float
    pot_colour: Rgb
    leaf_colour: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Plant:
        pots = ((0.85, 0.84, 0.8), (0.66, 0.36, 0.24), (0.3, 0.32, 0.34), (0.75, 0.7, 0.6))
        green = np.array([0.10, 0.30, 0.10]) * rng.uniform(0.8, 1.5) + [rng.uniform(0, 0.08), 0, 0]
        return Plant(
            pot_height_m=between(rng, 0.22, 0.38),
            pot_radius_m=between(rng, 0.12, 0.17),
            num_leaves=int(rng.integers(12, 26)),
            leaf_length_m=between(rng, 0.45, 0.8),
            leaf_width_m=between(rng, 0.05, 0.1),
            spread=between(rng, 0.5, 0.9),
            pot_colour=pots[rng.integers(len(pots))],
            leaf_colour=tuple(np.round(green, 4).tolist()),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        h, r, pot = self.pot_height_m, self.pot_radius_m, solid(self.pot_colour)
        parts = lathe([(0, 0), (0.75 * r, 0)], pot, "gloss") + lathe([(0.75 * r, 0), (r, h)], pot, "gloss")
        parts += lathe([(r, h), (0.86 * r, h)], pot, "gloss") + lathe(
            [(0.86 * r, h - 0.03), (0, h - 0.03)], solid((0.12, 0.08, 0.05))
        )
        rng, along = np.random.default_rng(self.seed), np.linspace(0, 1, 7)
        for i in range(self.num_leaves):
            angle, lift = 2.399 * i + rng.normal(0, 0.2), rng.uniform(self.spread, 1.25)
            length, shade = self.leaf_length_m * rng.uniform(0.65, 1.1), rng.uniform(0.7, 1.4)
            reach = length * np.cos(lift) * along
            rise = h - 0.03 + length * (np.sin(lift) * along - 0.5 * along**2.2 * np.cos(lift))
            wide = (
                self.leaf_width_m * np.sin(np.pi * np.clip(along, 0.02, 0.99) ** 0.75)[:, None] * np.array([-1, 0, 1])
            )
            x = reach[:, None] * np.cos(angle) - wide * np.sin(angle)
            y = reach[:, None] * np.sin(angle) + wide * np.cos(angle)
            z = rise[:, None] + 0.25 * np.abs(wide)
            parts += sheet(np.stack([x, y, z], -1), solid(np.clip(np.asarray(self.leaf_colour) * shade, 0.02, 0.8)))
        return Furniture(tuple(parts))
