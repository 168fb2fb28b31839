"""Where things stand: free, inside the room, in view; the rules of what belongs where are in `grammar.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from anchorgen.geometry import BOX_CORNER_SIGNS, clip_convex, polygon_area, project
from anchorgen.world.camera import to_camera
from anchorgen.world.catalogue import build_furniture, sample_params, size_of
from anchorgen.world.shell import CURTAIN_REACH_M, SILL_REACH_M, curtain_spans, wall_frame
from anchorgen.world.types import Camera, ObjectSpec, RoomSpec, Wall

MAX_OBJECTS = 12
MAX_LAMPS = 6
FLAT_M = 0.04  # what is thinner lies under things
YAW = {"back": 0.0, "left": np.pi / 2, "right": -np.pi / 2, "front": np.pi}  # of what has its back to a wall
_ELBOW_M = 0.9  # around the camera
_TALL_M = 2.0  # how high what must stay clear stays clear


@dataclass(frozen=True)
class Zone:
    """Upright room that is taken: floor corners `[4, 2]` counter-clockwise, bottom and top in metres.

    `guest`: a category that may stand here (the chair at its desk). `name`: of a part of the shell.
    """

    corners: np.ndarray
    bottom_m: float
    top_m: float
    guest: str = ""
    name: str = ""

    @cached_property
    def disc(self) -> tuple[float, float, float]:
        """Centre and radius of a circle around the corners."""
        centre = self.corners.mean(0)
        return float(centre[0]), float(centre[1]), float(np.sqrt(((self.corners - centre) ** 2).sum(1).max()))

    def meets(self, other: Zone) -> bool:
        """Whether both share more than a square millimetre at some height."""
        if min(self.top_m, other.top_m) - max(self.bottom_m, other.bottom_m) <= 1e-3:
            return False
        (x, y, radius), (other_x, other_y, other_radius) = self.disc, other.disc
        if (x - other_x) ** 2 + (y - other_y) ** 2 > (radius + other_radius) ** 2:
            return False
        return polygon_area(clip_convex(self.corners, other.corners)) > 1e-6


class Layout:
    """Objects placed so far. `place` keeps an object only if it stands free, inside the room and mostly in view."""

    def __init__(self, room: RoomSpec, camera: Camera, rng: np.random.Generator, style: dict[str, Any]):
        self.room, self.camera, self.rng, self.style = room, camera, rng, style
        self.objects: list[ObjectSpec] = []
        self.sizes: list[np.ndarray] = []
        self.standing: list[tuple[ObjectSpec, Zone]] = []
        self.clear: list[Zone] = []
        self.fixed = fixtures(room)

    def draw(self, category: str) -> tuple[dict[str, Any], np.ndarray]:
        """Parameters and extents `[3]` of a new piece."""
        params = sample_params(category, self.rng, self.style)
        return params, size_of(build_furniture(category, params))

    def place(
        self,
        category: str,
        drawn: tuple[dict[str, Any], np.ndarray],
        at: Sequence[float] | np.ndarray,
        yaw: float,
        *,
        front_m: float = 0.0,
        guest: str = "",
        beside: ObjectSpec | None = None,
        **more: Any,
    ) -> ObjectSpec | None:
        """Puts a drawn piece with its bottom centre at `at` `[3]`.

        Args:
            category, drawn, at, yaw: what and where; yaw in radians.
            front_m: how much of the floor in front of it must stay free; only a `guest` may stand there.
            beside: an object that it may reach under (a desk).
            more: further fields of `ObjectSpec`.

        Returns:
            The object, or None if it cannot stand there or the room is full.
        """
        params, size = drawn
        number = sum(o.category == category for o in self.objects)
        position = tuple(round(float(x), 4) for x in at)
        quat = tuple(round(float(x), 9) for x in (np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)))
        spec = ObjectSpec(f"{category}-{number}", category, params, position, quat, **more)  # type: ignore[arg-type]
        full = len(self.objects) >= MAX_OBJECTS
        if full or not (self._inside(spec, size) and self._free(spec, size, beside)):
            return None
        front = _front_zone(spec, size, front_m, guest) if front_m else None
        if front is not None and any(front.meets(other) for _, other in self.standing):
            return None
        if not in_view(spec, size, self.camera):
            return None
        self.objects.append(spec)
        self.sizes.append(size)
        self.standing += [(spec, zone(spec, size))] if size[2] >= FLAT_M else []
        self.clear += [front] if front is not None else []
        return spec

    def against(self, wall: Wall, along_m: float, size: np.ndarray, gap_m: float = 0.03, z: float = 0.0) -> np.ndarray:
        """Bottom centre of a piece whose back is at a wall, `along_m` metres from the wall's start."""
        origin, along, inward, _ = wall_frame(self.room, wall)
        return origin + along * along_m + inward * (size[1] / 2 + gap_m) + np.array([0, 0, z])

    def span(self, wall: Wall) -> tuple[float, float]:
        """From where to where along a wall the room reaches: less than its length where a corner is walled off."""
        length, block = wall_frame(self.room, wall)[3], self.room.block
        if block is None:
            return 0.0, length
        if wall == "back":
            return (block.width_m, length) if block.side == "left" else (0.0, length - block.width_m)
        if wall == block.side:
            return (0.0, length - block.depth_m) if wall == "left" else (block.depth_m, length)
        return 0.0, length

    def hides_window(self, wall: Wall, along_m: float, width: float, top_m: float, bottom_m: float = 0.0) -> bool:
        """Whether a piece at a wall would stand or hang in front of a window."""
        return any(
            window.wall == wall
            and top_m > window.sill_m
            and bottom_m < window.head_m
            and min(window.end_m + 0.3, along_m + width / 2) > max(window.start_m - 0.3, along_m - width / 2)
            for window in self.room.windows
        )

    def count(self, *categories: str) -> int:
        return sum(o.category in categories for o in self.objects)

    def _inside(self, spec: ObjectSpec, size: np.ndarray) -> bool:
        corners = footprint(spec, size)
        half = self.room.width_m / 2 - 0.01
        inside = np.all(np.abs(corners[:, 0]) <= half) and np.all(
            (corners[:, 1] >= 0.01) & (corners[:, 1] <= self.room.depth_m - 0.01)
        )
        return bool(inside) and spec.position[2] + size[2] < self.room.height_m

    def _free(self, spec: ObjectSpec, size: np.ndarray, beside: ObjectSpec | None) -> bool:
        own, flat = zone(spec, size), size[2] < FLAT_M
        # The wall's own fixtures are in nobody's way on the floor, but a walled-off corner is.
        if any(own.meets(fixed) for fixed in self.fixed):
            return False
        if flat:
            return True
        distance = np.linalg.norm(own.corners - np.asarray(self.camera.position)[:2], axis=1).min()
        if own.bottom_m < self.camera.position[2] and distance < _ELBOW_M:
            return False
        if any(own.meets(clear) for clear in self.clear if clear.guest != spec.category):
            return False
        return not any(own.meets(other) for spec, other in self.standing if spec is not beside)


