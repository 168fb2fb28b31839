"""Scenes as JSON, format 1: what a scene file holds, for people and other programs to read and to write.

Boxes, camera and anchors are plain numbers, the shortest that give the same float32; tokens are base64. It is turned
into the arrays of a scene file and read as one, so that checks and migrations are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.errors import SceneFileError
from anchorgen.scene.io import MAX_SLOTS, SCENE_FORMAT, fitting_history, scene_from_tensors, scene_to_tensors
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import array_from_json, array_to_json
from anchorgen.scene.safetensors_file import Metadata, Tensors, damage_reported, migrated
from anchorgen.scene.values import SceneValues

# Python spends up to 140 bytes on each comma or bracket of a text; a file's history has fewer, unless it is all digits.
MAX_JSON_VALUES = 1 << 19

_OF_SLOT = {"translation": 3, "quat_wxyz": 4, "scale": 3}
_OF_SCENE = {"focal": 2, "up": 3, "floor": None}
_TOKENS = ("appearance", "background")


def scene_to_json(scene: SceneLatent) -> dict[str, Any]:
    """`scene` as JSON values, exact to the bit, with its history: `{"slots": [{"id", "translation", ...}], ...}`.

    `origin`, where there is a history, holds what was different in the scene it started from.

    Raises:
        SceneFileError: the scene has more than 256 slots.
    """
    scene_to_tensors(scene)  # refuses what could not be read again
    kept, history = fitting_history(scene)
    value = {"kind": "scene", "format_version": SCENE_FORMAT.version, **_plain(kept)}
    if kept.history and kept.origin is not None:
        origin = {key: item for key, item in _plain(kept.origin).items() if item != value[key]}
        value |= {"history": list(history), "origin": origin}
    return value


def scene_from_json(value: Mapping[str, Any] | str | bytes) -> SceneLatent:
    """Reads what `scene_to_json` made, or a text of it (`json.dumps`).

    Raises:
        SceneFileError: anything else: not JSON, of a newer version, over the limits of scene files, with wrong shapes
            or types, or with values that are not a scene.
    """
    with damage_reported("the JSON", "scene"):
        if isinstance(value, (str, bytes)):
            value = _parsed(value)
        tensors, metadata = migrated(*_as_file(value), SCENE_FORMAT)
        return scene_from_tensors(tensors, metadata, SceneLatent)


def _plain(scene: SceneValues) -> dict[str, Any]:
    slots = []
    for slot in range(scene.num_slots):
        anchors = {factor: _short(getattr(scene.anchors, factor)[slot]) for factor in FACTORS}
        row: dict[str, Any] = {"id": scene.ids[slot], "label": scene.labels[slot]}
        row["presence"] = bool(scene.presence[slot])
        row |= {name: [_short(x) for x in getattr(scene, name)[slot]] for name in _OF_SLOT}
        slots.append(row | {"anchors": anchors})
    value = {"latent_space": scene.latent_space, "slots": slots}
    value |= {name: [_short(x) for x in getattr(scene, name)] for name, size in _OF_SCENE.items() if size}
    value["floor"] = _short(scene.floor)
    value["anchors"] = {name: _short(getattr(scene.anchors, name)) for name in ("focal", "background")}
    return value | {name: array_to_json(getattr(scene, name)) for name in _TOKENS}


def _short(number: Any) -> float:
    """A float32 as the shortest decimal that gives it again: 0.1, not 0.10000000149011612."""
    number = np.float32(number)
    short = float(str(number))
    return short if np.float32(short) == number else float(number)


def _parsed(text: str | bytes) -> Any:
    if len(text) > SCENE_FORMAT.max_bytes:
        raise SceneFileError(f"the JSON has {len(text)} bytes; expected at most {SCENE_FORMAT.max_bytes >> 20} MiB")
    if isinstance(text, str):
        num_values = sum(text.count(mark) for mark in (",", "[", "{"))
    else:
        num_values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    if num_values > MAX_JSON_VALUES:
        raise SceneFileError(f"the JSON has about {num_values} values; expected a scene of at most {MAX_JSON_VALUES}")
    return json.loads(text)


def _as_file(value: Any) -> tuple[Tensors, Metadata]:
    """Tensors and metadata of the scene file that holds the same. Raises SceneFileError, or what bad values raise."""
    if not isinstance(value, Mapping) or "format_version" not in value:
        raise SceneFileError("the JSON has no format_version; expected what SceneLatent.to_json() returns")
    if type(value["format_version"]) is not int or value.get("kind") != "scene":
        got = f"kind {str(value.get('kind'))[:40]!r}, format_version {str(value['format_version'])[:40]!r}"
        raise SceneFileError(f"the JSON has {got}; expected kind 'scene' and a whole number")
    tensors, names = _one_scene(value, "")
    metadata = {"format_version": str(value["format_version"]), "latent_space": _string(value["latent_space"]), **names}
    if "history" in value:
        history = json.dumps(value["history"], allow_nan=False).encode()
        origin, names = _one_scene({**value, **value["origin"]}, "origin.")
        tensors |= {"history": np.frombuffer(history, np.uint8), **origin}
        metadata |= names
    return tensors, metadata


def _one_scene(value: Mapping[str, Any], prefix: str) -> tuple[Tensors, Metadata]:
    slots = value["slots"]
    if not isinstance(slots, Sequence) or not 1 <= len(slots) <= MAX_SLOTS:
        raise SceneFileError(f"slots is {str(slots)[:40]}; expected a list of 1 to {MAX_SLOTS} slots")
    if not all(isinstance(slot["presence"], bool) for slot in slots):
        raise SceneFileError("the presence of a slot must be true or false")
    tensors: Tensors = {"presence": np.array([slot["presence"] for slot in slots], np.uint8)}
    for name, size in _OF_SLOT.items():
        tensors[name] = np.array([_numbers(name, slot[name], size) for slot in slots], np.float32)
    for factor in FACTORS:
        alphas = [slot["anchors"][factor] for slot in slots]
        tensors[f"anchors.{factor}"] = _numbers("anchors", alphas, len(slots))
    for name in ("focal", "background"):
        tensors[f"anchors.{name}"] = _numbers("anchors", value["anchors"][name], None)
    for name, size in _OF_SCENE.items():
        tensors[name] = _numbers(name, value[name], size)
    for name in _TOKENS:
        tensors[name] = array_from_json(value[name])
    names = {f"{key}s": json.dumps([_string(slot[key]) for slot in slots]) for key in ("label", "id")}
    return ({prefix + name: array for name, array in tensors.items()}, {prefix + name: t for name, t in names.items()})


def _numbers(name: str, value: Any, size: int | None) -> np.ndarray:
    """`size` numbers as float32 `[size]`, or one as `[]`: numpy itself would also take strings and booleans."""
    items: Iterable[Any] = [value] if size is None else value
    if not isinstance(items, Sequence) or len(items) != (size or 1) or not all(type(x) in (int, float) for x in items):
        raise SceneFileError(f"{name} is {str(value)[:80]}; expected {size or 'a'} number{'s' if size else ''}")
    with np.errstate(over="ignore"):
        return np.array(value, np.float32)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise SceneFileError(f"labels, ids and latent_space must be strings; got {str(value)[:80]}")
    return value
