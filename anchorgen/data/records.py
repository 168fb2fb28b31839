"""One rendered room on disk, exactly as it was in memory.

Members of a sample: `webp` (picture, lossless), `instance.png` (8 bit), `depth.png` (16 bit, mm), `normals.webp`
(lossless), `safetensors` (small arrays and voxels), `json`. Shape legend: H W picture, M objects with a slot.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from anchorgen.data.quantise import depth_to_mm, mm_to_depth, normals_to_rgb, rgb_to_normals
from anchorgen.scene.truth import WorldTruth

NO_SLOT = 255
TRUTH_ARRAYS = ("translation", "quat_wxyz", "scale", "visible_px", "visible_share", "focal", "up", "walls")
PICTURE_MEMBERS = ("webp", "instance.png", "depth.png", "normals.webp")
FACT_MEMBERS = ("safetensors", "json")


@dataclass(frozen=True)
class Record:
    """Depth and normals are rounded when a record is made, so that it comes back from disk exactly.

    Attributes:
        key: name within its data set without a dot, e.g. "room-00000012".
        image: `[H, W, 3]` uint8.
        instance: `[H, W]` int16, slot of the object that each pixel shows, -1 where there is none.
        depth: `[H, W]` float32, z-depth in metres, 0 where there is nothing; `[0, 0]` in a record from a pack.
        normals: `[H, W, 3]` float32, OpenCV camera frame, 0 where there is nothing; `[0, 0, 3]` from a pack.
        truth: boxes, voxels, camera, gravity.
        meta: JSON values; `meta["scene"]` is the room itself (not in a pack).
    """

    key: str
    image: np.ndarray
    instance: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    truth: WorldTruth
    meta: dict[str, Any]

    def __post_init__(self) -> None:
        if "." in self.key or not self.key:
            raise ValueError(f"key: got {self.key!r}; expected a name without a dot, as file endings begin at the dot")
        object.__setattr__(self, "depth", mm_to_depth(depth_to_mm(self.depth)))
        object.__setattr__(self, "normals", rgb_to_normals(normals_to_rgb(self.normals)))


def encode_record(record: Record) -> dict[str, bytes]:
    """Bytes by file ending."""
    truth = record.truth
    arrays = {name: np.ascontiguousarray(getattr(truth, name)) for name in TRUTH_ARRAYS}
    arrays["floor"] = np.array(truth.floor, np.float64)
    arrays["voxel_counts"] = np.array([len(c) for c in truth.voxel_coords], np.int32)
    arrays["voxel_coords"] = np.concatenate([np.zeros((0, 3), np.uint8), *truth.voxel_coords])
    arrays["voxel_feats"] = np.concatenate([np.zeros((0, 8), np.uint8), *truth.voxel_feats])
    facts = {"labels": truth.labels, "ids": truth.ids, "meta": record.meta}
    return {
        "webp": _file(record.image, "WEBP", lossless=True, quality=50, method=3),
        "instance.png": instance_png(record.instance),
        "depth.png": _file(depth_to_mm(record.depth), "PNG", compress_level=6),
        "normals.webp": _file(normals_to_rgb(record.normals), "WEBP", lossless=True, quality=20, method=1),
        "safetensors": save(arrays),
        "json": json.dumps(facts).encode(),
    }


def decode_record(key: str, members: dict[str, bytes], pictures: bool = True) -> Record:
    """Inverse of `encode_record`; without pictures, those four arrays have size 0.

    Raises:
        ValueError: a member is missing or damaged; the message names the record.
    """
    wanted = PICTURE_MEMBERS + FACT_MEMBERS if pictures else FACT_MEMBERS
    absent = [name for name in wanted if name not in members]
    if absent:
        raise ValueError(f"record {key} has no {', '.join(absent)}: a record of an older format; render it again")
    try:
        arrays, facts = load(members["safetensors"]), json.loads(members["json"])
        if "visible_share" not in arrays:
            raise ValueError("no visible_share: a record of an older format; render it again")
        splits = np.cumsum(arrays["voxel_counts"])[:-1]
        some = len(arrays["voxel_counts"]) > 0
        truth = WorldTruth(
            **{name: arrays[name] for name in TRUTH_ARRAYS},
            floor=float(arrays["floor"]),
            labels=tuple(facts["labels"]),
            ids=tuple(facts["ids"]),
            voxel_coords=tuple(np.split(arrays["voxel_coords"], splits)) if some else (),
            voxel_feats=tuple(np.split(arrays["voxel_feats"], splits)) if some else (),
        )
        arrays = _pictures(members) if pictures else no_pictures()
        return Record(key, **arrays, truth=truth, meta=facts["meta"])
    except Exception as error:
        raise ValueError(f"record {key} cannot be read: {type(error).__name__}: {error}") from error


def no_pictures() -> dict[str, np.ndarray]:
    """The four picture arrays of a record that has none."""
    return {
        "image": np.zeros((0, 0, 3), np.uint8),
        "instance": np.zeros((0, 0), np.int16),
        "depth": np.zeros((0, 0), np.float32),
        "normals": np.zeros((0, 0, 3), np.float32),
    }


def _pictures(members: dict[str, bytes]) -> dict[str, np.ndarray]:
    return {
        "image": picture_array(members["webp"]),
        "instance": png_instance(members["instance.png"]),
        "depth": mm_to_depth(np.asarray(Image.open(io.BytesIO(members["depth.png"]))).astype(np.uint16)),
        "normals": rgb_to_normals(picture_array(members["normals.webp"])),
    }


def picture_array(data: bytes) -> np.ndarray:
    """`[H, W, 3]` uint8 of a picture file."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def instance_png(instance: np.ndarray, **options: Any) -> bytes:
    """`[H, W]` slots, -1 where none, as an 8-bit PNG in which 255 is none."""
    return _file(np.where(instance < 0, NO_SLOT, instance).astype(np.uint8), "PNG", **options)


def png_instance(data: bytes) -> np.ndarray:
    """Inverse of `instance_png`: `[H, W]` int16."""
    slots = np.asarray(Image.open(io.BytesIO(data))).astype(np.int16)
    return np.where(slots == NO_SLOT, -1, slots).astype(np.int16)


def _file(array: np.ndarray, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()
