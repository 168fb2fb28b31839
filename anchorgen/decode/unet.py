"""The convolutional backbone: a shrunk `UNet2DConditionModel` with the conditioning of the transformer.

`python -m anchorgen ablate --row unet` trains a small one, to be compared with the Flux2-shaped.
Shape legend: B pictures, D token channels, h tokens a side, T = (h split)^2 tokens of the network.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import nn

from anchorgen.decode.adapter import SceneContext
from anchorgen.decode.velocity import DecoderConfig, SceneConditioning


class UNetVelocity(SceneConditioning):
    """v(x, sigma | scene) by convolutions at two resolutions, with cross-attention to the scene tokens at both."""

    def __init__(self, config: DecoderConfig):
        if config.conditioning == "rays":
            raise ValueError(
                "conditioning='rays' is a bias of the transformer's adapter; a unet takes 'paper' or 'drawn'"
            )
        super().__init__(config)
        self.unet: Any = UNet2DConditionModel(
            sample_size=config.side,
            in_channels=config.input_channels,
            out_channels=config.output_channels,
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(config.width, config.width * 3 // 2),
            layers_per_block=1,
            norm_num_groups=8,
            cross_attention_dim=config.width,
            attention_head_dim=config.num_heads,  # diffusers takes the number of heads by this name
        )

    @property
    def backbone(self) -> nn.Module:
        return self.unet

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, context: SceneContext, drawn: torch.Tensor | None):
        """`x` `[B, D, h, h]`, `sigma` `[B]` -> velocity `[B, D, h, h]`."""
        x = F.pixel_shuffle(x, self.config.split)
        if drawn is not None:
            x = torch.cat([x, drawn.transpose(1, 2).unflatten(-1, x.shape[-2:]).to(x.dtype)], 1)
        mask, tokens = context.mask, context.tokens.to(x.dtype)
        velocity = self.unet(x, 1000 * sigma, tokens, encoder_attention_mask=mask, return_dict=False)[0]
        return F.pixel_unshuffle(velocity, self.config.split)
