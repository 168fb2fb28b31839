"""Where an object lands that is dropped on a picture: on the floor, on what the pointer shows the top of, or before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anchorgen.geometry import box_corners, box_extent, floor_basis, quat_to_matrix, ray_crossing
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView

HIGHEST_TABLE_M = 1.3  # nobody puts things on a wardrobe
HANGS_FROM_M = 0.9  # what was higher than this in its own room hangs, and keeps its height
FLAT_M = 0.04  # a rug: things stand on it as on the floor
BESIDE_M = 0.05
STANDS_BELOW_M = 0.1  # what has its bottom higher stands on something else
FARTHEST_M = 12.0
_EDGE_ON = 1e-3


def landing_place(
    scene: SceneLatent, obj: ObjectView, origin: np.ndarray, direction: np.ndarray
) -> dict[str, float] | None:
    """The place for `scene.insert(obj, at=...)` under a ray.

    Args:
        scene: where it is dropped.
        obj: what is dropped.
        origin, direction: `[3]` of the ray, camera frame, metres.

    Returns:
        dict(right=, forward=, up=) in metres: on top of the first box that the ray enters from above, in front of the
        one that it enters from the side, else on the floor; None where it meets nothing within 12 m.
    """
    axes = floor_basis(scene.up)
    height = _height_above_floor(obj)
    if height > HANGS_FROM_M:
        meeting = _on_plane(axes[1], float(scene.floor) + height, origin, direction)
        return None if meeting is None else _place(axes, meeting[1], height)
    met = [found for view in scene.objects if (found := _enters(scene, view, axes[1], origin, direction)) is not None]
    # What stands on something else, a lamp, hides little of it: the pointer means what it stands on.
    met = [entry for entry in met if entry.top_m is not None or entry.bottom_m < STANDS_BELOW_M]
    if not met:
        meeting = _on_plane(axes[1], float(scene.floor), origin, direction)
        return None if meeting is None else _place(axes, meeting[1], 0.0)
    first = min(met, key=lambda entry: entry.distance_m)
    if first.top_m is not None:
        return _place(axes, first.point, first.top_m)
    level = first.outward - float(first.outward @ axes[1]) * axes[1]
    away = 0.5 * float(np.hypot(*obj.scale[:2])) + BESIDE_M
    return _place(axes, first.point + away * level / max(float(np.linalg.norm(level)), 1e-6), 0.0)


@dataclass(frozen=True)
class _Entry:
    """Where a ray enters a box that things can stand on or before.

    Attributes:
        distance_m: from the ray's origin.
        point: `[3]`, camera frame.
        outward: `[3]`, unit normal of the face.
        top_m: height of the box's top above the floor, if the ray enters there and things can be put on it.
        bottom_m: height of its bottom.
    """

    distance_m: float
    point: np.ndarray
    outward: np.ndarray
    top_m: float | None
    bottom_m: float


def _place(axes: np.ndarray, point: np.ndarray, up: float) -> dict[str, float]:
    right, _, forward = (round(float(value), 4) for value in axes @ point)
    return {"right": right, "forward": forward, "up": round(up, 4)}


def _height_above_floor(obj: ObjectView) -> float:
    lowest = box_corners(obj.translation, obj.quat_wxyz, obj.scale) @ obj.up.astype(float)
    return float(lowest.min() - obj.floor)


def _on_plane(
    up: np.ndarray, level: float, origin: np.ndarray, direction: np.ndarray
) -> tuple[float, np.ndarray] | None:
    """Distance and point where the ray meets {p : up . p = level}; None if it does not, or far away."""
    slope = float(direction @ up)
    if abs(slope) < _EDGE_ON:
        return None
    distance = (level - float(origin @ up)) / slope
    return (distance, origin + distance * direction) if 0 < distance < FARTHEST_M else None


def _enters(
    scene: SceneLatent, view: ObjectView, up: np.ndarray, origin: np.ndarray, direction: np.ndarray
) -> _Entry | None:
    axes, extent = quat_to_matrix(view.quat_wxyz), view.scale.astype(float)
    height = float(box_extent(up, view.quat_wxyz, extent))
    centre = view.translation.astype(float)
    near, far = (float(side[0]) for side in ray_crossing(origin, direction[None], centre, axes, extent))
    if height < FLAT_M or near > far or not 0 < near < FARTHEST_M:
        return None
    point = origin + near * direction
    own = (point - centre) @ axes / extent
    axis = int(np.abs(own).argmax())
    outward = np.sign(own[axis]) * axes[:, axis]
    top = float(centre @ up) + 0.5 * height - float(scene.floor)
    on_top = outward @ up > 0.7 and top <= HIGHEST_TABLE_M
    return _Entry(near, point, outward, max(top, 0.0) if on_top else None, top - height)
