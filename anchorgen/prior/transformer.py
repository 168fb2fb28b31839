"""Parts of the prior's transformer: attention with a same-slot bias, modulation by a time per token (adaLN-zero).

Shape legend: B scenes, N slots, S tokens of a slot, L tokens of a scene (N S of slots, then the rest), D width,
H heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MAX_FREQUENCY = 256.0
_NUM_FREQUENCIES = 64


class TimeEmbedding(nn.Module):
    """tau in [0, 1] `[B, L]` -> `[B, L, D]`, by sines of geometrically spaced frequencies."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * _NUM_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, tau: Tensor) -> Tensor:
        exponent = torch.linspace(0, math.log(_MAX_FREQUENCY), _NUM_FREQUENCIES, device=tau.device)
        angle = tau[..., None] * exponent.exp().to(tau.dtype)
        return self.mlp(torch.cat([angle.sin(), angle.cos()], -1))


class Modulated(nn.Module):
    """The last norm of the network, shifted and scaled by the token's time."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        shift, scale = self.modulation(condition).chunk(2, -1)
        return self.norm(tokens) * (1 + scale) + shift


class SlotAttention(nn.Module):
    """Self-attention over a scene in which tokens of one slot know one another by a learned bias.

    The bias is a number per head and pair of token types, added only within a slot.
    """

    def __init__(self, width: int, num_heads: int, tokens_per_slot: int):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = nn.RMSNorm(width // num_heads, elementwise_affine=False)
        self.sharpness = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.same_slot = nn.Parameter(torch.ones(num_heads, tokens_per_slot, tokens_per_slot))
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor, num_slots: int) -> Tensor:
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self._bias(num_slots, tokens.shape[1]).to(q.dtype)
        q, k = (self.norm(q) * self.sharpness).to(v.dtype), self.norm(k).to(v.dtype)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.project(mixed.transpose(1, 2).flatten(2))

    def _bias(self, num_slots: int, num_tokens: int) -> Tensor:
        """`[1, H, L, L]`."""
        same = torch.eye(num_slots, device=self.same_slot.device, dtype=self.same_slot.dtype)
        block = torch.einsum("nm,hst->hnsmt", same, self.same_slot).flatten(3, 4).flatten(1, 2)
        rest = num_tokens - block.shape[-1]
        return F.pad(block, (0, rest, 0, rest))[None]


class TransformerBlock(nn.Module):
    """Attention and MLP, each shifted, scaled and gated by the token's time; all gates start at zero.

    The modulation is the network's shared one plus a low-rank part of this block: a full one would be a third of all
    parameters (at 12 x 768, 42M of 132M).
    """

    def __init__(self, width: int, num_heads: int, mlp_ratio: float, rank: int, tokens_per_slot: int):
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.norm_1 = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = SlotAttention(width, num_heads, tokens_per_slot)
        self.norm_2 = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU("tanh"), nn.Linear(hidden, width))
        self.modulation_down = nn.Linear(width, rank, bias=False)
        self.modulation_up = nn.Linear(rank, 6 * width)
        nn.init.zeros_(self.modulation_up.weight)
        nn.init.zeros_(self.modulation_up.bias)

    def forward(self, tokens: Tensor, condition: Tensor, shared: Tensor, num_slots: int) -> Tensor:
        modulation = shared + self.modulation_up(self.modulation_down(condition))
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = modulation.chunk(6, -1)
        inner = self.norm_1(tokens) * (1 + scale_1) + shift_1
        tokens = tokens + gate_1 * self.attention(inner, num_slots)
        inner = self.norm_2(tokens) * (1 + scale_2) + shift_2
        return tokens + gate_2 * self.mlp(inner)
