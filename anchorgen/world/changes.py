"""Changing objects of a room and their boxes, and what is refused: no verb makes what no scene latent can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from anchorgen.geometry import MAX_LENGTH_M, MIN_DEPTH_M, MIN_SIZE_M
from anchorgen.scene.edits import vector
from anchorgen.world.boxes import Box, box_of, with_box
from anchorgen.world.camera import to_camera
from anchorgen.world.types import Camera, ObjectSpec, WorldScene


def each(
    scene: WorldScene, indices: Iterable[int], change: Callable[[ObjectSpec, Box], tuple[ObjectSpec, Box]]
) -> WorldScene:
    """The room with these of its objects changed, each with its box. Raises what the checks below raise."""
    objects = list(scene.objects)
    for index in indices:
        spec, box = change(objects[index], box_of(objects[index]))
        check_box(spec.id, box)
        check_ahead(spec.id, box, scene.camera)
        objects[index] = with_box(spec, box)
    return scene.replace(objects=tuple(objects))


def check_ahead(name: str, box: Box, camera: Camera) -> None:
    """Raises ValueError for a box whose centre is behind the camera or in it."""
    depth = float(to_camera(box.centre, camera)[2])
    if depth < MIN_DEPTH_M:
        raise ValueError(f"{name} would be at depth {depth:.3g} m; expected >= {MIN_DEPTH_M} m, in front of the camera")


def check_box(name: str, box: Box) -> None:
    """Raises ValueError for a box that is too thin, too large or too far away."""
    sides = " x ".join(f"{side:.4g}" for side in box.extent)
    if np.any(box.extent < MIN_SIZE_M):
        raise ValueError(f"{name} would measure {sides} m; expected every side >= {MIN_SIZE_M} m: give larger ones")
    if max(box.extent.max(), np.abs(box.centre).max()) > MAX_LENGTH_M:
        raise ValueError(
            f"{name} would measure {sides} m at {box.centre.tolist()}; expected no length over {MAX_LENGTH_M:g} m"
        )


def checked(spec: Any) -> ObjectSpec:
    """The object, if it can stand in a room. Raises ValueError, or KeyError for an unknown category."""
    if not isinstance(spec, ObjectSpec):
        raise ValueError(f"object: got {type(spec).__name__}; expected an ObjectSpec (`edit_from_json` reads one back)")
    vector(f"position of {spec.id}", spec.position, 3)
    quat = vector(f"quat_wxyz of {spec.id}", spec.quat_wxyz, 4)
    if abs(float(np.linalg.norm(quat)) - 1) > 1e-3:
        raise ValueError(f"quat_wxyz of {spec.id} is {quat.tolist()}; expected a unit quaternion (w, x, y, z)")
    vector(f"scale of {spec.id}", spec.scale, 3)
    check_box(spec.id, box_of(spec))
    return spec
