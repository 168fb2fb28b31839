"""Latent records of the paper's own encoder (Sec. 2.2), read as scenes and written from them.

A record is a mapping, an `.npz` or a `.safetensors` with these fields (N slots; a leading axis `[S, ...]` on every field
makes it S records):

| field | shape | meaning |
| --- | --- | --- |
| `box` | `[N, 10]` | t (3): box centre; q (4): rotation; s (3): full extents along the object's own axes (Eq. 5) |
| `appearance` | `[N, 8, 1024]` or `[N, 8192]` | pooled tokens, token by token (Eq. 7) |
| `camera` | `[2]` or `[3, 3]` | (fx, fy), or the intrinsic matrix (Eq. 8) |
| `background` | `[1024]` or `[1, 1024]` | background token (Eq. 8) |
| `presence` | `[N]`, 0 or 1; optional | z (Eq. 1); all present if it is not there |
| `labels` | N strings; optional | in `.safetensors`: a JSON list in the metadata; else every object is "object" |
| `up`, `floor` | `[3]`, `[]`; optional | not latents; else up is what most objects agree to, the floor their lowest foot |

The paper does not say in which frame its boxes are: `RecordConvention` must.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from anchorgen.encode.gravity import estimate_floor, estimate_up
from anchorgen.geometry import (
    canonical_quat,
    opencv_to_pytorch3d,
    quat_opencv_to_pytorch3d_rows,
    quat_pytorch3d_rows_to_opencv,
)
from anchorgen.scene.latent import SceneLatent

NUM_TOKENS, CHANNELS, BOX = 8, 1024, 10
_REQUIRED = ("box", "appearance", "camera", "background")
_OPTIONAL = ("presence", "labels", "up", "floor")


class PaperRecordError(ValueError):
    """A record without a field, or with one of another shape or meaning than the table says."""


@dataclass(frozen=True)
class RecordConvention:
    """Attributes:
    frame: "opencv" (x right, y down, z forward), or "pytorch3d": SAM 3D's (x left, y up, z forward), whose quaternions
        turn row vectors.
    quaternion: "wxyz" or "xyzw".
    focal: "normalised" (over width / height) or "pixels".
    size: (width, height) of the pictures in pixels, for a focal length in pixels.
    num_tokens, channels: K and C.
    """

    frame: str
    quaternion: str = "wxyz"
    focal: str = "normalised"
    size: tuple[int, int] | None = None
    num_tokens: int = NUM_TOKENS
    channels: int = CHANNELS

    def __post_init__(self) -> None:
        for name, choices in (
            ("frame", ("opencv", "pytorch3d")),
            ("quaternion", ("wxyz", "xyzw")),
            ("focal", ("normalised", "pixels")),
        ):
            if getattr(self, name) not in choices:
                raise PaperRecordError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(choices)}")
        if self.focal == "pixels" and self.size is None:
            raise PaperRecordError("a focal length in pixels needs size=(width, height) of the pictures")


def scenes_from_paper_records(
    record: Mapping[str, Any] | str | Path,
    convention: RecordConvention,
    num_slots: int = 16,
    latent_space: str = "paper-records",
) -> Iterator[SceneLatent]:
    """One scene a record, in their order.

    Args:
        record: fields as in the table above, or a file of them.
        convention: of the boxes and the camera.
        num_slots: N of the scenes; empty slots of a record are left out, others added.
        latent_space: name of the pooling and background networks that made the tokens; a model of another refuses them.

    Raises:
        PaperRecordError: a missing field, another shape, values that are not finite, more objects than slots, or a box
            that a scene refuses; it names the record.
    """
    fields = _fields(record)
    if fields["box"].ndim != 3:
        yield _scene(fields, convention, num_slots, latent_space)
        return
    for index in range(len(fields["box"])):
        try:
            one = {name: value[index] for name, value in fields.items()}
            yield _scene(one, convention, num_slots, latent_space)
        except (ValueError, IndexError) as error:
            raise PaperRecordError(f"record {index}: {error}") from None


def paper_record_of(scene: SceneLatent, convention: RecordConvention) -> dict[str, np.ndarray]:
    """The inverse: a scene's fields as in the table, with the N slots it has.

    Raises:
        PaperRecordError: tokens of other sizes.
    """
    quat, translation = np.asarray(scene.quat_wxyz, float), np.asarray(scene.translation, float)
    if convention.frame == "pytorch3d":
        quat, translation = quat_opencv_to_pytorch3d_rows(quat), opencv_to_pytorch3d(translation)
    if convention.quaternion == "xyzw":
        quat = np.roll(quat, -1, -1)
    focal = np.asarray(scene.focal, float)
    record = {
        "box": np.concatenate([translation, quat, scene.scale], -1).astype(np.float32),
        "appearance": scene.appearance,
        "camera": (focal * convention.size if convention.focal == "pixels" else focal).astype(np.float32),  # type: ignore[operator]
        "background": scene.background,
        "presence": scene.presence,
        "labels": np.array(scene.labels),
        "up": scene.up,
        "floor": scene.floor,
    }
    _shaped(record, "appearance", (len(quat), convention.num_tokens, convention.channels))
    return record


def _fields(record: Mapping[str, Any] | str | Path) -> dict[str, np.ndarray]:
    given = record if isinstance(record, Mapping) else _read(Path(record))
    fields = {name: _array(name, given[name]) for name in (*_REQUIRED, *_OPTIONAL) if name in given}
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise PaperRecordError(
            f"no {', '.join(missing)} in {sorted(given)}; expected {', '.join(_REQUIRED)}: rename them"
        )
    return fields


def _array(name: str, value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().float().cpu().numpy()
    array = np.asarray(value)
    if name == "labels":
        return array.astype(str)
    if array.dtype == object or not np.all(np.isfinite(array)):
        raise PaperRecordError(f"{name} is {array.dtype} {list(array.shape)} and not finite; expected finite numbers")
    return array


def _read(path: Path) -> dict[str, Any]:
    """Raises PaperRecordError for a file that is not there, not whole, or of another ending."""
    if path.suffix not in (".npz", ".safetensors"):
        raise PaperRecordError(f"{path} ends in {path.suffix!r}; expected .npz or .safetensors")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files if name in (*_REQUIRED, *_OPTIONAL)}
        with safe_open(path, "pt") as file:  # torch reads bfloat16 too
            found: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}
            labels = (file.metadata() or {}).get("labels")
            return found | ({} if labels is None else {"labels": json.loads(labels)})
    except (OSError, ValueError, EOFError, SafetensorError, zipfile.BadZipFile) as error:
        raise PaperRecordError(
            f"{path} cannot be read ({error}); expected a whole .npz without objects, or .safetensors"
        ) from None


def _shaped(fields: Mapping[str, Any], name: str, *shapes: tuple[int, ...]) -> np.ndarray:
    """A field, in the first of the shapes that are allowed for it."""
    value = np.asarray(fields[name])
    if value.shape not in shapes:
        raise PaperRecordError(
            f"{name} has shape {list(value.shape)}; expected {' or '.join(str(list(s)) for s in shapes)}"
        )
    return value.reshape(shapes[0])


def _scene(
    fields: Mapping[str, np.ndarray], convention: RecordConvention, num_slots: int, latent_space: str
) -> SceneLatent:
    count, k, c = len(fields["box"]), convention.num_tokens, convention.channels
    box = _shaped(fields, "box", (count, BOX)).astype(float)
    appearance = _shaped(fields, "appearance", (count, k, c), (count, k * c))
    background = _shaped(fields, "background", (1, c), (c,))
    there = _shaped(fields, "presence", (count,)).astype(bool) if "presence" in fields else np.ones(count, bool)
    labels = _shaped(fields, "labels", (count,)).tolist() if "labels" in fields else ["object"] * count
    translation, quat, scale = box[there, :3], box[there, 3:7], box[there, 7:]
    if convention.quaternion == "xyzw":
        quat = np.roll(quat, 1, -1)
    length = np.linalg.norm(quat, axis=-1)
    if np.any(np.abs(length - 1) > 0.05):
        raise PaperRecordError(f"quaternions have lengths {length.round(3).tolist()}; expected 1: is `box` t, q, s?")
    quat = canonical_quat(quat)
    if convention.frame == "pytorch3d":
        quat, translation = quat_pytorch3d_rows_to_opencv(quat), opencv_to_pytorch3d(translation)  # its own inverse
    up, floor = _gravity(fields, translation, quat, scale)
    try:
        return SceneLatent.pack(
            num_slots,
            translation=translation,
            quat_wxyz=quat,
            scale=scale,
            appearance=appearance[there],
            labels=tuple(label for label, here in zip(labels, there, strict=True) if here),
            ids=("",) * int(there.sum()),
            focal=_focal(fields, convention),
            background=background,
            up=up,
            floor=floor,
            latent_space=latent_space,
        )
    except ValueError as error:
        raise PaperRecordError(f"{error}; is the convention right ({convention.frame})?") from None


def _gravity(
    fields: Mapping[str, np.ndarray], translation: np.ndarray, quat: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, float]:
    up = _shaped(fields, "up", (3,)).astype(float) if "up" in fields else estimate_up(None, quat, np.ones(len(quat)))[0]
    if "floor" in fields:
        return up, float(_shaped(fields, "floor", (), (1,)))
    return up, estimate_floor(None, up, translation, quat, scale)[0]


def _focal(fields: Mapping[str, np.ndarray], convention: RecordConvention) -> np.ndarray:
    camera = np.asarray(fields["camera"], float)
    if camera.shape == (3, 3):
        camera = camera[[0, 1], [0, 1]]
    elif camera.shape != (2,):
        raise PaperRecordError(f"camera has shape {list(camera.shape)}; expected [2] or [3, 3]")
    if convention.focal == "pixels":
        camera = camera / convention.size
    if np.any(camera <= 0) or np.any(camera > 20):
        raise PaperRecordError(
            f"focal length {camera.tolist()} over the picture's sides; expected 0 to 20: is it in pixels?"
        )
    return camera
