"""A block of a pack: the records of one shard, column by column, compressed together.

Pictures are lossy WebP; everything else that is kept comes back bit for bit. Each column is one LZMA stream, so the
reader needs numpy, PIL, safetensors and the standard library alone.

Shape legend: R records, M objects of all records, V voxels of all objects, W walls of all records.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from anchorgen.data.records import Record, no_pictures, picture_array
from anchorgen.scene.truth import VOXEL_CHANNELS, WorldTruth

_COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "picture_bytes": (np.int32, ()),
    "num_objects": (np.uint8, ()),
    "num_walls": (np.uint8, ()),
    "num_voxels": (np.uint16, ()),
    "num_corners": (np.uint8, ()),
    "corners": (np.uint16, ()),
    "instance": (np.int8, ()),
    "translation": (np.float32, (3,)),
    "quat_wxyz": (np.float32, (4,)),
    "scale": (np.float32, (3,)),
    "visible_px": (np.int32, ()),
    "visible_share": (np.float32, ()),
    "focal": (np.float32, (2,)),
    "up": (np.float32, (3,)),
    "floor": (np.float64, ()),
    "walls": (np.float32, (4,)),
    "voxel_coords": (np.uint8, (3,)),
    "voxel_feats": (np.uint8, (VOXEL_CHANNELS,)),
}
_DICTIONARY = 2**22  # bytes; a block's masks are 1 MiB
_PER_OBJECT = ("translation", "quat_wxyz", "scale", "visible_px", "visible_share")
_META = ("seed", "split", "world", "size", "spp")


def encode_block(records: Sequence[Record], quality: int, num_voxels: int) -> dict[str, bytes]:
    """Bytes by column of R >= 1 records.

    Args:
        records: with their pictures.
        quality: of the WebP pictures, 1 to 100.
        num_voxels: an object with more is thinned evenly.
    """
    pictures = [_webp(r.image, quality) for r in records]
    truths = [r.truth for r in records]
    coords, feats = ([v for t in truths for v in getattr(t, name)] for name in ("voxel_coords", "voxel_feats"))
    corners = [_corners(c, num_voxels) for c in coords]
    kept = [_kept(len(c), num_voxels, own) for c, own in zip(coords, corners, strict=True)]
    values: dict[str, Any] = {
        "picture_bytes": [len(p) for p in pictures],
        "num_objects": [t.num_objects for t in truths],
        "num_walls": [len(t.walls) for t in truths],
        "num_voxels": [len(c) for c in coords],
        "num_corners": [len(c) for c in corners],
        "corners": np.concatenate([np.zeros(0, int), *corners]),
        "instance": np.concatenate([r.instance.ravel() for r in records]),
        "floor": [t.floor for t in truths],
        "focal": [t.focal for t in truths],
        "up": [t.up for t in truths],
        "walls": np.concatenate([t.walls for t in truths]),
        "voxel_coords": np.concatenate(
            [np.zeros((0, 3), np.uint8), *(c[k] for c, k in zip(coords, kept, strict=True))]
        ),
        "voxel_feats": np.concatenate(
            [np.zeros((0, VOXEL_CHANNELS), np.uint8), *(f[k] for f, k in zip(feats, kept, strict=True))]
        ),
    }
    values |= {name: np.concatenate([getattr(t, name) for t in truths]) for name in _PER_OBJECT}
    rooms = [
        [r.key, r.truth.labels, r.truth.ids, {k: r.meta[k] for k in _META if k in r.meta}, r.instance.shape]
        for r in records
    ]
    facts = {"voxels": num_voxels, "rooms": rooms}
    columns = {name: _compress(np.asarray(values[name], kind)) for name, (kind, _) in _COLUMNS.items()}
    return {"pictures": b"".join(pictures), "facts": lzma.compress(json.dumps(facts).encode()), **columns}


def decode_block(columns: Mapping[str, bytes], pictures: bool = True) -> Iterator[Record]:
    """Inverse of `encode_block`, up to the pictures, the thinned voxels and what a pack leaves out."""
    arrays = {
        name: np.frombuffer(lzma.decompress(columns[name]), kind).reshape(-1, *shape).copy()
        for name, (kind, shape) in _COLUMNS.items()
    }
    facts = json.loads(lzma.decompress(columns["facts"]))
    pixels = [shape[0] * shape[1] for *_, shape in facts["rooms"]]
    objects, walls = (_ends(arrays[f"num_{name}"]) for name in ("objects", "walls"))
    coords, feats = _voxels(arrays, facts["voxels"])
    files, masks = _ends(arrays["picture_bytes"]), _ends(np.array(pixels))
    for i, (key, labels, ids, meta, shape) in enumerate(facts["rooms"]):
        mine = slice(objects[i], objects[i + 1])
        truth = WorldTruth(
            **{name: arrays[name][mine] for name in _PER_OBJECT},
            labels=tuple(labels),
            ids=tuple(ids),
            voxel_coords=tuple(coords[mine]),
            voxel_feats=tuple(feats[mine]),
            focal=arrays["focal"][i],
            up=arrays["up"][i],
            floor=float(arrays["floor"][i]),
            walls=arrays["walls"][walls[i] : walls[i + 1]],
        )
        shown = no_pictures()
        if pictures:
            shown["image"] = picture_array(columns["pictures"][files[i] : files[i + 1]])
            shown["instance"] = arrays["instance"][masks[i] : masks[i + 1]].reshape(shape).astype(np.int16)
        yield Record(key, **shown, truth=truth, meta=meta)


def _kept(count: int, num_voxels: int, corners: np.ndarray) -> np.ndarray:
    """Which of an object's voxels a pack holds: evenly thinned, as `encode.pooling.pack_voxels` does, and corners."""
    pick = np.linspace(0, count - 1, min(num_voxels, count)).round().astype(int)
    return np.union1d(pick, corners.astype(int))


