"""Sam3dEncoder whole: masks -> worker (a stand-in in a process of its own) -> scene, by the same calls as any encoder."""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pytest
import torch
from sam3d_helpers import FAKE, SIDE, block, checkpoint, masks, picture
from small_transformers import small_sam3

from anchorgen.encode.moge import DepthMap
from anchorgen.encode.pooling import AttentionPooling
from anchorgen.encode.sam3 import Sam3Masks
from anchorgen.encode.sam3d.encoder import Sam3dEncoder, Sam3dSettings, SkippedObjectsWarning
from anchorgen.encode.sam3d.explain import PerceptionError
from anchorgen.encode.sam3d.results import job_status
from anchorgen.encode.sam3d.workers import Sam3dWorkers
from anchorgen.geometry import quat_to_matrix
from anchorgen.scene.latent import SceneLatent


@pytest.fixture
def make(tmp_path):
    """An encoder on the stand-in; its workers end with the test."""
    started = []

    def build(how="", gpus=(0,), settings=None, **parts):
        torch.manual_seed(0)
        pooling = AttentionPooling(8, 1024, 32, 4, colour_gain=1.0).eval()
        workers = Sam3dWorkers(tmp_path / "job", sys.executable, checkpoint(tmp_path, how), gpus, script=FAKE)
        started.append(workers)
        settings = settings or Sam3dSettings(grid=(4, 4), num_voxels=64, timeout_s=60)
        return Sam3dEncoder(pooling, workers, settings=settings, **parts)

    yield build
    for workers in started:
        workers.close()


def given(count=3):
    return [(m.label, m.mask) for m in masks(count)]


def test_a_picture_becomes_a_scene_of_the_paper_sizes(make):
    encoder = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = encoder.encode(picture(), masks=given())
    assert found.labels == ("a", "b", "c")
    assert found.appearance.shape == (3, 8, 1024)
    np.testing.assert_allclose(found.focal, 1.0)
    assert found.outside.shape == (4, 4)
    assert not found.outside[0, 0]
    assert found.outside[3, 3]
    np.testing.assert_allclose(found.scale, [[0.75, 0.375, 0.1875]] * 3, rtol=1e-5)  # 32, 16 and 8 of 64 voxels of 1.5
    for k in range(3):  # the box's centre is off the grid's: 4 of 64 voxels up the object's z axis from its bottom
        shift = quat_to_matrix(found.quat_wxyz[k]) @ [0, 0, 1.5 * (4 / 64 - 0.5)]
        np.testing.assert_allclose(found.translation[k], [-0.2, 0.1, 2.0] + shift, atol=1e-5)
    names = ("translation", "quat_wxyz", "scale", "appearance", "labels", "focal", "up", "floor")
    fields = {name: getattr(found, name) for name in names}
    scene = SceneLatent.pack(16, **fields, ids=("",) * 3, background=np.zeros((1, 1024)), latent_space="paper")
    assert scene.presence.sum() == 3


def test_the_same_picture_is_not_made_twice(make):
    encoder = make()
    a = encoder.encode(picture(), masks=given())
    times = {p: p.stat().st_mtime_ns for p in encoder.workers.job.rglob("object-*.safetensors")}
    b = encoder.encode(picture(), masks=given())
    assert {p: p.stat().st_mtime_ns for p in times} == times
    np.testing.assert_array_equal(a.appearance, b.appearance)
    encoder.encode(picture(1), masks=given())
    assert job_status(encoder.workers.job).pictures == 2


def test_an_empty_room_still_has_a_camera(make):
    found = make().encode(picture(), masks=[])
    assert found.translation.shape == (0, 3)
    assert found.appearance.shape == (0, 8, 1024)
    assert found.outside.all()


def test_objects_that_fail_or_do_not_fit_are_named(make):
    settings = Sam3dSettings(max_objects=3, grid=(4, 4), num_voxels=64, timeout_s=60)
    encoder = make("oom", settings=settings)
    small = ("tiny", block(48, 48, side=7))
    with pytest.warns(SkippedObjectsWarning, match=r"tiny \(over 3 objects\); a \(the GPU is out of memory"):
        found = encoder.encode(picture(), masks=[*given(), small])
    assert found.labels == ("b", "c")
    assert not found.outside[0, 0]  # of objects that failed, too, the background must not tell
    assert not found.outside[3, 3]


