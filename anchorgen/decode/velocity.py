"""The velocity network of Eq. 2: scene latents -> conditioning, and a shrunk `Flux2Transformer2DModel` that reads it.

Shape legend: B pictures, D token channels, h tokens a side, T = (h split)^2 tokens of the network, W width, N slots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from diffusers import Flux2Transformer2DModel
from torch import nn

from anchorgen.decode.adapter import SceneAdapter, SceneContext, Sites
from anchorgen.decode.rays import PAIR_CHANNELS, pair_rays_with_boxes
from anchorgen.decode.stem import RayStem
from anchorgen.decode.tokens import SceneTokens
from anchorgen.scene.batch import SceneBatch

Conditioning = Literal["paper", "rays", "drawn"]
Backbone = Literal["flux2", "unet"]


@dataclass(frozen=True)
class DecoderConfig:
    """Attributes:
    num_tokens, channels, num_background: K, C and Kb of the latent space.
    background_patch: pixels a side of the patches that background tokens look at.
    token_channels, grid: of the autoencoder.
    split: each of the autoencoder's tokens enters the network as split x split smaller ones, those of its pixels: more
        work a picture, for finer placing, with the same weights but the first and last layers'.
    width, num_heads, num_double, num_single, mlp_ratio: the transformer's size.
    sites: which blocks have a scene adapter.
    conditioning: how geometry reaches the network beside the boxes in the scene tokens. "paper": not at all; "rays":
        each image token's ray in each box's frame, as bias and value of the adapter's attention; "drawn": boxes drawn
        along rays by a convolutional stem (`stem.py`).
    backbone: "flux2", or "unet" for a convolutional one (`unet.py`) of the same width.
    rays: drawn rays a side.
    nearest: boxes kept on a ray.
    code: numbers that a ray learns of a box's appearance.
    octaves: of the point where a ray enters a box, beside its coordinates (sines and cosines).
    stem_channels: channels that the stem adds to every noisy token.
    shift: moves sampling and training times towards noise.
    """

    num_tokens: int = 4
    channels: int = 64
    num_background: int = 4
    background_patch: int = 8
    token_channels: int = 64
    grid: int = 8
    split: int = 1
    width: int = 256
    num_heads: int = 4
    num_double: int = 2
    num_single: int = 6
    mlp_ratio: float = 3.0
    sites: Sites = "all"
    conditioning: Conditioning = "drawn"
    backbone: Backbone = "flux2"
    rays: int = 32
    nearest: int = 2
    code: int = 32
    octaves: int = 0
    stem_channels: int = 192
    latent_noise: float = 0.03
    shift: float = 2.0
    rope_axes: tuple[int, ...] = field(default=(8, 28, 28, 0))

    def __post_init__(self):
        if self.split < 1 or self.token_channels % self.split**2:
            raise ValueError(
                f"split: got {self.split}; expected a whole number whose square divides token_channels ({self.token_channels})"
            )

    @property
    def side(self) -> int:
        """Image tokens a side, as the network sees them."""
        return self.grid * self.split

    @property
    def output_channels(self) -> int:
        """Channels of such a token."""
        return self.token_channels // self.split**2

    @property
    def input_channels(self) -> int:
        """Channels of an image token as the backbone takes it: noisy token, and what the stem has drawn."""
        return self.output_channels + (self.stem_channels if self.conditioning == "drawn" else 0)


BUNDLED_DECODER = DecoderConfig(sites="double", num_single=8, split=2, rays=64, nearest=3, code=48, octaves=2)


class SceneConditioning(nn.Module):
    """What a backbone is told of a scene, computed once a picture: tokens to attend to, and a drawing to look at."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        self.tokens = SceneTokens(config.num_tokens, config.channels, config.width, config.latent_noise)
        self.stem = ray_stem(config) if config.conditioning == "drawn" else None

    def context(self, scene: SceneBatch, keep: torch.Tensor | None = None) -> tuple[SceneContext, torch.Tensor | None]:
        """What all steps of one picture share. `keep` `[B]` bool: False drops the whole scene (for guidance)."""
        appearance, background = self.tokens.latents(scene)
        tokens, mask = self.tokens(scene, appearance, background)
        drawn = self.stem(scene, appearance, background).flatten(2).transpose(1, 2) if self.stem is not None else None
        pairs = pair_rays_with_boxes(scene, self.config.side) if self.config.conditioning == "rays" else None
        if keep is not None:
            tokens = tokens * keep[:, None, None]
            drawn = drawn * keep[:, None, None] if drawn is not None else None
            pairs = pairs * keep[:, None, None, None] if pairs is not None else None
        return SceneContext(tokens, mask, pairs=pairs, slot_tokens=self.config.num_tokens), drawn

    @property
    def backbone(self) -> nn.Module:
        """The diffusers model that runs once a step."""
        raise NotImplementedError

    def prepare(self, context: SceneContext) -> None:
        """Does beforehand what every step of a sampler would do again."""

    def compile_backbone(self) -> None:
        """Compiles the backbone, in place."""
        self.backbone.compile()

    def compile_parts(self) -> None:
        """Compiles what takes most of the time, in place; the first call is slow then."""
        self.compile_backbone()
        if self.stem is not None:
            self.stem.compile()


