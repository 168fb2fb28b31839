"""Lamps: a stand or a cord, a shade that glows, and a real emitter inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, fabric_of, jitter, of_period
from anchorgen.world.meshes import cylinder, lathe, solid, sphere, turned
from anchorgen.world.types import Furniture, Light, Part

WARM = np.array([1.0, 0.62, 0.30])
SHADE_REFLECTANCE: Rgb = (0.93, 0.88, 0.78)


def shaded_light(
    bottom_m: float, top_m: float, radii_m: tuple[float, float], radiance: np.ndarray, glow: np.ndarray
) -> Light:
    """The discs of a shade between two heights, a little inside it."""
    return Light(
        bottom=(0, 0, bottom_m),
        top=(0, 0, top_m),
        bottom_radius_m=0.93 * radii_m[0],
        top_radius_m=0.93 * radii_m[1],
        radiance=tuple(radiance.tolist()),
        shade_radiance=tuple(glow.tolist()),
    )


def warm_light(warmth: float) -> np.ndarray:
    """`[3]` colour of a bulb; warmth 1 is incandescent, more is whiter."""
    return WARM * np.array([1.0, warmth, warmth**2])


@dataclass(frozen=True)
class TableLamp:
    """Metres, linear RGB, radiances in the renderer's units."""

    height_m: float
    shade_radius_m: float
    shade_taper: float  # top radius over bottom radius
    shade_share: float  # of the height
    base: Literal["vase", "stick", "ball"]
    base_colour: Rgb
    brightness: float
    shade_brightness: float
    warmth: float

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> TableLamp:
        return TableLamp(
            height_m=between(rng, 0.44, 0.62),
            shade_radius_m=between(rng, 0.13, 0.18),
            shade_taper=between(rng, 0.6, 0.95),
            shade_share=between(rng, 0.38, 0.46),
            base=of_period(rng, style, modern=("stick", "ball"), classic=("vase",), country=("vase", "ball")),
            base_colour=jitter(rng, style["metal"]) if rng.random() < 0.5 else fabric_of(rng, style),
            brightness=between(rng, 10, 15),
            shade_brightness=between(rng, 2.2, 3.2),
            warmth=between(rng, 0.9, 1.1),
        )

    def build(self) -> Furniture:
        h, radius = self.height_m, self.shade_radius_m
        bottom, top = h * (1 - self.shade_share), radius * self.shade_taper
        shade = lathe([(radius, bottom), (top, h)], solid(SHADE_REFLECTANCE), "shade")
        warm = warm_light(self.warmth)
        # A wider shade holds the same bulb: the discs' radiance falls with their area.
        radiance = warm * self.brightness * (0.12 / radius) ** 2
        light = shaded_light(bottom, h, (radius, top), radiance, warm * self.shade_brightness * [1, 1.05, 1.1])
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


@dataclass(frozen=True)
class FloorLamp:
    """Metres, linear RGB, radiances in the renderer's units."""

    height_m: float
    shade_radius_m: float
    shade_taper: float
    shade_height_m: float
    base: Literal["disc", "tripod"]
    pole_radius_m: float
    base_colour: Rgb
    brightness: float
    shade_brightness: float
    warmth: float

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> FloorLamp:
        base = of_period(rng, style, modern=("disc", "tripod"), classic=("disc",), country=("tripod",))
        wooden = base == "tripod" and rng.random() < 0.6
        return FloorLamp(
            height_m=between(rng, 1.35, 1.65),
            shade_radius_m=between(rng, 0.16, 0.22),
            shade_taper=between(rng, 0.65, 1.0),
            shade_height_m=between(rng, 0.22, 0.32),
            base=base,
            pole_radius_m=between(rng, 0.011, 0.018),
            base_colour=jitter(rng, style["wood"] if wooden else style["metal"]),
            brightness=between(rng, 10, 15),
            shade_brightness=between(rng, 2.0, 3.0),
            warmth=between(rng, 0.9, 1.1),
        )

    def build(self) -> Furniture:
        h, radius, paint = self.height_m, self.shade_radius_m, solid(self.base_colour)
        bottom, top = h - self.shade_height_m, radius * self.shade_taper
        if self.base == "disc":
            parts = cylinder(0.14, 0.025, paint, "gloss", sides=24)
            parts += cylinder(self.pole_radius_m, bottom + 0.08, paint, "gloss", sides=8)
        else:
            parts, lean = cylinder(1.6 * self.pole_radius_m, 0.14, paint, "gloss", at=(0, 0, bottom - 0.06)), 0.2
            leg = cylinder(self.pole_radius_m, (bottom - 0.02) / np.cos(lean), paint, "gloss", sides=8)
            for k in range(3):
                yaw = 2 * np.pi * k / 3
                foot = np.array([-np.sin(yaw), np.cos(yaw), 0.0]) * np.tan(lean) * (bottom - 0.02)
                parts += turned(leg, pitch=lean, yaw=yaw, at=foot)
        shade = lathe([(radius, bottom), (top, h)], solid(SHADE_REFLECTANCE), "shade", sides=24)
        warm = warm_light(self.warmth)
        radiance = warm * self.brightness * (0.15 / radius) ** 2
        light = shaded_light(bottom, h, (radius, top), radiance, warm * self.shade_brightness * [1, 1.05, 1.1])
        return Furniture(tuple(parts + shade), light)


