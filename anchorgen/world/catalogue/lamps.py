"""Table lamps: a base, a shade that glows, and a real emitter inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.world.catalogue.style import FABRICS, Rgb, between, jitter
from anchorgen.world.meshes import cylinder, lathe, solid, sphere
from anchorgen.world.types import Furniture, Light, Part

_WARM = np.array([1.0, 0.62, 0.30])
_SHADE_REFLECTANCE: Rgb = (0.93, 0.88, 0.78)


@dataclass(frozen=True)
class TableLamp:
    """Metres, linear RGB, radiances in the renderer's units."""

    height_m: float
    shade_radius_m: float
    shade_taper: float  # top radius over bottom radius
    shade_share: float  # of the height
    base: str  # "vase", "stick" or "ball"
    base_colour: Rgb
    brightness: float
    shade_brightness: float
    warmth: float

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> TableLamp:
        own = style["metal"] if rng.random() < 0.5 else FABRICS[rng.integers(len(FABRICS))]
        return TableLamp(
            height_m=between(rng, 0.38, 0.55),
            shade_radius_m=between(rng, 0.11, 0.16),
            shade_taper=between(rng, 0.6, 0.95),
            shade_share=between(rng, 0.38, 0.46),
            base=str(rng.choice(["vase", "stick", "ball"])),
            base_colour=jitter(rng, own),
            brightness=between(rng, 9, 14),
            shade_brightness=between(rng, 2.2, 3.2),
            warmth=between(rng, 0.9, 1.1),
        )

    def build(self) -> Furniture:
        h, radius = self.height_m, self.shade_radius_m
        bottom, top = h * (1 - self.shade_share), radius * self.shade_taper
        shade = lathe([(radius, bottom), (top, h)], solid(_SHADE_REFLECTANCE), "shade")
        warm = _WARM * np.array([1.0, self.warmth, self.warmth**2])
        # A wider shade holds the same bulb: the discs' radiance falls with their area.
        radiance = warm * self.brightness * (0.12 / radius) ** 2
        light = Light(
            bottom=(0, 0, bottom),
            top=(0, 0, h),
            bottom_radius_m=0.93 * radius,
            top_radius_m=0.93 * top,
            radiance=tuple(radiance.tolist()),
            shade_radiance=tuple((warm * self.shade_brightness * [1, 1.05, 1.1]).tolist()),
        )
        return Furniture(tuple(self._base(bottom + 0.03)) + tuple(shade), light)

    def _base(self, height: float) -> list[Part]:
        paint = solid(self.base_colour)
        if self.base == "stick":
            return cylinder(0.075, 0.02, paint, "gloss") + cylinder(0.011, height, paint, "gloss", sides=8)
        if self.base == "ball":
            stem = cylinder(0.012, 0.35 * height, paint, "gloss", at=(0, 0, 0.65 * height), sides=8)
            return sphere(0.36 * height, paint, "gloss", flatten=0.95) + stem
        profile = [(0, 0), (0.07, 0), (0.075, 0.015), (0.02, 0.035), (0.055, 0.45 * height), (0.05, 0.6 * height)]
        return lathe([*profile, (0.014, 0.85 * height), (0.01, height)], paint, "gloss")
