"""D_theta (Eq. 2): scene latents -> picture, by rectified flow in the autoencoder's token grid.

Shape legend: B pictures, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from anchorgen.decode.autoencoder import Autoencoder
from anchorgen.decode.flow import SAMPLERS, Callback, Velocity, noise_for
from anchorgen.decode.unet import UNetVelocity
from anchorgen.decode.velocity import DecoderConfig, SceneVelocity
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


def velocity_network(config: DecoderConfig) -> SceneVelocity | UNetVelocity:
    """The network that `config.backbone` names, with random weights."""
    return SceneVelocity(config) if config.backbone == "flux2" else UNetVelocity(config)


class FlowSceneDecoder(nn.Module):
    """The bundled `SceneDecoder`: autoencoder and velocity network."""

    def __init__(self, autoencoder: Autoencoder, velocity: SceneVelocity | UNetVelocity):
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
        noise = self.noise(seeds).to(scene.focal.device)
        tokens = SAMPLERS[method](self.guided(scene, guidance), noise, steps, self.shift(steps), callback)
        images = self.autoencoder.decode(tokens)
        if not bool(torch.isfinite(images).all()):
            raise FloatingPointError(
                "the picture is not finite: broken weights, or latents far from any that were trained"
            )
        return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()

    def noise(self, seeds: Sequence[int]) -> torch.Tensor:
        """Where samplers start, `[B, D, h, h]` on the CPU."""
        config = self.velocity.config
        return noise_for(seeds, (config.token_channels, config.grid, config.grid))

    def shift(self, steps: int) -> float:
        """How far times are moved towards noise, for a sampler of so many steps."""
        return self.velocity.config.shift

    def weight_files(self) -> dict[str, Any]:
        """What makes up this decoder on disk, by file name: things with a `state_dict`."""
        return {"vae": self.autoencoder, "decoder": self.velocity}

    @torch.no_grad()
    def guided(self, scene: SceneBatch, guidance: float) -> Velocity:
        """The velocity that samplers integrate; what all steps share of the scene is computed here, once."""
        context, drawn = self.velocity.context(scene)
        self.velocity.prepare(context)
        if guidance == 1.0:
            return lambda x, sigma: self.velocity(x, sigma, context, drawn)
        nothing, blank = self.velocity.context(scene, keep=torch.zeros_like(scene.floor, dtype=torch.bool))
        self.velocity.prepare(nothing)

        def velocity(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            v0 = self.velocity(x, sigma, nothing, blank)
            return v0 + guidance * (self.velocity(x, sigma, context, drawn) - v0)

        return velocity