@dataclass(frozen=True)
class Pendant:
    """A lamp that hangs from the ceiling; its box reaches up to it. Metres, linear RGB, radiances of the renderer."""

    kind: Literal["dome", "drum", "globe"]
    radius_m: float
    shade_height_m: float
    drop_m: float
    cord_radius_m: float
    colour: Rgb
    brightness: float
    shade_brightness: float
    warmth: float

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Pendant:
        kind = of_period(rng, style, modern=("dome", "globe"), classic=("drum", "globe"), country=("drum", "dome"))
        radius = between(rng, 0.13, 0.18) if kind == "globe" else between(rng, 0.16, 0.26)
        return Pendant(
            kind=kind,
            radius_m=radius,
            shade_height_m=round(radius * {"dome": 0.95, "drum": 0.9, "globe": 2.0}[kind] * rng.uniform(0.9, 1.05), 4),
            drop_m=between(rng, 0.25, 0.55),
            cord_radius_m=between(rng, 0.005, 0.009),
            colour=jitter(rng, style["metal"] if rng.random() < 0.6 else style["accent"]),
            brightness=between(rng, 6, 9),
            shade_brightness=between(rng, 2.0, 3.0),
            warmth=between(rng, 0.95, 1.2),
        )

    def build(self) -> Furniture:
        r, high, paint = self.radius_m, self.shade_height_m, solid(self.colour)
        warm, ceiling = warm_light(self.warmth), high + self.drop_m
        parts = cylinder(self.cord_radius_m, self.drop_m - 0.02, paint, "gloss", at=(0, 0, high), sides=8)
        parts += cylinder(0.05, 0.03, paint, "gloss", at=(0, 0, ceiling - 0.03))
        radiance, glow = (warm * self.brightness + 1) * (0.2 / r) ** 2, warm * self.shade_brightness
        if self.kind == "dome":
            dome = [(r, 0), (0.93 * r, 0.37 * high), (0.6 * r, 0.76 * high), (0.03, high)]
            inside = [(0.97 * x, z) for x, z in dome][::-1]
            parts += lathe(dome, paint, "gloss", sides=28) + lathe(inside, solid((0.9, 0.88, 0.82)), "shade", sides=28)
            light = shaded_light(0.012, 0.5 * high, (0.96 * r, 0.002), radiance, glow + 0.6)
        elif self.kind == "drum":
            parts += lathe([(r, 0), (r, high)], solid(SHADE_REFLECTANCE), "shade", sides=28)
            light = shaded_light(0.0, high, (r, r), 0.7 * radiance, glow)
        else:
            parts += sphere(r, solid((0.9, 0.9, 0.88)), "shade", flatten=high / (2 * r), sides=24)
            light = shaded_light(-0.002, high + 0.001, (0.01, 0.01), 0.1 * radiance, 2.2 * glow + 1.0)
        return Furniture(tuple(parts), light)
