"""D_theta (Eq. 2): scene latents -> picture, by rectified flow in the autoencoder's token grid.

Shape legend: B pictures, D token channels, h tokens a side, T = h * h tokens, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from diffusers import Flux2Transformer2DModel
from torch import nn

from anchorgen.decode.adapter import SceneAdapter, SceneContext, Sites
from anchorgen.decode.autoencoder import Autoencoder
from anchorgen.decode.flow import SAMPLERS, Callback, Velocity, noise_for
from anchorgen.decode.stem import RayStem
from anchorgen.decode.tokens import SceneTokens
from anchorgen.scene.batch import SceneBatch


class SceneDecoder(Protocol):
    """What draws pictures of scenes; the pipeline knows no more of a decoder than this."""

    image_size: int

    def render(
        self,
        scene: SceneBatch,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        method: str = "euler",
        callback: Callback | None = None,
    ) -> torch.Tensor: ...


@dataclass(frozen=True)
class DecoderConfig:
    """Attributes:
    num_tokens, channels, num_background: K, C and Kb of the latent space.
    token_channels, grid: of the autoencoder.
    width, num_heads, num_double, num_single, mlp_ratio: the transformer's size.
    sites: which blocks have a scene adapter.
    rays: drawn rays a side; 0 leaves the ray-drawn stem out (the paper's conditioning).
    stem_channels: channels that the stem adds to every noisy token.
    shift: moves sampling and training times towards noise.
    """

    num_tokens: int = 4
    channels: int = 64
    num_background: int = 4
    token_channels: int = 64
    grid: int = 8
    width: int = 256
    num_heads: int = 4
    num_double: int = 2
    num_single: int = 6
    mlp_ratio: float = 3.0
    sites: Sites = "all"
    rays: int = 32
    stem_channels: int = 192
    latent_noise: float = 0.03
    shift: float = 2.0
    rope_axes: tuple[int, ...] = field(default=(8, 28, 28, 0))


class SceneVelocity(nn.Module):
    """v(x, sigma | scene) = noise - x0 for token grids: a shrunk `Flux2Transformer2DModel` with the scene adapter."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        head = config.width // config.num_heads
        if sum(config.rope_axes) != head:
            raise ValueError(f"rope_axes {config.rope_axes} must add up to width / num_heads = {head}")
        self.transformer = Flux2Transformer2DModel(
            in_channels=config.token_channels + (config.stem_channels if config.rays else 0),
            out_channels=config.token_channels,
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
        self.adapter = SceneAdapter(self.transformer, config.width, config.sites, zero_init=False)
        self.tokens = SceneTokens(config.num_tokens, config.channels, config.width, config.latent_noise)
        k, c, kb = config.num_tokens, config.channels, config.num_background
        self.stem = RayStem(k, c, kb, config.rays, config.grid, config.stem_channels) if config.rays else None
        self.image_ids: torch.Tensor
        self.register_buffer("image_ids", _grid_ids(config.grid), persistent=False)

    def context(self, scene: SceneBatch, keep: torch.Tensor | None = None) -> tuple[SceneContext, torch.Tensor | None]:
        """What all steps of one picture share. `keep` `[B]` bool: False drops the whole scene (for guidance)."""
        appearance, background = self.tokens.latents(scene)
        tokens, mask = self.tokens(scene, appearance, background)
        drawn = self.stem(scene, appearance, background).flatten(2).transpose(1, 2) if self.stem is not None else None
        if keep is not None:
            tokens = tokens * keep[:, None, None]
            drawn = drawn * keep[:, None, None] if drawn is not None else None
        return SceneContext(tokens, mask), drawn

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, context: SceneContext, drawn: torch.Tensor | None):
        """`x` `[B, D, h, h]`, `sigma` `[B]` -> velocity `[B, D, h, h]`."""
        hidden_BTD = x.flatten(2).transpose(1, 2)
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
        return out.transpose(1, 2).unflatten(-1, x.shape[-2:])


class Flux2SceneDecoder(nn.Module):
    """The bundled `SceneDecoder`: autoencoder and velocity network."""

    def __init__(self, autoencoder: Autoencoder, velocity: SceneVelocity):
        super().__init__()
        self.autoencoder, self.velocity = autoencoder, velocity

    @property
    def image_size(self) -> int:
        return self.autoencoder.config.image_size

    @torch.no_grad()
    def render(
        self,
        scene: SceneBatch,
        seeds: Sequence[int],
        steps: int = 6,
        guidance: float = 1.0,
        method: str = "euler",
        callback: Callback | None = None,
    ) -> torch.Tensor:
        """Draws `[B, 3, H, W]` uint8 on the CPU.

        Args:
            scene: B scenes.
            seeds: B noise seeds; one seed gives one picture, in any batch and on any device (to rounding).
            steps: of the sampler.
            method: "euler", or "heun" (nearly twice the work a step, second order).
            guidance: 1 samples the model; above, away from the picture of no scene at all.
            callback: called after each step; may raise to cancel.

        Raises:
            ValueError: as many seeds as scenes are needed; steps >= 1; a method that there is not.
        """
        if method not in SAMPLERS:
            raise ValueError(f"method: got {method!r}; expected one of {sorted(SAMPLERS)}")
        if len(seeds) != len(scene):
            raise ValueError(f"got {len(seeds)} seeds for {len(scene)} scenes; expected one each")
        config = self.velocity.config
        noise = noise_for(seeds, (config.token_channels, config.grid, config.grid)).to(scene.focal.device)
        tokens = SAMPLERS[method](self.guided(scene, guidance), noise, steps, config.shift, callback)
        images = self.autoencoder.decode(tokens)
        if not bool(torch.isfinite(images).all()):
            raise FloatingPointError(
                "the picture is not finite: broken weights, or latents far from any that were trained"
            )
        return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()

    @torch.no_grad()
    def guided(self, scene: SceneBatch, guidance: float) -> Velocity:
        """The velocity that samplers integrate; what all steps share of the scene is computed here, once."""
        context, drawn = self.velocity.context(scene)
        self.velocity.adapter.precompute(context)
        if guidance == 1.0:
            return lambda x, sigma: self.velocity(x, sigma, context, drawn)
        nothing, blank = self.velocity.context(scene, keep=torch.zeros_like(scene.floor, dtype=torch.bool))
        self.velocity.adapter.precompute(nothing)

        def velocity(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            v0 = self.velocity(x, sigma, nothing, blank)
            return v0 + guidance * (self.velocity(x, sigma, context, drawn) - v0)

        return velocity


def _grid_ids(grid: int) -> torch.Tensor:
    """Position ids `[T, 4]` as FLUX.2 numbers them: (t, row, column, layer)."""
    row, column = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    zero = torch.zeros_like(row)
    return torch.stack([zero, row, column, zero], -1).reshape(-1, 4).float()
