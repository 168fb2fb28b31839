"""Boxes in the frames of other programs: right by their own rules, and back again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from strategies import NUM_EXAMPLES, make_scene, scenes

from anchorgen.geometry import (
    box_corners,
    canonical_quat,
    quat_between,
    quat_opencv_to_pytorch3d_rows,
    quat_pytorch3d_rows_to_opencv,
    quat_to_matrix,
)
from anchorgen.scene import Boxes, EditError, SelectionError

examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
ROOM = make_scene(4)
FRAMES = ("opencv", "three", "pytorch3d")
# Camera axes of each frame, written out: right, down and forward of the picture in its coordinates.
AXES = {
    "opencv": np.eye(3),
    "three": np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]),
    "pytorch3d": np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]]),
}
quats = arrays(np.float64, (4, 4), elements=st.floats(-1, 1)).filter(
    lambda q: bool(np.all(np.linalg.norm(q, axis=-1) > 1e-3))
)


def rotation_of(quat: np.ndarray, frame: str) -> np.ndarray:
    """Column-vector rotations `[M, 3, 3]` by scipy, as each program defines its quaternions."""
    if frame == "three":
        return Rotation.from_quat(quat).as_matrix()
    matrix = Rotation.from_quat(quat, scalar_first=True).as_matrix()
    return np.swapaxes(matrix, 1, 2) if frame == "pytorch3d" else matrix


def corners_of(boxes: Boxes) -> np.ndarray:
    unit = box_corners(np.zeros(3), np.array([1.0, 0, 0, 0]), np.ones(3))
    own = unit * boxes.scale[:, None]
    if boxes.frame == "pytorch3d":  # rows: p @ R(q) + t
        return own @ Rotation.from_quat(boxes.quat, scalar_first=True).as_matrix() + boxes.translation[:, None]
    return np.einsum("mij,mkj->mki", rotation_of(boxes.quat, boxes.frame), own) + boxes.translation[:, None]


@examples
@given(scenes(), st.sampled_from(FRAMES))
def test_corners_are_the_same_points(scene, frame):
    slots = np.flatnonzero(scene.presence)
    ours = box_corners(scene.translation[slots], scene.quat_wxyz[slots], scene.scale[slots])
    theirs = corners_of(scene.boxes(frame))
    np.testing.assert_allclose(theirs, ours @ AXES[frame], atol=1e-6)


@examples
@given(scenes(), st.sampled_from(FRAMES), st.sampled_from(FRAMES))
def test_a_scene_comes_back_with_every_bit(scene, frame, other):
    boxes = scene.boxes(frame).to(other)
    assert boxes.frame == other
    assert scene.with_boxes(boxes).equals(scene)


@examples
@given(
    arrays(np.float64, (4, 3), elements=st.floats(-1e4, 1e4)),
    quats,
    arrays(np.float64, (4, 3), elements=st.floats(0.01, 1e3)),
    st.sampled_from(FRAMES),
    st.lists(st.sampled_from(FRAMES), min_size=1, max_size=4),
)
def test_frames_round_trip_in_float64(translation, quat, scale, start, path):
    names = ["a", "b", "c", "d"]
    unit = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    boxes = back = Boxes(start, translation, unit, scale, labels=names, ids=names)
    for frame in (*path, start):
        back = back.to(frame)
    np.testing.assert_allclose(back.translation, boxes.translation, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(back.scale, boxes.scale)
    off = np.minimum(np.abs(back.quat - unit).max(-1), np.abs(back.quat + unit).max(-1))
    assert off.max() < 1e-6
    assert (back.ids, back.labels) == (names, names)


@examples
@given(quats)
def test_pytorch3d_quaternions_turn_rows(quat):
    quat = canonical_quat(quat)
    rows = quat_opencv_to_pytorch3d_rows(quat)
    own = np.array([0.3, -1.2, 0.7])
    seen = np.einsum("mij,j->mi", quat_to_matrix(quat), own) @ AXES["pytorch3d"]
    np.testing.assert_allclose(own @ quat_to_matrix(rows), seen, atol=1e-9)
    back = quat_pytorch3d_rows_to_opencv(rows)
    np.testing.assert_allclose(quat_to_matrix(back), quat_to_matrix(quat), atol=1e-9)
    assert np.all(rows[:, 0] >= -1e-12)


@examples
@given(arrays(np.float64, (2, 3), elements=st.floats(-1, 1)))
def test_quat_between_takes_one_direction_to_the_other(pair):
    lengths = np.linalg.norm(pair, axis=-1, keepdims=True)
    if np.any(lengths < 1e-3):
        return
    source, target = pair / lengths
    np.testing.assert_allclose(quat_to_matrix(quat_between(source, target)) @ source, target, atol=1e-6)
    np.testing.assert_allclose(quat_to_matrix(quat_between(source, -source)) @ source, -source, atol=1e-6)


def test_boxes_are_of_present_objects_in_float64():
    boxes = ROOM.remove("nightstand").boxes("three")
    assert boxes.ids == ["bed-1", "table-lamp-1", "wardrobe-1"]
    assert boxes.labels == ["bed", "table lamp", "wardrobe"]
    assert {a.dtype for a in (boxes.translation, boxes.quat, boxes.scale)} == {np.dtype(float)}
    assert len(boxes) == 3


def test_some_boxes_may_be_set():
    boxes = ROOM.boxes("three")
    lamp = Boxes(
        frame="three",
        translation=np.array([[0.0, 0.5, -2.0]]),
        quat=boxes.quat[2:3],
        scale=np.array([[0.2, 0.2, 0.4]]),
        labels=["a lamp"],
        ids=["table-lamp-1"],
    )
    moved = ROOM.with_boxes(lamp)
    np.testing.assert_allclose(moved["lamp"].translation, [0.0, -0.5, 2.0])
    np.testing.assert_allclose(moved["lamp"].scale, [0.2, 0.2, 0.4], rtol=1e-6)
    assert moved.replace(translation=ROOM.translation, scale=ROOM.scale).equals(ROOM)
    assert moved.labels == ROOM.labels


def test_what_cannot_be_set_is_refused():
    boxes = ROOM.boxes("opencv")

    def with_changes(**changes) -> Boxes:
        names = ("frame", "translation", "quat", "scale", "labels", "ids")
        return Boxes(**{**{name: getattr(boxes, name) for name in names}, **changes})

    with pytest.raises(SelectionError, match="no object has the id ghost-1; there are: bed-1, nightstand-1"):
        ROOM.with_boxes(with_changes(ids=["ghost-1", *boxes.ids[1:]]))
    with pytest.raises(EditError, match="unique"):
        ROOM.with_boxes(with_changes(ids=["bed-1"] * 4))
    with pytest.raises(EditError, match=r"bed-1 has its centre at z = .*the scene stays as it was"):
        ROOM.with_boxes(with_changes(translation=-boxes.translation))
    with pytest.raises(EditError, match="unknown frame 'blender'; expected one of opencv, three, pytorch3d"):
        ROOM.boxes("blender")
    with pytest.raises(EditError, match=r"scale of the boxes has shape \[4, 2\]"):
        with_changes(scale=boxes.scale[:, :2])
    with pytest.raises(EditError, match="expected finite"):
        with_changes(translation=boxes.translation * np.nan)
    with pytest.raises(EditError, match="length 0"):
        with_changes(quat=boxes.quat * 0)
    with pytest.raises(EditError, match="3 labels and 4 ids"):
        with_changes(labels=boxes.labels[:3])
