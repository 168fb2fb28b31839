"""The true picture after an edit: the same room, exposure and samples, with only the edit changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

from anchorgen.geometry import quat_from_axis_angle, quat_multiply
from anchorgen.world.catalogue import build_furniture, size_of
from anchorgen.world.layout import footprint, overlaps
from anchorgen.world.render import EVALUATION_SPP, Rendering, render
from anchorgen.world.types import Camera, ObjectSpec, WorldScene

_THRESHOLD = 8.0  # grey levels of 255
_DILATE_PX = 3
_FLAT_M = 0.04

Edit = Mapping[str, Any]


@dataclass(frozen=True)
class Counterfactual:
    """Attributes:
    before, after: renderings of both rooms with the same seed, samples and exposure.
    influence: `[H, W]` bool, where the edit shows.
    edited: the room after the edit.
    warnings: what is physically impossible in it (through a wall, into another object).
    """

    before: Rendering
    after: Rendering
    influence: np.ndarray
    edited: WorldScene
    warnings: tuple[str, ...]


def counterfactual(
    scene: WorldScene, edits: Sequence[Edit], size: int = 128, spp: int = EVALUATION_SPP, seed: int = 0
) -> Counterfactual:
    """Renders a room before and after edits.

    Args:
        scene: the room.
        edits: in order, as for `apply_edit`.
        size, spp, seed: of both renderings.

    Raises:
        KeyError: no object of that id. ValueError: an unknown verb.
    """
    edited = scene
    for edit in edits:
        edited = apply_edit(edited, edit)
    before, after = render(scene, size, spp, seed), render(edited, size, spp, seed)
    return Counterfactual(before, after, influence_mask(before.image, after.image), edited, impossibilities(edited))


def influence_mask(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """`[H, W]` bool: |after - before| > 8 of 255 on means over 2x2 pixels (any channel), dilated by 3 px.

    Args:
        before, after: `[H, W, 3]` uint8, H and W even.
    """
    means = [x.astype(float).reshape(len(x) // 2, 2, -1, 2, 3).mean((1, 3)) for x in (before, after)]
    changed = (np.abs(means[1] - means[0]) > _THRESHOLD).any(-1).repeat(2, 0).repeat(2, 1)
    return binary_dilation(changed, np.ones((3, 3), bool), iterations=_DILATE_PX)


def apply_edit(scene: WorldScene, edit: Edit) -> WorldScene:
    """A room after one edit; verbs are named as in `SceneLatent` where there is such a one.

    Args:
        scene: the room.
        edit: `{"verb": "move", "id": "chair-0", "right": 0.5}` and so on: move (right, up, forward, metres along the
            floor as the camera sees it), rotate (yaw, degrees), resize (factor, factors, or width, depth, height in
            metres; the bottom stays), remove, insert (object: ObjectSpec), swap (id, object: ObjectSpec), focal (fx,
            fy). A lamp's light goes with it.

    Raises:
        KeyError: no object of that id; the message lists those there are.
        ValueError: an unknown verb, or sizes said in two ways.
    """
    arguments = {key: value for key, value in edit.items() if key not in ("verb", "id")}
    verb = edit["verb"]
    if verb == "focal":
        return scene.replace(camera=replace(scene.camera, focal=(float(edit["fx"]), float(edit["fy"]))))
    if verb == "insert":
        return scene.replace(objects=(*scene.objects, edit["object"]))
    index = _find(scene, edit["id"])
    if verb == "remove":
        return scene.replace(objects=scene.objects[:index] + scene.objects[index + 1 :])
    if verb not in _OBJECT_VERBS:
        raise ValueError(f"verb: got {verb!r}; expected one of {sorted([*_OBJECT_VERBS, 'remove', 'insert', 'focal'])}")
    changed = _OBJECT_VERBS[verb](scene.objects[index], scene.camera, **arguments)
    return scene.replace(objects=(*scene.objects[:index], changed, *scene.objects[index + 1 :]))


def _move(spec: ObjectSpec, camera: Camera, right: float = 0.0, up: float = 0.0, forward: float = 0.0) -> ObjectSpec:
    c, s = np.cos(camera.yaw_rad), np.sin(camera.yaw_rad)
    shift = right * np.array([c, s, 0]) + forward * np.array([-s, c, 0]) + up * np.array([0, 0, 1.0])
    return replace(spec, position=tuple((np.asarray(spec.position) + shift).tolist()))


def _rotate(spec: ObjectSpec, camera: Camera, yaw: float) -> ObjectSpec:
    turn = quat_from_axis_angle(np.array([0, 0, 1.0]), np.radians(yaw))
    return replace(spec, quat_wxyz=tuple(quat_multiply(turn, np.asarray(spec.quat_wxyz)).tolist()))


def _resize(
    spec: ObjectSpec,
    camera: Camera,
    factor: float | None = None,
    width: float | None = None,
    depth: float | None = None,
    height: float | None = None,
    factors: Sequence[float] | None = None,
) -> ObjectSpec:
    sides = (width, depth, height)
    if sum([factor is not None, factors is not None, any(side is not None for side in sides)]) != 1:
        raise ValueError("resize takes one of: factor, factors (x, y, z), or any of width, depth, height in metres")
    if factor is not None:
        factors = (factor,) * 3
    if factors is None:
        now = size_of(build_furniture(spec.category, spec.params)) * np.asarray(spec.scale)
        factors = [1.0 if side is None else side / length for side, length in zip(sides, now, strict=True)]
    return replace(spec, scale=tuple((np.asarray(spec.scale) * np.asarray(factors, float)).tolist()))


def _swap(spec: ObjectSpec, camera: Camera, object: ObjectSpec) -> ObjectSpec:
    return replace(object, id=spec.id, position=spec.position, quat_wxyz=spec.quat_wxyz)


_OBJECT_VERBS: dict[str, Callable[..., ObjectSpec]] = {
    "move": _move,
    "rotate": _rotate,
    "resize": _resize,
    "swap": _swap,
}


def _find(scene: WorldScene, identifier: str) -> int:
    ids = [spec.id for spec in scene.objects]
    if identifier not in ids:
        raise KeyError(f"no object {identifier!r} in this room; there are {ids}")
    return ids.index(identifier)


def impossibilities(scene: WorldScene) -> tuple[str, ...]:
    """What cannot be in a real room: objects through walls or into one another (flat ones may lie under things)."""
    sizes = [size_of(build_furniture(spec.category, spec.params)) for spec in scene.objects]
    out, room = [], scene.room
    for i, (a, size_a) in enumerate(zip(scene.objects, sizes, strict=True)):
        corners = footprint(a, size_a)
        if (
            np.abs(corners[:, 0]).max() > room.width_m / 2
            or corners[:, 1].min() < 0
            or corners[:, 1].max() > room.depth_m
        ):
            out.append(f"{a.id} goes through a wall")
        for b, size_b in list(zip(scene.objects, sizes, strict=True))[i + 1 :]:
            if min(size_a[2], size_b[2]) >= _FLAT_M and overlaps(a, size_a, b, size_b):
                out.append(f"{a.id} and {b.id} overlap")
    return tuple(out)
