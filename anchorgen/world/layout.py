"""The layout grammar: what stands where in a bedroom, and what may not stand there."""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorgen.geometry import BOX_CORNER_SIGNS, clip_convex, polygon_area, project
from anchorgen.world.camera import to_camera
from anchorgen.world.catalogue import build_furniture, sample_params, size_of
from anchorgen.world.shell import wall_frame
from anchorgen.world.types import Camera, ObjectSpec, RoomSpec

MAX_LAMPS = 4
_YAW = {"back": 0.0, "left": np.pi / 2, "right": -np.pi / 2}
_FLAT_M = 0.04  # what is thinner lies under things


class Layout:
    """Objects placed so far. `place` keeps an object only if it stands free, inside the room and mostly in view."""

    def __init__(self, room: RoomSpec, camera: Camera, rng: np.random.Generator, style: dict[str, Any]):
        self.room, self.camera, self.rng, self.style = room, camera, rng, style
        self.objects: list[ObjectSpec] = []
        self.sizes: list[np.ndarray] = []

    def draw(self, category: str) -> tuple[dict[str, Any], np.ndarray]:
        """Parameters and extents `[3]` of a new piece."""
        params = sample_params(category, self.rng, self.style)
        return params, size_of(build_furniture(category, params))

    def place(
        self, category: str, drawn: tuple[dict[str, Any], np.ndarray], at, yaw: float, **more: Any
    ) -> ObjectSpec | None:
        """Puts a drawn piece with its bottom centre at `at` `[3]`; None if it cannot stand there."""
        params, size = drawn
        number = sum(o.category == category for o in self.objects)
        position = tuple(round(float(x), 4) for x in at)
        quat = tuple(round(float(x), 9) for x in (np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)))
        spec = ObjectSpec(f"{category}-{number}", category, params, position, quat, **more)  # type: ignore[arg-type]
        if not (self._inside(spec, size) and self._free(spec, size) and in_view(spec, size, self.camera)):
            return None
        self.objects.append(spec)
        self.sizes.append(size)
        return spec

    def against(self, wall: str, along_m: float, size: np.ndarray, gap_m: float = 0.03, z: float = 0.0) -> np.ndarray:
        """Bottom centre of a piece whose back is at a wall, `along_m` metres from the wall's start."""
        origin, along, inward, _ = wall_frame(self.room, wall)
        return origin + along * along_m + inward * (size[1] / 2 + gap_m) + np.array([0, 0, z])

    def wall_length(self, wall: str) -> float:
        return wall_frame(self.room, wall)[3]

    def hides_window(self, wall: str, along_m: float, width: float, top_m: float) -> bool:
        window = self.room.window
        overlap = min(window.end_m + 0.3, along_m + width / 2) - max(window.start_m - 0.3, along_m - width / 2)
        return wall == window.wall and top_m > window.sill_m and overlap > 0

    def _inside(self, spec: ObjectSpec, size: np.ndarray) -> bool:
        corners = footprint(spec, size)
        half = self.room.width_m / 2 - 0.01
        inside = np.all(np.abs(corners[:, 0]) <= half) and np.all(
            (corners[:, 1] >= 0.01) & (corners[:, 1] <= self.room.depth_m - 0.01)
        )
        return bool(inside) and spec.position[2] + size[2] < self.room.height_m

    def _free(self, spec: ObjectSpec, size: np.ndarray) -> bool:
        flat = size[2] < _FLAT_M
        distance = np.linalg.norm(footprint(spec, size) - np.asarray(self.camera.position)[:2], axis=1).min()
        if not flat and spec.position[2] < self.camera.position[2] and distance < 0.9:
            return False
        return flat or not any(
            overlaps(spec, size, o, s) for o, s in zip(self.objects, self.sizes, strict=True) if s[2] >= _FLAT_M
        )


def footprint(spec: ObjectSpec, size: np.ndarray) -> np.ndarray:
    """Corners `[4, 2]` on the floor, counter-clockwise (objects stand upright)."""
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    c, s = np.cos(yaw), np.sin(yaw)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5 * (size * spec.scale)[:2]
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(spec.position)[:2]


def overlaps(a: ObjectSpec, size_a: np.ndarray, b: ObjectSpec, size_b: np.ndarray) -> bool:
    """Whether two upright boxes share space: exact, up to a square millimetre of touching."""
    low = max(a.position[2], b.position[2])
    high = min(a.position[2] + size_a[2] * a.scale[2], b.position[2] + size_b[2] * b.scale[2])
    if high - low <= 1e-3:
        return False
    return polygon_area(clip_convex(footprint(a, size_a), footprint(b, size_b))) > 1e-6


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


