"""Scene latents as what the decoder attends to: embedded boxes, appearance, camera and background tokens.

Shape legend: B scenes, N slots, K appearance tokens, Kb background tokens, C latent channels, W width, S tokens.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from anchorgen.decode.rays import present_boxes
from anchorgen.scene.batch import SceneBatch

_FREQUENCIES = 6


def fourier(values: torch.Tensor, num_frequencies: int = _FREQUENCIES) -> torch.Tensor:
    """`[..., D]` -> `[..., D * (2 num_frequencies + 1)]`: the values and sines and cosines of their octaves."""
    octaves = 2.0 ** torch.arange(num_frequencies, device=values.device, dtype=values.dtype) * math.pi / 2
    angles = (values[..., None] * octaves).flatten(-2)
    return torch.cat([values, angles.sin(), angles.cos()], -1)


def box_features(scene: SceneBatch) -> torch.Tensor:
    """`[B, N, BOX_CHANNELS]`: centre, log depth, projected centre, rotation, log size and projected corners of each box."""
    centre, matrix, extent = present_boxes(scene)
    depth = centre[..., 2:].clamp(min=0.05)
    focal = scene.focal[:, None]
    projected = focal * centre[..., :2] / depth
    signs = torch.tensor([[1.0 if k >> a & 1 else -1.0 for a in range(3)] for k in range(8)], device=centre.device)
    corners = torch.einsum("bnij,bnkj->bnki", matrix, signs * extent[..., None, :] / 2) + centre[..., None, :]
    corners_uv = (focal[:, :, None] * corners[..., :2] / corners[..., 2:].clamp(min=0.05)).clamp(-2, 2)
    parts = [centre / 4, depth.log(), projected.clamp(-2, 2), matrix.flatten(-2), extent.log(), corners_uv.flatten(-2)]
    return torch.cat([*parts, extent / 2], -1)


BOX_CHANNELS = 3 + 1 + 2 + 9 + 3 + 16 + 3


class SceneTokens(nn.Module):
    """Scene -> tokens `[B, S, W]` and a mask `[B, S]` (False: absent), S = N K + 1 + Kb.

    An appearance token carries its box: token k of slot i is embed(f_k^i) + embed(t^i, q^i, s^i). Latents pass a
    non-affine LayerNorm and, in training, a little noise, so that the samples of the prior are not foreign.
    """

    def __init__(self, num_tokens: int, channels: int, width: int, latent_noise: float = 0.03):
        super().__init__()
        self.latent_noise = latent_noise
        self.normalise = nn.LayerNorm(channels, elementwise_affine=False)
        self.appearance = nn.Linear(channels, width)
        self.token_type = nn.Parameter(torch.randn(num_tokens, width) * 0.02)
        self.box = nn.Sequential(
            nn.Linear(BOX_CHANNELS * (2 * _FREQUENCIES + 1), width), nn.SiLU(), nn.Linear(width, width)
        )
        self.camera = nn.Sequential(nn.Linear(6 * (2 * _FREQUENCIES + 1), width), nn.SiLU(), nn.Linear(width, width))
        self.background = nn.Linear(channels, width)
        self.background_type = nn.Parameter(torch.randn(1, width) * 0.02)

    def latents(self, scene: SceneBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Appearance `[B, N, K, C]` and background `[B, Kb, C]` as the decoder may see them; absent slots are zero."""
        present = scene.presence[..., None, None]
        appearance = torch.where(present, scene.appearance, torch.zeros_like(scene.appearance))
        appearance, background = self.normalise(appearance), self.normalise(scene.background)
        if self.training and self.latent_noise:
            appearance = appearance + self.latent_noise * torch.randn_like(appearance)
            background = background + self.latent_noise * torch.randn_like(background)
        return appearance * present, background

    def forward(self, scene: SceneBatch, appearance: torch.Tensor, background: torch.Tensor):
        box = self.box(fourier(box_features(scene)))
        objects = self.appearance(appearance) + self.token_type + box[:, :, None]
        view = torch.cat([scene.focal.log(), scene.up, scene.floor[:, None]], -1)
        camera = self.camera(fourier(view))[:, None]
        tokens = torch.cat([objects.flatten(1, 2), camera, self.background(background) + self.background_type], 1)
        mask = scene.presence.repeat_interleave(appearance.shape[2], 1)
        always = mask.new_ones(len(mask), 1 + background.shape[1])
        return tokens, torch.cat([mask, always], 1)
