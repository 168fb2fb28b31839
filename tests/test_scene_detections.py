"""Scenes from 2D boxes and depth: closed forms, and boxes that project to where they were seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES

from anchorgen.geometry import BOX_CORNER_SIGNS, box_corners, floor_basis, project, quat_to_matrix
from anchorgen.scene import SceneLatent

SIZES = {"num_slots": 8, "num_tokens": 2, "num_channels": 3, "num_background_tokens": 1}
BOXES = np.array([[0.1, 0.4, 0.5, 0.8], [0.6, 0.3, 0.8, 0.9]])
LABELS = ("bed", "wardrobe")


def from_detections(boxes=BOXES, labels=LABELS, depth=(3.0, 4.0), focal=(0.8, 1.0), **options) -> SceneLatent:
    return SceneLatent.from_detections(boxes, labels, depth, focal, **{**SIZES, **options})


def test_a_level_camera_has_a_closed_form():
    scene = from_detections(latent_space="some-space", thickness=[2.0, 0.5])
    bed = scene["bed"]
    width, height = 0.4 * 3 / 0.8, 0.4 * 3 / 1.0
    np.testing.assert_allclose(bed.scale, [width, 2.0, height], rtol=1e-6)
    np.testing.assert_allclose(bed.translation, [(0.3 - 0.5) * 3 / 0.8, (0.6 - 0.5) * 3 / 1.0, 3.0 + 1.0], rtol=1e-6)
    np.testing.assert_allclose(quat_to_matrix(bed.quat_wxyz), [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-6)
    assert scene["wardrobe"].scale[1] == 0.5
    assert scene.floor == pytest.approx(-(0.9 - 0.5) * 4)  # the lowest bottom
    assert (scene.num_slots, scene.num_objects, scene.latent_space) == (8, 2, "some-space")
    assert scene.ids[:2] == ("bed-1", "wardrobe-1")


def test_what_is_not_known_is_released():
    scene = from_detections()
    assert np.all(scene.appearance == 0)
    assert np.all(scene.background == 0)
    assert np.all(scene.anchors.appearance == 0)
    assert scene.anchors.background == 0
    assert np.all(scene.anchors.layout == 1)
    assert np.all(scene.anchors.presence == 1)
    assert scene.anchors.focal == 1


@settings(max_examples=NUM_EXAMPLES, deadline=None)
@given(st.floats(-0.6, 0.9), st.floats(-0.3, 0.3), st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.integers(0, 2**32 - 1))
def test_fronts_fill_the_2d_boxes(pitch, roll, fx, fy, seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0.1, 0.7, (3, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.05, 0.25, (3, 2))], 1)
    depth = rng.uniform(1.0, 6.0, 3)
    up = np.array([np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), -np.sin(pitch)])
    scene = from_detections(boxes, ("a", "b", "c"), depth, (fx, fy), up=up)
    for view, box, z in zip(scene, boxes, depth, strict=True):
        axes = quat_to_matrix(view.quat_wxyz)
        np.testing.assert_allclose(axes[:, 2], up, atol=1e-5)
        assert axes[:, 1] @ [0, 0, 1] > 0  # its front, -y, is towards the camera
        assert view.scale[1] == view.scale[0]
        corners = box_corners(view.translation, view.quat_wxyz, view.scale)
        front = corners[BOX_CORNER_SIGNS[:, 1] < 0]
        middle = front.mean(0)
        right, upward, forward = floor_basis(up)
        surface = np.array([(box[[0, 2]].mean() - 0.5) / fx * z, (box[[1, 3]].mean() - 0.5) / fy * z, z])
        assert forward @ middle == pytest.approx(float(forward @ surface), abs=1e-3)  # in the plane of the front
        row = middle + upward * (upward @ (surface - middle))  # at the height of the middle of the 2D box
        sides = [project(row + sign * right * view.scale[0] / 2, scene.focal)[0] for sign in (-1, 1)]
        edges = [project(middle + sign * upward * view.scale[2] / 2, scene.focal)[1] for sign in (1, -1)]
        if roll == 0:  # else the sides of the 2D box are not the sides of the front
            np.testing.assert_allclose([sides[0], edges[0], sides[1], edges[1]], box, atol=1e-4)


def test_heights_are_right_for_a_pitched_camera():
    """An upright, thin plate 1 m wide and 2 m high, 4 m away along the floor, seen by a camera pitched down."""
    pitch = 0.4
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    right, upward, forward = floor_basis(up)
    middle = 4.0 * forward - 0.5 * upward
    focal = np.array([0.8, 1.1])

    def seen(offset: np.ndarray) -> np.ndarray:
        return project(middle + offset, focal)

    row = seen(np.zeros(3))[1]
    top, bottom = seen(upward)[1], seen(-upward)[1]
    half = 0.5 * focal[0] / (middle @ [0, 0, 1])
    box = np.array([[0.5 - half, top, 0.5 + half, bottom]])
    centre_v = (top + bottom) / 2
    ray = np.array([0.0, (centre_v - 0.5) / focal[1], 1.0])
    depth = float(4.0 / (forward @ ray))
    plate = from_detections(box, ("plate",), (depth,), focal, up=up, thickness=0.02)["plate"]
    assert row != pytest.approx(centre_v, abs=1e-3)  # perspective: the middle of the box is not the box of the middle
    assert plate.scale[2] == pytest.approx(2.0, abs=1e-5)
    np.testing.assert_allclose(plate.translation, middle + 0.01 * forward, atol=1e-5)
    assert right @ plate.translation == pytest.approx(0.0, abs=1e-6)


def test_a_depth_map_gives_the_median_of_the_middle():
    depth_hw = np.full((100, 200), 9.0)
    depth_hw[40:80, 20:100] = 3.0  # the bed
    depth_hw[40:45, 20:100] = 1.0  # something in front of its upper edge
    depth_hw[55:57, 20:100] = np.nan
    depth_hw[57:58, 20:100] = 0.0
    depth_hw[30:90, 120:160] = 4.0
    scene = from_detections(depth=depth_hw)
    expected = from_detections(depth=(3.0, 4.0))
    assert scene.equals(expected)


def test_nothing_detected_is_an_empty_scene():
    scene = from_detections(np.zeros((0, 4)), (), np.zeros(0))
    assert scene.num_objects == 0
    assert scene.floor == pytest.approx(-1.4)
    assert from_detections([], [], np.ones((4, 4))).num_objects == 0
    assert from_detections(floor=-1.2).floor == pytest.approx(-1.2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": BOXES * 128}, "divide pixels by the picture's width / height"),
        ({"boxes": BOXES[:, :3]}, r"expected \[M, 4\]"),
        ({"boxes": BOXES[:, [2, 1, 0, 3]]}, r"box 0 is .*expected x0 < x1"),
        ({"boxes": BOXES * np.nan}, "finite"),
        ({"labels": ("bed",)}, "1 labels for 2 boxes"),
        ({"depth": (3.0,)}, "a map"),
        ({"depth": (3.0, -1.0)}, "depth of box 1 is -1"),
        ({"depth": (np.nan, 1.0)}, "depth of box 0 is nan"),
        ({"depth": np.full((10, 10), np.nan)}, "no finite depth > 0 in the middle of box 0"),
        ({"depth": np.zeros((0, 0))}, "no finite depth"),
        ({"depth": (0.001, 4.0)}, r"scale of bed-1|0\.01 m"),
        ({"focal": (0.0, 1.0)}, "focal"),
        ({"focal": 1.0}, "focal"),
        ({"up": (0.0, -2.0, 0.0)}, "unit vector"),
        ({"up": (0.0, 0.0, -1.0)}, "sees the room level"),
        ({"up": (0.0, -0.05, -0.99875)}, "above or below the camera"),
        ({"thickness": [1.0, np.nan]}, "thickness"),
        ({"thickness": 0.001}, "0.01 m"),
        ({"num_slots": 1}, "2 objects do not fit into 1 slots"),
    ],
)
def test_bad_input_says_what(changes, message):
    with pytest.raises(ValueError, match=message):
        from_detections(**changes)