def furnish(layout: Layout) -> None:
    """Bed first, then what belongs to it, then the rest of the room."""
    for _ in range(12):
        bed = _bed(layout)
        if bed is not None:
            _beside_bed(layout, *bed)
            break
    rng = layout.rng
    for category, chance in (("wardrobe", 0.5), ("dresser", 0.4)):
        if rng.random() < chance:
            _storage(layout, category)
    if rng.random() < 0.5:
        _anywhere(layout, "chair")
    if rng.random() < 0.55:
        _anywhere(layout, "plant", near_wall=True)


def _bed(layout: Layout) -> tuple[ObjectSpec, np.ndarray, str, float] | None:
    rng, drawn = layout.rng, layout.draw("bed")
    wall = str(rng.choice(["back", "left", "right"], p=[0.72, 0.14, 0.14]))
    length, size = layout.wall_length(wall), drawn[1]
    low, high = size[0] / 2 + 0.1, length - size[0] / 2 - 0.1
    middle = length / 2 if wall == "back" else (0.68 * length if wall == "left" else 0.32 * length)
    along = float(np.clip(middle + rng.normal(0, 0.35), low, high))
    bed = layout.place("bed", drawn, layout.against(wall, along, size), _YAW[wall])
    return None if bed is None else (bed, size, wall, along)


def _beside_bed(layout: Layout, bed: ObjectSpec, size: np.ndarray, wall: str, along: float) -> None:
    rng, yaw = layout.rng, _YAW[wall]
    _, _, inward, _ = wall_frame(layout.room, wall)
    for side in (-1, 1):
        if rng.random() < 0.85:
            _nightstand(layout, wall, along + side * size[0] / 2, side)
    foot = np.asarray(bed.position) + inward * size[1] / 2
    if rng.random() < 0.65:
        at = np.asarray(bed.position) + inward * rng.uniform(0.5, 0.95) + np.array([rng.normal(0, 0.1), 0, 0])
        layout.place("rug", layout.draw("rug"), [at[0], at[1], 0], yaw)
    if rng.random() < 0.8:
        _painting(layout, wall, along + rng.normal(0, 0.1))
    if rng.random() < 0.4:
        drawn = layout.draw("ottoman")
        at = foot + inward * (drawn[1][1] / 2 + rng.uniform(0.06, 0.3))
        layout.place("ottoman", drawn, [at[0], at[1], 0], yaw)


def _nightstand(layout: Layout, wall: str, edge: float, side: int) -> None:
    rng, drawn = layout.rng, layout.draw("nightstand")
    along = edge + side * (drawn[1][0] / 2 + rng.uniform(0.05, 0.18))
    stand = layout.place("nightstand", drawn, layout.against(wall, along, drawn[1]), _YAW[wall])
    lamps = sum(o.category == "table lamp" for o in layout.objects)
    if stand is not None and rng.random() < 0.85 and lamps < MAX_LAMPS:
        lamp, jitter = layout.draw("table lamp"), rng.normal(0, 0.02, 2)
        at = np.asarray(stand.position) + [*jitter, drawn[1][2] + 0.002]
        layout.place("table lamp", lamp, at, 0.0, lit=bool(rng.random() < 0.85))


def _painting(layout: Layout, wall: str, along: float) -> None:
    drawn, bottom = layout.draw("painting"), float(layout.rng.uniform(1.4, 1.65))
    if not layout.hides_window(wall, along, drawn[1][0], bottom + drawn[1][2]):
        layout.place("painting", drawn, layout.against(wall, along, drawn[1], 0.015, bottom), _YAW[wall])


def _storage(layout: Layout, category: str, tries: int = 8) -> None:
    """Back to a wall, not in front of the window, its front free; often with a painting above a dresser."""
    rng = layout.rng
    for _ in range(tries):
        drawn, wall = layout.draw(category), str(rng.choice(["left", "right", "back"]))
        along = float(rng.uniform(drawn[1][0] / 2 + 0.05, layout.wall_length(wall) - drawn[1][0] / 2 - 0.05))
        if layout.hides_window(wall, along, drawn[1][0], drawn[1][2]):
            continue
        if layout.place(category, drawn, layout.against(wall, along, drawn[1]), _YAW[wall]) is not None:
            if category == "dresser" and rng.random() < 0.5:
                _painting(layout, wall, along)
            return


def _anywhere(layout: Layout, category: str, near_wall: bool = False, tries: int = 12) -> None:
    rng, room = layout.rng, layout.room
    for _ in range(tries):
        drawn = layout.draw(category)
        x, y = rng.uniform(-room.width_m / 2 + 0.35, room.width_m / 2 - 0.35), rng.uniform(1.2, room.depth_m - 0.35)
        if near_wall:
            reach = max(drawn[1][:2]) / 2 + 0.04
            x = np.sign(x) * (room.width_m / 2 - reach)
        yaw = rng.uniform(-np.pi, np.pi) if category == "chair" else 0.0
        if layout.place(category, drawn, [x, y, 0], yaw) is not None:
            return
