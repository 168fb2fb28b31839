"""Frames, rotations and boxes against scipy, closed forms and their own inverses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from strategies import NUM_EXAMPLES

from anchorgen import geometry

examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
seeds = st.integers(0, 2**32 - 1)
points = arrays(np.float64, (5, 3), elements=st.floats(-100, 100))
angles = st.floats(-np.pi, np.pi)


def random_quats(seed: int, count: int = 6) -> np.ndarray:
    return geometry.canonical_quat(np.random.default_rng(seed).normal(size=(count, 4)))


@examples
@given(seeds)
def test_quaternions_agree_with_scipy(seed):
    left, right = random_quats(seed), random_quats(seed + 1)
    scipy_left, scipy_right = (Rotation.from_quat(q, scalar_first=True) for q in (left, right))
    np.testing.assert_allclose(geometry.quat_to_matrix(left), scipy_left.as_matrix(), atol=1e-12)
    product = geometry.canonical_quat(geometry.quat_multiply(left, right))
    expected = (scipy_left * scipy_right).as_quat(canonical=True, scalar_first=True)
    np.testing.assert_allclose(product, expected, atol=1e-12)
    np.testing.assert_allclose(geometry.matrix_to_quat(geometry.quat_to_matrix(left)), left, atol=1e-7)


@examples
@given(seeds, angles)
def test_axis_angle_agrees_with_scipy(seed, angle):
    axis = np.random.default_rng(seed).normal(size=3)
    expected = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    np.testing.assert_allclose(
        geometry.quat_to_matrix(geometry.quat_from_axis_angle(axis, angle)), expected, atol=1e-12
    )


def test_quat_multiply_is_associative_with_identity():
    a, b, c = (random_quats(seed) for seed in range(3))
    left = geometry.quat_multiply(geometry.quat_multiply(a, b), c)
    np.testing.assert_allclose(left, geometry.quat_multiply(a, geometry.quat_multiply(b, c)), atol=1e-12)
    np.testing.assert_allclose(geometry.quat_multiply(a, np.array([1.0, 0, 0, 0])), a)


@pytest.mark.parametrize(
    ("quat", "expected"),
    [([-2, 0, 0, 0], [1, 0, 0, 0]), ([0, -1, 0, 0], [0, 1, 0, 0]), ([0, 0, 3, -4], [0, 0, 0.6, -0.8])],
)
def test_canonical_quat_has_one_sign(quat, expected):
    np.testing.assert_allclose(geometry.canonical_quat(np.array(quat, float)), expected)


@pytest.mark.parametrize("quat", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 0]])
def test_canonical_quat_refuses_what_is_no_rotation(quat):
    with pytest.raises(ValueError, match="length 1"):
        geometry.canonical_quat(np.array(quat, float))


@examples
@given(points)
def test_frames_round_trip(xyz):
    np.testing.assert_allclose(geometry.opencv_to_three(geometry.opencv_to_three(xyz)), xyz, atol=1e-6)
    np.testing.assert_allclose(geometry.opencv_to_pytorch3d(geometry.opencv_to_pytorch3d(xyz)), xyz, atol=1e-6)


@examples
@given(seeds)
def test_three_quaternions_turn_the_same_points(seed):
    quat = random_quats(seed)
    xyzw = geometry.quat_opencv_to_three_xyzw(quat)
    np.testing.assert_allclose(geometry.quat_three_xyzw_to_opencv(xyzw), quat, atol=1e-6)
    own = np.random.default_rng(seed).normal(size=3)
    in_opencv = geometry.quat_to_matrix(quat) @ own
    in_three = Rotation.from_quat(xyzw).as_matrix() @ own
    np.testing.assert_allclose(geometry.opencv_to_three(in_opencv), in_three, atol=1e-9)


def test_frames_name_the_right_axes():
    right_up_forward = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(geometry.opencv_to_three(right_up_forward), [[1, 0, 0], [0, 1, 0], [0, 0, -1]])
    np.testing.assert_array_equal(geometry.opencv_to_pytorch3d(right_up_forward), [[-1, 0, 0], [0, 1, 0], [0, 0, 1]])


@examples
@given(arrays(np.float64, (4, 2), elements=st.floats(0, 1)), st.floats(0.1, 50), st.floats(0.3, 3), st.floats(0.3, 3))
def test_unproject_inverts_project(uv, depth, fx, fy):
    focal = np.array([fx, fy])
    xyz = geometry.unproject(uv, np.full(4, depth), focal)
    np.testing.assert_allclose(geometry.project(xyz, focal), uv, atol=1e-9)
    np.testing.assert_allclose(xyz[:, 2], depth)


def test_project_points_right_and_down():
    u, v = geometry.project(np.array([0.5, 0.25, 2.0]), np.array([1.0, 2.0]))
    assert (u, v) == (0.75, 0.75)


@examples
@given(seeds)
def test_box_corners_and_extent(seed):
    rng = np.random.default_rng(seed)
    centre, quat, scale = rng.normal(size=(6, 3)), random_quats(seed), rng.uniform(0.1, 2, (6, 3))
    corners = geometry.box_corners(centre, quat, scale)
    np.testing.assert_allclose(corners.mean(1), centre, atol=1e-9)
    for a, b in geometry.BOX_EDGES:
        axis = int(np.log2(a ^ b))
        np.testing.assert_allclose(np.linalg.norm(corners[:, a] - corners[:, b], axis=-1), scale[:, axis])
    direction = geometry.canonical_quat(rng.normal(size=4))[:3]
    direction /= np.linalg.norm(direction)
    along = corners @ direction
    np.testing.assert_allclose(geometry.box_extent(direction, quat, scale), along.max(1) - along.min(1), atol=1e-9)


@examples
@given(st.floats(-1.4, 1.4), st.floats(-0.3, 0.3))
def test_floor_basis_is_a_right_handed_frame_of_the_floor(pitch, roll):
    turn = Rotation.from_euler("xz", [pitch, roll]).as_matrix()
    right, up, forward = basis = geometry.floor_basis(turn @ [0.0, -1.0, 0.0])
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.cross(right, forward), up, atol=1e-9)
    assert forward[2] > 0
    assert abs(right[2]) < 1e-9


def test_floor_basis_refuses_a_camera_that_looks_down():
    with pytest.raises(ValueError, match="sees the room level"):
        geometry.floor_basis(np.array([0.0, 0.0, -1.0]))


@examples
@given(seeds)
def test_iou_upright_of_aligned_boxes_has_a_closed_form(seed):
    rng = np.random.default_rng(seed)
    centres, sizes = rng.uniform(-0.5, 0.5, (2, 3)), rng.uniform(0.3, 1.5, (2, 3))
    low, high = (centres - sizes / 2).max(0), (centres + sizes / 2).min(0)
    shared = np.prod(np.maximum(high - low, 0))
    expected = shared / (np.prod(sizes, axis=1).sum() - shared)
    assert geometry.iou_upright(centres[0], 0.0, sizes[0], centres[1], 0.0, sizes[1]) == pytest.approx(expected)


@examples
@given(seeds, angles, angles)
def test_iou_upright_is_symmetric_and_one_for_itself(seed, yaw_a, yaw_b):
    rng = np.random.default_rng(seed)
    (a, b), (size_a, size_b) = rng.uniform(-0.5, 0.5, (2, 3)), rng.uniform(0.3, 1.5, (2, 3))
    forth = geometry.iou_upright(a, yaw_a, size_a, b, yaw_b, size_b)
    assert forth == pytest.approx(geometry.iou_upright(b, yaw_b, size_b, a, yaw_a, size_a), abs=1e-9)
    assert 0.0 <= forth <= 1.0
    assert geometry.iou_upright(a, yaw_a, size_a, a, yaw_a, size_a) == pytest.approx(1.0)


def test_iou_upright_of_a_square_turned_by_45_degrees():
    square, centre = np.array([1.0, 1.0, 1.0]), np.zeros(3)
    octagon = 2 * np.sqrt(2) - 2
    expected = octagon / (2 - octagon)
    assert geometry.iou_upright(centre, 0.0, square, centre, np.pi / 4, square) == pytest.approx(expected)
