"""The file protocol with SAM 3D's environment: whole files, resuming, sharing, and nothing dropped in silence."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import pytest
from sam3d_helpers import SIDE, add, checkpoint, picture, run_worker, start_worker

from anchorgen.encode.sam3d import folder, worker
from anchorgen.encode.sam3d.results import job_status, read_picture

pytestmark = pytest.mark.filterwarnings("error")


def test_a_worker_makes_every_object_and_needs_no_anchorgen(tmp_path):
    job = tmp_path / "job"
    add(job, "one"), add(job, "two", count=1, seed=5), add(job, "empty", count=0)
    done = run_worker(job, checkpoint(tmp_path))
    assert done.returncode == 0, done.stderr
    status = job_status(job)
    assert (status.pictures, status.done, status.waiting, status.failures) == (3, 4, 0, ())
    result = read_picture(job / "pictures" / "one")
    assert [result.objects[i].label for i in range(3)] == ["a", "b", "c"]
    area = 14**2 / SIDE**2
    np.testing.assert_allclose(result.objects[0].feats, (area - 0.5) / 2.0, atol=1e-4)  # whitened by the record's own
    np.testing.assert_allclose(result.depth.focal, 1.0)
    assert result.depth.points[0, 0, 0] < 0 < result.depth.points[-1, -1, 1]  # x right, y down
    assert read_picture(job / "pictures" / "empty").depth is not None


def test_a_worker_killed_in_the_middle_resumes_without_redoing(tmp_path):
    job = tmp_path / "job"
    for k in range(3):
        add(job, f"p{k}", seed=k)
    slow = checkpoint(tmp_path, "slow")
    first = start_worker(job, slow)
    end = time.monotonic() + 30
    while job_status(job).done < 2 and time.monotonic() < end:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    status = job_status(job)
    assert 2 <= status.done < 9
    made = {p: p.stat().st_mtime_ns for p in job.rglob("object-*.safetensors")}
    for path in made:
        folder.check_object(folder.read_tensors(path))  # what is there is whole
    assert run_worker(job, checkpoint(tmp_path)).returncode == 0
    assert job_status(job).done == 9
    assert {p: p.stat().st_mtime_ns for p in made} == made


def test_two_workers_share_a_folder_and_outlive_one_another(tmp_path):
    job = tmp_path / "job"
    for k in range(6):
        add(job, f"p{k}", count=2, seed=k)
    slow = checkpoint(tmp_path, "slow")
    both = [start_worker(job, slow, "--gpu", str(k)) for k in range(2)]
    time.sleep(1.2)
    both[0].kill()
    assert both[1].communicate(timeout=60)[1] == ""
    both[0].communicate()
    assert both[1].returncode == 0
    assert job_status(job).done == 12
    tries = [int(p.read_text()) for p in job.rglob("object-*.tries")]
    assert len(tries) == 12
    assert sum(tries) <= 13  # only what the dead one was at is begun again


def test_no_two_workers_have_the_same_picture(tmp_path):
    path = add(tmp_path / "job", "one")
    with folder.claimed(path / ".lock") as mine, folder.claimed(path / ".lock") as other:
        assert mine and not other
    with folder.claimed(path / ".lock") as mine:
        assert mine


def test_objects_that_cannot_be_made_are_listed_and_can_be_retried(tmp_path):
    job = tmp_path / "job"
    path = add(job, "one")
    (path / "mask-001.png").write_bytes(b"no picture")
    broken = add(job, "two")
    (broken / "picture.json").write_text("{")
    assert run_worker(job, checkpoint(tmp_path, "oom")).returncode == 0
    failures = {(f.picture, f.index): f for f in job_status(job).failures}
    assert set(failures) == {("one", 0), ("one", 1), ("two", -1)}
    assert "out of memory" in failures["one", 0].reason
    assert "32 GB" in failures["one", 0].reason
    assert "mask-001.png cannot be read" in failures["one", 1].reason
    assert "not JSON" in failures["two", -1].reason
    assert "one 0 a: the GPU is out of memory" in str(job_status(job))
    assert run_worker(job, checkpoint(tmp_path), "--retry-failed").returncode == 0
    assert {(f.picture, f.index) for f in job_status(job).failures} == {("one", 1), ("two", -1)}
    assert job_status(job).done == 2


def test_an_object_that_kills_workers_is_left_alone_after_three(tmp_path):
    job = tmp_path / "job"
    add(job, "one")
    crash = checkpoint(tmp_path, "crash")
    assert [run_worker(job, crash).returncode for _ in range(4)] == [9, 9, 9, 0]
    status = job_status(job)
    assert status.done == 2
    assert "ended 3 times" in status.failures[0].reason


def test_a_gpu_that_cannot_be_used_ends_the_worker_with_one_line(tmp_path):
    job = tmp_path / "job"
    add(job, "one")
    done = run_worker(job, checkpoint(tmp_path, "cuda"))
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        "torch (or a package with kernels of its own) is not built for this GPU: install builds for it"
    ]
    assert job_status(job).waiting == 3  # nothing was blamed on the objects


def test_an_older_or_foreign_folder_is_refused(tmp_path):
    job = folder.create(tmp_path / "job")
    (job / "job.json").write_text(json.dumps({"format": folder.FORMAT, "version": 99}))
    with pytest.raises(folder.JobError, match="version 99; this reads 1"):
        folder.create(job)
    done = run_worker(tmp_path / "nothing", checkpoint(tmp_path))
    assert done.returncode == 2
    assert "expected a job folder made by anchorgen" in done.stderr


def test_depth_of_a_large_picture_is_thinned_and_kept_until_all_is_done(tmp_path):
    job = folder.create(tmp_path / "job")
    height, width = 300, 400
    v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    points = np.stack([-(u - 0.5) * 3 / 0.8, -(v - 0.5) * 3, np.full_like(u, 3.0)], -1)  # a wall 3 m ahead
    depth = {"points": points, "intrinsics": np.array([[0.8, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])}
    mask = np.zeros((1, height, width), bool)
    mask[0, :50, :50] = True
    rgb = np.zeros((height, width, 3), np.uint8)
    path = folder.add_picture(job, "wide", rgb, mask, ["bed"], [1.0], depth)
    assert run_worker(job, checkpoint(tmp_path, "oom")).returncode == 0
    assert (path / "depth.safetensors").exists()
    assert run_worker(job, checkpoint(tmp_path), "--retry-failed").returncode == 0
    assert not (path / "depth.safetensors").exists()
    seen = read_picture(path).depth
    assert seen.points.shape == (75, 100, 3)
    np.testing.assert_allclose(seen.focal, [0.8, 1.0])


def test_adding_a_picture_twice_keeps_the_first(tmp_path):
    path = add(tmp_path / "job", "one", seed=0)
    before = (path / "picture.png").read_bytes()
    assert add(tmp_path / "job", "one", seed=1) == path
    assert (path / "picture.png").read_bytes() == before
    with pytest.raises(folder.JobError, match="name '../x'"):
        add(tmp_path / "job", "../x")
    with pytest.raises(folder.JobError, match="3 labels"):
        folder.add_picture(tmp_path / "job", "z", picture(), np.zeros((1, SIDE, SIDE), bool), list("abc"), [1.0])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"feats": np.zeros((5, 7), np.float16)}, r"feats is float16 \[5, 7\]; expected float16 \['V', 8\]"),
        ({"rotation": np.full(4, np.nan, np.float32)}, "rotation is not finite"),
        ({"coords": np.full((5, 3), 64, np.uint8)}, "coords reach 64"),
        ({"scale": np.zeros(3, np.float32)}, "scale"),
        ({"coords": np.zeros((4, 3), np.uint8)}, "4 coords and 5 feats"),
    ],
)
def test_a_result_is_checked_before_it_is_written(change, message):
    good = {
        name: np.ones([5 if d == "V" else d for d in shape], kind)
        for name, (kind, shape) in folder.OBJECT_FIELDS.items()
    }
    folder.check_object(good)
    with pytest.raises(folder.JobError, match=message):
        folder.check_object(good | change)


def test_a_damaged_result_file_is_listed(tmp_path):
    job = tmp_path / "job"
    path = add(job, "one")
    assert run_worker(job, checkpoint(tmp_path)).returncode == 0
    folder.result_path(path, 1).write_bytes(b"\x00" * 40)
    result = read_picture(path)
    assert sorted(result.objects) == [0, 2]
    assert "delete it, and the worker makes it again" in result.failures[0].reason


def test_a_following_worker_ends_with_its_parent(tmp_path):
    job = folder.create(tmp_path / "job")
    process = start_worker(
        job, checkpoint(tmp_path), "--follow", "--parent", "0"
    )  # not its parent: as if that had ended
    assert process.wait(timeout=30) == 0
    process.communicate()


def test_pipelines_that_make_foreign_things_are_refused():
    worker._check_targets({"a": [{"_target_": "sam3d_objects.x.Y"}, {"_target_": "moge.model.v1.MoGeModel"}]})
    with pytest.raises(RuntimeError, match=r"'os\.system'"):
        worker._check_targets({"a": [{"b": {"_target_": "os.system"}}]})
