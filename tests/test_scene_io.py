"""Scene files: exact round trips, and nothing worse than a SceneFileError from whatever is in a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import time
import tracemalloc

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES, make_scene, run_program, scenes, verbs

from anchorgen.scene import EditError, SceneFileError, SceneLatent, SelectionError
from anchorgen.scene import io as scene_io

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
# tmp_path is written over in each example, on purpose.
examples = settings(
    max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ROOM = make_scene(4, num_slots=6, num_tokens=2, num_channels=8)
EDITED = ROOM.move("bed", right=0.2).insert(ROOM["lamp"]).remove("wardrobe").release("bed.layout", strength=0.3)


def file_bytes(scene: SceneLatent, path) -> bytes:
    scene.save(path)
    return path.read_bytes()


def load_bytes(data: bytes, path) -> SceneLatent:
    path.write_bytes(data)
    return SceneLatent.load(path)


def rewritten(path, scene: SceneLatent = EDITED, metadata: dict | None = None, **tensors) -> bytes:
    """The file of `scene` with some tensors and metadata changed; None leaves one out."""
    data = file_bytes(scene, path)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    changed = {**safetensors.numpy.load(data), **{name.replace("__", "."): array for name, array in tensors.items()}}
    changed = {name: array for name, array in changed.items() if array is not None}
    metadata = {k: v for k, v in {**header["__metadata__"], **(metadata or {})}.items() if v is not None}
    return safetensors.numpy.save(changed, metadata)


@examples
@given(scenes(), st.lists(verbs(), max_size=8))
def test_save_and_load_is_exact(tmp_path, scene, program):
    end = run_program(scene, program)
    end.save(tmp_path / "room.safetensors")
    loaded = SceneLatent.load(tmp_path / "room.safetensors")
    assert loaded.equals(end)
    assert loaded.history == end.history
    for name in ("translation", "presence", "floor"):
        assert getattr(loaded, name).dtype == getattr(end, name).dtype
        assert not getattr(loaded, name).flags.writeable
    if end.history:
        assert loaded.origin.equals(scene)
        assert loaded.undo().equals(end.undo())
        assert loaded.undo().redo().equals(end)
        names = {"scene": loaded.origin}
        exec(loaded.to_python(), names)
        assert names["scene"].equals(end)


@examples
@given(st.data())
def test_damaged_files_are_a_scene_or_an_error(tmp_path, data):
    damaged = bytearray(file_bytes(EDITED, tmp_path / "good"))
    header = 8 + int.from_bytes(damaged[:8], "little")
    end = data.draw(st.sampled_from([8, header, len(damaged)]))
    for place in data.draw(st.lists(st.integers(0, end - 1), max_size=4)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.none() | st.integers(0, len(damaged)))
    with contextlib.suppress(SceneFileError):
        loaded = load_bytes(bytes(damaged[:cut]), tmp_path / "damaged")
        assert isinstance(loaded, SceneLatent)
        with contextlib.suppress(EditError, SelectionError):
            loaded.undo()


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 200, 2000])
def test_truncated_files(tmp_path, length):
    with pytest.raises(SceneFileError):
        load_bytes(file_bytes(EDITED, tmp_path / "room")[:length], tmp_path / "cut")
    with pytest.raises(SceneFileError):
        load_bytes(file_bytes(EDITED, tmp_path / "room")[: -max(length, 1)], tmp_path / "cut")


def numpy_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        pickle.dumps({"scene": list(range(500))}),
        numpy_file(),
        b"{}" * 300,
        (10).to_bytes(8, "little") + b"[" * 5000,
        (5000).to_bytes(8, "little") + b"[" * 5000,
        (2).to_bytes(8, "little") + b"{}" + bytes(100),
        (4).to_bytes(8, "little") + b"null" + bytes(100),
        safetensors.numpy.save({"a": np.zeros(3, np.float32)}),
    ],
)
def test_files_of_other_kinds(tmp_path, data):
    with pytest.raises(SceneFileError):
        load_bytes(data, tmp_path / "other")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": {"format_version": "2"}}, "update it"),
        ({"metadata": {"format_version": "0"}}, "format_version is 0"),
        ({"metadata": {"format_version": "one"}}, "expected a number"),
        ({"metadata": {"format_version": None}}, "no format_version"),
        ({"metadata": {"labels": None}}, "lacks"),
        ({"metadata": {"labels": "[1, 2]"}}, "lists of strings"),
        ({"metadata": {"labels": "[]"}}, "labels has 0 entries"),
        ({"metadata": {"ids": "not json"}}, "not a scene"),
        ({"translation": None}, "lacks translation"),
        ({"translation": np.zeros((6, 3))}, "F32"),
        ({"translation": np.zeros((6, 2), np.float32)}, r"translation has shape \[6, 2\]"),
        ({"translation": np.zeros((5, 3), np.float32)}, "expected"),
        ({"translation": np.full((6, 3), np.nan, np.float32)}, "finite"),
        ({"translation": np.zeros((6, 3), np.float32)}, "z >= 0.05 m"),
        ({"scale": np.zeros((6, 3), np.float32)}, "0.01 m"),
        ({"quat_wxyz": np.zeros((6, 4), np.float32)}, "unit quaternion"),
        ({"presence": np.full(6, 3, np.uint8)}, "presence"),
        ({"presence": np.ones(6, bool)}, "U8"),
        ({"anchors__layout": np.full(6, 2, np.float32)}, r"\[0, 1\]"),
        ({"surprise": np.zeros(6, np.float32)}, "surprise"),
        ({"history": np.frombuffer(b"[1]", np.uint8)}, "not a scene"),
        ({"history": np.frombuffer(b'[{"verb": "explode", "arguments": {}}]', np.uint8)}, "unknown verb"),
        ({"history": np.frombuffer(b'[{"verb": "move", "arguments": {"x": 1}}]', np.uint8)}, "does not fit"),
        ({"history": np.frombuffer(b'[{"verb": "remove", "arguments": {"selector": NaN}}]', np.uint8)}, "NaN"),
        ({"origin__translation": np.zeros((6, 3), np.float32)}, "z >= 0.05 m"),
    ],
)
def test_wrong_contents_say_what(tmp_path, changes, message):
    with pytest.raises(SceneFileError, match=message):
        load_bytes(rewritten(tmp_path / "room", **changes), tmp_path / "wrong")


@pytest.mark.parametrize("version", ["Infinity", "1e999", "1.5", "true", "1"])
def test_a_version_that_is_no_string_is_damage(tmp_path, version):
    data = rewritten(tmp_path / "room")
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(b'"format_version":"1"', b'"format_version":' + version.encode())
    with pytest.raises(SceneFileError, match="expected a number|strings"):
        load_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :], tmp_path / "wrong")


def test_too_many_slots(tmp_path):
    scene = make_scene(1, num_slots=257, num_tokens=1, num_channels=1)
    with pytest.raises(SceneFileError, match="257 slots; expected 1 to 256"):
        scene.save(tmp_path / "large")
    assert list(tmp_path.iterdir()) == []


def hostile(header: dict | bytes, length: int | None = None, tail: int = 64) -> bytes:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(data) if length is None else length).to_bytes(8, "little") + data + bytes(tail)


def hostile_files(tmp_path):
    good = file_bytes(EDITED, tmp_path / "good")
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])
    for shape in ([2**60, 3], [2**30, 2**30], [-1, 3], [10**30, 3], [True, 3], [1.5, 3], "x", []):
        yield hostile({**header, "translation": {**header["translation"], "shape": shape}})
    yield hostile(b"{}", length=2**63)
    yield hostile(b"{}", length=1 << 30)
    yield hostile(b'{"a":' * 100_000)
    yield hostile(b"[" + b"[]," * 300_000 + b"[]]")
    many = b"[" + b"[]," * ((4 << 20) // 3 - 10) + b"[]]"
    yield rewritten(tmp_path / "good", history=np.frombuffer(many, np.uint8))
    yield rewritten(tmp_path / "good", history=np.frombuffer(b"[" * (4 << 20), np.uint8))
    yield rewritten(tmp_path / "good", history=np.zeros(5 << 20, np.uint8))
    yield bytes(33 << 20)


def test_hostile_files_cost_little(tmp_path):
    for number, data in enumerate(hostile_files(tmp_path)):
        (tmp_path / "hostile").write_bytes(data)
        tracemalloc.start()
        start = time.process_time()
        with pytest.raises(SceneFileError):
            SceneLatent.load(tmp_path / "hostile")
        seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 200e6, number
        assert seconds < 5.0, number  # tracemalloc makes it several times slower than it is


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = tmp_path / "room.safetensors"
    ROOM.save(path)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        EDITED.save(path)
    assert [item.name for item in tmp_path.iterdir()] == ["room.safetensors"]
    assert SceneLatent.load(path).equals(ROOM)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        SceneLatent.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        ROOM.save(tmp_path / "none" / "room")


def test_a_history_that_does_not_fit_keeps_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(scene_io, "MAX_HISTORY_BYTES", 400)
    scene = ROOM
    for step in range(20):
        scene = scene.move("bed", right=0.01 * step)
    scene.save(tmp_path / "long")
    loaded = SceneLatent.load(tmp_path / "long")
    assert loaded.equals(scene)
    assert 0 < len(loaded.history) < 20
    assert loaded.history == scene.history[-len(loaded.history) :]
    assert loaded.undo().equals(scene.undo())


def test_other_tools_can_read_it(tmp_path):
    EDITED.save(tmp_path / "room.safetensors")
    with safetensors.safe_open(tmp_path / "room.safetensors", framework="numpy") as file:
        assert file.metadata()["format_version"] == "1"
        assert json.loads(file.metadata()["labels"])[0] == "bed"
        np.testing.assert_array_equal(file.get_tensor("translation"), EDITED.translation)


def test_names_of_any_kind_survive(tmp_path):
    odd = ROOM.replace(labels=("Bett <b>", 'say "hi"', "床", "\n\t\\", "", "camera"))
    odd.save(tmp_path / "room")
    assert SceneLatent.load(tmp_path / "room").equals(odd)
