"""MoGe's points as a camera, and gravity from surfaces and objects: known rooms as oracles."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anchorgen.encode.gravity import estimate_floor, estimate_up, floor_from_points, up_from_objects, up_from_points
from anchorgen.encode.moge import Moge, depth_map, focal_from_intrinsics
from anchorgen.encode.sam3d.explain import PerceptionError
from anchorgen.encode.upright import quat_from_yaw
from anchorgen.geometry import opencv_to_pytorch3d

FOCAL = np.array([0.8, 1.1])


def intrinsics(focal=FOCAL):
    return np.array([[focal[0], 0, 0.5], [0, focal[1], 0.5], [0, 0, 1.0]])


def room(up, side=96, height=1.5, bed=None):
    """Points `[H, W, 3]` of a floor `height` under the camera and a wall 4 ahead; optionally a bed top."""
    v, u = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
    rays = np.stack([(u - 0.5) / FOCAL[0], (v - 0.5) / FOCAL[1], np.ones_like(u)], -1)
    forward = np.array([0, 0, 1.0]) - up[2] * up
    forward /= np.linalg.norm(forward)
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = -height / (rays @ up)
        wall = 4 / (rays @ forward)
        top = -(height - 0.5) / (rays @ up)
    floor[floor <= 0] = np.inf
    t = np.minimum(floor, wall)
    if bed is not None:
        t = np.where((u > bed[0]) & (u < bed[1]) & (top > 0) & (top < 3.5), np.minimum(top, t), t)
    return rays * t[..., None]


def tilted(pitch, roll):
    return np.array([np.sin(roll), -np.cos(pitch) * np.cos(roll), -np.sin(pitch) * np.cos(roll)])


@settings(max_examples=15, deadline=None)
@given(st.floats(0.05, 0.5), st.floats(-0.15, 0.15))
def test_up_and_floor_of_a_room_are_found_to_a_degree_and_a_few_centimetres(pitch, roll):
    up = tilted(pitch, roll)
    points = room(up) * (1 + 0.002 * np.random.default_rng(0).normal(size=(96, 96, 1)))
    found = up_from_points(points, np.array([0, -1.0, 0]))
    assert np.degrees(np.arccos(found @ up)) < 2
    assert abs(floor_from_points(points, found) + 1.5) < 0.06


def test_a_bed_is_not_the_floor():
    up = tilted(0.4, 0.0)
    points = room(up, bed=(0.2, 0.8))
    assert abs(floor_from_points(points, up) + 1.5) < 0.03
    only_bed = np.where((points @ up > -1.1)[..., None], points, np.nan)
    assert abs(floor_from_points(only_bed, up) + 1.0) < 0.03
    # An object that stands 0.5 lower says that this was no floor.
    quat = quat_from_yaw(np.zeros(1), up)
    centre = np.array([[0.0, 0.0, 3.0]]) + (-1.5 + 0.25) * up - (np.array([0, 0, 3.0]) @ up) * up
    floor, source = estimate_floor(only_bed, up, centre, quat, np.full((1, 3), 0.5))
    assert source == "objects"
    assert abs(floor + 1.5) < 1e-6
    assert estimate_floor(points, up, centre, quat, np.full((1, 3), 0.5))[1] == "surfaces"


def test_objects_outvote_the_one_that_lies():
    up = tilted(0.3, 0.05)
    quats = quat_from_yaw(np.array([0.0, 1.0, 2.0, -1.0]), up)
    quats[2] = [1, 0, 0, 0]  # its z axis is the viewing direction
    np.testing.assert_allclose(up_from_objects(quats, np.ones(4)), up, atol=1e-6)
    assert up_from_objects(np.zeros((0, 4)), np.zeros(0)) is None
    assert estimate_up(None, quats, np.ones(4))[1] == "objects"
    assert estimate_up(None, np.zeros((0, 4)), np.zeros(0))[1] == "level camera"
    assert estimate_up(room(up), quats, np.ones(4))[1] == "surfaces"


def test_noise_has_no_gravity():
    noise = np.random.default_rng(0).normal(size=(40, 40, 3)) + [0, 0, 3]
    assert up_from_points(noise, np.array([0, -1.0, 0])) is None or estimate_up(noise, np.zeros((0, 4)), np.zeros(0))
    assert up_from_points(np.full((8, 8, 3), np.nan), np.array([0, -1.0, 0])) is None
    assert floor_from_points(np.full((8, 8, 3), np.nan), np.array([0, -1.0, 0])) is None


def test_the_focal_length_is_that_of_the_points():
    seen = depth_map(room(tilted(0.2, 0)), intrinsics())
    np.testing.assert_allclose(seen.focal, FOCAL, rtol=1e-6)
    for bad, message in (
        (intrinsics() * 512, "principal point"),
        (-intrinsics(), "focal lengths > 0"),
        (np.eye(4), "3, 3"),
    ):
        with pytest.raises(PerceptionError, match=message):
            focal_from_intrinsics(bad)


def test_points_of_another_frame_are_noticed():
    points = room(tilted(0.2, 0))
    with pytest.raises(PerceptionError, match="expected the OpenCV frame"):
        depth_map(opencv_to_pytorch3d(points), intrinsics())
    with pytest.raises(PerceptionError, match="no finite point"):
        depth_map(np.full((4, 4, 3), np.inf), intrinsics())


class FakeMoge(nn.Module):
    """Answers as `MoGeModel.infer` does for one picture."""

    def __init__(self, error=None):
        super().__init__()
        self.error, self.scale = error, nn.Parameter(torch.ones(1))

    def infer(self, image, use_fp16):
        assert image.shape == (3, 96, 96) and image.min() >= 0 and image.max() <= 1 and not use_fp16
        if self.error:
            raise self.error
        points = room(tilted(0.2, 0))
        points[:5] = np.inf  # what its mask hides
        return {"points": torch.from_numpy(points), "intrinsics": torch.from_numpy(intrinsics())}


def test_moge_gives_points_with_holes_as_nan():
    seen = Moge(FakeMoge())(np.zeros((96, 96, 3), np.uint8))
    assert np.isnan(seen.points[:5]).all()
    assert np.isfinite(seen.points[5:]).all()
    with pytest.raises(PerceptionError, match="MoGe: the GPU is out of memory"):
        Moge(FakeMoge(torch.OutOfMemoryError("CUDA out of memory")))(np.zeros((96, 96, 3), np.uint8))


def test_without_the_package_the_next_step_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "moge", SimpleNamespace())
    with pytest.raises(PerceptionError, match="pip install git"):
        Moge.load()


def test_a_painting_that_lies_flat_does_not_turn_the_room():
    """Its z axis and the wall behind it agree, on a direction along which nobody looks at a room."""
    v, u = np.meshgrid(*[(np.arange(48) + 0.5) / 48] * 2, indexing="ij")
    wall = np.stack([(u - 0.5) * 2, (v - 0.5) * 2, np.full_like(u, 2.0)], -1)
    towards_camera = np.array([[np.sqrt(0.5), np.sqrt(0.5), 0, 0], [1.0, 0, 0, 0]])  # z is the camera's -y, and its z
    up, source = estimate_up(wall, towards_camera[1:], np.ones(1))
    assert source == "level camera" and up.tolist() == [0, -1, 0]
    up, source = estimate_up(wall, towards_camera[:1], np.ones(1))
    assert source == "objects"
    np.testing.assert_allclose(up, [0, -1, 0], atol=1e-9)
