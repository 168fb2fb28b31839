"""What the decoder's training asks beside Eq. 2, so that hues reach the picture soon. Neither head is kept.

Shape legend: B rooms, N slots, K tokens, C channels, V voxels, P present objects, S sampled voxels, T image tokens.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

_NUM_SAMPLES = 32
_WIDTH = 128
_OCTAVES = 3


class VoxelColours(nn.Module):
    """Reads an object's colours back out of its noisy tokens f, at places of its surface: a field, as in an
    autoencoder. Flow matching alone teaches hues slowly: they are a small part of its loss."""

    def __init__(self, num_tokens: int, channels: int, noise: float = 0.1):
        super().__init__()
        self.noise = noise
        self.tokens = nn.Linear(num_tokens * channels, _WIDTH)
        self.place = nn.Linear(3 * (2 * _OCTAVES + 1), _WIDTH)
        self.colour = nn.Sequential(nn.SiLU(), nn.Linear(_WIDTH, _WIDTH), nn.SiLU(), nn.Linear(_WIDTH, 3))

    def forward(
        self, appearance: torch.Tensor, coords: torch.Tensor, feats: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Mean squared error of the square roots of colours, about perceptual; arguments as for the pooling, and f."""
        there = mask.any(-1)
        f_PF, mask_PV = appearance[there].flatten(1), mask[there]
        chosen_PS = torch.multinomial(mask_PV.float(), _NUM_SAMPLES, replacement=True)
        places_PS3, colours_PS3 = (
            x[there][..., :3].gather(1, chosen_PS[..., None].expand(-1, -1, 3)) for x in (coords, feats)
        )
        angles = (places_PS3[..., None] * 2.0 ** torch.arange(_OCTAVES, device=coords.device)).flatten(-2)
        places = self.place(torch.cat([places_PS3, angles.sin(), angles.cos()], -1))
        tokens = self.tokens(f_PF + self.noise * torch.randn_like(f_PF))[:, None]
        return F.mse_loss(self.colour(tokens + places).float(), colours_PS3.clamp(min=0).sqrt())


class CoarsePicture(nn.Module):
    """A thumbnail, four pixels a token's side, from what the stem has drawn alone: deep supervision without noise."""

    def __init__(self, stem_channels: int, side: int = 4):
        super().__init__()
        self.side = side
        self.head = nn.Linear(stem_channels, 3 * side**2)

    def forward(self, drawn: torch.Tensor, images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """`drawn` `[B, T, D]`, `images` `[B, 3, H, W]` in [-1, 1], `keep` `[B]` bool: rooms whose scene was shown."""
        grid = round(drawn.shape[1] ** 0.5)
        small = F.adaptive_avg_pool2d(images, grid * self.side)
        target = F.pixel_unshuffle(small, self.side).flatten(2).transpose(1, 2)
        error = (self.head(drawn).float() - target).square().mean((1, 2))
        return (error * keep).sum() / keep.sum().clamp(min=1)
