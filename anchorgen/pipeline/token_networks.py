"""The two networks that define a latent space: attention pooling (Eq. 7) and background tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn

from anchorgen.encode.background import BackgroundTokens
from anchorgen.encode.pooling import AttentionPooling


class TokenNetworks(nn.Module):
    """Voxels -> f and picture -> b; their weights are what `latent_space` names."""

    def __init__(self, num_tokens: int, channels: int, num_background: int, background_patch: int = 8):
        super().__init__()
        self.sizes = (num_tokens, channels, num_background)
        self.pooling = AttentionPooling(num_tokens=num_tokens, channels=channels)
        self.background = BackgroundTokens(num_background, channels, patch=background_patch)

    def fingerprint(self) -> str:
        """A hash of the weights (as stored, in bfloat16) and of K, C, Kb."""
        return self.fingerprint_of(self.state_dict())

    def fingerprint_of(self, weights: Mapping[str, torch.Tensor]) -> str:
        """That of such networks with other weights, whole and by the same names."""
        digest = hashlib.sha256(repr(self.sizes).encode())
        for name, tensor in sorted(weights.items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().to(torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]
