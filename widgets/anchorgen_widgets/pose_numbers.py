"""An object's pose, and the camera, as numbers that people read and type; each is one verb of `SceneLatent`.

Frame: the floor, its origin straight below the camera; right and forward as the camera sees them; metres.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from anchorgen.geometry import box_extent, floor_basis, quat_to_matrix
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView
from anchorgen_widgets.gestures import SIDES, unmistakable

PLACE = ("right", "forward", "bottom")
OBJECT_NUMBERS = (*PLACE, "yaw", *SIDES)
CAMERA_NUMBERS = ("fx", "fy")
_DIGITS = 6  # of the offsets in the verbs: a thousandth of a millimetre
_LEVEL_ENOUGH = 0.5


def object_numbers(view: ObjectView) -> dict[str, float]:
    """What an object's pose is in numbers.

    Returns:
        `right`, `forward`: metres of its centre along the floor. `bottom`: metres of its lowest corner above the floor.
        `yaw`: degrees in [-180, 180) about `up` from facing the camera, which is to say facing along -forward;
        counter-clockwise seen from above, as `scene.rotate` takes it. Where the front points nearly straight up or
        down, its right side stands in. `width`, `depth`, `height`: metres along its own axes.

    Raises:
        ValueError: the camera looks straight up or down, so that forward means nothing.
    """
    basis = floor_basis(view.up)
    right, above, forward = (float(value) for value in basis @ view.translation.astype(float))
    bottom = above - 0.5 * float(box_extent(basis[1], view.quat_wxyz, view.scale)) - float(view.floor)
    sides = {name: float(side) for name, side in zip(SIDES, view.scale, strict=True)}
    return {"right": right, "forward": forward, "bottom": bottom, "yaw": _yaw_deg(view, basis), **sides}


def camera_numbers(scene: SceneLatent) -> dict[str, float]:
    """`fx`, `fy` over picture width and height, and the fields of view `across` and `down` in degrees."""
    fx, fy = (float(f) for f in scene.focal)
    across, down = (math.degrees(2 * math.atan(1 / (2 * f))) for f in (fx, fy))
    return {"fx": fx, "fy": fy, "across": across, "down": down}


def edited(scene: SceneLatent, object_id: str, name: str, value: float) -> SceneLatent:
    """The scene in which one number has this value; the scene itself where it has it already.

    Args:
        scene: before the edit.
        object_id: of a present object; "" for the camera.
        name: one of `OBJECT_NUMBERS`, or of `CAMERA_NUMBERS`.
        value: metres, or degrees for yaw (any turn: 270 is -90).

    Raises:
        LookupError: no such object.
        ValueError: an unknown name, a value that is not finite, or one that the scene refuses.
    """
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}; expected a finite number")
    known = OBJECT_NUMBERS if object_id else CAMERA_NUMBERS
    if name not in known:
        raise ValueError(f"{name!r} is no number of {object_id or 'the camera'}; expected one of: {', '.join(known)}")
    if not object_id:
        return _with_focal(scene, name, value)
    word = unmistakable(scene, object_id)
    change = value - object_numbers(scene[word])[name]
    if name == "yaw":
        change = (change + 180.0) % 360.0 - 180.0
    change = round(change, _DIGITS)
    if change == 0.0:
        return scene
    if name == "yaw":
        return scene.rotate(word, yaw=change)
    if name in SIDES:
        side: dict[str, Any] = {name: value}
        return scene.resize(word, **side)
    way: dict[str, Any] = {"up" if name == "bottom" else name: change}
    return scene.move(word, **way)


def _with_focal(scene: SceneLatent, name: str, value: float) -> SceneLatent:
    # The other one as its shortest digits, which are the same float32: the code that this becomes is short.
    focal = {key: float(str(number)) for key, number in zip(CAMERA_NUMBERS, scene.focal, strict=True)}
    if round(value - focal[name], _DIGITS) == 0.0:
        return scene
    return scene.with_focal(**{**focal, name: value})


def _yaw_deg(view: ObjectView, basis: np.ndarray) -> float:
    right, _, forward = basis
    axes = quat_to_matrix(view.quat_wxyz)
    front, side = -axes[:, 1], axes[:, 0]
    sine, cosine = right @ front, -(forward @ front)
    if math.hypot(sine, cosine) < _LEVEL_ENOUGH:
        sine, cosine = forward @ side, right @ side
    angle = math.degrees(math.atan2(sine, cosine))
    return (angle + 180.0) % 360.0 - 180.0
