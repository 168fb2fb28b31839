"""Library files: what is wrong is named, and nothing of it is let in."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import safetensors.numpy
from damaged_files import make_library, saved
from PIL import Image

from anchorgen.scene import Library, SceneFileError
from anchorgen.scene import library_file as library_format

LIBRARY = make_library()


def rewritten(path, metadata: dict | None = None, entry: dict | None = None, **tensors) -> bytes:
    """The file of LIBRARY with some tensors, metadata and values of its first entry changed; None leaves one out."""
    changed = {**safetensors.numpy.load(saved(LIBRARY, path)), **tensors}
    if entry is not None:
        entries = json.loads(changed["items"].tobytes())
        entries[0] = {name: value for name, value in {**entries[0], **entry}.items() if value is not None}
        changed["items"] = np.frombuffer(json.dumps(entries).encode(), np.uint8)
    metadata = {"format_version": "1", "kind": "library", **(metadata or {})}
    return safetensors.numpy.save({name: array for name, array in changed.items() if array is not None}, metadata)


def picture_bytes(kind: str, size: tuple[int, int]) -> np.ndarray:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, kind)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def in_place_of_first(picture: np.ndarray) -> dict:
    rest = b"".join([item.webp for item in LIBRARY][1:])
    pictures = np.concatenate([picture, np.frombuffer(rest, np.uint8)])
    return {"entry": {"thumbnail_bytes": len(picture)}, "thumbnails": pictures}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": {"format_version": "2"}}, "the library has format_version 2, .*update it"),
        ({"metadata": {"kind": "sofa"}}, "the file is a sofa; expected a library"),
        ({"translation": None}, "lacks translation"),
        ({"surprise": np.zeros(7, np.float32)}, "'surprise'"),
        ({"translation": np.zeros((7, 2), np.float32)}, "'translation' is float32 of shape"),
        ({"translation": np.zeros((), np.float32)}, "'translation' is float32 of shape"),
        ({"translation": np.zeros((7, 3), np.float32)}, "z >= 0.05 m"),
        ({"translation": np.full((7, 3), np.nan, np.float32)}, "finite"),
        ({"scale": np.zeros((7, 3), np.float32)}, "bed-1 is .*0.01 m"),
        ({"quat_wxyz": np.zeros((7, 4), np.float32)}, "unit quaternion"),
        ({"up": np.zeros((7, 3), np.float32)}, "up of bed-1 is not a unit vector"),
        ({"floor": np.zeros(7, np.uint8)}, "'floor' is uint8"),
        ({"items": np.frombuffer(b"[]", np.uint8)}, "describes other items"),
        ({"items": np.frombuffer(b"{", np.uint8)}, "not a library"),
        ({"items": np.frombuffer(b"[1, 2, 3, 4, 5, 6, 7]", np.uint8)}, "not a library"),
        ({"items": np.zeros(2 << 20, np.uint8)}, "bytes of names"),
        ({"appearance": np.zeros(3, np.float32)}, "ask for 79 values of 3"),
        ({"thumbnails": np.zeros(3, np.uint8)}, "values of 3"),
        ({"entry": {"key": "bed-2"}}, "same key"),
        ({"entry": {"key": ""}}, "lacks a name"),
        ({"entry": {"key": None}}, "not a library"),
        ({"entry": {"label": 3}}, "lacks a name"),
        ({"entry": {"index": -1}}, "whole numbers"),
        ({"entry": {"index": True}}, "whole numbers"),
        ({"entry": {"tokens": [2, 8, 1]}}, "whole numbers"),
        ({"entry": {"tokens": "28"}}, "whole numbers"),
        ({"entry": {"tokens": [16, 1 << 70]}}, "ask for"),
        ({"entry": {"thumbnail_bytes": 1 << 20}}, "a thumbnail has 1048576 bytes"),
        (in_place_of_first(picture_bytes("PNG", (8, 8))), "cannot be decoded"),
        (in_place_of_first(picture_bytes("WEBP", (97, 8))), "at most 96 px"),
        (in_place_of_first(picture_bytes("WEBP", (8, 8))[:-9]), "cannot be decoded"),
        (in_place_of_first(np.zeros(50, np.uint8)), "cannot be decoded"),
    ],
)
def test_wrong_contents_say_what(tmp_path, changes, message):
    (tmp_path / "wrong").write_bytes(rewritten(tmp_path / "good", **changes))
    with pytest.raises(SceneFileError, match=message):
        Library.load(tmp_path / "wrong")


def test_too_many_items(tmp_path, monkeypatch):
    LIBRARY.save(tmp_path / "library")
    monkeypatch.setattr(library_format, "MAX_ITEMS", 6)
    with pytest.raises(SceneFileError, match="7 items"):
        Library.load(tmp_path / "library")
    with pytest.raises(SceneFileError, match="split it"):
        LIBRARY.save(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["library"]


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        Library.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="make it first"):
        LIBRARY.save(tmp_path / "none" / "library")


def test_other_tools_can_read_it(tmp_path):
    LIBRARY.save(tmp_path / "library.safetensors")
    tensors = safetensors.numpy.load_file(tmp_path / "library.safetensors")
    entries = json.loads(tensors["items"].tobytes())
    assert [entry["key"] for entry in entries] == [item.key for item in LIBRARY]
    first = Image.open(io.BytesIO(tensors["thumbnails"][: entries[0]["thumbnail_bytes"]].tobytes()))
    assert (first.format, first.size) == ("WEBP", (96, 96))
