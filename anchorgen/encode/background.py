"""Background tokens (Eq. 8): learned queries over patch features, masked to patches outside every object.

A small convolutional stem stands in for DINOv2's patches. It sees at most 32 px, so that a patch of wall holds that
wall's light and colour, but not the picture. Shape legend: B pictures, G patches a side, Kb tokens, C channels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MAX_COVERED = 0.02  # share of a patch's pixels that may belong to an object


def outside_patches(instance: np.ndarray, patch: int) -> np.ndarray:
    """`[H / patch, W / patch]` bool: patches that no object with a slot covers.

    Args:
        instance: `[H, W]` slot of each pixel's object, -1 where there is none.
        patch: pixels a side.
    """
    height, width = instance.shape
    covered = (instance >= 0).reshape(height // patch, patch, width // patch, patch).mean((1, 3))
    return covered <= MAX_COVERED


class BackgroundTokens(nn.Module):
    """Picture -> Kb tokens. In training some patches are hidden at random, so that b leans on none of them."""

    def __init__(self, num_tokens: int = 4, channels: int = 64, width: int = 96, num_heads: int = 4, patch: int = 8):
        super().__init__()
        self.num_heads, self.patch = num_heads, patch
        # Receptive field: 8, then 3 patches = 24 px.
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, patch, stride=patch), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU()
        )
        self.position = nn.Linear(16, width)
        self.queries = nn.Parameter(torch.randn(num_tokens, width) / math.sqrt(width))
        self.nothing = nn.Parameter(torch.zeros(1, width))
        self.key_value = nn.Linear(width, 2 * width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, channels)
        )
        self.normalise = nn.LayerNorm(channels, elementwise_affine=False)

    def forward(self, image: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
        """`image` `[B, 3, H, W]` in [-1, 1], `outside` `[B, G, G]` bool -> `[B, Kb, C]`."""
        # Pixels of objects are blanked before the stem: its 3x3 would else carry them into the patches beside.
        hole = F.interpolate(outside[:, None].to(image.dtype), scale_factor=self.patch, mode="nearest")
        features = self.stem(image * hole).flatten(2).transpose(1, 2)
        features = features + self.position(_grid_code(outside.shape[-1], image.device))
        seen = outside.flatten(1)
        if self.training:
            seen = seen & (torch.rand(seen.shape, device=seen.device) > 0.15)
        features = torch.cat([self.nothing.expand(len(features), 1, -1).to(features.dtype), features], 1)
        seen = torch.cat([seen.new_ones(len(seen), 1), seen], 1)
        key, value = self.key_value(features).unflatten(-1, (2 * self.num_heads, -1)).transpose(1, 2).chunk(2, 1)
        query = self.queries.unflatten(-1, (self.num_heads, -1)).transpose(0, 1).expand(len(image), -1, -1, -1)
        pooled = F.scaled_dot_product_attention(query.to(key.dtype), key, value, seen[:, None, None])
        return self.normalise(self.mix(pooled.transpose(1, 2).flatten(-2)).float())


def _grid_code(side: int, device: torch.device) -> torch.Tensor:
    """`[side * side, 16]`: sines and cosines of a patch's row and column."""
    at = (torch.arange(side, device=device) + 0.5) / side
    row, column = torch.meshgrid(at, at, indexing="ij")
    angles = torch.stack([row, column], -1).reshape(-1, 2, 1) * math.pi * 2.0 ** torch.arange(4, device=device)
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(1)