class SceneVelocity(SceneConditioning):
    """v(x, sigma | scene) = noise - x0 for token grids: a shrunk `Flux2Transformer2DModel` with the scene adapter."""

    def __init__(self, config: DecoderConfig):
        super().__init__(config)
        head = config.width // config.num_heads
        if sum(config.rope_axes) != head:
            raise ValueError(f"rope_axes {config.rope_axes} must add up to width / num_heads = {head}")
        self.transformer = Flux2Transformer2DModel(
            in_channels=config.input_channels,
            out_channels=config.output_channels,
            num_layers=config.num_double,
            num_single_layers=config.num_single,
            attention_head_dim=head,
            num_attention_heads=config.num_heads,
            joint_attention_dim=config.channels,
            timestep_guidance_channels=256,
            mlp_ratio=config.mlp_ratio,
            axes_dims_rope=tuple(config.rope_axes),
            rope_theta=2000,
            guidance_embeds=False,
        )
        # Trained whole from scratch: a zero start would only starve the pooling of its first gradients.
        pair_channels = PAIR_CHANNELS if config.conditioning == "rays" else 0
        self.adapter = SceneAdapter(self.transformer, config.width, config.sites, False, pair_channels)
        self.image_ids: torch.Tensor
        self.register_buffer("image_ids", grid_ids(config.side), persistent=False)

    @property
    def backbone(self) -> nn.Module:
        return self.transformer

    def prepare(self, context: SceneContext) -> None:
        self.adapter.precompute(context)

    def compile_backbone(self) -> None:
        self.transformer.compile_repeated_blocks()  # blocks of a kind share one program

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, context: SceneContext, drawn: torch.Tensor | None):
        """`x` `[B, D, h, h]`, `sigma` `[B]` -> velocity `[B, D, h, h]`."""
        hidden_BTD = F.pixel_shuffle(x, self.config.split).flatten(2).transpose(1, 2)
        if drawn is not None:
            hidden_BTD = torch.cat([hidden_BTD, drawn.to(hidden_BTD.dtype)], -1)
        no_text = hidden_BTD.new_zeros(len(x), 0, self.config.channels)
        out = self.transformer(
            hidden_states=hidden_BTD,
            encoder_hidden_states=no_text,
            timestep=sigma,
            img_ids=self.image_ids,
            txt_ids=self.image_ids[:0],
            joint_attention_kwargs={"scene": context},
            return_dict=False,
        )[0]
        side = self.config.side
        return F.pixel_unshuffle(out.transpose(1, 2).unflatten(-1, (side, side)), self.config.split)


def ray_stem(config: DecoderConfig) -> RayStem:
    """The stem of a "drawn" conditioning."""
    k, c, kb = config.num_tokens, config.channels, config.num_background
    sizes = {"nearest": config.nearest, "code": config.code, "octaves": config.octaves}
    return RayStem(k, c, kb, config.rays, config.side, config.stem_channels, **sizes)


def grid_ids(grid: int) -> torch.Tensor:
    """Position ids `[T, 4]` as FLUX.2 numbers them: (t, row, column, layer)."""
    row, column = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    zero = torch.zeros_like(row)
    return torch.stack([zero, row, column, zero], -1).reshape(-1, 4).float()
