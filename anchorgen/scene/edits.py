"""The verbs, as pure functions from a scene to a scene. `SceneLatent`'s methods call them and write the history.

Geometry is computed in float64 and stored in float32. Verbs that bring objects in are in `objects.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anchorgen.geometry import (
    box_extent,
    canonical_quat,
    floor_basis,
    quat_from_axis_angle,
    quat_multiply,
)
from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.errors import EditError, LatentSpaceError
from anchorgen.scene.selection import Selector, everything, select_slots, select_targets
from anchorgen.scene.values import Number, SceneValues, Vector


def present(scene: SceneValues, selector: Selector) -> list[int]:
    """Slots of the present objects that match. Raises SelectionError if none does."""
    return list(select_slots(selector, scene.objects, scene.removed))


def number(name: str, value: Any) -> float:
    """`value` as a finite float. Raises EditError otherwise."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        result = np.nan
    if not np.isfinite(result):
        raise EditError(f"{name} is {value!r}; expected a finite number")
    return result


def vector(name: str, value: Vector, length: int) -> np.ndarray:
    """`value` as float64 `[length]`. Raises EditError if it is not that, or not finite."""
    try:
        result = np.array([number(name, item) for item in value])
    except TypeError:
        result = np.zeros(0)
    if len(result) != length:
        raise EditError(f"{name} is {value!r}; expected {length} numbers")
    return result


def floor_axes(up: np.ndarray) -> np.ndarray:
    """Rows right, up, forward `[3, 3]`. Raises EditError if the camera looks straight up or down."""
    try:
        return floor_basis(up)
    except ValueError as error:
        raise EditError(str(error)) from None


def edited(scene: SceneValues, **changes: Any) -> SceneValues:
    """`scene.replace`, where a value that a scene refuses makes an EditError."""
    try:
        return scene.replace(**changes)
    except ValueError as error:
        raise EditError(f"{error}; the edit was refused and the scene stays as it was") from None


def with_boxes(scene: SceneValues, slots: Sequence[int], **values: np.ndarray) -> SceneValues:
    """The scene with new rows of `translation`, `quat_wxyz` or `scale` in `slots`.

    Raises:
        EditError: a box nearer than z = 0.05 m, thinner than 0.01 m or too far to store.
    """
    changes = {name: getattr(scene, name).copy() for name in values}
    with np.errstate(over="ignore"):
        for name, rows in values.items():
            changes[name][list(slots)] = rows
    return edited(scene, **changes)


def check_space(scene: SceneValues, latent_space: str, what: str) -> None:
    """Raises LatentSpaceError unless `latent_space` is the scene's own."""
    if latent_space != scene.latent_space:
        raise LatentSpaceError(
            f"{what} is of latent space {latent_space!r}, the scene of {scene.latent_space!r}; their tokens mean "
            "different things: encode both pictures with the same pipeline"
        )


def move(
    scene: SceneValues,
    selector: Selector,
    right: Number = 0.0,
    up: Number = 0.0,
    forward: Number = 0.0,
    to: Vector | None = None,
) -> SceneValues:
    slots = present(scene, selector)
    offset = np.array([number("right", right), number("up", up), number("forward", forward)])
    if to is None:
        return with_boxes(scene, slots, translation=scene.translation[slots] + offset @ floor_axes(scene.up))
    if np.any(offset):
        raise EditError("move got both `to` and an offset; expected one: `to` is a place, the others are a way")
    if len(slots) > 1:
        raise EditError(f"`to` is one place, but {selector!r} matches {len(slots)} objects; name one, as in 'lamp#1'")
    return with_boxes(scene, slots, translation=vector("to", to, 3))


def rotate(
    scene: SceneValues, selector: Selector, yaw: Number = 0.0, pitch: Number = 0.0, roll: Number = 0.0
) -> SceneValues:
    slots = present(scene, selector)
    turn = quat_from_axis_angle(scene.up, np.radians(number("yaw", yaw)))
    own_x = quat_from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(number("pitch", pitch)))
    own_y = quat_from_axis_angle(np.array([0.0, 1.0, 0.0]), np.radians(number("roll", roll)))
    quats = quat_multiply(quat_multiply(turn, scene.quat_wxyz[slots]), quat_multiply(own_x, own_y))
    return with_boxes(scene, slots, quat_wxyz=canonical_quat(quats))


