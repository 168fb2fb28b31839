"""A picture with its scene latents on disk: what `data encode` writes and the trainers read.

Members of a sample: the picture file (`jpg`, `png` or `webp`), `safetensors` (arrays of present objects and of the scene)
and `json`. Shape legend: M present objects, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from anchorgen.scene.latent import SceneLatent

PICTURE_ENDINGS = ("jpg", "png", "webp")
_OBJECT_ARRAYS = ("translation", "quat_wxyz", "scale", "appearance")
_SCENE_ARRAYS = ("background", "focal", "up")
_HALF = ("appearance", "background")
_EXTRA = "extra."


@dataclass(frozen=True)
class EncodedRecord:
    """Attributes:
    key: name within its data set, without a dot.
    ending, picture_bytes: the picture file; the latents belong to its central square.
    scene: its latents; in files f and b are float16, and slots without an object are not kept.
    meta: JSON values: `source_size` (width, height in px) and what the encoder adds.
    extra: further arrays of the encoder by name (voxels, patches, masks), as they are.
    """

    key: str
    ending: str
    picture_bytes: bytes
    scene: SceneLatent
    meta: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "." in self.key or not self.key:
            raise ValueError(f"key: got {self.key!r}; expected a name without a dot, as file endings begin at the dot")
        if self.ending not in PICTURE_ENDINGS:
            raise ValueError(f"ending: got {self.ending!r}; expected one of {PICTURE_ENDINGS}")

    def picture(self) -> Image.Image:
        """The picture as it is kept, not cropped. Raises OSError if it cannot be read."""
        return Image.open(io.BytesIO(self.picture_bytes))


def encode_members(record: EncodedRecord) -> dict[str, bytes]:
    """Bytes by file ending; equal records give equal bytes.

    Raises:
        ValueError: f or b do not fit float16.
    """
    scene, present = record.scene, record.scene.presence
    arrays = {name: getattr(scene, name)[present] for name in _OBJECT_ARRAYS}
    arrays |= {name: getattr(scene, name) for name in _SCENE_ARRAYS} | {"floor": np.array([scene.floor], np.float32)}
    for name in _HALF:
        with np.errstate(over="ignore"):
            arrays[name] = arrays[name].astype(np.float16)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} reaches beyond 65504, the largest float16; expected latents of order 1")
    arrays |= {_EXTRA + name: value for name, value in record.extra.items()}
    facts = {
        "labels": [name for name, there in zip(scene.labels, present, strict=True) if there],
        "num_slots": scene.num_slots,
        "latent_space": scene.latent_space,
        "meta": record.meta,
    }
    return {
        record.ending: record.picture_bytes,
        "safetensors": save({name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}),
        "json": json.dumps(facts, sort_keys=True).encode(),
    }


def decode_members(key: str, members: dict[str, bytes]) -> EncodedRecord:
    """Inverse of `encode_members`; without a picture member, `picture_bytes` is empty.

    Raises:
        ValueError: a member is missing or damaged; the message names the record.
    """
    try:
        arrays, facts = load(members["safetensors"]), json.loads(members["json"])
        extra = {name[len(_EXTRA) :]: arrays.pop(name) for name in list(arrays) if name.startswith(_EXTRA)}
        scene = SceneLatent.pack(
            facts["num_slots"],
            **{name: arrays[name].astype(np.float32) for name in (*_OBJECT_ARRAYS, *_SCENE_ARRAYS)},
            floor=float(arrays["floor"][0]),
            labels=tuple(facts["labels"]),
            ids=("",) * len(facts["labels"]),
            latent_space=facts["latent_space"],
        )
        ending = next((name for name in PICTURE_ENDINGS if name in members), "webp")
        return EncodedRecord(key, ending, members.get(ending, b""), scene, facts["meta"], extra)
    except Exception as error:
        raise ValueError(f"record {key} cannot be read: {type(error).__name__}: {error}") from error
