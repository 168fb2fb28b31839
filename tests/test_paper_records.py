"""The paper's own latent records, read and written: shapes, frames, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from anchorgen.encode.paper_records import (
    PaperRecordError,
    RecordConvention,
    paper_record_of,
    scenes_from_paper_records,
)
from anchorgen.encode.upright import quat_from_yaw
from anchorgen.geometry import box_corners, quat_to_matrix
from anchorgen.scene.latent import SceneLatent

OURS = RecordConvention("opencv")
SAM3D = RecordConvention("pytorch3d")
UP = np.array([0.0, -np.cos(0.2), -np.sin(0.2)])


def make_scene(seed: int = 0, count: int = 3, num_slots: int = 6) -> SceneLatent:
    rng = np.random.default_rng(seed)
    return SceneLatent.pack(
        num_slots,
        translation=rng.uniform([-1, -0.5, 2], [1, 0.5, 4], (count, 3)),
        quat_wxyz=quat_from_yaw(rng.uniform(-3, 3, count), UP),
        scale=rng.uniform(0.3, 2, (count, 3)),
        appearance=rng.normal(size=(count, 8, 1024)),
        labels=("bed", "lamp", "chair")[:count],
        ids=("",) * count,
        focal=np.array([0.8, 1.1]),
        background=rng.normal(size=(1, 1024)),
        up=UP,
        floor=-1.3,
        latent_space="paper-records",
    )


def read_one(record, convention=OURS, **options) -> SceneLatent:
    (scene,) = scenes_from_paper_records(record, convention, **options)
    return scene


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 999),
    st.sampled_from(["opencv", "pytorch3d"]),
    st.sampled_from(["wxyz", "xyzw"]),
    st.sampled_from(["normalised", "pixels"]),
)
def test_a_scene_written_in_any_convention_comes_back(seed, frame, quaternion, focal):
    scene = make_scene(seed)
    convention = RecordConvention(frame, quaternion, focal, size=(640, 480))
    again = read_one(paper_record_of(scene, convention), convention, num_slots=6)
    np.testing.assert_allclose(again.translation, scene.translation, atol=1e-6)
    np.testing.assert_allclose(box_corners(again.translation, again.quat_wxyz, again.scale)[:3],
                               box_corners(scene.translation, scene.quat_wxyz, scene.scale)[:3], atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(again.focal, scene.focal, rtol=1e-6)
    for name in ("appearance", "background", "scale", "presence"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scene, name))
    assert again.labels == scene.labels


def test_sam3d_rows_are_written_out():
    """A point of the object, placed by `p = x @ R(q) + t` in PyTorch3D's frame, is where our box puts it."""
    scene, point = make_scene(5), np.array([0.1, -0.2, 0.05])
    box = paper_record_of(scene, SAM3D)["box"]
    for k in range(3):
        rows = quat_to_matrix(
            box[k, 3:7]
        )  # `quaternion_to_matrix` is the usual matrix; rows are multiplied from the left
        placed = point @ rows + box[k, :3]
        ours = quat_to_matrix(scene.quat_wxyz[k]) @ point + scene.translation[k]
        np.testing.assert_allclose(placed * [-1, -1, 1], ours, atol=1e-6)


def plain_record(count=3):
    record = paper_record_of(make_scene(count=count, num_slots=count), OURS)
    return {name: record[name] for name in ("box", "appearance", "camera", "background")}


def test_only_the_required_fields_and_flat_tokens():
    record = plain_record()
    record["appearance"] = torch.tensor(record["appearance"].reshape(3, 8192)).bfloat16()
    record["background"], record["camera"] = record["background"][0], np.diag([0.8, 1.1, 1.0])
    scene = read_one(record, num_slots=4)
    assert scene.labels == ("object", "object", "object", "")
    assert np.degrees(np.arccos(np.clip(scene.up @ UP, -1, 1))) < 0.1  # from the objects, which stand
    corners = box_corners(scene.translation, scene.quat_wxyz, scale=scene.scale)[:3]
    assert abs(float(scene.floor) - float((corners @ UP).min())) < 1e-3


