"""Encoded pictures as what the trainers take: a `LatentSet` file for the prior, tensors for the decoder.

Shape legend: M records, N slots, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from anchorgen.data.encoded import EncodedRecord
from anchorgen.data.encoded_shards import EncodedFolder
from anchorgen.encode.images import to_picture
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import SceneLatent
from anchorgen.train.tensors import RoomTensors

_HALF = ("appearance", "background")
_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16", np.dtype(bool): "BOOL", np.dtype(np.int64): "I64"}


def write_latents(folder: Path, out: Path, stop: int | None = None) -> int:
    """Writes a `LatentSet` file record by record: memory does not grow with the folder.

    Args:
        folder: that `data encode` wrote. out: the file. stop: use only the first records.

    Returns:
        How many scenes it holds.

    Raises:
        ValueError: a record is damaged or of another latent space.
    """
    records = EncodedFolder(folder, pictures=False)
    count = min(len(records), stop or len(records))
    if not count:
        raise ValueError(f"no records in {folder}; let `data encode` go on, or loosen its --min-objects")
    scenes = (_scene(records, number) for number in range(count))
    write_scenes(scenes, count, _all_labels(records, count), records.latent_space, out)
    return count


def write_scenes(scenes: Iterable[SceneLatent], count: int, labels: list[str], latent_space: str, out: Path) -> None:
    """Writes a `LatentSet` file of `count` scenes of equal sizes, one after another.

    Raises:
        ValueError: there is no scene.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial, views = out.with_name(out.name + ".tmp"), dict[str, np.memmap]()
    for number, scene in enumerate(tqdm(scenes, total=count, desc="latents")):
        row = _row(scene, labels)
        views = views or _empty_file(partial, row, count, {"labels": json.dumps(labels), "latent_space": latent_space})
        for name, value in row.items():
            views[name][number] = value
    if not views:
        raise ValueError(f"no scenes for {out}; expected {count}")
    for view in views.values():
        view.flush()
    os.replace(partial, out)


def _scene(records: EncodedFolder, number: int) -> SceneLatent:
    record = records[number]
    if record.scene.latent_space != records.latent_space:
        raise ValueError(f"record {record.key} is of latent space {record.scene.latent_space}; encode it again")
    return record.scene


def _all_labels(records: EncodedFolder, count: int) -> list[str]:
    """The encoder's own list, in its order, or else whatever occurs."""
    found = set[str]()
    for number in range(count):
        scene = records[number].scene
        found |= {name for name, there in zip(scene.labels, scene.presence, strict=True) if there}
    known = list(records.settings.get("categories", ()))
    return known if found <= set(known) else sorted(found)


def _row(scene: SceneLatent, labels: list[str]) -> dict[str, np.ndarray]:
    """One scene as the fields of a `LatentSet`."""
    row = {f.name: np.asarray(getattr(scene, f.name)) for f in fields(SceneBatch)}
    row |= {name: row[name].astype(np.float16) for name in _HALF}
    pairs = zip(scene.labels, scene.presence, strict=True)
    row["label"] = np.array([labels.index(name) if there else -1 for name, there in pairs], np.int64)
    return row


def _empty_file(path: Path, row: dict[str, np.ndarray], count: int, metadata: dict[str, str]) -> dict[str, np.memmap]:
    """A safetensors file with room for `count` rows, and its tensors as arrays to write to.

    The format: the header's length (8 bytes), the header (JSON), the tensors one after another.
    """
    header, offset = {"__metadata__": metadata}, 0
    order = sorted(row, key=lambda name: (-row[name].dtype.itemsize, name))
    for name in order:
        size = row[name].nbytes * count
        kind, shape = _NAMES[row[name].dtype], [count, *row[name].shape]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + size]}  # type: ignore[assignment]
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + offset)
    return {
        name: np.memmap(
            path,
            row[name].dtype,
            "r+",
            8 + len(text) + header[name]["data_offsets"][0],  # type: ignore[index]
            (count, *row[name].shape),
        )
        for name in order
    }


def load_encoded(
    folder: Path, size: int, latent_space: str, stop: int | None = None
) -> tuple[RoomTensors, torch.Tensor, torch.Tensor]:
    """Pictures and latents in memory for the decoder.

    Args:
        folder: that `data encode` wrote.
        size: pixels a side of the pictures.
        latent_space: that the decoder is for.
        stop: use only the first records.

    Returns:
        Tensors without voxels, f `[M, N, K, C]` and b `[M, Kb, C]` float16.

    Raises:
        ValueError: no records, or they are of another latent space.
    """
    records = EncodedFolder(folder)
    if records.latent_space != latent_space:
        raise ValueError(
            f"{folder} is of latent space {records.latent_space}, this decoder of {latent_space}; encode the pictures "
            "with an encoder of the same pooling and background networks"
        )
    count = min(len(records), stop or len(records))
    if not count:
        raise ValueError(f"no records in {folder}; let `data encode` go on")
    return record_batch(tqdm((records[i] for i in range(count)), total=count, desc="read"), size)


def record_batch(records: Iterable[EncodedRecord], size: int) -> tuple[RoomTensors, torch.Tensor, torch.Tensor]:
    """Records as `load_encoded` gives them.

    Args:
        records: of one latent space. size: pixels a side of the pictures.
    """
    scenes, images, keys = [], [], []
    for record in records:
        picture = to_picture(record.picture(), size)
        images.append(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))))
        scenes.append(record.scene)
        keys.append(_key(record))
    return _tensors(SceneBatch.stack(scenes), torch.stack(images), torch.stack(keys))


def _tensors(scene: SceneBatch, images: torch.Tensor, keys: torch.Tensor) -> tuple:
    count, slots = scene.presence.shape
    names = ("translation", "quat_wxyz", "scale", "presence", "focal", "up", "floor")
    rooms = RoomTensors(
        images=images,
        **{name: getattr(scene, name) for name in names},
        coords=torch.zeros(count, slots, 1, 3, dtype=torch.float16),
        feats=torch.zeros(count, slots, 1, 8, dtype=torch.float16),
        voxels=torch.zeros(count, slots, 1, dtype=torch.bool),
        outside=torch.ones(count, 1, 1, dtype=torch.bool),
        category=torch.full((count, slots), -1),
        key=keys,
    )
    return rooms, scene.appearance.half(), scene.background.half()


def _key(record: EncodedRecord) -> torch.Tensor:
    return torch.frombuffer(bytearray(record.key.encode()[:47].ljust(48, b"\0")), dtype=torch.uint8)
