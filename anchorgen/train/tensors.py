"""All records of a folder as tensors in memory: what the trainers draw their batches from.

Shape legend: M records, N slots, V voxels an object, G background patches a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from anchorgen.data.records import Record
from anchorgen.data.shards import read_records
from anchorgen.encode.background import outside_patches
from anchorgen.encode.pooling import pack_voxels
from anchorgen.scene.batch import SceneBatch

BACKGROUND_GRID = 16  # patches a side, at any size of picture


@dataclass
class RoomTensors:
    """Attributes:
    images: `[M, 3, H, W]` uint8.
    translation, quat_wxyz, scale: `[M, N, 3]`, `[M, N, 4]`, `[M, N, 3]` float32; presence: `[M, N]` bool.
    focal `[M, 2]`, up `[M, 3]`, floor `[M]` float32.
    coords, feats: `[M, N, V, 3]` and `[M, N, V, 8]` float16, as the pooling takes them; voxels: `[M, N, V]` bool.
    outside: `[M, G, G]` bool, patches outside every object.
    category: `[M, N]` int64, index into `categories`, -1 where absent.
    key: `[M, 48]` uint8, the record's name in UTF-8, ended by zeros; the last byte is 1 in a mirror image.
    """

    images: torch.Tensor
    translation: torch.Tensor
    quat_wxyz: torch.Tensor
    scale: torch.Tensor
    presence: torch.Tensor
    focal: torch.Tensor
    up: torch.Tensor
    floor: torch.Tensor
    coords: torch.Tensor
    feats: torch.Tensor
    voxels: torch.Tensor
    outside: torch.Tensor
    category: torch.Tensor
    key: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> RoomTensors:
        return RoomTensors(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def __getitem__(self, index) -> RoomTensors:
        return RoomTensors(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def pictures(self) -> torch.Tensor:
        """`[M, 3, H, W]` float32 in [-1, 1]."""
        return self.images.float() / 127.5 - 1

    def names(self) -> list[str]:
        """The records, for reports."""
        rows = [bytes(row.tolist()) for row in self.key.cpu()]
        return [row[:-1].rstrip(b"\0").decode(errors="ignore") + " (mirrored)" * row[-1] for row in rows]

    def resized(self, size: int) -> RoomTensors:
        """The same rooms with pictures of `size` pixels a side; raises ValueError as `smaller` does."""
        return replace(self, images=torch.cat([smaller(images, size) for images in self.images.split(256)]))

    def scene(self, appearance: torch.Tensor, background: torch.Tensor) -> SceneBatch:
        """The latents of these rooms, once the networks have made f `[M, N, K, C]` and b `[M, Kb, C]`."""
        names = ("translation", "quat_wxyz", "scale", "presence", "focal", "up", "floor")
        return SceneBatch(appearance=appearance, background=background, **{n: getattr(self, n) for n in names})

    def mirrored(self) -> RoomTensors:
        """The same rooms in a mirror (x -> -x), exactly: boxes, voxels, gravity and pictures."""
        flip = torch.tensor([-1.0, 1.0, 1.0])
        feats = self.feats.clone()
        feats[..., 3] = 1 - feats[..., 3]  # the x component of the normal, stored as (n + 1) / 2
        key = self.key.clone()
        key[:, -1] = 1
        return RoomTensors(
            **{f.name: getattr(self, f.name) for f in fields(self)}
            | {
                "images": self.images.flip(-1),
                "translation": self.translation * flip,
                # A mirror keeps turns about its own normal x and reverses those about y and z.
                "quat_wxyz": self.quat_wxyz * torch.tensor([1.0, 1.0, -1.0, -1.0]),
                "up": self.up * flip,
                "coords": self.coords * flip.to(self.coords.dtype),
                "feats": torch.where(self.voxels[..., None], feats, self.feats),
                "outside": self.outside.flip(-1),
                "key": key,
            }
        )


def smaller(images: torch.Tensor, size: int) -> torch.Tensor:
    """Pictures `[..., 3, H, H]` uint8 with `size` pixels a side: means over whole pixels.

    Raises:
        ValueError: `size` does not divide H.
    """
    side = images.shape[-1]
    if size < 1 or side % size:
        raise ValueError(f"size: got {size}; expected a divisor of the pictures' {side} pixels")
    return images if side == size else F.avg_pool2d(images.float(), side // size).round().to(torch.uint8)


def load_rooms(
    folder: str | Path,
    categories: tuple[str, ...],
    num_slots: int = 16,
    num_voxels: int = 96,
    stop: int | None = None,
    change: Callable[[Record], Record] | None = None,
) -> RoomTensors:
    """Reads every record of a folder (the first `stop`), each as `change` makes it.

    Raises:
        ValueError: there are no records, with the command that renders some.
    """
    records = tqdm(read_records(folder, stop=stop), desc="read")
    rows = [record_tensors(change(r) if change else r, categories, num_slots, num_voxels) for r in records]
    if not rows:
        raise ValueError(
            f"no records in {folder}; render some: python -m anchorgen data render --count 64 --out {folder}"
        )
    return concatenate(rows)


def concatenate(rows: Iterable[RoomTensors]) -> RoomTensors:
    rows = list(rows)
    return RoomTensors(**{f.name: torch.cat([getattr(r, f.name) for r in rows]) for f in fields(RoomTensors)})


def record_tensors(record: Record, categories: tuple[str, ...], num_slots: int, num_voxels: int) -> RoomTensors:
    """One record as tensors with a leading 1."""
    truth = record.truth
    count = min(truth.num_objects, num_slots)
    coords, feats, voxels = pack_voxels(truth, num_slots, num_voxels)

    def slots(values: np.ndarray, empty: list[float]) -> torch.Tensor:
        out = torch.tensor(empty).expand(num_slots, -1).clone()
        out[:count] = torch.as_tensor(np.asarray(values[:count], np.float32))
        return out[None]

    category = torch.full((1, num_slots), -1)
    category[0, :count] = torch.tensor([categories.index(name) for name in truth.labels[:count]], dtype=torch.long)
    return RoomTensors(
        images=torch.from_numpy(np.ascontiguousarray(record.image.transpose(2, 0, 1)))[None],
        translation=slots(truth.translation, [0.0, 0.0, 1.0]),
        quat_wxyz=slots(truth.quat_wxyz, [1.0, 0.0, 0.0, 0.0]),
        scale=slots(truth.scale, [1.0, 1.0, 1.0]),
        presence=(torch.arange(num_slots) < count)[None],
        focal=torch.as_tensor(truth.focal, dtype=torch.float32)[None],
        up=torch.as_tensor(truth.up, dtype=torch.float32)[None],
        floor=torch.tensor([float(truth.floor)]),
        coords=torch.as_tensor(coords, dtype=torch.float16)[None],
        feats=torch.as_tensor(feats, dtype=torch.float16)[None],
        voxels=torch.as_tensor(voxels)[None],
        outside=torch.as_tensor(outside_patches(record.instance, len(record.instance) // BACKGROUND_GRID))[None],
        category=category,
        key=torch.frombuffer(bytearray(record.key.encode()[:47].ljust(48, b"\0")), dtype=torch.uint8)[None],
    )
