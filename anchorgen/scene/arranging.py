"""Verbs that place objects by the floor or by one another: `snap_to_floor`, `place_on`, `align`."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import box_extent, canonical_quat, quat_from_axis_angle, quat_multiply, quat_to_matrix
from anchorgen.scene.edits import floor_axes, number, present, with_boxes
from anchorgen.scene.errors import EditError
from anchorgen.scene.selection import Selector, select_one
from anchorgen.scene.values import Number, SceneValues

# Row of the floor's axes that each of them is measured along, and where on the box: -1 low end, 0 middle, 1 high end.
PLACES = {
    "left": (0, -1), "centre": (0, 0), "right": (0, 1), "front": (2, -1), "middle": (2, 0), "back": (2, 1),
    "bottom": (1, -1), "top": (1, 1),
}  # fmt: skip
EDGES = (*PLACES, "yaw")
_NO_HEADING = 1e-3  # length of what is seen of the front's direction from above


def snap_to_floor(scene: SceneValues, selector: Selector) -> SceneValues:
    slots = present(scene, selector)
    length = float(np.linalg.norm(scene.up.astype(float)))  # 1 to within float32
    up = scene.up.astype(float) / length
    above = _place_along(scene, slots, up, -1) - float(scene.floor) / length
    return with_boxes(scene, slots, translation=scene.translation[slots] - above[:, None] * up)


def place_on(
    scene: SceneValues, selector: Selector, other: Selector, right: Number = 0.0, forward: Number = 0.0
) -> SceneValues:
    slots, base = present(scene, selector), _one(scene, other)
    if base in slots:
        raise EditError(f"place_on would put {scene.ids[base]} on itself; expected another object to stand on")
    axes = floor_axes(scene.up)
    spot = axes @ scene.translation[base].astype(float) + [number("right", right), 0.0, number("forward", forward)]
    heights = float(_place_along(scene, [base], axes[1], 1)[0]) - _place_along(scene, slots, axes[1], -1)
    places = scene.translation[slots] @ axes.T
    places = np.stack([np.full(len(slots), spot[0]), places[:, 1] + heights, np.full(len(slots), spot[2])], 1)
    return with_boxes(scene, slots, translation=places @ axes)


def align(scene: SceneValues, selector: Selector, to: Selector | None = None, *, by: str) -> SceneValues:
    if by not in EDGES:
        raise EditError(f"by is {by!r}; expected one of {', '.join(EDGES)}")
    slots = present(scene, selector)
    if to is None and len(slots) < 2:
        raise EditError(f"{selector!r} matches one object; expected several, or `to`, the object to align with")
    reference = slots[0] if to is None else _one(scene, to)
    slots = [slot for slot in slots if slot != reference]
    if by == "yaw":
        return _turned_like(scene, slots, reference)
    row, end = PLACES[by]
    axis = floor_axes(scene.up)[row]
    away = _place_along(scene, [reference], axis, end) - _place_along(scene, slots, axis, end)
    return with_boxes(scene, slots, translation=scene.translation[slots] + away[:, None] * axis)


def _turned_like(scene: SceneValues, slots: list[int], reference: int) -> SceneValues:
    wanted, quats = _heading_rad(scene, reference), scene.quat_wxyz.astype(float)
    for slot in slots:
        turn = quat_from_axis_angle(scene.up, wanted - _heading_rad(scene, slot))
        quats[slot] = canonical_quat(quat_multiply(turn, quats[slot]))
    return with_boxes(scene, slots, quat_wxyz=quats[slots])


def _heading_rad(scene: SceneValues, slot: int) -> float:
    """Where its front faces, about `up`, counter-clockwise from the right. Raises EditError if it lies on its front."""
    right, _, forward = floor_axes(scene.up) @ -quat_to_matrix(scene.quat_wxyz[slot])[:, 1]
    if np.hypot(right, forward) < _NO_HEADING:
        raise EditError(f"the front of {scene.ids[slot]} faces straight up or down; expected objects with a heading")
    return float(np.arctan2(forward, right))


def _place_along(scene: SceneValues, slots: list[int], axis: np.ndarray, end: int) -> np.ndarray:
    """Where boxes begin (-1), have their middle (0) or end (1) along a unit `axis` `[3]`: `[M]` metres."""
    extent = box_extent(axis, scene.quat_wxyz[slots], scene.scale[slots])
    return scene.translation[slots].astype(float) @ axis + 0.5 * end * extent


def _one(scene: SceneValues, selector: Selector) -> int:
    return select_one(selector, scene.objects, scene.removed)
