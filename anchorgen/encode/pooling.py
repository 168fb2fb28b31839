"""Attention pooling (Eq. 7): an object's voxels, SLAT-shaped, as K appearance tokens.

Coordinates are normalised by the occupied box before pooling, so that f holds no aspect and `resize` stays in
distribution. Shape legend: B scenes, N slots, M present objects, V voxels, K tokens, C channels, W width.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from anchorgen.scene.truth import VOXEL_CHANNELS, WorldTruth

_OCTAVES = 4
_COLOUR_GAIN = 4.0  # hues differ by a tenth where coordinates differ by one: unscaled, they are learned last


def pack_voxels(truth: WorldTruth, num_slots: int, num_voxels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxels of a picture's objects in arrays of one size.

    Args:
        truth: M objects; those past `num_slots` are left out.
        num_voxels: V; an object with more is thinned evenly, one with fewer is padded.

    Returns:
        coords `[N, V, 3]` float32 in [-1, 1] (the occupied box spans it), feats `[N, V, 8]` float32 in [0, 1], and
        mask `[N, V]` bool. Absent slots are all zero.
    """
    coords = np.zeros((num_slots, num_voxels, 3), np.float32)
    feats = np.zeros((num_slots, num_voxels, VOXEL_CHANNELS), np.float32)
    mask = np.zeros((num_slots, num_voxels), bool)
    for slot in range(min(num_slots, truth.num_objects)):
        grid, values = truth.voxel_coords[slot].astype(np.float32), truth.voxel_feats[slot].astype(np.float32)
        if not len(grid):
            continue
        low, high = grid.min(0), grid.max(0)
        grid = (grid - (low + high) / 2) / np.maximum((high - low) / 2, 0.5)
        count = min(num_voxels, len(grid))
        pick = np.linspace(0, len(grid) - 1, count).round().astype(int)  # voxels are stored in random order
        coords[slot, :count], feats[slot, :count], mask[slot, :count] = grid[pick], values[pick] / 255, True
    return coords, feats, mask


class AttentionPooling(nn.Module):
    """K learned queries read the voxels of one object; its tokens leave through a LayerNorm without parameters.

    Args:
        num_tokens, channels: K and C. width, num_heads: of the attention.
        colour_gain: of the first three features: 4 for colours in [0, 1], 1 for features that are whitened.
    """

    def __init__(
        self,
        num_tokens: int = 4,
        channels: int = 64,
        width: int = 96,
        num_heads: int = 4,
        colour_gain: float = _COLOUR_GAIN,
    ):
        super().__init__()
        self.num_heads, self.colour_gain = num_heads, colour_gain
        inputs = 3 * (2 * _OCTAVES + 1) + VOXEL_CHANNELS
        self.embed = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.queries = nn.Parameter(torch.randn(num_tokens, width) / math.sqrt(width))
        self.key_value = nn.Linear(width, 2 * width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, channels)
        )
        self.normalise = nn.LayerNorm(channels, elementwise_affine=False)

    def forward(self, coords: torch.Tensor, feats: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Pools only objects that have voxels.

        Args:
            coords: `[B, N, V, 3]` in [-1, 1]. feats: `[B, N, V, 8]` in [0, 1], or whitened. mask: `[B, N, V]` bool.

        Returns:
            `[B, N, K, C]` float32; zeros where an object has no voxels.
        """
        present = mask.any(-1)
        tokens_MKC = self._pool(coords[present], feats[present], mask[present])
        out = tokens_MKC.new_zeros(*present.shape, *tokens_MKC.shape[1:])
        out[present] = tokens_MKC
        return out

    def _pool(self, coords_MV3: torch.Tensor, feats_MVF: torch.Tensor, mask_MV: torch.Tensor) -> torch.Tensor:
        octaves = 2.0 ** torch.arange(_OCTAVES, device=coords_MV3.device) * math.pi / 2
        angles = (coords_MV3[..., None] * octaves).flatten(-2)
        feats_MVF = torch.cat([self.colour_gain * feats_MVF[..., :3], feats_MVF[..., 3:]], -1)
        voxels = self.embed(torch.cat([coords_MV3, angles.sin(), angles.cos(), feats_MVF], -1))
        key, value = self.key_value(voxels).unflatten(-1, (2 * self.num_heads, -1)).transpose(1, 2).chunk(2, 1)
        query = self.queries.unflatten(-1, (self.num_heads, -1)).transpose(0, 1).expand(len(voxels), -1, -1, -1)
        pooled = F.scaled_dot_product_attention(query.to(key.dtype), key, value, mask_MV[:, None, None])
        return self.normalise(self.mix(pooled.transpose(1, 2).flatten(-2)).float())
