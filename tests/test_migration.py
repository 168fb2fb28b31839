"""Files of every version load forever: the ones committed here, and made-up older and newer versions."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from anchorgen.scene import Library, SceneFileError, SceneLatent, json_scene, library_file
from anchorgen.scene import io as scene_io

FIXTURES = Path(__file__).parent / "fixtures"
SCENE_TEXT = """\
SceneLatent: 4 objects in 6 slots, focal 0.900, 0.900, latent space test-space
  object        label       centre x, y, z (m)  width x depth x height (m)  released
  bed-1         bed         -1.00, 0.28, 3.91   1.60 x 2.00 x 0.90          layout 0.30
  nightstand-1  nightstand  -0.40, 0.60, 3.22   0.50 x 0.40 x 0.55          -
  table-lamp-1  table lamp  0.40, 0.17, 2.67    0.25 x 0.25 x 0.50          -
  table-lamp-2  table lamp  0.40, 0.17, 2.67    0.25 x 0.25 x 0.50          -
  removed: wardrobe-1
  history: move, insert, remove, release"""
BED_QUAT = [0.3503910005092621, 0.4285453259944916, -0.6447352766990662, 0.5271541476249695]


def check_scene_v1(scene: SceneLatent) -> None:
    """Against numbers that were written down when version 1 was current."""
    assert repr(scene) == SCENE_TEXT
    assert scene["bed-1"].quat_wxyz.tolist() == BED_QUAT
    assert float(scene.appearance.sum(dtype=float)) == pytest.approx(11.37424529530108, abs=1e-9)
    assert float(scene.background.sum(dtype=float)) == pytest.approx(1.9486441984772682, abs=1e-9)
    start = scene.undo().undo().undo().undo()
    assert start.history == ()
    assert [view.id for view in start] == ["bed-1", "nightstand-1", "table-lamp-1", "wardrobe-1"]
    assert start["bed-1"].translation[0] == np.float32(-1.2)


def test_version_1_loads():
    check_scene_v1(SceneLatent.load(FIXTURES / "scene-v1.safetensors"))
    check_scene_v1(SceneLatent.from_json((FIXTURES / "scene-v1.json").read_text()))
    library = Library.load(FIXTURES / "library-v1.safetensors")
    assert [item.key for item in library][:4] == ["bed-1", "nightstand-1", "table-lamp-1", "wardrobe-1"]
    assert [item.thumbnail is not None for item in library] == [True] * 4 + [False] * 3
    assert library["bed-2"].appearance.shape == (1, 5)
    assert library["bed-1"].source == "first room"


def lower_floor(tensors, metadata):
    """From a made-up version to the next: the floor was in centimetres."""
    return {**tensors, "floor": tensors["floor"] / 100}, metadata


def rename_quats(tensors, metadata):
    """From a made-up version to the next: quaternions were xyzw, and the latent space had another name."""
    for prefix in ("", "origin."):
        tensors[f"{prefix}quat_wxyz"] = np.roll(tensors.pop(f"{prefix}quat_xyzw"), 1, -1)
    return tensors, {**metadata, "latent_space": metadata["space"]}


def set_format(monkeypatch, version: int, migrations: dict) -> None:
    form = dataclasses.replace(scene_io.SCENE_FORMAT, version=version, migrations=migrations)
    for module in (scene_io, json_scene):
        monkeypatch.setattr(module, "SCENE_FORMAT", form)


def write_version_0(path: Path) -> None:
    data = (FIXTURES / "scene-v1.safetensors").read_bytes()
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    tensors = safetensors.numpy.load(data)
    for prefix in ("", "origin."):
        tensors[f"{prefix}quat_xyzw"] = np.roll(tensors.pop(f"{prefix}quat_wxyz"), -1, -1)
    metadata |= {"format_version": "0", "space": metadata.pop("latent_space")}
    path.write_bytes(safetensors.numpy.save({n: np.array(a, order="C") for n, a in tensors.items()}, metadata))


def test_an_older_version_is_brought_up(tmp_path, monkeypatch):
    write_version_0(tmp_path / "old")
    with pytest.raises(SceneFileError, match="format_version is 0; expected 1 to 1"):
        SceneLatent.load(tmp_path / "old")
    set_format(monkeypatch, 1, {0: rename_quats})
    check_scene_v1(SceneLatent.load(tmp_path / "old"))


def test_versions_are_brought_up_one_by_one(tmp_path, monkeypatch):
    write_version_0(tmp_path / "old")
    set_format(monkeypatch, 2, {0: rename_quats, 1: lower_floor})
    for path in (tmp_path / "old", FIXTURES / "scene-v1.safetensors"):
        scene = SceneLatent.load(path)
        assert scene.floor == pytest.approx(-0.015)
        assert scene["bed-1"].quat_wxyz.tolist() == BED_QUAT
        scene.save(tmp_path / "new")
        assert SceneLatent.load(tmp_path / "new").equals(scene)
    assert SceneLatent.from_json((FIXTURES / "scene-v1.json").read_text()).floor == pytest.approx(-0.015)
    assert scene.to_json()["format_version"] == 2
    monkeypatch.undo()
    with pytest.raises(SceneFileError, match="format_version 2, this anchorgen reads up to 1: update it"):
        SceneLatent.load(tmp_path / "new")


def test_a_version_without_a_way_up_is_refused(monkeypatch):
    set_format(monkeypatch, 3, {2: lower_floor})
    with pytest.raises(SceneFileError, match="expected 2 to 3"):
        SceneLatent.load(FIXTURES / "scene-v1.safetensors")


def test_what_a_migration_makes_is_checked(monkeypatch):
    set_format(monkeypatch, 2, {1: lambda tensors, metadata: ({**tensors, "floor": np.float64(1)}, metadata)})
    with pytest.raises(SceneFileError, match="'floor' is float64"):
        SceneLatent.load(FIXTURES / "scene-v1.safetensors")
    set_format(monkeypatch, 2, {1: lambda tensors, metadata: (tensors, {})})
    with pytest.raises(SceneFileError, match="lacks ids, labels, latent_space"):
        SceneLatent.load(FIXTURES / "scene-v1.safetensors")


def test_libraries_migrate_too(monkeypatch):
    def grow(tensors, metadata):
        return {**tensors, "scale": tensors["scale"] * 2}, metadata

    form = dataclasses.replace(library_file.LIBRARY_FORMAT, version=2, migrations={1: grow})
    monkeypatch.setattr(library_file, "LIBRARY_FORMAT", form)
    library = Library.load(FIXTURES / "library-v1.safetensors")
    np.testing.assert_allclose(library["bed-1"].scale, [3.2, 4.0, 1.8], rtol=1e-6)
