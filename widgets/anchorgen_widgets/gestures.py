"""What a gesture of the mouse means in verbs of `SceneLatent`. Poses: OpenCV camera frame, metres, wxyz."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from anchorgen.geometry import floor_basis, quat_multiply
from anchorgen.scene.latent import SceneLatent, Vector
from anchorgen.scene.selection import select_slots

GestureKind = Literal["move", "lift", "rotate", "resize"]
GESTURE_KINDS: tuple[GestureKind, ...] = ("move", "lift", "rotate", "resize")
SIDES = ("width", "depth", "height")

# A tenth of a millimetre and a hundredth of a degree: no eye sees less, and the code that the gesture becomes is short.
LENGTH_DIGITS = 4
ANGLE_DIGITS = 2


def scene_after_gesture(
    scene: SceneLatent,
    object_id: str,
    translation: Vector,
    quat_wxyz: Vector,
    scale: Vector,
    kind: GestureKind,
) -> SceneLatent:
    """The scene with the object where a gesture left it.

    Args:
        scene: before the gesture.
        object_id: id of a present object.
        translation, quat_wxyz, scale: `[3] [4] [3]` of the box afterwards.
        kind: "move" slides (`move(right=, forward=)`), "lift" raises (`move(up=)`), "rotate" turns about the vertical
            (`rotate(yaw=)`), "resize" pulls a face (`resize(width=)` and what `move` brings the box to its new centre).

    Raises:
        LookupError: no such object.
        ValueError: numbers that are not finite, an unknown kind, or a pose that the scene refuses.
    """
    word = unmistakable(scene, object_id)
    pose = {"translation": (translation, 3), "quat_wxyz": (quat_wxyz, 4), "scale": (scale, 3)}
    for name, (values, length) in pose.items():
        if np.shape(values) != (length,) or not np.all(np.isfinite(values)):
            raise ValueError(f"{name} is {values}; expected {length} finite numbers")
    if kind == "rotate":
        yaw = yaw_between(scene, word, quat_wxyz)
        return scene.rotate(word, yaw=yaw) if yaw else scene
    if kind == "resize":
        return _moved(_resized(scene, word, scale), word, translation, ("right", "up", "forward"))
    if kind in ("move", "lift"):
        return _moved(scene, word, translation, ("right", "forward") if kind == "move" else ("up",))
    raise ValueError(f"unknown gesture {kind!r}; expected one of: {', '.join(GESTURE_KINDS)}")


def unmistakable(scene: SceneLatent, object_id: str, removed: bool = False) -> str | int:
    """A selector of just this object: its id, or its slot where the id is also the label of another.

    Args:
        scene: where it is.
        object_id: of a present object, or of a removed one.
        removed: which of the two, as `restore` wants it.

    Raises:
        LookupError: no such object is in the scene, or was removed from it.
    """
    candidates = scene.removed if removed else scene.objects
    there = [view.id for view in candidates]
    if object_id not in there:
        state = "was removed" if removed else "is in the scene"
        raise LookupError(f"no object {object_id!r} {state}; there are: {', '.join(there) or 'none'}")
    slot = scene.ids.index(object_id)
    return object_id if select_slots(object_id, candidates) == (slot,) else slot


def yaw_between(scene: SceneLatent, selector: str | int, quat_wxyz: Vector) -> float:
    """Degrees about `up` from the object's rotation to another."""
    w, *axis = quat_multiply(np.asarray(quat_wxyz), scene[selector].quat_wxyz * np.array([1.0, -1.0, -1.0, -1.0]))
    half_turn = np.arctan2(np.dot(axis, scene.up), w)
    degrees = np.degrees(2 * half_turn)
    return round(float((degrees + 180) % 360 - 180), ANGLE_DIGITS)


def _resized(scene: SceneLatent, selector: str | int, scale: Vector) -> SceneLatent:
    before = scene[selector].scale
    sides = {name: round(float(new), LENGTH_DIGITS) for name, new in zip(SIDES, scale, strict=True)}
    changed: dict[str, Any] = {
        name: side for (name, side), old in zip(sides.items(), before, strict=True) if abs(side - old) > 1e-4
    }
    return scene.resize(selector, **changed) if changed else scene


def _moved(scene: SceneLatent, selector: str | int, translation: Vector, ways: tuple[str, ...]) -> SceneLatent:
    offset = np.asarray(translation, float) - scene[selector].translation
    steps: dict[str, Any] = {}
    for way, step in zip(("right", "up", "forward"), floor_basis(scene.up) @ offset, strict=True):
        if way in ways and abs(step) > 0.5 * 10**-LENGTH_DIGITS:
            steps[way] = round(float(step), LENGTH_DIGITS)
    return scene.move(selector, **steps) if steps else scene
