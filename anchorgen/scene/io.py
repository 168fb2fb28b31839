"""Scene files, format 1: one `.safetensors` with a JSON header.

Tensors: the arrays of `SceneLatent` (float32; presence as uint8), `anchors.*`, and where there is a history, `history`
(UTF-8 JSON as uint8) and `origin.*`: those arrays of the scene it started from that differ. The header's metadata, all
strings, hold `format_version`, `latent_space`, `labels` and `ids` (JSON). Everything is bounded before it is allocated;
nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from anchorgen.scene.anchors import FACTORS, Anchors
from anchorgen.scene.errors import SceneFileError
from anchorgen.scene.history import before_last, check_step
from anchorgen.scene.steps import Step
from anchorgen.scene.values import LATENT_ARRAYS, SceneValues, ValuesT

FORMAT_VERSION = 1
MAX_FILE_BYTES = 32 << 20
MAX_HEADER_BYTES = 1 << 20
MAX_HISTORY_BYTES = 4 << 20
MAX_SLOTS = 256

_DTYPES = {"presence": "U8", "history": "U8"}  # all others F32
_BYTES_OF = {"U8": 1, "F32": 4}
# Axes of every array; only these are read.
_NUM_AXES = {
    "translation": 2, "quat_wxyz": 2, "scale": 2, "appearance": 3, "presence": 1, "focal": 1, "background": 2, "up": 1,
    "floor": 0, "anchors.layout": 1, "anchors.appearance": 1, "anchors.presence": 1, "anchors.focal": 0,
    "anchors.background": 0,
}  # fmt: skip


def save_scene(scene: SceneValues, path: str | os.PathLike[str]) -> None:
    """Writes `scene` to `path` in one step: a reader sees the old file or the whole new one.

    The history is kept whole, unless objects brought in make it larger than 4 MiB: then its last half, quarter, ... is.

    Raises:
        SceneFileError: the scene is larger than this format allows (256 slots, 32 MiB).
        OSError: the folder does not exist or cannot be written to.
    """
    scene, history = _fitting_history(scene)
    tensors = _tensors(scene)
    metadata = {"format_version": str(FORMAT_VERSION), "latent_space": scene.latent_space, **_names(scene, "")}
    if scene.history and scene.origin is not None:
        tensors["history"] = np.frombuffer(history, np.uint8)
        for name, array in _tensors(scene.origin).items():
            if not np.array_equal(array, tensors[name]):
                tensors[f"origin.{name}"] = array
        metadata |= _names(scene.origin, "origin.")
    data = safetensors.numpy.save({name: np.array(a, order="C") for name, a in tensors.items()}, metadata)
    _checked_header(data[: MAX_HEADER_BYTES + 8], len(data))
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"no folder {str(Path(path).parent)!r} to save {Path(path).name!r} in; make it first")
    _write_atomically(Path(path), data)


def load_scene(path: str | os.PathLike[str], kind: type[ValuesT]) -> ValuesT:
    """Reads what `save_scene` wrote, as a `kind`, which is `SceneLatent`.

    Raises:
        SceneFileError: anything else: truncated, not safetensors, of a newer version, over the limits, with wrong
            shapes or dtypes, or with values that are not a scene.
        OSError: the file is not there or cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        metadata = _checked_header(file.read(MAX_HEADER_BYTES + 8), size)
        file.seek(0)
        data = file.read(size)
    try:
        tensors = safetensors.numpy.load(data)
        latent = _scene(tensors, metadata, "", kind)
        if "history" not in tensors:
            return latent
        steps = _steps(tensors["history"].tobytes())
        start = _scene({**tensors, **_part(tensors, "origin.")}, metadata, "origin.", kind)
        object.__setattr__(latent, "history", steps)
        object.__setattr__(latent, "origin", start)
        return latent
    except SceneFileError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise SceneFileError(
            f"{path} is not a scene: {error}; it is damaged, or was not written by scene.save"
        ) from None


def _tensors(scene: SceneValues) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(getattr(scene, name)) for name in LATENT_ARRAYS}
    arrays["presence"] = arrays["presence"].astype(np.uint8)
    alphas = {f"anchors.{name}": getattr(scene.anchors, name) for name in (*FACTORS, "focal", "background")}
    return arrays | {name: np.asarray(alpha, np.float32) for name, alpha in alphas.items()}


def _names(scene: SceneValues, prefix: str) -> dict[str, str]:
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


