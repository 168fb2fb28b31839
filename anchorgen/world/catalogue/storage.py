"""Nightstands, dressers and wardrobes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, of_period, pattern_seed, wood_of
from anchorgen.world.meshes import rounded_box, solid, sphere, taper, turned, wood
from anchorgen.world.types import Furniture, Part


def drawer_fronts(
    size: tuple[float, float, float],
    columns: int,
    rows: int,
    round_knobs: bool,
    wood_colour: Rgb,
    knob_colour: Rgb,
    seed: int,
) -> list[Part]:
    """Fronts and handles on the -y face of a body of `size` that stands on the origin."""
    parts, gap, (width, depth, body) = [], 0.025, size
    wide = (width - gap * (columns + 1)) / columns
    high = (body - gap * (rows + 1)) / rows
    front, knob = -depth / 2, solid(knob_colour)
    for i in range(columns):
        for j in range(rows):
            x = -width / 2 + gap + wide / 2 + i * (wide + gap)
            z = gap + j * (high + gap)
            paint = wood(np.asarray(wood_colour) * 1.06, seed + 1 + i * 7 + j)
            parts += rounded_box((wide, 0.025, high), paint, "gloss", at=(x, front - 0.008, z), bevel_m=0.008)
            if round_knobs:
                parts += sphere(0.014, knob, "gloss", at=(x, front - 0.035, z + high / 2 - 0.014), sides=8)
            else:
                handle, at = (min(0.16, wide / 2), 0.018, 0.014), (x, front - 0.03, z + high / 2)
                parts += rounded_box(handle, knob, "gloss", at=at, bevel_m=0.006)
    return parts


@dataclass(frozen=True)
class Drawers:
    """A chest of drawers on legs: nightstand and dresser differ in size alone. Metres, linear RGB."""

    width_m: float
    depth_m: float
    height_m: float
    leg_m: float
    columns: int
    rows: int
    round_knobs: bool
    wood_colour: Rgb
    knob_colour: Rgb
    seed: int

    def build(self) -> Furniture:
        w, d, h, leg = self.width_m, self.depth_m, self.height_m, self.leg_m
        paint = wood(self.wood_colour, self.seed)
        parts = rounded_box((w, d, h - leg), paint, "gloss", at=(0, 0, leg), bevel_m=0.012)
        parts += rounded_box((w + 0.02, d + 0.02, 0.025), paint, "gloss", at=(0, 0, h - 0.015), bevel_m=0.008)
        dark = wood(np.asarray(self.wood_colour) * 0.8, self.seed, 2)
        for x in (-1, 1):
            for y in (-1, 1):
                at = (x * (w / 2 - 0.05), y * (d / 2 - 0.05), 0)
                parts += taper(0.016, 0.024, leg + 0.01, dark, "gloss", at=at, sides=6)
        body = (w, d, h - leg - 0.02)
        fronts = drawer_fronts(
            body, self.columns, self.rows, self.round_knobs, self.wood_colour, self.knob_colour, self.seed
        )
        return Furniture(tuple(parts + turned(fronts, at=(0, 0, leg))))


@dataclass(frozen=True)
class Nightstand(Drawers):
    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Nightstand:
        return Nightstand(
            width_m=between(rng, 0.4, 0.55),
            depth_m=between(rng, 0.36, 0.44),
            height_m=between(rng, 0.45, 0.6),
            leg_m=between(rng, 0.03, 0.2),
            columns=1,
            rows=int(rng.integers(1, 4)),
            round_knobs=of_period(rng, style, modern=("bar",), classic=("knob",), country=("knob", "bar")) == "knob",
            wood_colour=wood_of(rng, style),
            knob_colour=style["metal"],
            seed=pattern_seed(rng),
        )


@dataclass(frozen=True)
class Dresser(Drawers):
    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Dresser:
        width = between(rng, 0.9, 1.4)
        return Dresser(
            width_m=width,
            depth_m=between(rng, 0.42, 0.5),
            height_m=between(rng, 0.7, 0.95),
            leg_m=between(rng, 0.05, 0.15),
            columns=2 if width > 1 else 1,
            rows=int(rng.integers(3, 5)),
            round_knobs=of_period(rng, style, modern=("bar",), classic=("knob",), country=("knob", "bar")) == "knob",
            wood_colour=wood_of(rng, style),
            knob_colour=style["metal"],
            seed=pattern_seed(rng),
        )


@dataclass(frozen=True)
class Wardrobe:
    """Metres, linear RGB."""

    num_doors: int
    door_width_m: float
    depth_m: float
    height_m: float
    panelled: bool
    handle_height: float  # of the height
    wood_colour: Rgb
    handle_colour: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Wardrobe:
        return Wardrobe(
            num_doors=int(rng.integers(2, 4)),
            door_width_m=between(rng, 0.45, 0.55),
            depth_m=between(rng, 0.55, 0.62),
            height_m=between(rng, 1.9, 2.2),
            panelled=of_period(rng, style, modern=("flat",), classic=("panels",), country=("panels", "flat"))
            == "panels",
            handle_height=between(rng, 0.42, 0.5),
            wood_colour=wood_of(rng, style),
            handle_colour=style["metal"],
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        w, d, h = self.num_doors * self.door_width_m, self.depth_m, self.height_m
        parts = rounded_box((w, d, h), wood(self.wood_colour, self.seed, 2), "gloss", bevel_m=0.012)
        for i in range(self.num_doors):
            parts += self._door(-w / 2 + self.door_width_m * (i + 0.5), 1 if i % 2 == 0 else -1, i)
        top = wood(np.asarray(self.wood_colour) * 0.9, self.seed)
        parts += rounded_box((w + 0.05, d + 0.03, 0.05), top, "gloss", at=(0, -0.005, h - 0.03))
        return Furniture(tuple(parts))

    def _door(self, x: float, side: int, index: int) -> list[Part]:
        wide, high, front = self.door_width_m - 0.012, self.height_m - 0.12, -self.depth_m / 2
        paint = wood(np.asarray(self.wood_colour) * 1.05, self.seed + index, 2)
        parts = rounded_box((wide, 0.025, high), paint, "gloss", at=(x, front - 0.01, 0.08), bevel_m=0.01)
        if self.panelled:
            inner = wood(np.asarray(self.wood_colour) * 0.95, self.seed + index, 2)
            for z in (0.14, 0.14 + 0.5 * high):
                size = (wide - 0.13, 0.02, 0.42 * high)
                parts += rounded_box(size, inner, "gloss", at=(x, front - 0.018, z), bevel_m=0.008)
        at = (x + side * (wide / 2 - 0.05), front - 0.035, self.height_m * self.handle_height)
        return parts + rounded_box((0.015, 0.03, 0.22), solid(self.handle_colour), "gloss", at=at, bevel_m=0.006)
