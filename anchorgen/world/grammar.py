"""The layout grammar: what a bedroom holds, and what belongs beside, on, under and above what."""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorgen.json_values import tuples
from anchorgen.world.catalogue.work import Desk
from anchorgen.world.layout import MAX_LAMPS, YAW, Layout
from anchorgen.world.shell import wall_frame
from anchorgen.world.types import ObjectSpec, Wall

LAMPS = ("table lamp", "floor lamp", "pendant")
_WALLS: tuple[Wall, ...] = ("left", "right", "back")
# How often a room is given one. Of what 3D-FRONT's bedrooms tell (per bed: 1.36 nightstands, .80 wardrobes, .94 ceiling
# lights, .1 desks, .1 chairs) the odds are set so that, after what finds no place is left out, its numbers come out.
_ODDS = {
    "pendant": 0.97, "nightstand": 0.88, "wardrobe": 0.98, "desk": 0.5, "dresser": 0.6, "bookshelf": 0.35,
    "chair": 0.08, "mirror": 0.45, "floor lamp": 0.45, "plant": 0.7, "rug": 0.65, "painting": 0.8, "ottoman": 0.45,
}  # fmt: skip
_FRONT_M = {"wardrobe": 0.5, "dresser": 0.45, "bookshelf": 0.4}


def furnish(layout: Layout, evening: bool = False) -> None:
    """Fills a room: bed first, then what belongs to it, then the rest.

    Args:
        layout: an empty one.
        evening: little daylight: then nearly every lamp is lit, and the first always is.
    """
    _Grammar(layout, 0.95 if evening else 0.8, evening).furnish()


