"""Checks of the values of a scene, and their storage as read-only arrays.

Shape legend: N slots, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from anchorgen.geometry import MAX_LENGTH_M, MIN_DEPTH_M, MIN_SIZE_M
from anchorgen.scene.anchors import KEEP_ALL, Anchors

# Unit to within float32 rounding: such quaternions keep their bits, so that what is anchored stays bit-identical.
_UNIT_EXACT = 1e-6
_UNIT_TOLERANCE = 1e-2


def checked_fields(scene: Any) -> dict[str, Any]:
    """The fields of a `SceneLatent` as it stores them. Raises ValueError for any that it cannot be made of."""
    translation = checked_array("translation", scene.translation, (None, 3))
    n = len(translation)
    presence = frozen(scene.presence, bool)
    if presence.shape != (n,) or n == 0:
        raise ValueError(f"presence has shape {list(presence.shape)}; expected [{n}] (and at least one slot)")
    appearance = checked_array("appearance", scene.appearance, (n, None, None))
    labels = checked_names("labels", scene.labels, n)
    values = {
        "translation": translation,
        "quat_wxyz": checked_quats(scene.quat_wxyz, n),
        "scale": checked_array("scale", scene.scale, (n, 3)),
        "appearance": appearance,
        "presence": presence,
        "focal": checked_array("focal", scene.focal, (2,)),
        "background": checked_array("background", scene.background, (None, appearance.shape[2])),
        "labels": labels,
        "ids": checked_ids(checked_names("ids", scene.ids, n), labels, presence),
        "up": checked_array("up", scene.up, (3,)),
        "floor": checked_array("floor", scene.floor, ()),
        "anchors": Anchors.keep(n) if scene.anchors is KEEP_ALL else scene.anchors,
        "history": tuple(scene.history),
    }
    if np.any(values["focal"] <= 0):
        raise ValueError(f"focal is {values['focal'].tolist()}; expected (fx, fy) > 0, over picture width / height")
    if abs(np.linalg.norm(values["up"].astype(float)) - 1) > 1e-3:
        raise ValueError(f"up is {values['up'].tolist()}; expected a unit vector against gravity, camera frame")
    if values["anchors"].num_slots != n:
        raise ValueError(f"anchors are for {values['anchors'].num_slots} slots; expected {n}")
    check_boxes(translation, values["scale"], presence, values["ids"])
    return values


def frozen(value: Any, dtype: type = np.float32) -> np.ndarray:
    """`value` as a read-only array that nobody else can write to."""
    array = np.asarray(value)
    if array.dtype == dtype and array.base is None and not array.flags.writeable:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(value, dtype, order="C")
    array.flags.writeable = False
    return array


def checked_array(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """A finite read-only float32 array; `None` in `shape` is any length.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    array = frozen(value)
    if array.ndim != len(shape) or any(want not in (None, got) for got, want in zip(array.shape, shape, strict=True)):
        wanted = "[" + ", ".join("any" if want is None else str(want) for want in shape) + "]"
        raise ValueError(
            f"{name} has shape {list(array.shape)}; expected {wanted} (translation sets the number of slots)"
        )
    if not np.all(np.isfinite(array)):
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name} must be finite float32; got {array[tuple(where)]} at {where}")
    return array


def checked_quats(value: Any, num_slots: int) -> np.ndarray:
    """Canonical (w >= 0) unit quaternions `[N, 4]`; those that already are keep their bits."""
    quat = checked_array("quat_wxyz", value, (num_slots, 4))
    length = np.linalg.norm(quat.astype(float), axis=-1, keepdims=True)
    off = np.abs(length - 1)
    if np.any(off > _UNIT_TOLERANCE):
        slot = int(np.argmax(off))
        raise ValueError(
            f"quat_wxyz[{slot}] = {quat[slot].tolist()} has length {length[slot, 0]:.4g}; expected a unit quaternion "
            "(w, x, y, z): normalise it, and use (1, 0, 0, 0) for empty slots"
        )
    fixed = np.where(off > _UNIT_EXACT, quat / length, quat)
    first = np.take_along_axis(fixed, np.argmax(fixed != 0, axis=-1)[:, None], -1)
    fixed = np.where(first < 0, -fixed, fixed).astype(np.float32)
    return quat if np.array_equal(fixed, quat) else frozen(fixed)


def check_boxes(translation: np.ndarray, scale: np.ndarray, presence: np.ndarray, names: tuple[str, ...]) -> None:
    """Raises ValueError for a box thinner than 1 cm, or a present one too large, too far or not in front of the camera."""
    far = presence & (np.maximum(np.abs(translation).max(-1), scale.max(-1)) > MAX_LENGTH_M)
    for slot in np.flatnonzero(far):
        raise ValueError(
            f"{names[slot] or f'slot {slot}'} has its centre at {translation[slot].tolist()} m and is "
            f"{scale[slot].tolist()} m large; expected no length over {MAX_LENGTH_M:g} m: lengths are in metres"
        )
    thin = np.any(scale < np.float32(MIN_SIZE_M), axis=-1)
    behind = presence & (translation[:, 2] < np.float32(MIN_DEPTH_M))
    for slot in np.flatnonzero(thin | behind):
        who = names[slot] or f"slot {slot}"
        if thin[slot]:
            got = " x ".join(f"{side:.4g}" for side in scale[slot])
            raise ValueError(f"scale of {who} is {got} m; expected every side >= {MIN_SIZE_M} m (1 for empty slots)")
        raise ValueError(
            f"{who} has its centre at z = {translation[slot, 2]:.4g} m; expected z >= {MIN_DEPTH_M} m: "
            "in front of the camera, which looks along +z"
        )


def checked_names(name: str, value: Any, num_slots: int) -> tuple[str, ...]:
    """N strings. Raises ValueError otherwise."""
    names = tuple(str(item) if isinstance(item, np.str_) else item for item in value)
    if len(names) != num_slots or not all(isinstance(item, str) for item in names):
        raise ValueError(f"{name} has {len(names)} entries; expected {num_slots} strings, one per slot ('' for empty)")
    return names


def checked_ids(ids: tuple[str, ...], labels: tuple[str, ...], presence: np.ndarray) -> tuple[str, ...]:
    """Unique ids; a present slot that has none gets one. Raises ValueError for an id that occurs twice."""
    given = [i for i in ids if i]
    if len(set(given)) != len(given):
        twice = sorted({i for i in given if given.count(i) > 1})
        raise ValueError(
            f"ids must be unique; got {', '.join(twice)} more than once: rename, or pass '' to get new ones"
        )
    result = list(ids)
    for slot in np.flatnonzero(presence):
        result[slot] = result[slot] or new_id(labels[slot], result)
    return tuple(result)


def new_id(label: str, taken: Iterable[str]) -> str:
    """The first free name of the form "table-lamp-2"."""
    used: Collection[str] = set(taken)
    stem = re.sub(r"\s+", "-", label.strip()) or "object"
    number = 1
    while f"{stem}-{number}" in used:
        number += 1
    return f"{stem}-{number}"
