"""Chairs and ottomans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, fabric_of, of_period, pattern_seed, wood_of
from anchorgen.world.meshes import fabric, lathe, rounded_box, taper, turned, wood
from anchorgen.world.types import Furniture

_LEAN = -0.12  # radians: how far a chair's back leans


@dataclass(frozen=True)
class Chair:
    """Metres, linear RGB; it faces -y."""

    width_m: float
    depth_m: float
    seat_height_m: float
    back_height_m: float
    padded_back: bool
    num_slats: int
    wood_colour: Rgb
    seat_colour: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Chair:
        return Chair(
            width_m=between(rng, 0.42, 0.5),
            depth_m=between(rng, 0.42, 0.5),
            seat_height_m=between(rng, 0.43, 0.47),
            back_height_m=between(rng, 0.36, 0.5),
            padded_back=of_period(rng, style, modern=("pad",), classic=("pad", "slats"), country=("slats",)) == "pad",
            num_slats=int(rng.integers(2, 5)),
            wood_colour=wood_of(rng, style),
            seat_colour=fabric_of(rng, style),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        w, d, h, back = self.width_m, self.depth_m, self.seat_height_m, self.back_height_m
        paint, cloth, parts = wood(self.wood_colour, self.seed, 2), fabric(self.seat_colour, self.seed), []
        for x in (-1, 1):
            for y in (-1, 1):
                parts += taper(0.013, 0.02, h, paint, "gloss", at=(x * (w / 2 - 0.03), y * (d / 2 - 0.03), 0), sides=6)
            post = rounded_box((0.03, 0.03, back), paint, "gloss", bevel_m=0.01)
            parts += turned(post, pitch=_LEAN, at=(x * (w / 2 - 0.03), d / 2 - 0.03, h))
        parts += rounded_box((w, d, 0.06), cloth, at=(0, 0, h - 0.01), bevel_m=0.028)
        if self.padded_back:
            pad = rounded_box((w - 0.02, 0.05, 0.55 * back), cloth, bevel_m=0.024)
            return Furniture(tuple(parts + turned(pad, pitch=_LEAN, at=(0, d / 2 - 0.08, h + 0.45 * back))))
        for k in range(self.num_slats):
            rise = back * (k + 1) / (self.num_slats + 0.4)
            slat = rounded_box((w - 0.04, 0.02, 0.06), paint, "gloss", bevel_m=0.009)
            parts += turned(slat, pitch=_LEAN, at=(0, d / 2 - 0.05 - _LEAN * rise, h + rise - 0.03))
        return Furniture(tuple(parts))


@dataclass(frozen=True)
class Ottoman:
    """Round, or a bench on legs. Metres, linear RGB."""

    shape: Literal["round", "bench"]
    width_m: float
    depth_m: float
    height_m: float
    cushion_m: float
    leg_inset_m: float
    wood_colour: Rgb
    seat_colour: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Ottoman:
        shape = of_period(rng, style, modern=("round", "bench"), classic=("bench",), country=("bench", "round"))
        width = between(rng, 0.5, 0.7) if shape == "round" else between(rng, 0.8, 1.3)
        return Ottoman(
            shape=shape,
            width_m=width,
            depth_m=width if shape == "round" else between(rng, 0.38, 0.46),
            height_m=between(rng, 0.38, 0.48),
            cushion_m=between(rng, 0.14, 0.22),
            leg_inset_m=between(rng, 0.06, 0.1),
            wood_colour=wood_of(rng, style),
            seat_colour=fabric_of(rng, style),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        w, d, h, cloth = self.width_m, self.depth_m, self.height_m, fabric(self.seat_colour, self.seed, 0.07)
        if self.shape == "round":
            r = w / 2
            side = [(0.88 * r, 0), (0.96 * r, 0.15 * h), (r, 0.5 * h), (0.96 * r, 0.85 * h), (0.82 * r, 0.96 * h)]
            return Furniture(tuple(lathe(side, cloth) + lathe([(0.82 * r, 0.96 * h), (0.4 * r, h), (0, h)], cloth)))
        parts = rounded_box((w, d, self.cushion_m), cloth, at=(0, 0, h - self.cushion_m), bevel_m=0.06)
        paint = wood(self.wood_colour, self.seed, 2)
        for x in (-1, 1):
            for y in (-1, 1):
                at = (x * (w / 2 - self.leg_inset_m), y * (d / 2 - self.leg_inset_m), 0)
                parts += taper(0.014, 0.022, h - self.cushion_m + 0.02, paint, "gloss", at=at, sides=6)
        return Furniture(tuple(parts))
