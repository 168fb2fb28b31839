"""Beds: frame, headboard, mattress, duvet, throw and pillows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, fabric_of, jitter, of_period, pattern_seed, wood_of
from anchorgen.world.meshes import checks, cushion, fabric, rounded_box, smooth_noise, stripes, taper, turned, wood
from anchorgen.world.types import Furniture, Part


@dataclass(frozen=True)
class Bed:
    """Sizes in metres, colours linear RGB."""

    width_m: float
    length_m: float
    frame_height_m: float
    headboard_height_m: float
    headboard: Literal["wood", "slats", "padded", "channels"]
    duvet_share: float  # of the length
    duvet_drop_m: float
    pattern: Literal["plain", "stripes", "checks"]
    stripe_period_m: float
    stripe_axis: Literal[0, 1]
    pillow_rows: int
    wood_colour: Rgb
    headboard_colour: Rgb
    duvet_colour: Rgb
    throw_colour: Rgb
    pillow_colour: Rgb
    seed: int
    footboard: bool = False

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Bed:
        duvet = fabric_of(rng, style)
        red, green, blue = (round(min(0.92, 0.5 * c + 0.45), 4) for c in duvet)
        return Bed(
            width_m=float(rng.choice([1.0, 1.4, 1.6, 1.8])),
            length_m=between(rng, 1.95, 2.1),
            frame_height_m=between(rng, 0.22, 0.32),
            headboard_height_m=between(rng, 0.85, 1.25),
            headboard=of_period(
                rng, style, modern=("channels", "padded"), classic=("padded", "wood"), country=("slats", "wood")
            ),
            duvet_share=between(rng, 0.55, 0.75),
            duvet_drop_m=between(rng, 0.08, 0.2),
            pattern=of_period(
                rng, style, modern=("plain", "stripes"), classic=("plain",), country=("checks", "stripes", "plain")
            ),
            stripe_period_m=between(rng, 0.12, 0.3),
            stripe_axis=1 if rng.integers(2) else 0,
            pillow_rows=1 + int(rng.random() < 0.6),
            wood_colour=wood_of(rng, style),
            headboard_colour=fabric_of(rng, style),
            duvet_colour=duvet,
            throw_colour=(red, green, blue),
            pillow_colour=jitter(rng, style["accent"]),
            seed=pattern_seed(rng),
            footboard=of_period(rng, style, modern=("no",), classic=("yes", "no"), country=("yes", "no")) == "yes",
        )

    def build(self) -> Furniture:
        return Furniture(tuple(self._frame() + self._headboard() + self._bedding() + self._pillows()))

    def _frame(self) -> list[Part]:
        w, length, h = self.width_m, self.length_m, self.frame_height_m
        paint = wood(self.wood_colour, self.seed)
        parts = rounded_box((w, length, 0.13), paint, "gloss", at=(0, 0, h - 0.13), bevel_m=0.02)
        for x in (-1, 1):
            for y in (-1, 1):
                parts += taper(
                    0.025, 0.035, h - 0.12, paint, "gloss", at=(x * (w / 2 - 0.08), y * (length / 2 - 0.08), 0)
                )
        if self.footboard:
            size = (w + 0.04, 0.05, h + 0.26)
            parts += rounded_box(size, paint, "gloss", at=(0, -length / 2 - 0.06, 0), bevel_m=0.02, spacing_m=0.12)
        mattress = fabric((0.88, 0.87, 0.85), self.seed, 0.03)
        return parts + rounded_box((w - 0.04, length - 0.04, 0.2), mattress, at=(0, 0, h - 0.01), bevel_m=0.06)

    def _headboard(self) -> list[Part]:
        w, back, h = self.width_m, self.length_m / 2, self.headboard_height_m
        grain = wood(self.wood_colour, self.seed + 1)
        if self.headboard == "wood":
            size = (w + 0.06, 0.06, h)
            return rounded_box(size, grain, "gloss", at=(0, back + 0.02, 0), bevel_m=0.025, spacing_m=0.12)
        if self.headboard == "slats":
            return self._slats(h, back + 0.02)
        paint = fabric(self.headboard_colour, self.seed)
        if self.headboard == "padded":
            return rounded_box((w + 0.06, 0.11, h), paint, at=(0, back + 0.04, 0), bevel_m=0.05)
        count = int(np.ceil(w / 0.22))
        step = (w + 0.04) / count
        parts: list[Part] = []
        for i in range(count):
            x = (i + 0.5) * step - (w + 0.04) / 2
            parts += rounded_box((step - 0.004, 0.12, h), paint, at=(x, back + 0.04, 0), bevel_m=0.045)
        return parts

    def _slats(self, height: float, y: float) -> list[Part]:
        """Posts, rails and upright slats between them."""
        w, upright = self.width_m, wood(self.wood_colour, self.seed + 1, 2)
        parts: list[Part] = []
        for x in (-1, 1):
            size, at = (0.05, 0.05, height), (x * (w / 2 + 0.005), y, 0)
            parts += rounded_box(size, upright, "gloss", at=at, bevel_m=0.015)
        for z in (0.45 * height, height - 0.09):
            rail = wood(self.wood_colour, self.seed)
            parts += rounded_box((w, 0.035, 0.07), rail, "gloss", at=(0, y, z), bevel_m=0.012)
        count = int(w / 0.14)
        for i in range(count):
            x = ((i + 0.5) / count - 0.5) * (w - 0.05)
            size, at = (0.045, 0.02, 0.55 * height - 0.12), (x, y, 0.45 * height + 0.05)
            parts += rounded_box(size, upright, "gloss", at=at, bevel_m=0.008)
        return parts

    def _bedding(self) -> list[Part]:
        w, length, z = self.width_m, self.length_m, self.frame_height_m + 0.1
        cover, drop = self.duvet_share * length, self.duvet_drop_m
        lighter = np.clip(np.asarray(self.duvet_colour) * 1.25 + 0.1, 0, 0.9)
        paint = {
            "plain": fabric(self.duvet_colour, self.seed, 0.08),
            "stripes": stripes(self.duvet_colour, lighter, self.stripe_axis, self.stripe_period_m),
            "checks": checks(self.duvet_colour, lighter, self.stripe_period_m),
        }[self.pattern]
        parts = rounded_box(
            (w + 0.07, cover, 0.14 + drop), paint, at=(0, -length / 2 + cover / 2 - 0.035, z - drop + 0.03), bevel_m=0.055,
            spacing_m=0.1, bump=lambda p: 0.014 * (2 * smooth_noise(p, self.seed, 6) - 1),
        )  # fmt: skip
        edge = -length / 2 + cover - 0.1
        throw = fabric(self.throw_colour, self.seed)
        return parts + rounded_box((w + 0.08, 0.26, 0.05), throw, at=(0, edge, z + 0.07), bevel_m=0.024)

    def _pillows(self) -> list[Part]:
        w, parts = self.width_m, []
        count = 2 if w > 1.1 else 1
        wide = min(0.68, (w - 0.08) / count - 0.04)
        for row in range(self.pillow_rows):
            paint = fabric((0.9, 0.89, 0.87) if row == 0 else self.pillow_colour, self.seed + row, 0.04)
            size = np.array([wide, 0.45, 0.17]) * (1 - 0.22 * row)
            y, z = self.length_m / 2 - 0.27 - 0.2 * row, self.frame_height_m + 0.2
            for i in range(count):
                x = (i - (count - 1) / 2) * (w / count * 0.95) * (1 - 0.15 * row)
                parts += turned(cushion(size, paint), pitch=0.55 + 0.25 * row, yaw=0.06 * (i - 0.5), at=(x, y, z))
        return parts
