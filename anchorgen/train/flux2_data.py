"""Pictures for the paper's decoder, read as they are needed: encoded ones with their f and b, or rendered rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from anchorgen.data.encoded_shards import EncodedFolder, is_encoded
from anchorgen.data.shard_index import RecordIndex
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.scene.truth import VOXEL_CHANNELS
from anchorgen.train.encoded_latents import record_batch
from anchorgen.train.tensors import RoomTensors, concatenate, record_tensors

Latents = tuple[torch.Tensor, torch.Tensor]  # f `[B, N, K, C]` and b `[B, Kb, C]`


class PictureSource(Protocol):
    """Pictures with their scenes.

    Attributes:
        latent_space: of f and b, if they are given; else "".
    """

    latent_space: str

    def __len__(self) -> int: ...

    def read(self, numbers: Sequence[int]) -> tuple[RoomTensors, Latents | None]:
        """Some pictures, and their f and b if these are not to be trained."""
        ...


def open_source(folder: Path, config: KleinConfig, voxels: bool = False) -> PictureSource:
    """What `data encode` wrote, or a folder of rendered records.

    Args:
        voxels: of encoded pictures give what f and b were made of, not these.

    Raises:
        ValueError: there are no records, or latents of other sizes than the decoder's, or no voxels; the message says which.
    """
    if voxels:
        return VoxelSource(folder, config)
    return EncodedSource(folder, config) if is_encoded(folder) else RecordSource(folder, config.image_size)


class EncodedSource:
    """Pictures that `data encode` wrote; f and b stay as they are."""

    def __init__(self, folder: Path, config: KleinConfig):
        self.records, self.image_size = EncodedFolder(folder), config.image_size
        self.latent_space = self.records.latent_space
        scene = self.records[0].scene
        found = (*scene.appearance.shape[1:], *scene.background.shape)
        expected = (config.num_tokens, config.channels, config.num_background, config.channels)
        if found != expected:
            raise ValueError(
                f"{folder}: its latents have sizes K, C, Kb, C = {found}; this decoder's are {expected}: "
                "give --num-tokens, --channels and --num-background as the encoder has them"
            )

    def __len__(self) -> int:
        return len(self.records)

    def read(self, numbers: Sequence[int]) -> tuple[RoomTensors, Latents]:
        """Raises ValueError: a record is damaged."""
        rooms, f, b = record_batch((self.records[number] for number in numbers), self.image_size)
        return rooms, (f, b)


class VoxelSource(EncodedSource):
    """Pictures that `data encode --keep-voxels` wrote; f and b are made of voxels and pictures by networks in training."""

    def __init__(self, folder: Path, config: KleinConfig):
        super().__init__(folder, config)
        self.latent_space = ""  # of networks that change
        missing = sorted({"coords", "feats", "counts", "outside"} - self.records[0].extra.keys())
        if missing:
            raise ValueError(
                f"{folder}: its records keep no {', '.join(missing)}; encode the pictures with --keep-voxels, or leave out "
                "--paper-tokens: f and b stay as they are then"
            )

    def read(self, numbers: Sequence[int]) -> tuple[RoomTensors, None]:  # type: ignore[override]
        """Raises ValueError: a record is damaged."""
        records = [self.records[number] for number in numbers]
        rooms, _, _ = record_batch(records, self.image_size)
        return replace(rooms, **voxel_tensors([record.extra for record in records], rooms.presence.shape[1])), None


def voxel_tensors(extras: Sequence[Mapping[str, np.ndarray]], num_slots: int) -> dict[str, torch.Tensor]:
    """Kept voxels (`EncodingPipeline.encode_with_voxels`) of B pictures, padded to the fullest object.

    Returns:
        coords `[B, N, V, 3]` and feats `[B, N, V, 8]` float16, voxels `[B, N, V]` bool and outside `[B, G, G]` bool.
    """
    fullest = max([1, *(int(count) for extra in extras for count in extra["counts"])])
    shape = (len(extras), num_slots, fullest)
    coords, feats = np.zeros((*shape, 3), np.float16), np.zeros((*shape, VOXEL_CHANNELS), np.float16)
    voxels = np.zeros(shape, bool)
    for row, extra in enumerate(extras):
        ends = np.cumsum(extra["counts"])
        for slot, (end, count) in enumerate(zip(ends, extra["counts"], strict=True)):
            own = slice(end - count, end)
            coords[row, slot, :count], feats[row, slot, :count] = extra["coords"][own], extra["feats"][own]
            voxels[row, slot, :count] = True
    outside = np.stack([extra["outside"] for extra in extras])
    arrays = {"coords": coords, "feats": feats, "voxels": voxels, "outside": outside}
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


class RecordSource:
    """Rendered rooms; f and b are made of their voxels and pictures by networks in training."""

    latent_space = ""

    def __init__(self, folder: Path, image_size: int, num_slots: int = 16, num_voxels: int = 96):
        self.records, self.image_size = RecordIndex(folder), image_size
        self.num_slots, self.num_voxels = num_slots, num_voxels

    def __len__(self) -> int:
        return len(self.records)

    def read(self, numbers: Sequence[int]) -> tuple[RoomTensors, None]:
        """Raises ValueError: a record is damaged, or its picture is no multiple of `image_size`; the message names it."""
        rows = []
        for record in (self.records[number] for number in numbers):
            names = tuple(sorted(set(record.truth.labels)))
            row = record_tensors(record, names, self.num_slots, self.num_voxels)
            try:
                rows.append(row.resized(self.image_size))
            except ValueError as error:
                raise ValueError(
                    f"record {record.key}: {error}; give --image-size, or render rooms of that size"
                ) from None
        return concatenate(rows), None