class _Grammar:
    """The rules. Each tries a few times to find a place and gives up otherwise."""

    def __init__(self, layout: Layout, lit: float, evening: bool):
        self.layout, self.rng, self.lit, self.evening = layout, layout.rng, lit, evening

    def furnish(self) -> None:
        for _ in range(3):
            drawn = self.layout.draw("bed")
            if any(self._bed(drawn) for _ in range(8)):
                break
        if self._wants("pendant"):
            self._pendant()
        for category in ("wardrobe", "dresser", "bookshelf"):
            if self._wants(category):
                self._storage(category)
        if self._wants("desk"):
            self._desk()
        if self.layout.count("bed") and self._wants("ottoman"):
            self._at_the_foot()
        if self._wants("mirror"):
            self._hang("mirror")
        for category in ("floor lamp", "plant", "chair"):
            if self._wants(category):
                self._free_standing(category)
        if not self.layout.count("painting") and self._wants("painting"):
            self._hang("painting")
        if not self.layout.count("rug") and self.rng.random() < 0.3:
            self._rug_in_the_middle()

    def _wants(self, category: str) -> bool:
        return bool(self.rng.random() < _ODDS[category])

    def _is_lit(self, chance: float) -> bool:
        first = self.evening and not any(o.lit for o in self.layout.objects if o.category in LAMPS)
        return bool(self.rng.random() < chance or first)

    def _bed(self, drawn: tuple[dict[str, Any], np.ndarray]) -> bool:
        rng, layout = self.rng, self.layout
        wall: Wall = str(rng.choice(["back", "left", "right"], p=[0.66, 0.17, 0.17]))  # type: ignore[assignment]
        size, (start, end) = drawn[1], layout.span(wall)
        low, high = start + size[0] / 2 + 0.1, end - size[0] / 2 - 0.1
        if low > high:
            return False
        share = {"back": 0.5, "left": 0.66, "right": 0.34}[wall]  # of a side wall, the farther part is in view
        along = float(np.clip(start + share * (end - start) + rng.normal(0, 0.4), low, high))
        if layout.hides_window(wall, along, size[0], size[2]):
            return False
        bed = layout.place("bed", drawn, layout.against(wall, along, size), YAW[wall])
        if bed is None:
            return False
        self._beside_bed(bed, size, wall, along)
        return True

    def _beside_bed(self, bed: ObjectSpec, size: np.ndarray, wall: Wall, along: float) -> None:
        rng, layout, inward = self.rng, self.layout, wall_frame(self.layout.room, wall)[2]
        for side in (-1, 1):
            if self._wants("nightstand"):
                self._nightstand(wall, along + side * size[0] / 2, side)
        if self._wants("painting"):
            self._above("painting", wall, along + rng.normal(0, 0.08))
        if self._wants("rug"):
            drawn = layout.draw("rug")
            at = np.asarray(bed.position) + inward * rng.uniform(0.4, 0.95) + [rng.normal(0, 0.1), 0, 0]
            layout.place("rug", drawn, [at[0], at[1], 0], YAW[wall])

    def _at_the_foot(self) -> None:
        """An ottoman or bench at the end of the bed."""
        layout = self.layout
        for bed, size in zip(layout.objects[:1], layout.sizes[:1], strict=True):
            drawn, yaw = layout.draw("ottoman"), 2 * np.arctan2(bed.quat_wxyz[3], bed.quat_wxyz[0])
            ahead = (size[1] + drawn[1][1]) / 2 + self.rng.uniform(0.06, 0.3)
            at = np.asarray(bed.position) + np.array([np.sin(yaw), -np.cos(yaw), 0]) * ahead
            layout.place("ottoman", drawn, at, yaw)

    def _nightstand(self, wall: Wall, edge: float, side: int) -> None:
        rng, layout, drawn = self.rng, self.layout, self.layout.draw("nightstand")
        along = edge + side * (drawn[1][0] / 2 + rng.uniform(0.05, 0.18))
        # A little off the wall where a curtain hangs.
        for gap in (0.03, 0.13):
            stand = layout.place("nightstand", drawn, layout.against(wall, along, drawn[1], gap), YAW[wall])
            if stand is not None:
                if rng.random() < 0.8:
                    self._on_top(stand, drawn[1], 0.0)
                return

    def _on_top(self, stand: ObjectSpec, size: np.ndarray, aside: float) -> None:
        """A table lamp on a piece of furniture, `aside` metres along it."""
        layout, rng = self.layout, self.rng
        if layout.count(*LAMPS) >= MAX_LAMPS - 1:  # one is left for a person to put in
            return
        lamp, jitter = layout.draw("table lamp"), rng.normal(0, 0.015, 2)
        yaw = 2 * np.arctan2(stand.quat_wxyz[3], stand.quat_wxyz[0])
        shift = np.array([np.cos(yaw), np.sin(yaw)]) * aside + jitter
        at = np.asarray(stand.position) + [*shift, size[2] + 0.002]
        layout.place("table lamp", lamp, at, 0.0, lit=self._is_lit(self.lit))

    def _above(self, category: str, wall: Wall, along: float, above_m: float = 0.0) -> bool:
        """A picture or mirror on a wall; pictures hang with their lower edge at 1.4 m or more."""
        layout, rng = self.layout, self.rng
        drawn = layout.draw(category)
        bottom = above_m + 0.12 if above_m else float(rng.uniform(0.2, 0.4))
        if category == "painting":
            bottom = float(rng.uniform(1.4, 1.65))
        elif above_m and drawn[1][2] > 1.0:
            return False
        start, end = layout.span(wall)
        wide, top = drawn[1][0], bottom + drawn[1][2]
        fits = start + wide / 2 + 0.05 <= along <= end - wide / 2 - 0.05
        if not fits or layout.hides_window(wall, along, wide, top, bottom):
            return False
        front = 0.5 if category == "mirror" and not above_m else 0.0  # one stands before a tall mirror
        at = layout.against(wall, along, drawn[1], 0.012, bottom)
        return layout.place(category, drawn, at, YAW[wall], front_m=front) is not None

    def _storage(self, category: str, tries: int = 75) -> None:
        """Back to a wall, not in front of a window, its front free; often with something above or on a dresser."""
        layout, drawn = self.layout, self.layout.draw(category)
        for number in range(tries):
            drawn = layout.draw(category) if number % 25 == 24 else drawn
            wall, along = self._somewhere(drawn[1][0])
            if layout.hides_window(wall, along, drawn[1][0], drawn[1][2]):
                continue
            at = layout.against(wall, along, drawn[1])
            piece = layout.place(category, drawn, at, YAW[wall], front_m=_FRONT_M[category])
            if piece is not None:
                if category == "dresser":
                    self._dress(piece, drawn[1], wall, along)
                return

    def _dress(self, piece: ObjectSpec, size: np.ndarray, wall: Wall, along: float) -> None:
        choice = self.rng.random()
        if choice < 0.4:
            self._above("mirror", wall, along, above_m=float(size[2]))
        elif choice < 0.65:
            self._above("painting", wall, along)
        if self.rng.random() < 0.3:
            self._on_top(piece, size, float(self.rng.choice([-0.3, 0.3])) * size[0])

    def _somewhere(self, width_m: float) -> tuple[Wall, float]:
        """A wall and a place along it for something `width_m` wide; of side walls the part that the camera sees."""
        wall = _WALLS[int(self.rng.integers(3))]
        start, end = self.layout.span(wall)
        unseen = 0.4 * self.layout.room.depth_m
        if wall == "left":
            start = min(start + unseen, end)
        if wall == "right":
            end = max(end - unseen, start)
        inset = width_m / 2 + 0.02
        return wall, float(np.clip(self.rng.uniform(start, end), start + inset, max(end - inset, start + inset)))

    def _hang(self, category: str, tries: int = 10) -> None:
        for _ in range(tries):
            if self._above(category, *self._somewhere(0.6)):
                return

    def _desk(self, tries: int = 40) -> None:
        """A desk at a wall, its chair in front of the knee-hole, facing it, pushed in a little or a lot."""
        rng, layout, drawn = self.rng, self.layout, self.layout.draw("desk")
        for _ in range(tries):
            wall, along = self._somewhere(drawn[1][0])
            if layout.hides_window(wall, along, drawn[1][0], 0.8):
                continue
            at, yaw = layout.against(wall, along, drawn[1], 0.1 if rng.random() < 0.5 else 0.03), YAW[wall]
            desk = layout.place("desk", drawn, at, yaw, front_m=0.6, guest="chair")
            if desk is None:
                continue
            chair, knee = layout.draw("chair"), Desk(**tuples(drawn[0])).knee_x_m
            tucked = rng.uniform(0.0, 0.28)
            ahead = (drawn[1][1] + chair[1][1]) / 2 - tucked
            shift = np.array([np.cos(yaw) * knee + np.sin(yaw) * ahead, np.sin(yaw) * knee - np.cos(yaw) * ahead, 0])
            layout.place("chair", chair, at + shift, yaw + np.pi + rng.normal(0, 0.06), beside=desk)
            return

    def _pendant(self, tries: int = 12) -> None:
        """From the ceiling, about the middle of the room, where the camera sees it."""
        rng, layout, room = self.rng, self.layout, self.layout.room
        drawn, lit = layout.draw("pendant"), self._is_lit(0.7 if self.evening else 0.45)
        for _ in range(tries):
            x, y = rng.normal(0, 0.25), room.depth_m * rng.uniform(0.42, 0.78)
            at = [x, y, room.height_m - drawn[1][2] - 0.001]
            if layout.place("pendant", drawn, at, 0.0, lit=lit) is not None:
                return

    def _free_standing(self, category: str, tries: int = 30) -> None:
        """Lamps and plants near a wall, chairs anywhere, looking into the room."""
        rng, layout, room = self.rng, self.layout, self.layout.room
        if category in LAMPS and layout.count(*LAMPS) >= MAX_LAMPS - 1:
            return
        drawn = layout.draw(category)
        more: dict[str, Any] = {"lit": self._is_lit(self.lit)} if category in LAMPS else {}
        for _ in range(tries):
            if category == "chair":
                half = room.width_m / 2 - 0.4
                at = np.array([rng.uniform(-half, half), rng.uniform(1.3, room.depth_m - 0.4), 0.0])
                towards = np.arctan2(-at[0], 0.55 * room.depth_m - at[1])
                yaw = float(np.pi - towards + rng.normal(0, 0.5))
            else:
                wall, along = self._somewhere(max(drawn[1][:2]))
                at = layout.against(wall, along, np.full(3, max(drawn[1][:2])), rng.uniform(0.04, 0.15))
                yaw = float(rng.uniform(-np.pi, np.pi)) if category == "floor lamp" else 0.0
            if layout.place(category, drawn, at, yaw, **more) is not None:
                return

    def _rug_in_the_middle(self) -> None:
        room, drawn = self.layout.room, self.layout.draw("rug")
        x, y = self.rng.normal(0, 0.3), room.depth_m * self.rng.uniform(0.4, 0.55)
        self.layout.place("rug", drawn, [x, y, 0], float(self.rng.choice([0, np.pi / 2])))
