"""Verbs that place objects of a room by the floor or by one another: `snap_to_floor`, `place_on`, `align`.

As with `move`, only what is named moves: a lamp stays where it is when the nightstand below it goes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from anchorgen.geometry import canonical_quat, quat_from_axis_angle, quat_multiply
from anchorgen.scene.arranging import EDGES, PLACES
from anchorgen.scene.edits import number
from anchorgen.world.boxes import UP, Box, box_of
from anchorgen.world.camera import floor_axes
from anchorgen.world.changes import each
from anchorgen.world.selection import Names, select, select_one
from anchorgen.world.types import ObjectSpec, WorldScene

_NO_HEADING = 1e-3  # length of what is seen of the front's direction from above; as for latents


def snap_to_floor(scene: WorldScene, id: Names) -> WorldScene:
    return each(scene, select(scene, id), lambda spec, box: (spec, replace(box, centre=box.centre - box.bottom_m * UP)))


def place_on(scene: WorldScene, id: Names, other: Names, right: Any = 0.0, forward: Any = 0.0) -> WorldScene:
    indices, base = select(scene, id), select_one(scene, other)
    if base in indices:
        raise ValueError(f"place_on would put {scene.objects[base].id} on itself; expected another object to stand on")
    support = box_of(scene.objects[base])
    offset = np.array([number("right", right), 0.0, number("forward", forward)])
    over = support.centre + offset @ floor_axes(scene.camera)

    def placed(spec: ObjectSpec, box: Box) -> tuple[ObjectSpec, Box]:
        height = box.centre[2] + support.top_m - box.bottom_m
        return spec, replace(box, centre=np.array([over[0], over[1], height]))

    return each(scene, indices, placed)


def align(scene: WorldScene, id: Names, to: Names | None = None, *, by: Any) -> WorldScene:
    if by not in EDGES:
        raise ValueError(f"by is {by!r}; expected one of {', '.join(EDGES)}")
    indices = select(scene, id)
    if to is None and len(indices) < 2:
        raise ValueError(f"{id!r} matches one object; expected several, or `to`, the object to align with")
    reference = indices[0] if to is None else select_one(scene, to)
    indices = tuple(index for index in indices if index != reference)
    spec = scene.objects[reference]
    return _turned_like(scene, indices, spec) if by == "yaw" else _in_line(scene, indices, spec, by)


def _in_line(scene: WorldScene, indices: tuple[int, ...], reference: ObjectSpec, by: str) -> WorldScene:
    row, end = PLACES[by]
    axis = floor_axes(scene.camera)[row]

    def place(box: Box) -> float:
        along = box.corners @ axis
        return float(along.min() + (1 + end) / 2 * np.ptp(along))

    wanted = place(box_of(reference))
    return each(
        scene, indices, lambda spec, box: (spec, replace(box, centre=box.centre + (wanted - place(box)) * axis))
    )


def _turned_like(scene: WorldScene, indices: tuple[int, ...], reference: ObjectSpec) -> WorldScene:
    wanted = _heading_rad(reference.id, box_of(reference))

    def turned(spec: ObjectSpec, box: Box) -> tuple[ObjectSpec, Box]:
        turn = quat_from_axis_angle(UP, wanted - _heading_rad(spec.id, box))
        return spec, replace(box, quat_wxyz=canonical_quat(quat_multiply(turn, box.quat_wxyz)))

    return each(scene, indices, turned)


def _heading_rad(name: str, box: Box) -> float:
    """Where its front faces, about the vertical, counter-clockwise from x. Raises ValueError if it lies on its front."""
    x, y, _ = -box.axes[:, 1]
    if np.hypot(x, y) < _NO_HEADING:
        raise ValueError(f"the front of {name} faces straight up or down; expected objects with a heading")
    return float(np.arctan2(y, x))
