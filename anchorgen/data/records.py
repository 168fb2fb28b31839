"""One rendered room on disk: `{key}.webp`, `{key}.safetensors` and `{key}.json`, exactly as it was in memory."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from anchorgen.scene.truth import WorldTruth

_NO_SLOT = 255
_ARRAYS = ("translation", "quat_wxyz", "scale", "visible_px", "focal", "up", "walls")


@dataclass(frozen=True)
class Record:
    """Attributes:
    key: name within its data set, e.g. "room-00000012".
    image: `[H, W, 3]` uint8.
    instance: `[H, W]` int16, slot of the object that each pixel shows, -1 where there is none.
    truth: boxes, voxels, camera, gravity.
    meta: JSON values; `meta["scene"]` is the room itself.
    """

    key: str
    image: np.ndarray
    instance: np.ndarray
    truth: WorldTruth
    meta: dict[str, Any]


def encode_record(record: Record) -> dict[str, bytes]:
    """Bytes by file ending: `webp` (lossless), `safetensors`, `json`."""
    picture = io.BytesIO()
    Image.fromarray(record.image).save(picture, "WEBP", lossless=True, quality=50, method=3)
    truth = record.truth
    arrays = {name: np.ascontiguousarray(getattr(truth, name)) for name in _ARRAYS}
    arrays["floor"] = np.array(truth.floor, np.float64)
    arrays["instance"] = np.where(record.instance < 0, _NO_SLOT, record.instance).astype(np.uint8)
    arrays["voxel_counts"] = np.array([len(c) for c in truth.voxel_coords], np.int32)
    arrays["voxel_coords"] = np.concatenate([np.zeros((0, 3), np.uint8), *truth.voxel_coords])
    arrays["voxel_feats"] = np.concatenate([np.zeros((0, 8), np.uint8), *truth.voxel_feats])
    facts = {"labels": truth.labels, "ids": truth.ids, "meta": record.meta}
    return {"webp": picture.getvalue(), "safetensors": save(arrays), "json": json.dumps(facts).encode()}


def decode_record(key: str, members: dict[str, bytes]) -> Record:
    """Inverse of `encode_record`.

    Raises:
        ValueError: a member is missing or damaged; the message names the record.
    """
    try:
        image = np.asarray(Image.open(io.BytesIO(members["webp"])).convert("RGB"))
        arrays, facts = load(members["safetensors"]), json.loads(members["json"])
        splits = np.cumsum(arrays["voxel_counts"])[:-1]
        instance = arrays["instance"].astype(np.int16)
        truth = WorldTruth(
            **{name: arrays[name] for name in _ARRAYS},
            floor=float(arrays["floor"]),
            labels=tuple(facts["labels"]),
            ids=tuple(facts["ids"]),
            voxel_coords=tuple(np.split(arrays["voxel_coords"], splits)) if len(arrays["voxel_counts"]) else (),
            voxel_feats=tuple(np.split(arrays["voxel_feats"], splits)) if len(arrays["voxel_counts"]) else (),
        )
        return Record(key, image, np.where(instance == _NO_SLOT, -1, instance).astype(np.int16), truth, facts["meta"])
    except Exception as error:
        raise ValueError(f"record {key} cannot be read: {type(error).__name__}: {error}") from error
