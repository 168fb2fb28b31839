"""Whatever happened to a file: the scene, the library, or a SceneFileError, soon and with little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from damaged_files import (
    EDITED,
    MAX_BYTES,
    MAX_SECONDS,
    READERS,
    ROOM,
    damages,
    good_file,
    header_length,
    hostile_libraries,
    hostile_texts,
    saved,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES

from anchorgen.scene import Library, SceneFileError, SceneLatent

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(
    max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", READERS)
@examples
@given(data=st.data())
def test_damaged_files_are_read_or_refused_soon(tmp_path, kind, data):
    good = good_file(kind, tmp_path / "good")
    damaged = data.draw(damages(good, len(good) if kind == "json" else header_length(good)))
    (tmp_path / "damaged").write_bytes(damaged)
    start = time.process_time()
    READERS[kind](tmp_path / "damaged")
    assert time.process_time() - start < MAX_SECONDS


def largest(kind: str, path: Path) -> Iterator[bytes]:
    """The largest files that are allowed, and what asks for more."""
    good = good_file(kind, path)
    if kind == "scene":
        large = ROOM.replace(appearance=np.ones((6, 640, 2048), np.float32), background=np.ones((1, 2048), np.float32))
        yield saved(large, path)
        yield saved(large, path)[:-1]
    elif kind == "library":
        yield from hostile_libraries(good)
    else:
        yield from hostile_texts(good)


@pytest.mark.parametrize("kind", READERS)
def test_the_worst_files_cost_little(tmp_path, kind):
    folder = tmp_path / "files"
    folder.mkdir()
    for number, data in enumerate(largest(kind, tmp_path / "scratch")):
        (folder / f"{number:03}").write_bytes(data)
    program = Path(__file__).with_name("damaged_files.py")
    command = [sys.executable, str(program), kind, str(NUM_EXAMPLES), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    print(kind, report)
    assert 0 < report["refused"] <= NUM_EXAMPLES + len(list(folder.iterdir()))
    assert report["worst_seconds"] < MAX_SECONDS
    assert report["extra_bytes"] < MAX_BYTES


def test_a_library_is_no_scene(tmp_path):
    Library().save(tmp_path / "library")
    with pytest.raises(SceneFileError, match="is a library; expected a scene; read it with Library.load"):
        SceneLatent.load(tmp_path / "library")
    EDITED.save(tmp_path / "scene")
    with pytest.raises(SceneFileError, match="is a scene; expected a library; read it with SceneLatent.load"):
        Library.load(tmp_path / "scene")
