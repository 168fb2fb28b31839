"""The networks that define the paper's latent space: SLAT voxels -> f (Eq. 7), DINOv2 patches -> b (Eq. 8)."""

from __future__ import annotations

from torch import nn

from anchorgen.encode.dinov2 import Dinov2Background, Dinov2Patches
from anchorgen.encode.pooling import AttentionPooling
from anchorgen.pipeline.token_networks import TokenNetworks


class PaperTokenNetworks(TokenNetworks):
    """K = 8, C = 1024, Kb = 1 unless said otherwise. DINOv2 is frozen and no part of the weights.

    Args:
        patches: frozen DINOv2.
        num_tokens, channels, num_background: K, C, Kb.
        width, num_heads: of both attentions.
    """

    def __init__(
        self,
        patches: Dinov2Patches,
        num_tokens: int = 8,
        channels: int = 1024,
        num_background: int = 1,
        width: int = 512,
        num_heads: int = 8,
    ):
        nn.Module.__init__(self)  # not the bundled networks
        self.sizes = (num_tokens, channels, num_background)
        self.pooling = AttentionPooling(num_tokens, channels, width, num_heads, colour_gain=1.0)
        self.background = Dinov2Background(patches, num_background, channels, width=width, num_heads=num_heads)
