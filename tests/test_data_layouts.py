"""Layouts without pictures are those of the rooms of their seeds, whoever computes them."""

from __future__ import annotations

import errno
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from anchorgen.__main__ import main
from anchorgen.data.layouts import load_layouts, save_layouts
from anchorgen.data.splits import FIRST_SEED, split_of
from anchorgen.train import render_layouts as layouts_job
from anchorgen.train.render_layouts import SEED_OFFSET, render_layouts, room_layout
from anchorgen.world.camera import world_to_camera
from anchorgen.world.rooms import sample_scene


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    path = tmp_path_factory.mktemp("layouts") / "test.safetensors"
    return render_layouts(6, "test", path, progress=False), path


def test_a_file_comes_back_exactly(layouts):
    made, path = layouts
    back = load_layouts(path)
    assert back.categories == made.categories and back.facts == made.facts
    for name in ("seed", "ends", "focal", "up", "floor", "walls", "translation", "quat_wxyz", "scale", "category"):
        a, b = getattr(made, name), getattr(back, name)
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_rooms_are_those_of_their_seeds(layouts):
    made, _ = layouts
    first = FIRST_SEED["test"] + SEED_OFFSET
    assert made.seed.tolist() == list(range(first, first + 6))
    assert {split_of(int(seed)) for seed in made.seed} == {"test"}
    for room, seed in enumerate(made.seed):
        scene, own = sample_scene(int(seed)), made.objects(room)
        assert [made.categories[i] for i in made.category[own]] == [o.category for o in scene.objects]
        np.testing.assert_array_equal(made.focal[room], np.float32(scene.camera.focal))
        # Bottom centres, taken back to the world, are where the room says they stand.
        up_world = np.array([0, 0, 1.0])
        half = made.scale[own, 2:] / 2 * up_world
        world = made.translation[own] @ world_to_camera(scene.camera) + scene.camera.position - half
        flat = [np.allclose(o.quat_wxyz[1:3], 0, atol=1e-9) for o in scene.objects]
        np.testing.assert_allclose(world[flat], np.array([o.position for o in scene.objects])[flat], atol=1e-5)


def test_objects_are_above_the_floor_and_inside_the_walls(layouts):
    made, _ = layouts
    for room in range(len(made)):
        centres = made.translation[made.objects(room)]
        assert np.all(centres @ made.up[room] > made.floor[room] - 1e-4)
        normal, offset = made.walls[room][:, :3], made.walls[room][:, 3]
        assert np.all(centres @ normal.T > offset - 0.05)


def test_the_file_does_not_depend_on_the_workers(layouts, tmp_path, monkeypatch):
    monkeypatch.setattr(layouts_job, "_ROOMS_A_JOB", 2)
    render_layouts(6, "test", tmp_path / "two.safetensors", workers=2, progress=False)
    assert (tmp_path / "two.safetensors").read_bytes() == layouts[1].read_bytes()


def test_a_room_that_fails_is_named(tmp_path, monkeypatch):
    bad = FIRST_SEED["val"] + SEED_OFFSET + 1

    def unlucky(seed: int):
        if seed == bad:
            raise RuntimeError("unlucky")
        return room_layout(seed)

    monkeypatch.setattr(layouts_job, "room_layout", unlucky)
    monkeypatch.setattr(layouts_job, "run_jobs", lambda function, jobs, workers: map(function, jobs))
    made = render_layouts(3, "val", tmp_path / "x.safetensors", progress=False)
    assert made.seed.tolist() == [bad - 1, bad + 1]
    assert load_layouts(tmp_path / "x.safetensors").facts["failures"] == {str(bad): "RuntimeError: unlucky"}


def test_bad_requests_say_what_to_do(tmp_path, layouts):
    with pytest.raises(ValueError, match="count=0"):
        render_layouts(0, "test", tmp_path / "x")
    with pytest.raises(ValueError, match="expected one of train, val, test"):
        render_layouts(1, "dev", tmp_path / "x")
    with pytest.raises(ValueError, match="would leave split 'val'"):
        render_layouts(9_000_001, "val", tmp_path / "x")
    with pytest.raises(FileNotFoundError, match="data layouts --out"):
        load_layouts(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no file of layouts"):
        load_layouts(tmp_path / "x")
    with pytest.raises(OSError):
        save_layouts(layouts[0], tmp_path / "x" / "below.safetensors")


@pytest.fixture
def no_work(monkeypatch):
    def run_jobs(function, jobs, workers):
        raise AssertionError("the work has begun")

    monkeypatch.setattr(layouts_job, "run_jobs", run_jobs)


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path, no_work):
    with pytest.raises(ValueError, match=r"--out: got the folder .*; expected a file, say .*layouts.safetensors"):
        render_layouts(1, "test", tmp_path)
    with pytest.raises(OSError, match="too long"):
        render_layouts(1, "test", tmp_path / ("x" * 250))  # a fit name, but not for what is written beside
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        render_layouts(1, "test", tmp_path / "file" / "below")
    with pytest.raises(AssertionError, match="begun"):
        render_layouts(1, "test", tmp_path / "fit.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "error", [BrokenProcessPool("gone"), MemoryError(), ImportError("x"), OSError(errno.ENOSPC, "full")]
)
def test_the_command_claims_no_finished_work(tmp_path, monkeypatch, error):
    def ended(*args, **options):
        raise error

    monkeypatch.setattr(layouts_job, "render_layouts", ended)
    with pytest.raises(SystemExit, match="anchorgen data layouts: .*Nothing of the work is kept") as caught:
        main(["data", "layouts", "--count", "1", "--out", str(tmp_path / "x")])
    assert "intact" not in str(caught.value) and "goes on" not in str(caught.value)


def test_the_command_writes_to_the_cache(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path))
    main(["data", "layouts", "--count", "2", "--split", "val"])
    assert "2 rooms" in capsys.readouterr().out
    assert len(load_layouts(tmp_path / "worlds" / "2" / "layouts-val.safetensors")) == 2
