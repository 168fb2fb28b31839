"""What hangs on a wall: paintings and mirrors; their backs are at +y."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue.style import Rgb, between, fabric_of, jitter, of_period, one_of, pattern_seed
from anchorgen.world.meshes import Paint, rounded_box, sheet, smooth_noise, solid
from anchorgen.world.types import Furniture, Part

_BLACK, _WHITE = (0.08, 0.08, 0.08), (0.9, 0.89, 0.87)


def frame_colour(rng: np.random.Generator, style: dict[str, Any]) -> Rgb:
    """Metal or wood of the room, black or white."""
    return jitter(rng, one_of(rng, (style["metal"], style["wood"], _BLACK, _WHITE)))


@dataclass(frozen=True)
class Painting:
    """A framed picture; its back is at +y. Metres, linear RGB."""

    width_m: float
    height_m: float
    frame_m: float
    motif: Literal["hills", "blocks", "clouds"]
    frame_colour: Rgb
    first: Rgb
    second: Rgb
    third: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Painting:
        return Painting(
            width_m=between(rng, 0.45, 1.0),
            height_m=between(rng, 0.4, 0.8),
            frame_m=between(rng, 0.025, 0.05),
            motif=of_period(rng, style, modern=("blocks", "clouds"), classic=("hills",), country=("hills", "clouds")),
            frame_colour=frame_colour(rng, style),
            first=fabric_of(rng, style),
            second=fabric_of(rng, style),
            third=fabric_of(rng, style),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        w, h, t, frame = self.width_m, self.height_m, self.frame_m, solid(self.frame_colour)
        parts = square_frame((w, 0.03, h), t, frame)
        x, z = np.meshgrid(np.linspace(-(w - t) / 2, (w - t) / 2, 24), np.linspace(t / 2, h - t / 2, 24), indexing="ij")
        return Furniture(tuple(parts + sheet(np.stack([x, np.full_like(x, -0.002), z], -1), self._paint())))

    def _paint(self) -> Paint:
        w, h, colours = self.width_m, self.height_m, np.array([self.first, self.second, self.third])
        phase = np.random.default_rng(self.seed).uniform(0, 6, 4)

        def hills(p: np.ndarray) -> np.ndarray:
            x, z = p[:, 0], p[:, 2]
            out = np.broadcast_to(np.clip(0.4 * colours[0] + 0.5, 0, 1), p.shape).copy()
            sun = (x - (phase[0] / 15 - 0.2) * w) ** 2 + (z - (0.45 + phase[3] / 24) * h) ** 2
            out[sun < (0.18 * min(w, h)) ** 2] = (0.85, 0.5, 0.25)
            for i in range(3):
                out[z < h * (0.55 - 0.14 * i) + 0.06 * np.sin(x * (6 + 3 * i) + phase[i])] = colours[i] * (
                    0.9 - 0.15 * i
                )
            return out

        def blocks(p: np.ndarray) -> np.ndarray:
            column = ((p[:, 0] / w + 0.5) * (2 + int(phase[0]) % 3)).astype(int)
            row = (p[:, 2] / h * (2 + int(phase[1]) % 3)).astype(int)
            return colours[(2 * column + row) % 3]

        def clouds(p: np.ndarray) -> np.ndarray:
            return colours[np.clip((smooth_noise(p, self.seed, 5) * 3).astype(int), 0, 2)]

        return {"hills": hills, "blocks": blocks, "clouds": clouds}[self.motif]


def square_frame(size: tuple[float, float, float], thick_m: float, paint: Paint) -> list[Part]:
    """Four bars around `size` (width, depth, height)."""
    (w, d, h), t, parts = size, thick_m, []
    for side in (-1, 1):
        parts += rounded_box((w, d, t), paint, "gloss", at=(0, 0, 0 if side < 0 else h - t), bevel_m=0.006)
        parts += rounded_box((t, d, h), paint, "gloss", at=(side * (w - t) / 2, 0, 0), bevel_m=0.006)
    return parts


@dataclass(frozen=True)
class Mirror:
    """A framed mirror for a wall. Metres, linear RGB."""

    shape: Literal["square", "oval"]
    width_m: float
    height_m: float
    frame_m: float
    depth_m: float
    recess_m: float  # how far the glass lies behind the frame's front
    glass: float  # reflectance
    frame_colour: Rgb

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Mirror:
        shape = of_period(rng, style, modern=("square", "oval"), classic=("oval",), country=("square",))
        tall = bool(rng.random() < 0.4)  # full length, or for above a chest of drawers
        return Mirror(
            shape=shape,
            width_m=between(rng, 0.45, 0.65) if tall else between(rng, 0.55, 0.9),
            height_m=between(rng, 1.25, 1.55) if tall else between(rng, 0.55, 0.9),
            frame_m=between(rng, 0.025, 0.055),
            depth_m=between(rng, 0.025, 0.045),
            recess_m=between(rng, 0.006, 0.014),
            glass=between(rng, 0.86, 0.92),
            frame_colour=frame_colour(rng, style),
        )

    def build(self) -> Furniture:
        frame, back = solid(self.frame_colour), self.depth_m / 2
        front = -back + self.recess_m
        if self.shape == "oval":
            return Furniture(tuple(self._oval_frame(frame) + self._oval_glass(front)))
        parts = square_frame((self.width_m, self.depth_m, self.height_m), self.frame_m, frame)
        t, w, h = self.frame_m, self.width_m, self.height_m
        x, z = np.meshgrid([-(w - t) / 2, (w - t) / 2], [t / 2, h - t / 2], indexing="ij")
        return Furniture(tuple(parts + self._glass(np.stack([x, np.full_like(x, front), z], -1))))

    def _glass(self, points: np.ndarray) -> list[Part]:
        return sheet(points, solid((self.glass, self.glass, self.glass)), "mirror")

    def _ellipse(self, inset: float, sides: int = 48) -> tuple[np.ndarray, np.ndarray]:
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        a, b = self.width_m / 2 - inset, self.height_m / 2 - inset
        return a * np.cos(angle), self.height_m / 2 + b * np.sin(angle)

    def _oval_glass(self, front: float) -> list[Part]:
        (x, z), middle = self._ellipse(0.5 * self.frame_m), self.height_m / 2
        grow = np.linspace(1e-3, 1, 3)[:, None]
        points = np.stack([grow * x, np.full((3, len(x)), front), middle + grow * (z - middle)], -1)
        return self._glass(points)

    def _oval_frame(self, paint: Paint) -> list[Part]:
        """A ring of rectangular section, its four faces apart so that their edges stay sharp."""
        outer, inner = self._ellipse(0.0), self._ellipse(self.frame_m)
        section = [(outer, 0.5), (outer, -0.5), (inner, -0.5), (inner, 0.5), (outer, 0.5)]
        rings = [np.stack([x, np.full_like(x, side * self.depth_m), z], -1) for (x, z), side in section]
        return [part for a, b in pairwise(rings) for part in sheet(np.stack([a, b]), paint, "gloss")]
