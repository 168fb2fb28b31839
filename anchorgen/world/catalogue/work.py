"""Desks and bookshelves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue.storage import drawer_fronts
from anchorgen.world.catalogue.style import Rgb, between, fabric_of, jitter, of_period, pattern_seed, wood_of
from anchorgen.world.meshes import lathe, rounded_box, solid, taper, turned, wood
from anchorgen.world.types import Furniture, Part

PEDESTAL_M = 0.36


@dataclass(frozen=True)
class Desk:
    """A desk; the knee-hole is on the left where there are drawers. Metres, linear RGB."""

    width_m: float
    depth_m: float
    height_m: float
    legs: Literal["tapered", "panels"]
    drawers: bool
    num_books: int
    laptop: bool
    wood_colour: Rgb
    knob_colour: Rgb
    book_colour: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Desk:
        return Desk(
            width_m=between(rng, 1.05, 1.4),
            depth_m=between(rng, 0.5, 0.65),
            height_m=between(rng, 0.72, 0.76),
            legs=of_period(rng, style, modern=("panels", "tapered"), classic=("tapered",), country=("tapered",)),
            drawers=bool(rng.random() < 0.5),
            num_books=int(rng.integers(0, 4)),
            laptop=bool(rng.random() < 0.6),
            wood_colour=wood_of(rng, style),
            knob_colour=style["metal"],
            book_colour=fabric_of(rng, style),
            seed=pattern_seed(rng),
        )

    @property
    def knee_x_m(self) -> float:
        """Where a chair fits under, along the width."""
        return -PEDESTAL_M / 2 if self.drawers else 0.0

    def build(self) -> Furniture:
        w, d, h = self.width_m, self.depth_m, self.height_m
        paint, upright = wood(self.wood_colour, self.seed), wood(np.asarray(self.wood_colour) * 0.9, self.seed, 2)
        parts = rounded_box((w, d, 0.035), paint, "gloss", at=(0, 0, h - 0.035), bevel_m=0.012)
        sides = (-1,) if self.drawers else (-1, 1)
        for x in sides:
            if self.legs == "panels":
                size, at = (0.03, d - 0.04, h - 0.03), (x * (w / 2 - 0.03), 0, 0)
                parts += rounded_box(size, upright, "gloss", at=at, bevel_m=0.008)
            else:
                for y in (-1, 1):
                    at = (x * (w / 2 - 0.06), y * (d / 2 - 0.06), 0)
                    parts += taper(0.016, 0.028, h - 0.03, upright, "gloss", at=at, sides=8)
        if self.drawers:
            parts += self._pedestal()
        return Furniture(tuple(parts + self._clutter()))

    def _pedestal(self) -> list[Part]:
        high, deep, x = self.height_m - 0.1, self.depth_m - 0.06, self.width_m / 2 - 0.2
        body = wood(self.wood_colour, self.seed, 2)
        parts = rounded_box((PEDESTAL_M, deep, high), body, "gloss", at=(x, 0, 0.06), bevel_m=0.01)
        parts += rounded_box(
            (PEDESTAL_M, deep - 0.04, 0.06), solid(np.asarray(self.wood_colour) * 0.5), at=(x, 0, 0.005)
        )
        fronts = drawer_fronts((PEDESTAL_M, deep, high), 1, 3, True, self.wood_colour, self.knob_colour, self.seed)
        return parts + turned(fronts, at=(x, 0, 0.06))

    def _clutter(self) -> list[Part]:
        w, h, grey, parts = self.width_m, self.height_m, solid((0.16, 0.16, 0.18)), []
        if self.laptop:
            parts += rounded_box((0.32, 0.22, 0.015), grey, "gloss", at=(-0.05, -0.04, h), bevel_m=0.006)
            lid = rounded_box((0.32, 0.012, 0.21), grey, "gloss", bevel_m=0.005)
            screen = rounded_box((0.29, 0.004, 0.18), solid((0.25, 0.38, 0.5)), at=(0, -0.008, 0.015), bevel_m=0.001)
            parts += turned(lid + screen, pitch=-0.3, at=(-0.05, 0.07, h + 0.008))
        rng = np.random.default_rng(self.seed)
        for k in range(self.num_books):
            paint = solid(np.clip(np.asarray(self.book_colour) * rng.uniform(0.6, 1.2), 0.03, 0.9))
            book = rounded_box((0.2, 0.14, 0.03), paint, bevel_m=0.004)
            parts += turned(book, yaw=rng.normal(0, 0.15), at=(-w / 2 + 0.2, 0.06, h + 0.03 * k))
        return parts


@dataclass(frozen=True)
class Bookshelf:
    """Open shelves with books and a few vases; its back is at +y. Metres, linear RGB."""

    width_m: float
    depth_m: float
    height_m: float
    num_shelves: int
    fill: float  # share of a shelf that is taken
    closed_back: bool
    wood_colour: Rgb
    first: Rgb
    second: Rgb
    third: Rgb
    seed: int

    @staticmethod
    def sample(rng: np.random.Generator, style: dict[str, Any]) -> Bookshelf:
        return Bookshelf(
            width_m=between(rng, 0.6, 0.95),
            depth_m=between(rng, 0.26, 0.34),
            height_m=between(rng, 1.2, 1.9),
            num_shelves=int(rng.integers(3, 6)),
            fill=between(rng, 0.55, 0.95),
            closed_back=bool(rng.random() < 0.7),
            wood_colour=wood_of(rng, style),
            first=fabric_of(rng, style),
            second=fabric_of(rng, style),
            third=jitter(rng, style["wall"]),
            seed=pattern_seed(rng),
        )

    def build(self) -> Furniture:
        w, d, h, board = self.width_m, self.depth_m, self.height_m, 0.025
        upright, flat, parts = wood(self.wood_colour, self.seed, 2), wood(self.wood_colour, self.seed), []
        for x in (-1, 1):
            parts += rounded_box((board, d, h), upright, "gloss", at=(x * (w - board) / 2, 0, 0), bevel_m=0.006)
        if self.closed_back:
            back = wood(np.asarray(self.wood_colour) * 0.85, self.seed, 2)
            parts += rounded_box((w - board, 0.012, h - 0.01), back, at=(0, d / 2 - 0.007, 0), bevel_m=0.003)
        step = (h - board) / self.num_shelves
        rng = np.random.default_rng(self.seed)
        for k in range(self.num_shelves + 1):
            parts += rounded_box((w - board, d, board), flat, "gloss", at=(0, 0, k * step), bevel_m=0.005)
            if k < self.num_shelves:
                parts += self._shelf(rng, k * step + board, step - board)
        return Furniture(tuple(parts))

    def _shelf(self, rng: np.random.Generator, z: float, room: float) -> list[Part]:
        colours, parts = np.array([self.first, self.second, self.third]), []
        x, end = -self.width_m / 2 + 0.03, self.width_m / 2 - 0.05
        while x < end:
            paint = solid(np.clip(colours[rng.integers(3)] * rng.uniform(0.6, 1.2), 0.03, 0.9))
            if rng.random() > self.fill:
                x += rng.uniform(0.05, 0.14)
            elif rng.random() < 0.07 and x < end - 0.12:
                profile = [(0.035, 0), (0.05, 0.25 * room), (0.03, 0.5 * room), (0.04, 0.62 * room)]
                parts += lathe(profile, paint, "gloss", at=(x + 0.06, -0.02, z), sides=12)
                x += 0.13
            else:
                wide, high = rng.uniform(0.022, 0.05), room * rng.uniform(0.6, 0.9)
                deep = self.depth_m * rng.uniform(0.6, 0.8)
                at = (x + wide / 2, (self.depth_m - deep) / 2 - 0.03, z)
                parts += rounded_box((wide - 0.003, deep, high), paint, at=at, bevel_m=0.004, spacing_m=1.0)
                x += wide
        return parts
