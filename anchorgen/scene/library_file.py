"""Library files, format 1: one `.safetensors` with a JSON header, as scene files are. (M items.)

Tensors: the boxes `translation`, `quat_wxyz`, `scale` `[M, ...]` and the gravity `up`, `floor` of each, float32;
`appearance`, float32, and `thumbnails`, uint8 (WebP), of all items one after another; `items` (UTF-8 JSON as uint8), which
says for each its names, the shape of its appearance and the length of its thumbnail.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from anchorgen.scene.errors import SceneFileError
from anchorgen.scene.library import MAX_ITEMS, LibraryItem
from anchorgen.scene.safetensors_file import FileFormat, Migration, Tensors, damage_reported, read_file, write_file
from anchorgen.scene.thumbnails import MAX_THUMBNAIL_BYTES, decoded
from anchorgen.scene.validate import check_boxes, checked_array, checked_quats, frozen

MIGRATIONS: dict[int, Migration] = {}  # as in io.py
LIBRARY_FORMAT = FileFormat("library", version=1, max_bytes=64 << 20, migrations=MIGRATIONS)
MAX_ITEMS_BYTES = 1 << 20

_NAMES = ("key", "id", "label", "latent_space", "source")
_ROWS = {"translation": (3,), "quat_wxyz": (4,), "scale": (3,), "up": (3,), "floor": ()}
_OF_BYTES = ("thumbnails", "items")


def save_items(items: Sequence[LibraryItem], path: str | os.PathLike[str]) -> None:
    """See `Library.save`."""
    tensors: Tensors = {
        name: np.array([getattr(item, name) for item in items], np.float32).reshape(len(items), *row)
        for name, row in _ROWS.items()
    }
    tensors["appearance"] = np.concatenate([np.zeros(0, np.float32), *(item.appearance.ravel() for item in items)])
    tensors["thumbnails"] = np.frombuffer(b"".join(item.webp for item in items), np.uint8)
    entries = [
        {name: getattr(item, name) for name in _NAMES}
        | {"index": int(item.index), "tokens": list(item.appearance.shape), "thumbnail_bytes": len(item.webp)}
        for item in items
    ]
    tensors["items"] = np.frombuffer(json.dumps(entries).encode(), np.uint8)
    _check_contents(tensors)
    write_file(path, LIBRARY_FORMAT, tensors, {})


def load_items(path: str | os.PathLike[str]) -> list[LibraryItem]:
    """Reads what `save_items` wrote.

    Raises:
        SceneFileError: anything else, pictures that cannot be decoded included.
        OSError: the file is not there or cannot be read.
    """
    tensors, _ = read_file(path, LIBRARY_FORMAT)
    with damage_reported(path, "library"):
        _check_contents(tensors)
        entries = _entries(tensors["items"].tobytes(), len(tensors["translation"]))
        _check_values(tensors, tuple(entry["key"] for entry in entries))
        tokens = _pieces(tensors["appearance"], [entry["tokens"][0] * entry["tokens"][1] for entry in entries])
        pictures = _pieces(tensors["thumbnails"], [entry["thumbnail_bytes"] for entry in entries])
        return [
            _item(entry, {name: tensors[name][row] for name in _ROWS}, tokens[row], pictures[row].tobytes())
            for row, entry in enumerate(entries)
        ]


def _item(entry: dict[str, Any], rows: dict[str, np.ndarray], tokens: np.ndarray, webp: bytes) -> LibraryItem:
    if webp:
        decoded(webp)
    arrays: Any = {name: frozen(row) for name, row in rows.items()}
    arrays["appearance"] = frozen(tokens.reshape(entry["tokens"]))
    names: Any = {name: entry[name] for name in _NAMES}
    return LibraryItem(**names, **arrays, index=entry["index"], present=True, webp=webp)


def _entries(data: bytes, num_items: int) -> list[dict[str, Any]]:
    """What `items` holds, with every type checked."""
    entries = json.loads(data)
    if not isinstance(entries, list) or len(entries) != num_items:
        raise SceneFileError(f"the library describes other items than the {num_items} it has; it is damaged")
    for entry in entries:
        numbers = [entry["index"], entry["thumbnail_bytes"], *entry["tokens"]]
        if len(numbers) != 4 or not all(type(number) is int and number >= 0 for number in numbers):
            raise SceneFileError(f"an item of the library has the sizes {str(numbers)[:80]}; expected whole numbers")
        if not all(isinstance(entry[name], str) for name in _NAMES) or not entry["key"]:
            raise SceneFileError("an item of the library lacks a name; the file is damaged")
        if entry["thumbnail_bytes"] > MAX_THUMBNAIL_BYTES:
            raise SceneFileError(f"a thumbnail has {entry['thumbnail_bytes']} bytes; expected {MAX_THUMBNAIL_BYTES}")
    keys = [entry["key"] for entry in entries]
    if len(set(keys)) < len(keys):
        raise SceneFileError("two items of the library have the same key; the file is damaged")
    return entries


def _pieces(array: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    """`array` `[sum(lengths)]` cut into parts of these lengths, as views of it."""
    if sum(lengths) != len(array):
        raise SceneFileError(f"the items ask for {sum(lengths)} values of {len(array)}; the file is damaged")
    return [array[end - length : end] for end, length in zip(accumulate(lengths), lengths)]


def _check_contents(tensors: Tensors) -> None:
    missing = {*_ROWS, "appearance", *_OF_BYTES} - set(tensors)
    if missing:
        raise SceneFileError(f"the file lacks {', '.join(sorted(missing))}; it was not written by library.save")
    num_items = len(np.atleast_1d(tensors["translation"]))
    if num_items > MAX_ITEMS or tensors["items"].nbytes > MAX_ITEMS_BYTES:
        raise SceneFileError(
            f"the library has {num_items} items and {tensors['items'].nbytes} bytes of names; expected at most "
            f"{MAX_ITEMS} items and {MAX_ITEMS_BYTES >> 20} MiB: split it"
        )
    for name in sorted(tensors, key=lambda name: name != "translation"):  # which counts the items: blame it first
        array = tensors[name]
        dtype = np.uint8 if name in _OF_BYTES else np.float32
        known = name in _ROWS or name == "appearance" or name in _OF_BYTES
        shape = (num_items, *_ROWS[name]) if name in _ROWS else (array.size,)
        if not known or array.dtype != dtype or array.shape != shape:
            got = f"{array.dtype} of shape {list(array.shape)}"
            raise SceneFileError(f"{name[:40]!r} is {got}; expected one of a library's arrays, {np.dtype(dtype)}")


def _check_values(tensors: Tensors, keys: tuple[str, ...]) -> None:
    """Raises ValueError for boxes or tokens that no scene can hold."""
    for name, row in _ROWS.items():
        checked_array(name, tensors[name], (len(keys), *row))
    checked_array("appearance", tensors["appearance"], (None,))
    checked_quats(tensors["quat_wxyz"], len(keys))
    check_boxes(tensors["translation"], tensors["scale"], np.ones(len(keys), bool), keys)
    off = np.abs(np.linalg.norm(tensors["up"].astype(float), axis=-1) - 1)
    if np.any(off > 1e-3):
        raise SceneFileError(f"up of {keys[int(np.argmax(off))]} is not a unit vector; the file is damaged")
