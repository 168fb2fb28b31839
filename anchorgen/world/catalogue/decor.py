"""Rugs, paintings and plants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.world.catalogue.style import METALS, Rgb, between, fabric_of, pattern_seed
from anchorgen.world.meshes import Paint, lathe, rounded_box, sheet, smooth_noise, solid
from anchorgen.world.types import Furniture


@dataclass(frozen=True)
class Rug:
    """Metres, linear RGB."""

    shape: str  # "square" or "round"
    width_m: float
    depth_m: float
    pattern: str  # "diamonds", "stripes", "dots" or "rings"
    period_m: float
    border_m: float
    first: Rgb
    second: Rgb
    border: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Rug:
        shape = str(rng.choice(["square", "square", "square", "round"]))
        depth = between(rng, 1.3, 1.9)
        return Rug(
            shape=shape,
            width_m=depth if shape == "round" else between(rng, 1.6, 2.6),
            depth_m=depth,
            pattern="rings" if shape == "round" else str(rng.choice(["diamonds", "stripes", "dots"])),
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
        size = (self.width_m, self.depth_m, 0.016)
        return Furniture(tuple(rounded_box(size, self._paint(), bevel_m=0.007, spacing_m=0.05)))

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


@dataclass(frozen=True)
class Painting:
    """A framed picture; its back is at +y. Metres, linear RGB."""

    width_m: float
    height_m: float
    frame_m: float
    motif: str  # "hills", "blocks" or "clouds"
    frame_colour: Rgb
    first: Rgb
    second: Rgb
    third: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Painting:
        frames = ((0.08, 0.08, 0.08), (0.9, 0.89, 0.87), (0.4, 0.25, 0.14), METALS[0])
        return Painting(
            width_m=between(rng, 0.45, 1.0),
            height_m=between(rng, 0.4, 0.8),
            frame_m=between(rng, 0.025, 0.05),
            motif=str(rng.choice(["hills", "blocks", "clouds"])),
            frame_colour=frames[rng.integers(len(frames))],
            first=fabric_of(rng, style),
            second=fabric_of(rng, style),
            third=fabric_of(rng, style),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        w, h, t, frame = self.width_m, self.height_m, self.frame_m, solid(self.frame_colour)
        parts = []
        for side in (-1, 1):
            parts += rounded_box((w, 0.03, t), frame, "gloss", at=(0, 0, 0 if side < 0 else h - t), bevel_m=0.006)
            parts += rounded_box((t, 0.03, h), frame, "gloss", at=(side * (w - t) / 2, 0, 0), bevel_m=0.006)
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
