"""Where an object lands that is dropped on a picture: on the floor, on what the pointer shows the top of, or before it."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import box_corners, box_extent, floor_basis, quat_to_matrix
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView

HIGHEST_TABLE_M = 1.3  # nobody puts things on a wardrobe by pointing at its front
HANGS_FROM_M = 0.9  # what was higher than this in its own room hangs, and keeps its height
FLAT_M = 0.04  # a rug: things stand on it as on the floor
BESIDE_M = 0.05
STANDS_BELOW_M = 0.1
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
    entered = [hit for view in scene.objects if (hit := _enters(scene, view, axes[1], origin, direction))]
    # What stands on something else, a lamp, hides little of it: the pointer means what it stands on.
    entered = [hit for hit in entered if hit[3] is not None or hit[4] < STANDS_BELOW_M]
    if not entered:
        met = _on_plane(axes[1], float(scene.floor), origin, direction)
        return None if met is None else _place(axes, met[1], 0.0)
    _, point, outward, top, _ = min(entered, key=lambda hit: hit[0])
    if top is not None:
        return _place(axes, point, top)
    level = outward - float(outward @ axes[1]) * axes[1]
    away = 0.5 * float(np.hypot(*obj.scale[:2])) + BESIDE_M
    return _place(axes, point + away * level / max(float(np.linalg.norm(level)), 1e-6), 0.0)


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
) -> tuple[float, np.ndarray, np.ndarray, float | None, float] | None:
    """Where the ray enters a box that things can stand on or before: distance, point, the face's normal, the height of
    its top above the floor if it enters there and the top is low enough to put things on, and that of its bottom."""
    axes = quat_to_matrix(view.quat_wxyz)
    height = float(box_extent(up, view.quat_wxyz, view.scale))
    start, way = (origin - view.translation) @ axes, direction @ axes
    way = np.where(np.abs(way) < 1e-9, 1e-9, way)
    sides = np.stack([(-0.5 * view.scale - start) / way, (0.5 * view.scale - start) / way])
    near, far = float(sides.min(0).max()), float(sides.max(0).min())
    if height < FLAT_M or near > far or not 0 < near < FARTHEST_M:
        return None
    point = origin + near * direction
    axis = int(sides.min(0).argmax())
    outward = -np.sign(way[axis]) * axes[:, axis]
    top = float(view.translation @ up) + 0.5 * height - float(scene.floor)
    on_top = outward @ up > 0.7 and top <= HIGHEST_TABLE_M
    return near, point, outward, max(top, 0.0) if on_top else None, top - height