def _fitting_history(scene: SceneValues) -> tuple[SceneValues, bytes]:
    """The scene with as much of its history as fits into a file, and that history as JSON."""
    while True:
        data = json.dumps([step.to_json() for step in scene.history], allow_nan=False).encode()
        if len(data) <= MAX_HISTORY_BYTES:
            return scene, data
        later = scene
        kept = len(scene.history) // 2
        for _ in range(kept):
            later = before_last(later)
        scene = dataclasses.replace(scene, history=scene.history[len(scene.history) - kept :], origin=later.replace())


def _checked_header(start: bytes, size: int) -> dict[str, str]:
    """The metadata of a file of `size` bytes that begins with `start`.

    Raises:
        SceneFileError: it is not a scene file of this version, or it asks for more than the limits.
    """
    if not 8 < size <= MAX_FILE_BYTES:
        raise SceneFileError(f"the file has {size} bytes; expected a scene of at most {MAX_FILE_BYTES >> 20} MiB")
    length = int.from_bytes(start[:8], "little")
    if length > min(MAX_HEADER_BYTES, size - 8):
        raise SceneFileError(
            f"the header would be {length} bytes of a file of {size}; expected a .safetensors with a header of at most "
            f"{MAX_HEADER_BYTES >> 20} MiB: the file is cut off, or not a scene"
        )
    try:
        header = json.loads(start[8 : 8 + length])
    except (ValueError, RecursionError):
        raise SceneFileError("the header is not JSON; the file is damaged, or not a .safetensors") from None
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or "format_version" not in metadata:
        raise SceneFileError("the header has no format_version; the file was not written by scene.save")
    _check_version(metadata["format_version"])
    needed = {"labels", "ids", "latent_space"} | ({"origin.labels", "origin.ids"} if "history" in header else set())
    missing = needed - set(metadata)
    if missing or not all(isinstance(value, str) for value in metadata.values()):
        raise SceneFileError(f"the header lacks {sorted(missing) or 'strings'}; the file is damaged")
    _check_tensors(header, size - 8 - length)
    return metadata


def _check_version(text: Any) -> None:
    if not isinstance(text, str):  # JSON knows infinities, which no int can be
        raise SceneFileError(f"format_version is {text!r}; expected a number, written as a string")
    try:
        version = int(text)
    except ValueError:
        raise SceneFileError(f"format_version is {text!r}; expected a number") from None
    if version > FORMAT_VERSION:
        raise SceneFileError(
            f"the scene has format_version {version}, this anchorgen reads up to {FORMAT_VERSION}: "
            "update it with `pip install --upgrade anchorgen`"
        )
    if version < 1:
        raise SceneFileError(f"format_version is {version}; expected 1 to {FORMAT_VERSION}: the file is damaged")


def _check_tensors(header: Mapping[str, Any], num_bytes: int) -> None:
    missing = set(_NUM_AXES) - set(header)
    if missing:
        raise SceneFileError(f"the file lacks {', '.join(sorted(missing))}; it was not written by scene.save")
    for name, entry in header.items():
        dtype = _DTYPES.get(name.removeprefix("origin."), "F32")
        axes = 1 if name == "history" else _NUM_AXES.get(name.removeprefix("origin."))
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if axes is None or not isinstance(shape, list) or len(shape) != axes or entry.get("dtype") != dtype:
            raise SceneFileError(f"{name[:40]!r} is {str(entry)[:80]}; expected one of a scene's arrays, {dtype}")
        if not all(type(side) is int and 0 <= side <= MAX_FILE_BYTES for side in shape):
            raise SceneFileError(f"{name} has shape {str(shape)[:80]}; expected sizes")
        if math.prod(shape) * _BYTES_OF[dtype] > min(num_bytes, MAX_FILE_BYTES):
            raise SceneFileError(
                f"{name} has shape {shape}, more than the file's {num_bytes} bytes hold; it is cut off"
            )
    if not 1 <= header["translation"]["shape"][0] <= MAX_SLOTS:
        raise SceneFileError(f"the scene has {header['translation']['shape'][0]} slots; expected 1 to {MAX_SLOTS}")
    if "history" in header and header["history"]["shape"][0] > MAX_HISTORY_BYTES:
        raise SceneFileError(f"the history is larger than {MAX_HISTORY_BYTES >> 20} MiB; the file is damaged")


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
