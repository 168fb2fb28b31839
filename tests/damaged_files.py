"""Files with bytes flipped or cut, and what reading them costs.

As a program, `python tests/damaged_files.py KIND NUM FOLDER`, it reads NUM damaged files and then all files of a folder, in
a process of its own so that all memory counts, and prints what came of it as JSON.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from hypothesis import strategies as st
from PIL import Image
from strategies import make_scene

from anchorgen.scene import EditError, Library, SceneFileError, SceneLatent, SelectionError

MAX_SECONDS = 1.0
MAX_BYTES = 200_000_000

ROOM = make_scene(4, num_slots=6, num_tokens=2, num_channels=8)
EDITED = ROOM.move("bed", right=0.2).insert(ROOM["lamp"]).remove("wardrobe").release("bed.layout", strength=0.3)


def make_picture(seed: int = 0, size: tuple[int, int] = (128, 128)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def make_library() -> Library:
    library = Library()
    library.add(ROOM, image=make_picture(), source="first room")
    library.add(make_scene(3, num_tokens=1, num_channels=5, seed=2, latent_space="other"), source="second room")
    return library


def saved(value: SceneLatent | Library, path: Path) -> bytes:
    value.save(path)
    return path.read_bytes()


@st.composite
def damages(draw: st.DrawFn, data: bytes, header: int) -> bytes:
    """`data` with up to four bytes changed, in its start, its first `header` bytes or anywhere, or its end cut off."""
    damaged = bytearray(data)
    end = draw(st.sampled_from([min(8, header), header, len(data)]))
    for place in draw(st.lists(st.integers(0, end - 1), max_size=4)):
        damaged[place] ^= draw(st.integers(1, 255))
    return bytes(damaged[: draw(st.none() | st.integers(0, len(damaged)))])


def header_length(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def read_scene(path: Path) -> SceneLatent | None:
    """The scene in a file, or None if it was refused; its history is used, too."""
    return _used(lambda: SceneLatent.load(path))


def read_json(path: Path) -> SceneLatent | None:
    return _used(lambda: SceneLatent.from_json(path.read_bytes()))


def read_library(path: Path) -> Library | None:
    """The library in a file, or None if it was refused; all of its pictures are looked at."""
    try:
        library = Library.load(path)
    except SceneFileError:
        return None
    for item in library:
        assert item.thumbnail is None or max(item.thumbnail.size) <= 96
    return library


def _used(load: Callable[[], SceneLatent]) -> SceneLatent | None:
    try:
        scene = load()
    except SceneFileError:
        return None
    with contextlib.suppress(EditError, SelectionError):
        scene.undo()
    return scene


def hostile_libraries(good: bytes) -> Iterator[bytes]:
    """Libraries that ask for much: lists of lists, the largest pictures; the last is the largest that is read."""
    tensors = safetensors.numpy.load(good)
    metadata = {"format_version": "1", "kind": "library"}

    def changed(**changes: np.ndarray) -> bytes:
        return safetensors.numpy.save({**tensors, **changes}, metadata)

    yield changed(items=np.frombuffer(b"[" + b"[]," * 340_000 + b"[]]", np.uint8))
    yield changed(items=np.frombuffer(b"[" * (1 << 20), np.uint8))
    yield changed(items=np.zeros(4 << 20, np.uint8))
    yield changed(appearance=np.zeros(16 << 20, np.float32) + 1)
    yield changed(appearance=np.zeros((62 << 20) // 4, np.float32))
    yield changed(thumbnails=np.zeros(60 << 20, np.uint8))
    entries = json.loads(tensors["items"].tobytes())
    for side in (97, 4000, 10_000):
        buffer = io.BytesIO()
        Image.new("RGB", (side, side)).save(buffer, "WEBP", lossless=True, method=0)
        picture = buffer.getvalue()
        bombs = [{**entry, "thumbnail_bytes": len(picture)} for entry in entries]
        yield changed(
            thumbnails=np.frombuffer(picture * len(entries), np.uint8),
            items=np.frombuffer(json.dumps(bombs).encode(), np.uint8),
        )
    yield bytes(65 << 20)
    large = [
        {**entry, "key": str(i), "tokens": [1, 15_500], "thumbnail_bytes": 0}
        for i, entry in enumerate(entries[:1] * 1000)
    ]
    rows = {
        name: np.repeat(tensors[name][:1], 1000, 0) for name in ("translation", "quat_wxyz", "scale", "up", "floor")
    }
    names = np.frombuffer(json.dumps(large).encode(), np.uint8)
    yield changed(**rows, items=names, thumbnails=np.zeros(0, np.uint8), appearance=np.ones(15_500_000, np.float32))


def hostile_texts(good: bytes) -> Iterator[bytes]:
    """JSON texts that ask for much."""
    value = json.loads(good)
    for filler in (b"[],", b"{},", b"1.5,", b'"ab",', b'{"a":"bcd"},'):
        yield (
            b'{"format_version":1,"kind":"scene","slots":['
            + filler * (500_000 // len(re.findall(rb"[\[{,]", filler)))
            + b"0]}"
        )
        yield b"[" + filler * ((31 << 20) // len(filler)) + b"0]"
    yield b"[" * (31 << 20)
    yield b'{"a":' * 300_000
    shapes = ([1 << 40, 3], [-1, 3], [2**62, 2**62], [[]], "x", None)
    yield from (json.dumps({**value, "appearance": {**value["appearance"], "shape": s}}).encode() for s in shapes)
    yield json.dumps({**value, "appearance": {"shape": [1, 1, 1], "float32": "A" * (31 << 20)}}).encode()
    yield b"9" * 5000
    yield bytes(33 << 20)


READERS: dict[str, Callable[[Path], Any]] = {"scene": read_scene, "library": read_library, "json": read_json}


def good_file(kind: str, path: Path) -> bytes:
    """An undamaged file of a kind; `path` is written over."""
    if kind == "json":
        return json.dumps(EDITED.to_json()).encode()
    return saved(make_library() if kind == "library" else EDITED, path)


def main(kind: str, num_examples: int, folder: Path) -> None:
    rng, read = np.random.default_rng(0), READERS[kind]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "file"
        good = good_file(kind, path)
        path.write_bytes(good)
        assert read(path) is not None
        before, worst, refused = peak_bytes(), 0.0, 0
        for file in itertools.chain((_damaged(good, rng, path) for _ in range(num_examples)), sorted(folder.iterdir())):
            start = time.process_time()
            refused += read(file) is None
            worst = max(worst, time.process_time() - start)
        print(json.dumps({"refused": refused, "worst_seconds": worst, "extra_bytes": peak_bytes() - before}))


def peak_bytes() -> int:
    """The most memory this process ever held. (`ru_maxrss` counts the process that started it, too.)"""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])


def _damaged(data: bytes, rng: np.random.Generator, path: Path) -> Path:
    """`path`, written over with a damaged copy of `data`."""
    damaged = np.frombuffer(data, np.uint8).copy()
    end = rng.choice([8, min(len(data), 2000), len(data)])
    places = rng.integers(0, end, rng.integers(0, 5))
    damaged[places] ^= rng.integers(1, 256, len(places)).astype(np.uint8)
    path.write_bytes(damaged[: rng.integers(0, len(data)) if rng.random() < 0.3 else len(data)].tobytes())
    return path


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