def test_depth_of_this_environment_goes_to_the_worker(make):
    def moge(image):
        v, u = np.meshgrid(*[(np.arange(SIDE) + 0.5) / SIDE] * 2, indexing="ij")
        points = np.stack([(u - 0.5) / 0.5 * 3, (v - 0.5) / 0.7 * 3, np.full_like(u, 3.0)], -1)
        points[0] = np.nan
        return DepthMap(points.astype(np.float32), np.array([0.5, 0.7], np.float32))

    found = make(depth=moge).encode(picture(), masks=given(1))
    np.testing.assert_allclose(found.focal, [0.5, 0.7])


@torch.compiler.set_stance("force_eager")
def test_sam3_and_boxes_join_in(make):
    seeing = Sam3Masks(*small_sam3(), concepts=("bed", "lamp"), threshold=0.0, min_area=0.005, max_overlap=0.9)
    encoder = make(masks=seeing)
    found = encoder.encode(picture())
    assert set(found.labels) <= {"bed", "lamp"}
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert encoder.encode(picture(), boxes=[("chair", (0.2, 0.2, 0.8, 0.8))]).labels == ("chair",)


def test_several_gpus_share_the_pictures(make):
    encoder = make("slow", gpus=(0, 1))
    paths = [encoder.add(picture(k), masks(2)) for k in range(4)]
    encoder.workers.wait([p.name for p in paths], timeout_s=60)
    for path in paths:
        assert len(encoder.read(path)[0].labels) == 2


def test_hints_are_checked(make):
    encoder = make()
    with pytest.raises(ValueError, match="boxes and masks"):
        encoder.encode(picture(), boxes=[], masks=[])
    with pytest.raises(ValueError, match=r"a mask is \[3, 3\]; expected \[56, 56\]"):
        encoder.encode(picture(), masks=[("bed", np.ones((3, 3), bool))])
    with pytest.raises(PerceptionError, match="masks=Sam3Masks.load"):
        encoder.encode(picture())
    with pytest.raises(PerceptionError, match="only reads jobs"):
        Sam3dEncoder(encoder.pooling).encode(picture(), masks=given())


def test_a_worker_that_cannot_start_says_why_at_once(make, tmp_path):
    with pytest.raises(PerceptionError, match=r"not built for this GPU: install builds for it \(1 pictures wait"):
        make("cuda").encode(picture(), masks=given())
    nowhere = Sam3dWorkers(tmp_path / "job", tmp_path / "no-python", tmp_path / "x")
    with pytest.raises(PerceptionError, match="install its own environment"):
        nowhere.wait(["x"])
    real = Sam3dWorkers(tmp_path / "job2", sys.executable, tmp_path / "pipeline.yaml")
    encoder = make()
    encoder.workers = real
    with pytest.raises(PerceptionError, match="sees no GPU|no .*pipeline.yaml|a package is missing|no usable CUDA"):
        encoder.encode(picture(), masks=given())


def test_a_worker_that_dies_leaves_the_rest_for_the_next(make):
    encoder = make("crash")
    with pytest.raises(PerceptionError, match="a worker ended with code 9"):
        encoder.encode(picture(), masks=given())
    encoder.workers.checkpoint.write_text("")
    assert encoder.encode(picture(), masks=given()).labels == ("a", "b", "c")


def test_an_interrupted_block_stops_its_workers(make):
    encoder = make("slow")
    names = [encoder.add(picture(k), masks(4)).name for k in range(20)]
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), encoder.workers:  # noqa: PT012
        encoder.workers.wait([min(names)], timeout_s=60)  # the first in their order
        raise KeyboardInterrupt
    assert time.monotonic() - start < 15  # 20 s of work were left
    assert job_status(encoder.workers.job).waiting > 0


def test_waiting_has_an_end(make):
    settings = Sam3dSettings(grid=(4, 4), num_voxels=64, timeout_s=0.3)
    with pytest.raises(PerceptionError, match=r"not finished after 0.3 s"):
        make("slow", settings=settings).encode(picture(), masks=given(4))