def _corners(coords: np.ndarray, num_voxels: int) -> np.ndarray:
    """At most six voxels that reach the sides of the occupied box where the thinned ones do not."""
    thinned = coords[_kept(len(coords), num_voxels, np.zeros(0))]
    if not len(coords):
        return np.zeros(0, int)
    low = [coords[:, i].argmin() for i in range(3) if thinned[:, i].min() > coords[:, i].min()]
    high = [coords[:, i].argmax() for i in range(3) if thinned[:, i].max() < coords[:, i].max()]
    return np.unique(np.array(low + high, int))


def _voxels(arrays: Mapping[str, np.ndarray], num_voxels: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Coords and feats of each object, as many as there were: what a pack lacks repeats the voxel before it.

    So `pack_voxels` finds the same box, with `num_voxels` the very same voxels, with fewer different ones still.
    """
    coords, feats, begin = [], [], 0
    edges = _ends(arrays["num_corners"])
    for index, count in enumerate(arrays["num_voxels"].tolist()):
        kept = _kept(count, num_voxels, arrays["corners"][edges[index] : edges[index + 1]])
        rows = begin + np.searchsorted(kept, np.arange(count), "right") - 1
        coords.append(arrays["voxel_coords"][rows])
        feats.append(arrays["voxel_feats"][rows])
        begin += len(kept)
    return coords, feats


def _ends(lengths: np.ndarray) -> list[int]:
    """Where each of some pieces begins, and where the last one ends."""
    return [0, *np.cumsum(lengths, dtype=np.int64).tolist()]


def _webp(image: np.ndarray, quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "WEBP", quality=quality, method=6)
    return stream.getvalue()


def _compress(array: np.ndarray) -> bytes:
    """LZMA, told how wide a row is, which makes it a tenth smaller."""
    row = array.itemsize * int(np.prod(array.shape[1:]))
    align = 3 if row % 8 == 0 else 2 if row % 4 == 0 else 0
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": _DICTIONARY}]
    filters[0] |= {"lc": 0, "lp": align, "pb": align}
    return lzma.compress(np.ascontiguousarray(array).tobytes(), format=lzma.FORMAT_XZ, filters=filters)
