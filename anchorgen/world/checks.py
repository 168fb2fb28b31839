"""What cannot be in a real room: things through walls or into one another, and things that stand on nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull

from anchorgen.geometry import box_penetration, clip_convex, polygon_area
from anchorgen.world.boxes import UP, Box, box_of
from anchorgen.world.layout import FLAT_M, Zone, fixtures
from anchorgen.world.shell import WALLS, block_faces, wall_frame
from anchorgen.world.types import Block, ObjectSpec, RoomSpec, WorldScene

_TOUCH_M = 2e-3  # boxes of meshes that touch may share this much
_GAP_M = 0.02  # what hovers lower than this stands
_REACH_M = 0.04  # from the ceiling or a wall to what hangs there
HANGING = ("pendant", "painting", "mirror")
_TUCKED = {"chair", "desk"}
_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def impossibilities(
    scene: WorldScene, sizes: Sequence[np.ndarray] | None = None, fittings: bool = True
) -> tuple[str, ...]:
    """What is physically impossible in a room, as sentences; () for a room that could be.

    A chair may be tucked into a desk, and what is thinner than 4 cm may lie under anything.

    Args:
        scene: the room.
        sizes: `[3]` mesh extents of each object, if they are known (`boxes.mesh_size`).
        fittings: whether curtains and window sills count.
    """
    known = [None] * len(scene.objects) if sizes is None else sizes
    boxes = [box_of(spec, size) for spec, size in zip(scene.objects, known, strict=True)]
    out = []
    for i, (spec, box) in enumerate(zip(scene.objects, boxes, strict=True)):
        out += [f"{spec.id} goes through {what}" for what in _crossed(scene.room, box)]
        if fittings:
            out += [f"{spec.id} goes through {what}" for what in _fittings_crossed(scene.room, box)]
        if spec.category in HANGING and not _hangs(spec, box, scene.room):
            out.append(f"{spec.id} hangs on nothing")
        elif not _stands(spec, box, [b for k, b in enumerate(boxes) if k != i]):
            out.append(f"{spec.id} stands on nothing")
        for other, other_box in list(zip(scene.objects, boxes, strict=True))[i + 1 :]:
            if not may_overlap(spec, box, other, other_box) and penetrate(box, other_box):
                out.append(f"{spec.id} and {other.id} overlap")
    return tuple(out)


def may_overlap(a: ObjectSpec, box_a: Box, b: ObjectSpec, box_b: Box) -> bool:
    """Whether boxes of these two may share space: a chair at a desk, or a rug and anything."""
    flat = min(box_a.height_m(), box_b.height_m()) < FLAT_M
    return flat or {a.category, b.category} == _TUCKED


def penetrate(a: Box, b: Box, tolerance_m: float = _TOUCH_M) -> bool:
    """Whether two boxes, however turned, share more than `tolerance_m` in depth (separating axes: exact for boxes)."""
    return box_penetration(a.axes, a.corners, b.axes, b.corners) > tolerance_m


def box_overlap_share(
    a: ObjectSpec, b: ObjectSpec, size_a: np.ndarray | None = None, size_b: np.ndarray | None = None
) -> float:
    """Shared volume of two upright boxes over the volume of the smaller: exact, in [0, 1].

    Args:
        a, b: the objects.
        size_a, size_b: their mesh extents, if known.

    Raises:
        ValueError: one of them is tilted.
    """
    boxes = box_of(a, size_a), box_of(b, size_b)
    for spec, box in zip((a, b), boxes, strict=True):
        if not box.upright:
            raise ValueError(f"{spec.id} is tilted; expected upright objects, turned about the vertical only")
    area = polygon_area(clip_convex(footprint_of(boxes[0]), footprint_of(boxes[1])))
    height = min(box.top_m for box in boxes) - max(box.bottom_m for box in boxes)
    return area * max(0.0, height) / min(float(np.prod(box.extent)) for box in boxes)


def footprint_of(box: Box) -> np.ndarray:
    """The box seen from above: a counter-clockwise convex polygon `[P, 2]`, metres."""
    points = box.corners[:, :2]
    if box.upright:
        return points[[0, 1, 3, 2]]
    return points[ConvexHull(points).vertices]


def _crossed(room: RoomSpec, box: Box) -> list[str]:
    x, y = box.corners[:, :2].T
    half = room.width_m / 2 + _TOUCH_M
    beyond = x.min() < -half or x.max() > half or y.min() < -_TOUCH_M or y.max() > room.depth_m + _TOUCH_M
    walled = room.block is not None and penetrate(box, _block_box(room, room.block))
    crossed = {
        "a wall": beyond or walled,
        "the floor": box.bottom_m < -_TOUCH_M,
        "the ceiling": box.top_m > room.height_m + _TOUCH_M,
    }
    return [what for what, does in crossed.items() if does]


def _fittings_crossed(room: RoomSpec, box: Box) -> list[str]:
    """Curtains and sills that a box shares room with, seen from above and by height."""
    own = Zone(footprint_of(box), box.bottom_m, box.top_m)
    return sorted({fixture.name for fixture in fixtures(room) if fixture.name != "a wall" and own.meets(fixture)})


def _hangs(spec: ObjectSpec, box: Box, room: RoomSpec) -> bool:
    """Whether a pendant reaches the ceiling, and a picture or mirror has a wall behind it."""
    if spec.category == "pendant":
        return abs(room.height_m - box.top_m) < _REACH_M
    back = box.centre + box.axes[:, 1] * box.extent[1] / 2
    walls = [(wall_frame(room, wall)[0], wall_frame(room, wall)[2]) for wall in WALLS]
    walls += [(start, np.cross(run, UP) / np.linalg.norm(run)) for start, run in block_faces(room)]
    return any(abs((back - origin) @ normal) < _REACH_M for origin, normal in walls)


def _block_box(room: RoomSpec, block: Block) -> Box:
    side = {"left": -1.0, "right": 1.0}[block.side]
    centre = [side * (room.width_m - block.width_m) / 2, room.depth_m - block.depth_m / 2, room.height_m / 2]
    return Box(np.array(centre), _IDENTITY, np.array([block.width_m, block.depth_m, room.height_m]))


def _stands(spec: ObjectSpec, box: Box, others: Sequence[Box]) -> bool:
    """Whether something carries it: a wall, a cord, the floor (or a rug on it), or a thing below its middle."""
    if box.bottom_m < FLAT_M or spec.category in HANGING:
        return True
    for other in others:
        if abs(other.top_m - box.bottom_m) < _GAP_M and _holds(footprint_of(other), box.centre[:2]):
            return True
    return False


def _holds(polygon: np.ndarray, point: np.ndarray) -> bool:
    edge, away = np.roll(polygon, -1, axis=0) - polygon, point - polygon
    return bool(np.all(edge[:, 0] * away[:, 1] - edge[:, 1] * away[:, 0] >= 0))