def test_slots_that_are_empty_may_hold_anything():
    record = plain_record()
    record["box"][1] = 0.0
    record["presence"] = np.array([1, 0, 1])
    scene = read_one(record)
    assert scene.presence.sum() == 2
    np.testing.assert_array_equal(scene.appearance[1], record["appearance"][2])


def test_files_of_many_records(tmp_path):
    records = [paper_record_of(make_scene(k), SAM3D) for k in range(3)]
    many = {name: np.stack([r[name] for r in records]) for name in records[0]}
    np.savez(tmp_path / "many.npz", **many)
    found = list(scenes_from_paper_records(tmp_path / "many.npz", SAM3D))
    assert [s.labels[:3] for s in found] == [("bed", "lamp", "chair")] * 3
    np.testing.assert_allclose(found[2].translation[:3], make_scene(2).translation[:3], atol=1e-6)
    labels = {"labels": json.dumps(many.pop("labels").tolist())}
    save_file(
        {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in many.items()}, tmp_path / "many.safetensors", labels
    )
    again = list(scenes_from_paper_records(str(tmp_path / "many.safetensors"), SAM3D))
    np.testing.assert_array_equal(again[1].appearance, found[1].appearance)
    assert again[1].labels == found[1].labels


@pytest.mark.parametrize(
    "change, message",
    [
        ({"box": np.zeros((3, 9))}, r"box has shape \[3, 9\]; expected \[3, 10\]"),
        (
            {"appearance": np.zeros((3, 4, 64))},
            r"appearance has shape \[3, 4, 64\]; expected \[3, 8, 1024\] or \[3, 8192\]",
        ),
        ({"background": np.zeros((4, 64))}, r"expected \[1, 1024\] or \[1024\]"),
        ({"camera": np.zeros(3)}, r"camera has shape \[3\]; expected \[2\] or \[3, 3\]"),
        ({"camera": np.array([600.0, 600.0])}, "is it in pixels"),
        ({"box": np.full((3, 10), np.nan)}, "box is .* not finite"),
        ({"box": np.full((3, 10), 3.0)}, "is `box` t, q, s?"),
        ({"presence": np.ones(2)}, r"presence has shape \[2\]; expected \[3\]"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(PaperRecordError, match=message):
        read_one(plain_record() | change)


def test_a_wrong_frame_is_suspected():
    record = plain_record()
    record["box"][:, 2] *= -1
    with pytest.raises(PaperRecordError, match=r"z >= 0.05 m.*is the convention right \(opencv\)"):
        read_one(record)


def test_missing_fields_files_and_conventions(tmp_path):
    record = plain_record()
    del record["camera"]
    with pytest.raises(PaperRecordError, match="no camera in .*rename them"):
        read_one(record)
    with pytest.raises(PaperRecordError, match=r"ends in '.pkl'"):
        read_one(tmp_path / "x.pkl")
    for name in ("x.npz", "x.safetensors"):
        with pytest.raises(PaperRecordError, match="cannot be read"):
            read_one(tmp_path / name)
        (tmp_path / name).write_bytes(b"PK\x03\x04 no")
        with pytest.raises(PaperRecordError, match="cannot be read"):
            read_one(tmp_path / name)
    np.savez(tmp_path / "objects.npz", box=np.array([{"a": 1}], dtype=object))
    with pytest.raises(PaperRecordError, match="without objects"):
        read_one(tmp_path / "objects.npz")
    with pytest.raises(PaperRecordError, match="frame is 'opengl'"):
        RecordConvention("opengl")
    with pytest.raises(PaperRecordError, match="needs size"):
        RecordConvention("opencv", focal="pixels")
    many = {name: np.stack([value, value]) for name, value in plain_record().items()}
    many["box"][1, 0, 2] = -1
    with pytest.raises(PaperRecordError, match="record 1: .*z >= 0.05"):
        list(scenes_from_paper_records(many, OURS))
