"""Scene files, format 1: one `.safetensors` with a JSON header.

Tensors: the arrays of `SceneLatent` (float32; presence as uint8), `anchors.*`, and where there is a history, `history`
(UTF-8 JSON as uint8) and `origin.*`: those arrays of the scene it started from that differ. The header's metadata, all
strings, hold `format_version`, `latent_space`, `labels` and `ids` (JSON).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anchorgen.scene.anchors import FACTORS, Anchors
from anchorgen.scene.errors import SceneFileError
from anchorgen.scene.history import before_last, check_step
from anchorgen.scene.safetensors_file import (
    FileFormat,
    Metadata,
    Migration,
    Tensors,
    damage_reported,
    read_file,
    write_file,
)
from anchorgen.scene.steps import Step
from anchorgen.scene.values import LATENT_ARRAYS, SceneValues, ValuesT

# Version -> what makes the next version's tensors and metadata of that version's, `origin.*` and the history included.
# Whoever raises the version below adds an entry, and keeps the old version's file in tests/fixtures: files load forever.
MIGRATIONS: dict[int, Migration] = {}
SCENE_FORMAT = FileFormat("scene", version=1, max_bytes=32 << 20, migrations=MIGRATIONS)
MAX_HISTORY_BYTES = 4 << 20
MAX_SLOTS = 256

# Axes of every array; only these are read. All are float32 but the two of bytes.
_NUM_AXES = {
    "translation": 2, "quat_wxyz": 2, "scale": 2, "appearance": 3, "presence": 1, "focal": 1, "background": 2, "up": 1,
    "floor": 0, "anchors.layout": 1, "anchors.appearance": 1, "anchors.presence": 1, "anchors.focal": 0,
    "anchors.background": 0,
}  # fmt: skip
_OF_BYTES = ("presence", "history")


def save_scene(scene: SceneValues, path: str | os.PathLike[str]) -> None:
    """Writes `scene` to `path` in one step: a reader sees the old file or the whole new one.

    The history is kept whole, unless objects brought in make it larger than 4 MiB: then its last half, quarter, ... is.

    Raises:
        SceneFileError: the scene is larger than this format allows (256 slots, 32 MiB).
        OSError: the folder does not exist or cannot be written to.
    """
    write_file(path, SCENE_FORMAT, *scene_to_tensors(scene))


def load_scene(path: str | os.PathLike[str], kind: type[ValuesT]) -> ValuesT:
    """Reads what `save_scene` wrote, as a `kind`, which is `SceneLatent`.

    Raises:
        SceneFileError: anything else: truncated, not safetensors, of a newer version, over the limits, with wrong
            shapes or dtypes, or with values that are not a scene.
        OSError: the file is not there or cannot be read.
    """
    tensors, metadata = read_file(path, SCENE_FORMAT)
    with damage_reported(path, "scene"):
        return scene_from_tensors(tensors, metadata, kind)


def scene_to_tensors(scene: SceneValues) -> tuple[Tensors, Metadata]:
    """What a file holds of `scene`. Raises SceneFileError if that is more than the format allows."""
    scene, history = fitting_history(scene)
    tensors = _tensors(scene)
    metadata = {"latent_space": scene.latent_space, **_names(scene, "")}
    if scene.history and scene.origin is not None:
        tensors["history"] = np.frombuffer(json.dumps(history, allow_nan=False).encode(), np.uint8)
        for name, array in _tensors(scene.origin).items():
            if not np.array_equal(array, tensors[name]):
                tensors[f"origin.{name}"] = array
        metadata |= _names(scene.origin, "origin.")
    _check_contents(tensors, metadata)
    return tensors, metadata


def scene_from_tensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str], kind: type[ValuesT]) -> ValuesT:
    """Inverse of `scene_to_tensors`. Raises SceneFileError, or what the parts of a scene raise for wrong values."""
    _check_contents(tensors, metadata)
    latent = _scene(tensors, metadata, "", kind)
    if "history" not in tensors:
        return latent
    steps = _steps(tensors["history"].tobytes())
    start = _scene({**tensors, **_part(tensors, "origin.")}, metadata, "origin.", kind)
    object.__setattr__(latent, "history", steps)
    object.__setattr__(latent, "origin", start)
    return latent


def fitting_history(scene: SceneValues) -> tuple[SceneValues, Sequence[dict[str, Any]]]:
    """The scene with as much of its history as fits into a file, and that history as JSON values."""
    while True:
        history = [step.to_json() for step in scene.history]
        if len(json.dumps(history, allow_nan=False)) <= MAX_HISTORY_BYTES:  # ASCII: a character is a byte
            return scene, history
        later = scene
        kept = len(scene.history) // 2
        for _ in range(kept):
            later = before_last(later)
        scene = dataclasses.replace(scene, history=scene.history[len(scene.history) - kept :], origin=later.replace())


def _tensors(scene: SceneValues) -> Tensors:
    arrays = {name: np.asarray(getattr(scene, name)) for name in LATENT_ARRAYS}
    arrays["presence"] = arrays["presence"].astype(np.uint8)
    alphas = {f"anchors.{name}": getattr(scene.anchors, name) for name in (*FACTORS, "focal", "background")}
    return arrays | {name: np.asarray(alpha, np.float32) for name, alpha in alphas.items()}


def _names(scene: SceneValues, prefix: str) -> Metadata:
    return {f"{prefix}{name}": json.dumps(list(getattr(scene, name))) for name in ("labels", "ids")}


def _scene(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str], prefix: str, kind: type[ValuesT]) -> ValuesT:
    arrays: dict[str, Any] = {name: tensors[name] for name in LATENT_ARRAYS}
    if np.any(arrays["presence"] > 1):
        raise SceneFileError("presence holds values other than 0 and 1; the file is damaged")
    names: Any = {name: _string_list(metadata[prefix + name]) for name in ("labels", "ids")}
    alphas: Any = _part(tensors, "anchors.")
    alphas |= {name: float(alphas[name]) for name in ("focal", "background")}
    anchors = Anchors(**alphas)
    arrays["presence"] = arrays["presence"].astype(bool)
    return kind(**arrays, **names, latent_space=metadata["latent_space"], anchors=anchors)


def _part(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _string_list(text: str) -> tuple[str, ...]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SceneFileError(f"labels and ids must be lists of strings; got {text[:80]}")
    return tuple(value)


def _steps(data: bytes) -> tuple[Step, ...]:
    steps = tuple(
        Step(str(item["verb"]), dict(item["arguments"])) for item in json.loads(data, parse_constant=_refused)
    )
    for step in steps:
        check_step(step)
    return steps


def _refused(constant: str) -> None:
    raise SceneFileError(f"the history holds {constant}; expected finite numbers")


def _check_contents(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """That the arrays and names are those of a scene, and within the limits; values are checked by the scene itself."""
    needed = {"labels", "ids", "latent_space"} | ({"origin.labels", "origin.ids"} if "history" in tensors else set())
    missing = sorted(set(_NUM_AXES) - set(tensors)) + sorted(needed - set(metadata))
    if missing:
        raise SceneFileError(f"the file lacks {', '.join(missing)}; it was not written by scene.save")
    for name, array in tensors.items():
        plain = name.removeprefix("origin.")
        dtype = np.uint8 if plain in _OF_BYTES else np.float32
        axes = 1 if name == "history" else _NUM_AXES.get(plain)
        if array.dtype != dtype or array.ndim != axes:
            got = f"{array.dtype} of shape {list(array.shape)}"
            wanted = f"one of a scene's arrays, {np.dtype(dtype)}" + (f" with {axes} axes" if axes is not None else "")
            raise SceneFileError(f"{name[:40]!r} is {got}; expected {wanted}")
    num_slots = len(tensors["translation"])
    if not 1 <= num_slots <= MAX_SLOTS:
        raise SceneFileError(f"the scene has {num_slots} slots; expected 1 to {MAX_SLOTS}")
    if "history" in tensors and len(tensors["history"]) > MAX_HISTORY_BYTES:
        raise SceneFileError(f"the history is larger than {MAX_HISTORY_BYTES >> 20} MiB; the file is damaged")
