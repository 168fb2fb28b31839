"""Toy rooms for the prior's tests: beds with a nightstand beside them and a lamp on it, each kind with its own look."""

from __future__ import annotations

import torch

from anchorgen.scene.batch import SceneBatch
from anchorgen.train.latents import LatentSet

LABELS = ("bed", "nightstand", "lamp")
_SIZES = torch.tensor([[1.8, 2.0, 0.6], [0.5, 0.4, 0.5], [0.3, 0.3, 0.5]])


def toy_rooms(num_scenes: int, seed: int = 0) -> LatentSet:
    """Rooms seen by a level camera 1.4 m above the floor; slots in random order, the rest empty (and full of NaN)."""
    g = torch.Generator().manual_seed(seed)
    m, n, num_tokens, num_channels = num_scenes, 5, 2, 8

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=g)

    label = torch.full((m, n), -1)
    label[:, :3] = torch.arange(3)
    label[:, 2] = torch.where(torch.rand(m, generator=g) < 0.5, 2, -1)
    present = label >= 0
    scale = _SIZES[label.clamp_min(0)] * uniform(0.9, 1.1, m, n, 3)
    bed_x, bed_z, yaw = uniform(-1, 1, m), uniform(3, 5, m), uniform(-0.4, 0.4, m)
    x = torch.stack([bed_x, bed_x + 1.3, bed_x + 1.3, *[bed_x] * (n - 3)], 1)
    height = torch.stack([scale[:, 0, 2] / 2, scale[:, 1, 2] / 2, scale[:, 1, 2] + scale[:, 2, 2] / 2], 1)
    y = 1.4 - torch.cat([height, torch.zeros(m, n - 3)], 1)
    translation = torch.stack([x, y, bed_z[:, None].expand(m, n)], -1)
    # Object z up is camera -y: a quarter turn about x, then the yaw about the camera's y axis.
    c, s = (yaw / 2).cos() * 0.5**0.5, (yaw / 2).sin() * 0.5**0.5
    quat = torch.stack([c, c, s, -s], 1)
    looks = torch.randn(4, num_tokens, num_channels, generator=torch.Generator().manual_seed(1))
    appearance = looks[label] + 0.3 * torch.randn(m, n, num_tokens, num_channels, generator=g)
    scene = SceneBatch(
        translation=torch.where(present[..., None], translation, torch.nan),
        quat_wxyz=torch.where(present[..., None], quat[:, None].expand(m, n, 4), 0.0),
        scale=torch.where(present[..., None], scale, 0.0),
        appearance=torch.where(present[..., None, None], appearance, torch.nan).half(),
        presence=present,
        focal=uniform(0.8, 1.2, m, 1) * torch.tensor([1.0, 1.05]),
        background=torch.randn(m, 2, num_channels, generator=g).half(),
        up=torch.tensor([0.0, -1.0, 0.0]).expand(m, 3).clone(),
        floor=torch.full((m,), -1.4),
    )
    return _shuffled(LatentSet(scene, label, LABELS, "toy"), g)


def _shuffled(data: LatentSet, generator: torch.Generator) -> LatentSet:
    order = torch.rand(data.label.shape, generator=generator).argsort(1)
    rows = torch.arange(len(data))[:, None]
    names = ("translation", "quat_wxyz", "scale", "appearance", "presence")
    scene = data.scene.replace(**{name: getattr(data.scene, name)[rows, order] for name in names})
    return LatentSet(scene, data.label[rows, order], data.labels, data.latent_space)