def fixtures(room: RoomSpec) -> list[Zone]:
    """What belongs to the shell and reaches into the room: a walled-off corner, curtains and window sills."""
    zones = []
    if room.block is not None:
        edge, near = room.width_m / 2, room.depth_m - room.block.depth_m
        x0, x1 = (-edge, -edge + room.block.width_m) if room.block.side == "left" else (edge - room.block.width_m, edge)
        corners = np.array([[x0, near], [x1, near], [x1, room.depth_m], [x0, room.depth_m]])
        zones.append(Zone(corners, 0.0, room.height_m, name="a wall"))
    for window in room.windows:
        for start, end, bottom, top in curtain_spans(room, window):
            corners = _strip(room, window.wall, start, end, CURTAIN_REACH_M)
            zones.append(Zone(corners, bottom, top, name="a curtain"))
        sill = _strip(room, window.wall, window.start_m - 0.05, window.end_m + 0.05, SILL_REACH_M)
        zones.append(Zone(sill, window.sill_m - 0.04, window.sill_m, name="a window sill"))
    return zones


def _strip(room: RoomSpec, wall: Wall, start: float, end: float, reach: float) -> np.ndarray:
    """Corners `[4, 2]` of the floor along a part of a wall, counter-clockwise."""
    origin, along, inward, _ = wall_frame(room, wall)
    corners = np.array(
        [origin + along * a + inward * b for a, b in ((start, 0), (end, 0), (end, reach), (start, reach))]
    )
    corners = corners[:, :2]
    a, b = corners[1] - corners[0], corners[3] - corners[0]
    return corners if a[0] * b[1] - a[1] * b[0] > 0 else corners[::-1]


def zone(spec: ObjectSpec, size: np.ndarray) -> Zone:
    """The upright box of an object."""
    return Zone(footprint(spec, size), spec.position[2], spec.position[2] + float(size[2] * spec.scale[2]))


def _front_zone(spec: ObjectSpec, size: np.ndarray, depth_m: float, guest: str) -> Zone:
    deep = np.array([size[0], depth_m, size[2]])
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    ahead = np.array([np.sin(yaw), -np.cos(yaw)]) * (size[1] + depth_m) / 2
    moved = ObjectSpec("", "", {}, (spec.position[0] + ahead[0], spec.position[1] + ahead[1], 0.0), spec.quat_wxyz)
    return Zone(footprint(moved, deep), 0.0, _TALL_M, guest)


def footprint(spec: ObjectSpec, size: np.ndarray) -> np.ndarray:
    """Corners `[4, 2]` on the floor, counter-clockwise (objects stand upright)."""
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    c, s = np.cos(yaw), np.sin(yaw)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5 * (size * spec.scale)[:2]
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(spec.position)[:2]


def overlaps(a: ObjectSpec, size_a: np.ndarray, b: ObjectSpec, size_b: np.ndarray) -> bool:
    """Whether two upright boxes share space: exact, up to a square millimetre of touching."""
    return zone(a, size_a).meets(zone(b, size_b))


def in_view(spec: ObjectSpec, size: np.ndarray, camera: Camera) -> bool:
    """At least half of the box's corners are in the picture, and its centre is."""
    extent = size * np.asarray(spec.scale)
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    c, s = np.cos(yaw), np.sin(yaw)
    local = np.concatenate([BOX_CORNER_SIGNS, np.zeros((1, 3))]) * extent / 2 + [0, 0, extent[2] / 2]
    world = local @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + np.asarray(spec.position)
    points = to_camera(world, camera)
    uv = project(points, np.asarray(camera.focal))
    seen = (points[:, 2] > 0.3) & np.all((uv > -0.02) & (uv < 1.02), axis=1)
    return bool(seen[:8].sum() >= 4 and seen[8])
