"""SAM 3D's frames and layout, against the formula written out and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorgen.encode.pooling import AttentionPooling
from anchorgen.encode.slat import SlatObject, box_of_slat, occupied_box, pack_slat, slat_object
from anchorgen.geometry import box_corners, quat_opencv_to_pytorch3d_rows, quat_pytorch3d_rows_to_opencv

seeds = st.integers(0, 2**32 - 1)


def random_layout(seed: int):
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 40, 3)
    high = low + rng.integers(0, 20, 3)
    coords = rng.integers(low, high + 1, (50, 3))
    coords[0], coords[1] = low, high
    quat = rng.normal(size=4)
    return coords.astype(np.uint8), quat / np.linalg.norm(quat), rng.normal(size=3), np.full(3, rng.uniform(0.3, 3))


def rows_of(quat_wxyz):
    """PyTorch3D's `quaternion_to_matrix`, written out; points that are rows are multiplied from the left."""
    w, x, y, z = quat_wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_the_box_holds_the_same_points_as_sam3d_places(seed):
    """Corners of the occupied box by `p = (x * s) @ R(q) + t` in PyTorch3D's frame, seen in ours, are our box's."""
    coords, quat, translation, scale = random_layout(seed)
    low, high = coords.min(0) / 64 - 0.5, (coords.max(0) + 1.0) / 64 - 0.5
    corners = np.array([[high[a] if k >> a & 1 else low[a] for a in range(3)] for k in range(8)])
    placed = (corners * scale) @ rows_of(quat) + translation
    ours = box_corners(*box_of_slat(coords, quat, translation, scale))
    np.testing.assert_allclose(ours, placed * [-1, -1, 1], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_the_rotation_agrees_with_scipy_and_goes_back(seed):
    _, quat, _, _ = random_layout(seed)
    columns = Rotation.from_quat(quat, scalar_first=True).inv()  # rows times R is columns times its transpose
    expected = Rotation.from_matrix(np.diag([-1.0, -1.0, 1.0])) * columns
    ours = quat_pytorch3d_rows_to_opencv(quat)
    assert (Rotation.from_quat(ours, scalar_first=True).inv() * expected).magnitude() < 1e-6
    back = quat_opencv_to_pytorch3d_rows(ours)
    assert min(np.abs(back - quat).max(), np.abs(back + quat).max()) < 1e-9


def test_a_full_grid_has_size_one_and_its_centre_in_the_middle():
    grid = np.stack(np.meshgrid(*[range(64)] * 3, indexing="ij"), -1).reshape(-1, 3)
    centre, extent = occupied_box(grid)
    np.testing.assert_array_equal(centre, 0)
    np.testing.assert_array_equal(extent, 1)
    centre, extent = occupied_box(np.array([[0, 0, 63]]))
    np.testing.assert_allclose(centre, [-0.5 + 1 / 128, -0.5 + 1 / 128, 0.5 - 1 / 128])
    np.testing.assert_allclose(extent, 1 / 64)
    for bad in (np.zeros((0, 3)), np.zeros((4, 2)), np.array([[0, 0, 64]])):
        with pytest.raises(ValueError, match="expected"):
            occupied_box(bad)


def make_object(seed: int) -> SlatObject:
    coords, quat, translation, scale = random_layout(seed)
    feats = np.random.default_rng(seed).normal(size=(50, 8)).astype(np.float32)
    moments = {"slat_mean": np.arange(8, dtype=np.float32), "slat_std": np.full(8, 2, np.float32)}
    layout = {"rotation": quat, "translation": translation, "scale": scale}
    return slat_object("bed", 0.5, {"coords": coords, "feats": feats, **layout, **moments})


def test_features_are_whitened_by_the_moments_of_the_record():
    item, raw = make_object(3), np.random.default_rng(3).normal(size=(50, 8))
    np.testing.assert_allclose(item.feats, (raw - np.arange(8)) / 2, atol=1e-6)


def test_appearance_of_a_slat_does_not_know_where_the_object_is_nor_how_long():
    """Stretched, shifted in the grid and placed elsewhere: the same tokens (paper sizes)."""
    torch.manual_seed(0)
    pool = AttentionPooling(num_tokens=8, channels=1024, width=64, num_heads=4, colour_gain=1.0)
    grid = np.stack(np.meshgrid(range(4), range(4), range(4), indexing="ij"), -1).reshape(-1, 3)
    feats = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    place = (np.zeros(3), np.array([1.0, 0, 0, 0]), np.ones(3))
    plain = SlatObject("a", 1.0, (grid + 10).astype(np.uint8), feats, *place)
    moved = SlatObject("a", 1.0, (grid + [30, 2, 55]).astype(np.uint8), feats, *place)
    tokens = [pool(*(torch.from_numpy(x)[None] for x in pack_slat([item], 2, 80))) for item in (plain, moved)]
    assert tokens[0].shape == (1, 2, 8, 1024)
    torch.testing.assert_close(tokens[0], tokens[1])
    assert not tokens[0][0, 1].any()
    coords, _, mask = pack_slat([plain], 1, 64)
    np.testing.assert_allclose(coords[0].min(0), -0.75)  # voxels have a size: their centres stay inside the box
    assert mask.sum() == 64


def test_thinning_is_even_over_the_object_and_repeatable():
    item = SlatObject(
        "a", 1.0, np.array([[i, 0, 0] for i in range(64)], np.uint8), np.zeros((64, 8), np.float32), *[np.ones(3)] * 3
    )
    a, b = pack_slat([item], 1, 16, seed=1)[0], pack_slat([item], 1, 16, seed=1)[0]
    np.testing.assert_array_equal(a, b)
    assert len(np.unique(a[0, :, 0])) == 16
    with pytest.raises(ValueError, match="2 objects do not fit into 1"):
        pack_slat([item, item], 1, 4)


def test_the_bundled_pooling_is_as_it_was():
    """The gain is an argument now; its default gives the numbers that the bundled weights were trained with."""
    torch.manual_seed(0)
    pool = AttentionPooling(2, 8, 16, 2)
    coords, feats, mask = torch.rand(1, 1, 5, 3), torch.rand(1, 1, 5, 8), torch.ones(1, 1, 5, dtype=torch.bool)
    unit = AttentionPooling(2, 8, 16, 2, colour_gain=1.0)
    unit.load_state_dict(pool.state_dict())
    scaled = torch.cat([4 * feats[..., :3], feats[..., 3:]], -1)
    assert torch.equal(pool(coords, feats, mask), unit(coords, scaled, mask))
