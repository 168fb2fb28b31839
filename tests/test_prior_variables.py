"""Whitened variables and noise paths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prior_rooms import toy_rooms
from scipy.spatial.transform import Rotation

from anchorgen.geometry import MIN_DEPTH_M, MIN_SIZE_M, quat_to_matrix
from anchorgen.prior.paths import (
    AnchorBatch,
    VariableTimes,
    at_path,
    mask_presence,
    path_velocity,
    times_at,
    unmask_probability,
)
from anchorgen.prior.variables import MASKED, Whitening, channels_to_layout, layout_to_channels, level_rotation


def _boxes(num: int = 64):
    rng = np.random.default_rng(0)
    quat = Rotation.random(num, random_state=1).as_quat(scalar_first=True, canonical=True)
    translation = np.concatenate([rng.normal(size=(num, 2)), rng.uniform(0.1, 6, (num, 1))], 1)
    scale = rng.uniform(0.05, 3, (num, 3))
    up = np.array([[0.1, -0.95, -0.3]]) / np.linalg.norm([0.1, -0.95, -0.3])
    return (*(torch.tensor(v)[None] for v in (translation, quat, scale)), torch.tensor(up))


@pytest.mark.parametrize("rotation", ["6d", "quat"])
def test_layout_there_and_back(rotation):
    translation, quat, scale, up = _boxes()
    channels = layout_to_channels(translation, quat, scale, up, rotation)
    back = channels_to_layout(channels, up, rotation)
    assert channels.dtype == torch.float64
    for value, again in zip((translation, scale), (back[0], back[2]), strict=True):
        torch.testing.assert_close(again, value.float(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(quat_to_matrix(back[1].numpy()), quat_to_matrix(quat.numpy()), atol=1e-6)


def test_upright_objects_have_the_same_tilt_channels_under_any_camera():
    for pitch in (-0.4, 0.0, 0.3):
        camera = Rotation.from_euler("x", pitch) * Rotation.from_euler("x", 90, degrees=True)
        quat = (camera * Rotation.from_euler("z", np.array([[0.3], [2.0]]))).as_quat(scalar_first=True)
        up = torch.tensor(camera.apply([0, 0, 1.0]))[None]
        np.testing.assert_allclose((level_rotation(up)[0] @ up[0]).numpy(), [0, -1, 0], atol=1e-12)
        box = torch.ones(1, 2, 3, dtype=torch.float64)
        channels = layout_to_channels(box, torch.tensor(quat)[None], box, up, "6d")
        np.testing.assert_allclose(channels[0, :, 3:6].numpy(), [[0, -1, 0]] * 2, atol=1e-12)


@pytest.mark.parametrize("rotation", ["6d", "quat"])
def test_any_channels_give_a_valid_box(rotation):
    wild = torch.randn(2, 500, 12 if rotation == "6d" else 10, generator=torch.Generator().manual_seed(0)) * 20
    wild[0, 0] = 0
    up = torch.tensor([[0.0, -1, 0]]).expand(2, 3)
    translation, quat, scale = channels_to_layout(wild, up, rotation)
    assert torch.isfinite(translation).all() and (translation[..., 2] >= MIN_DEPTH_M).all()
    assert (scale >= MIN_SIZE_M).all()
    torch.testing.assert_close(quat.norm(dim=-1), torch.ones(2, 500))
    assert (quat[..., 0] >= 0).all()


def test_whitening_reads_present_slots_only_and_inverts():
    data = toy_rooms(300)
    whitening = Whitening(2, 8, 2)
    whitening.fit(data.batch(slice(i, i + 100))[0] for i in (0, 100, 200))
    scene, _ = data.batch(slice(None))
    variables = whitening.encode(scene)
    assert all(torch.isfinite(v).all() for v in vars(variables).values())
    rows = variables.appearance[scene.presence]
    torch.testing.assert_close(rows.mean(0), torch.zeros(2, 8), atol=1e-4, rtol=0)
    torch.testing.assert_close(rows.std(0), torch.ones(2, 8), atol=1e-2, rtol=0)
    back = whitening.decode(variables, scene)
    for name in ("translation", "quat_wxyz", "scale", "appearance"):
        there = scene.presence
        torch.testing.assert_close(getattr(back, name)[there], getattr(scene, name)[there], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(back.focal, scene.focal)
    coded = whitening.with_absent_code(variables, scene.presence)
    assert (coded.layout[~scene.presence] == whitening.absent_layout).all()
    assert torch.equal(coded.layout[scene.presence], variables.layout[scene.presence])


def test_whitening_of_nothing_is_refused():
    with pytest.raises(ValueError, match="present object"):
        Whitening(2, 8, 2).fit([])
    with pytest.raises(ValueError, match="rotation"):
        Whitening(2, 8, 2, rotation="euler")


def test_path_ends_and_velocity():
    clean, noise = torch.randn(2, 4, 5, 3).double()
    tau = torch.tensor([0.0, 0.25, 0.5, 1.0]).double()
    u = at_path(clean, noise, tau)
    assert torch.equal(u[0], noise[0]) and torch.equal(u[3], clean[3])
    ahead = at_path(clean, noise, tau + 1e-6)
    torch.testing.assert_close((ahead - u) / 1e-6, path_velocity(clean, noise), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.8])
def test_unmasking_step_by_step_gives_the_masked_share_of_equation_11(alpha):
    generator, steps, n = torch.Generator().manual_seed(0), 10, 200_000
    presence = torch.ones(1, n, dtype=torch.long)
    z = mask_presence(presence, torch.full((1, n), alpha), torch.rand(1, n, generator=generator))
    for step in range(steps):
        rho, rho_next = step / steps, (step + 1) / steps
        tau = times_at(AnchorBatch.full(1, 1, alpha), rho).presence.item()
        assert (z == MASKED).float().mean().item() == pytest.approx(1 - tau, abs=4e-3)
        reveal = torch.rand(1, n, generator=generator) < unmask_probability(rho, rho_next)
        z = torch.where((z == MASKED) & reveal, presence, z)
    assert (z != MASKED).all()


def test_anchored_time_is_exactly_one():
    assert all((v == 1).all() for v in vars(times_at(VariableTimes.full(2, 3, 1.0), 0.123)).values())
