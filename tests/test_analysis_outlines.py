"""Boxes outlined over pictures."""

from __future__ import annotations

import numpy as np
import pytest
from fake_pipeline import make_room
from PIL import Image

from anchorgen.analysis.outlines import outline_boxes
from anchorgen.geometry import box_corners, project

ROOM = make_room()
GREY = Image.new("RGB", (64, 64), (90, 90, 90))


def touched(picture: Image.Image) -> np.ndarray:
    return np.any(np.asarray(picture) != 90, axis=-1)


def test_lines_are_on_the_silhouette_of_the_selected_boxes_alone():
    bed = ROOM["bed"]
    lines = touched(outline_boxes(GREY, ROOM, "bed"))
    corners = project(box_corners(bed.translation, bed.quat_wxyz, bed.scale), ROOM.focal) * 256
    rows, columns = np.nonzero(lines)
    low, high = np.clip(corners.min(0), 0, 255), np.clip(corners.max(0), 0, 255)
    assert [columns.min(), rows.min()] == pytest.approx(low, abs=4)
    assert [columns.max(), rows.max()] == pytest.approx(high, abs=4)
    assert 0.005 < lines.mean() < 0.3
    assert not touched(outline_boxes(GREY, ROOM, [])).any()


def test_edges_behind_the_box_are_left_out():
    box = ROOM.only("bed").move("bed", to=(0.0, 0.0, 4.0))
    straight = box.replace(quat_wxyz=np.tile([1.0, 0.0, 0.0, 0.0], (box.num_slots, 1)))  # a face square to the camera
    lines = touched(outline_boxes(GREY, straight, "bed"))
    view = straight["bed"]
    far = view.translation + view.scale * [0, 0, 0.5]
    near = view.translation - view.scale * [0, 0, 0.5]
    back, front = (int(128 + 256 * straight.focal[0] * view.scale[0] / 2 / z) for z in (far[2], near[2]))
    row = lines[128]
    assert row[front - 3 : front + 4].any()
    assert not row[back - 3 : back + 4].any()


def test_a_box_that_reaches_behind_the_camera_is_cut_there():
    near = ROOM.only("bed").resize("bed", 2.0).move("bed", to=(0.2, 0.9, 0.6))
    lines = touched(outline_boxes(GREY, near, "bed", side_px=128))
    corners = box_corners(near["bed"].translation, near["bed"].quat_wxyz, near["bed"].scale)
    assert corners[:, 2].min() < 0 < corners[:, 2].max()
    assert 0.01 < lines.mean() < 0.3


def test_color_and_size():
    drawn = np.asarray(outline_boxes(np.full((32, 64, 3), 90, np.uint8), ROOM, "bed", color="#00ff00", side_px=100))
    assert drawn.shape == (50, 100, 3)
    assert np.any(np.all(np.abs(drawn.astype(int) - [0, 255, 0]) < 40, axis=-1))
    with pytest.raises(ValueError, match="side_px is 4"):
        outline_boxes(GREY, ROOM, side_px=4)
    with pytest.raises(ValueError, match="nocolor"):
        outline_boxes(GREY, ROOM, color="nocolor")
    with pytest.raises(LookupError, match="sofa"):
        outline_boxes(GREY, ROOM, "sofa")
