"""Pooling, background tokens, matching and the set-prediction encoder."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data import make_record

from anchorgen.encode.background import BackgroundTokens, outside_patches
from anchorgen.encode.bundled import BundledEncoder, EncoderConfig, camera_from, camera_targets
from anchorgen.encode.loss import box_targets, encoder_loss, floor_yaw
from anchorgen.encode.matching import match
from anchorgen.encode.pooling import AttentionPooling, pack_voxels
from anchorgen.encode.upright import quat_from_yaw, yaw_of
from anchorgen.geometry import box_corners, project, quat_to_matrix

CATEGORIES = ("bed", "chair", "table lamp")


def voxels(seed: int = 0, count: int = 30):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, count, 3, generator=g) * 2 - 1, torch.rand(1, 3, count, 8, generator=g)


def test_pooling_does_not_care_about_the_order_of_voxels():
    torch.manual_seed(0)
    pool, (coords, feats) = AttentionPooling(2, 8, 16, 2), voxels()
    mask = torch.ones(1, 3, 30, dtype=torch.bool)
    mask[0, 1, 20:] = False
    order = torch.randperm(30)
    torch.testing.assert_close(
        pool(coords, feats, mask), pool(coords[:, :, order], feats[:, :, order], mask[:, :, order])
    )


def test_pooling_ignores_padding_and_absent_objects():
    torch.manual_seed(0)
    pool, (coords, feats) = AttentionPooling(2, 8, 16, 2), voxels()
    mask = torch.ones(1, 3, 30, dtype=torch.bool)
    mask[0, 1, 10:], mask[0, 2] = False, False
    before = pool(coords, feats, mask)
    coords[0, 1, 10:], feats[0, 2] = 99.0, float("nan")
    assert torch.equal(pool(coords, feats, mask), before)
    assert torch.equal(before[0, 2], torch.zeros(2, 8))


def test_appearance_holds_no_aspect():
    record = make_record(1)
    coords, _, mask = pack_voxels(record.truth, 4, 16)
    for k in range(3):
        points = coords[k][mask[k]]
        np.testing.assert_allclose(points.min(0), -1, atol=0.3)
        np.testing.assert_allclose(points.max(0), 1, atol=0.3)
    assert not mask[3].any()
    assert not coords[3].any()


def test_background_sees_no_pixel_of_an_object():
    torch.manual_seed(0)
    network = BackgroundTokens(2, 8, 16, 2).eval()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    outside = torch.ones(1, 8, 8, dtype=torch.bool)
    outside[0, 2:5, 3:6] = False
    network(image, outside).square().sum().backward()
    seen = image.grad[0].abs().sum(0)
    assert seen[16:40, 24:48].max() == 0
    assert seen[:16].max() > 0


def test_background_patches_look_at_no_more_than_32_px():
    network = BackgroundTokens(2, 8, 16, 2).eval()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    network.stem(image)[0, :, 4, 4].sum().backward()
    rows = np.flatnonzero(image.grad[0].abs().sum((0, 2)))
    assert rows.max() - rows.min() + 1 <= 32


def test_a_picture_full_of_objects_still_has_background_tokens():
    network = BackgroundTokens(2, 8, 16, 2).eval()
    out = network(torch.rand(2, 3, 64, 64), torch.zeros(2, 8, 8, dtype=torch.bool))
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out[0], out[1])


def test_outside_patches():
    instance = np.full((16, 16), -1)
    instance[0, 0] = 2  # 1 of 64 pixels: under the tolerance
    instance[8:12, 8:12] = 0
    np.testing.assert_array_equal(outside_patches(instance, 8), [[True, True], [True, False]])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10_000))
def test_matching_is_the_cheapest_assignment(count, seed):
    cost = torch.rand(1, 5, 4, generator=torch.Generator().manual_seed(seed))
    presence = torch.arange(4)[None] < count
    scene, query, item = match(cost, presence)
    best = min(sum(float(cost[0, q, n]) for n, q in enumerate(p)) for p in itertools.permutations(range(5), count))
    assert float(cost[scene, query, item].sum()) == pytest.approx(best, abs=1e-6)
    assert sorted(item.tolist()) == list(range(count))


@settings(max_examples=100, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-0.6, 0.6))
def test_yaw_and_quaternion_are_inverse(yaw, pitch):
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    quat = quat_from_yaw(np.array([yaw]), up)
    np.testing.assert_allclose(yaw_of(quat, up), [yaw], atol=1e-9)
    np.testing.assert_allclose(quat_to_matrix(quat)[0] @ [0, 0, 1], up, atol=1e-9)
    matrix = torch.tensor(quat_to_matrix(quat))[None]
    np.testing.assert_allclose(floor_yaw(matrix, torch.tensor(up)[None]), [[yaw]], atol=1e-6)


def test_camera_numbers_are_inverse():
    focal, pitch, height = torch.tensor([[0.7, 0.9]]), 0.2, 1.5
    up = torch.tensor([[0.0, -np.cos(pitch), -np.sin(pitch)]], dtype=torch.float32)
    found = camera_from(camera_targets(focal, up, torch.tensor([-height]))[0].double().numpy())
    np.testing.assert_allclose(found[0], focal[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], up[0], atol=1e-6)
    assert found[2] == pytest.approx(height, rel=1e-6)


def test_mirrored_rooms_project_to_mirrored_pictures():
    from anchorgen.train.tensors import record_tensors

    record = make_record(2)
    truth = record.truth
    truth.translation[:, 2] = np.abs(truth.translation[:, 2]) + 2
    truth.quat_wxyz[:] /= np.linalg.norm(truth.quat_wxyz, axis=1, keepdims=True)
    rooms = record_tensors(record, CATEGORIES, 4, 16)
    mirror = rooms.mirrored()
    for k in range(3):
        uv, flipped = (
            project(box_corners(r.translation[0, k], r.quat_wxyz[0, k], r.scale[0, k]), r.focal[0])
            for r in (rooms, mirror)
        )
        expected = np.stack([1 - uv[:, 0], uv[:, 1]], 1)
        # The mirror swaps the corners at -x and +x.
        np.testing.assert_allclose(flipped[[1, 0, 3, 2, 5, 4, 7, 6]], expected, atol=1e-4)
    assert torch.equal(mirror.images, rooms.images.flip(-1))


def tiny_encoder() -> BundledEncoder:
    torch.manual_seed(0)
    sizes = {"stage_widths": (16, 32, 32), "width": 48, "num_heads": 2, "max_objects": 5, "image_size": 64}
    return BundledEncoder(EncoderConfig(CATEGORIES, num_tokens=2, channels=8, **sizes))


def test_encode_gives_valid_fields_and_refuses_hints():
    encoder = tiny_encoder().eval()
    encoder.presence.bias.data.fill_(3.0)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    found = encoder.encode(picture)
    assert len(found.labels) == 5
    assert np.all(np.diff(found.scores) <= 0)
    assert np.all(found.translation[:, 2] >= 0.05)
    assert np.all(found.scale >= 0.01)
    np.testing.assert_allclose(np.linalg.norm(found.quat_wxyz, axis=1), 1, atol=1e-6)
    assert np.linalg.norm(found.up) == pytest.approx(1)
    with pytest.raises(ValueError, match="takes no hints"):
        encoder.encode(picture, boxes=[(0, 0, 1, 1)])


def test_training_on_four_rooms_learns_them():
    from anchorgen.encode.loss import Targets

    g = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 64, 64, generator=g) * 2 - 1
    translation = torch.rand(4, 3, 3, generator=g) + torch.tensor([-0.5, -0.5, 2.0])
    yaw, focal = torch.rand(4, 3, generator=g), torch.full((4, 2), 0.8)
    target = Targets(
        box=box_targets(translation, focal, torch.rand(4, 3, 3, generator=g) + 0.2, yaw),
        presence=torch.tensor([[True, True, False]] * 4),
        category=torch.tensor([[0, 1, -1]] * 4),
        appearance=torch.nn.functional.layer_norm(torch.randn(4, 3, 2, 8, generator=g), (8,)),
        camera=camera_targets(focal, torch.tensor([[0.0, -1.0, 0.0]] * 4), torch.full((4,), -1.4)),
        foreground=torch.zeros(4, 8, 8),
    )
    encoder = tiny_encoder()
    optimizer = torch.optim.AdamW(encoder.parameters(), 2e-3)
    losses = []
    for _ in range(60):
        loss, _parts = encoder_loss(encoder(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