def resize(
    scene: SceneValues,
    selector: Selector,
    factor: Number | None = None,
    width: Number | None = None,
    depth: Number | None = None,
    height: Number | None = None,
    factors: Vector | None = None,
) -> SceneValues:
    slots = present(scene, selector)
    sides = (width, depth, height)
    given = [factor is not None, factors is not None, any(side is not None for side in sides)]
    if sum(given) != 1:
        raise EditError("resize takes one of: a factor, factors=(x, y, z), or any of width=, depth=, height= in metres")
    scale = scene.scale[slots].astype(float)
    if factor is not None:
        scale = scale * number("factor", factor)
    elif factors is not None:
        scale = scale * vector("factors", factors, 3)
    else:
        for axis, (name, side) in enumerate(zip(("width", "depth", "height"), sides, strict=True)):
            scale[:, axis] = scale[:, axis] if side is None else number(name, side)
    return with_boxes(scene, slots, scale=scale, translation=standing(scene, slots, scale))


def standing(scene: SceneValues, slots: Sequence[int], scale: np.ndarray) -> np.ndarray:
    """Centres `[M, 3]` of boxes of another size `[M, 3]` whose lowest point stays where it is along `up`."""
    slots = list(slots)
    quats = scene.quat_wxyz[slots]
    grown = box_extent(scene.up, quats, np.maximum(scale, 0.0)) - box_extent(scene.up, quats, scene.scale[slots])
    return scene.translation[slots] + 0.5 * grown[:, None] * scene.up.astype(float)


def remove(scene: SceneValues, selector: Selector) -> SceneValues:
    return _with_presence(scene, present(scene, selector), False)


def restore(scene: SceneValues, selector: Selector = everything) -> SceneValues:
    slots = list(select_slots(selector, scene.removed, scene.objects))
    return _with_presence(scene, slots, True)


def only(scene: SceneValues, selector: Selector) -> SceneValues:
    kept = present(scene, selector)
    return _with_presence(scene, [view.index for view in scene.objects if view.index not in kept], False)


def _with_presence(scene: SceneValues, slots: Sequence[int], value: bool) -> SceneValues:
    presence = scene.presence.copy()
    presence[list(slots)] = value
    return edited(scene, presence=presence)


def with_focal(scene: SceneValues, fx: Number, fy: Number) -> SceneValues:
    focal = np.array([number("fx", fx), number("fy", fy)])
    if np.any(focal < 0.05) or np.any(focal > 50.0):
        raise EditError(f"focal ({fx}, {fy}) is not a camera; expected 0.05 to 50, over picture width and height")
    return edited(scene, focal=focal)


def with_background(scene: SceneValues, other: SceneValues | np.ndarray) -> SceneValues:
    if isinstance(other, SceneValues):
        check_space(scene, other.latent_space, "the background")
        other = other.background
    try:
        tokens = np.asarray(other, np.float32)
    except (TypeError, ValueError) as error:
        raise EditError(f"the background is no array of numbers ({error}); give tokens or another scene") from None
    if tokens.shape != scene.background.shape or not np.all(np.isfinite(tokens)):
        raise EditError(
            f"background tokens have shape {list(tokens.shape)}; expected finite {list(scene.background.shape)}: those "
            "of another scene of the same pipeline"
        )
    return edited(scene, background=tokens)


def anchor(scene: SceneValues, selector: Selector = everything) -> SceneValues:
    return _with_alpha(scene, selector, 1.0)


def release(scene: SceneValues, selector: Selector = everything, strength: Number = 1.0) -> SceneValues:
    value = number("strength", strength)
    if not 0.0 <= value <= 1.0:
        raise EditError(f"strength is {value:g}; expected 0 (keep) to 1 (resample from noise)")
    return _with_alpha(scene, selector, 1.0 - value)


def _with_alpha(scene: SceneValues, selector: Selector, alpha: float) -> SceneValues:
    every = [scene.view(slot) for slot in range(scene.num_slots)]
    targets = select_targets(selector, scene.objects, every)
    changed = scene.anchors.with_alpha(alpha, slots=targets.slots, focal=targets.focal, background=targets.background)
    return edited(scene, anchors=changed)


def complete(scene: SceneValues, max_objects: int | None = None) -> SceneValues:
    slots = empty_slots(scene)
    if max_objects is not None:
        if not isinstance(max_objects, (int, np.integer)) or isinstance(max_objects, bool) or max_objects < 0:
            raise EditError(f"max_objects is {max_objects!r}; expected a count of objects in the whole scene, or None")
        slots = slots[: max(0, int(max_objects) - scene.num_objects)]
    kept = scene.anchors.with_alpha(1.0, slots=dict.fromkeys(FACTORS, empty_slots(scene)))
    return edited(scene, anchors=kept.with_alpha(0.0, slots=dict.fromkeys(FACTORS, slots)))


def empty_slots(scene: SceneValues) -> list[int]:
    """Slots without an object: those never used come first, those of removed objects last."""
    return sorted(np.flatnonzero(~scene.presence).tolist(), key=lambda slot: (scene.ids[slot] != "", slot))
