"""Where an object lands that is dropped on a picture: on the floor, or on what stands under the pointer."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import box_corners, box_extent, floor_basis, quat_to_matrix
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView

HIGHEST_TABLE_M = 1.3  # nobody puts things on a wardrobe by pointing at its front
HANGS_FROM_M = 0.9  # what was higher than this in its own room hangs, and keeps its height
_EDGE_ON = 1e-3
_FARTHEST_M = 30.0


def landing_place(
    scene: SceneLatent, obj: ObjectView, origin: np.ndarray, direction: np.ndarray
) -> dict[str, float] | None:
    """The place for `scene.insert(obj, at=...)` under a ray.

    Args:
        scene: where it is dropped.
        obj: what is dropped.
        origin, direction: `[3]` of the ray, camera frame, metres.

    Returns:
        dict(right=, forward=, up=) in metres; None where the ray meets neither the floor nor the top of a box.
    """
    axes = floor_basis(scene.up)
    height = _height_above_floor(obj)
    if height > HANGS_FROM_M:
        meeting = _on_plane(axes[1], float(scene.floor) + height, origin, direction)
        return None if meeting is None else _place(axes, meeting[1], height)
    hits = [_on_plane(axes[1], float(scene.floor), origin, direction, floor=0.0)]
    hits += [_on_top(scene, view, axes[1], origin, direction) for view in scene.objects]
    met = [hit for hit in hits if hit is not None]
    if not met:
        return None
    _, point, up = min(met, key=lambda hit: hit[0])
    return _place(axes, point, up)


def _place(axes: np.ndarray, point: np.ndarray, up: float) -> dict[str, float]:
    right, _, forward = (round(float(value), 4) for value in axes @ point)
    return {"right": right, "forward": forward, "up": round(up, 4)}


def _height_above_floor(obj: ObjectView) -> float:
    lowest = box_corners(obj.translation, obj.quat_wxyz, obj.scale) @ obj.up.astype(float)
    return float(lowest.min() - obj.floor)


def _on_plane(
    up: np.ndarray, level: float, origin: np.ndarray, direction: np.ndarray, floor: float = 0.0
) -> tuple[float, np.ndarray, float] | None:
    """Distance, point and height where the ray meets {p : up . p = level}; None if it does not, or far away."""
    slope = float(direction @ up)
    if abs(slope) < _EDGE_ON:
        return None
    distance = (level - float(origin @ up)) / slope
    if not 0 < distance < _FARTHEST_M:
        return None
    return distance, origin + distance * direction, floor


def _on_top(
    scene: SceneLatent, view: ObjectView, up: np.ndarray, origin: np.ndarray, direction: np.ndarray
) -> tuple[float, np.ndarray, float] | None:
    centre = view.translation.astype(float)
    top = float(centre @ up) + 0.5 * float(box_extent(up, view.quat_wxyz, view.scale))
    height = top - float(scene.floor)
    hit = _on_plane(up, top, origin, direction, floor=max(height, 0.0))
    if hit is None or height > HIGHEST_TABLE_M:
        return None
    own = (hit[1] - centre) @ quat_to_matrix(view.quat_wxyz)
    return hit if np.all(np.abs(own) <= 0.5 * view.scale + 1e-3) else None
