"""The picture autoencoder: `AutoencoderKLFlux2`, with FLUX.2's patchify + batch-norm statistics in one place.

Shape legend: B pictures, H W pixels, D channels of a latent token, h w token grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLFlux2
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import nn

_CERTAIN = -5.0  # logarithm of the variance, of latents with variance 1


@dataclass(frozen=True)
class AutoencoderConfig:
    """Attributes:
    image_size: pixels a side.
    pixel_block: pixels folded into channels before the network (1 for FLUX.2's own; 4 makes a CPU-sized one).
    block_channels: widths; each after the first halves the resolution.
    decoder_channels: the decoding half's widths; None takes the encoding half's.
    latent_channels: channels before the 2x2 patchify.
    layers_per_block, norm_groups, attention: as in `AutoencoderKLFlux2`.
    shortcut: adds linear maps beside both halves, block of pixels <-> latent (the learned kind of Chen et al. 2024, DC-AE).
        They begin as the pictures' principal components, so that the network learns only what these miss.
    """

    image_size: int = 128
    pixel_block: int = 4
    block_channels: tuple[int, ...] = (96, 160)
    decoder_channels: tuple[int, ...] | None = None
    latent_channels: int = 16
    layers_per_block: int = 1
    norm_groups: int = 16
    attention: bool = False
    shortcut: bool = False

    @property
    def downsample(self) -> int:
        return self.pixel_block * 2 ** (len(self.block_channels) - 1) * 2

    @property
    def grid(self) -> int:
        """Tokens a side."""
        return self.image_size // self.downsample

    @property
    def token_channels(self) -> int:
        return self.latent_channels * 4


def autoencoder_config(vae: AutoencoderKLFlux2, image_size: int) -> AutoencoderConfig:
    """How FLUX.2's own autoencoder looks from here: nothing is folded before it.

    Raises:
        ValueError: it makes patches of another size than FLUX.2's.
    """
    patch, channels = tuple(vae.config["patch_size"]), vae.config["latent_channels"]
    if patch != (2, 2):
        raise ValueError(f"patch_size: got {patch}; expected (2, 2), that of FLUX.2's autoencoder")
    decoder = vae.config.get("decoder_block_out_channels")
    return AutoencoderConfig(
        image_size=image_size,
        pixel_block=1,
        block_channels=tuple(vae.config["block_out_channels"]),
        decoder_channels=tuple(decoder) if decoder else None,
        latent_channels=channels,
        layers_per_block=vae.config["layers_per_block"],
        norm_groups=vae.config["norm_num_groups"],
        attention=vae.config["mid_block_add_attention"],
    )


BUNDLED_AUTOENCODER = AutoencoderConfig(decoder_channels=(128, 224), shortcut=True)


class Autoencoder(nn.Module):
    """Pictures `[B, 3, H, W]` in [-1, 1] <-> whitened token grids `[B, D, h, w]`."""

    def __init__(self, config: AutoencoderConfig, vae: AutoencoderKLFlux2 | None = None):
        """A network with random weights, or around one that is there (`autoencoder_config` says how it looks from here)."""
        super().__init__()
        self.config = config
        self.vae = vae if vae is not None else self._new(config)
        self.vae.bn.eval()
        side = config.downsample // 2
        self.linear_in = nn.Conv2d(3, config.latent_channels, side, stride=side) if config.shortcut else None
        self.linear_out = nn.ConvTranspose2d(config.latent_channels, 3, side, stride=side) if config.shortcut else None

    @staticmethod
    def _new(config: AutoencoderConfig) -> AutoencoderKLFlux2:
        depth, channels = len(config.block_channels), 3 * config.pixel_block**2
        return AutoencoderKLFlux2(
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * depth,
            up_block_types=("UpDecoderBlock2D",) * depth,
            block_out_channels=tuple(config.block_channels),
            decoder_block_out_channels=tuple(config.decoder_channels) if config.decoder_channels else None,
            layers_per_block=config.layers_per_block,
            latent_channels=config.latent_channels,
            norm_num_groups=config.norm_groups,
            sample_size=config.image_size // config.pixel_block,
            mid_block_add_attention=config.attention,
        )

    def train(self, mode: bool = True) -> Autoencoder:
        """The batch-norm statistics are measured once (`measure_statistics`), never by training steps."""
        super().train(mode)
        self.vae.bn.eval()
        return self

    def posterior(self, images: torch.Tensor):
        """The diagonal Gaussian of the raw latents, before patchify and whitening."""
        folded = F.pixel_unshuffle(images, self.config.pixel_block).to(self._dtype)
        found = self.vae.encode(folded, return_dict=False)[0]
        if self.linear_in is None:
            return found
        mean, logvar = found.parameters.chunk(2, 1)
        return DiagonalGaussianDistribution(torch.cat([mean + self.linear_in(images), logvar], 1))

    def decode_raw(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures `[B, 3, H, W]` of raw latents."""
        folded = self.vae.decode(latents.to(self._dtype), return_dict=False)[0]  # type: ignore[arg-type]
        images = F.pixel_shuffle(folded, self.config.pixel_block)
        return images if self.linear_out is None else images + self.linear_out(latents)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Whitened tokens: encode -> patchify 2x2 -> (z - mean) / sqrt(var + eps), as FLUX.2 does."""
        tokens = F.pixel_unshuffle(self.posterior(images).mode(), 2).float()
        mean, std = self._statistics()
        return (tokens - mean) / std

    def decode(self, tokens: torch.Tensor) -> torch.Tensor:
        """The inverse of `encode`, up to what the network loses."""
        mean, std = self._statistics()
        return self.decode_raw(F.pixel_shuffle(tokens * std + mean, 2))

    @torch.no_grad()
    def channel_energy(self, tokens: torch.Tensor, step: float = 0.5) -> torch.Tensor:
        """`[D]`: how much of the picture each token channel moves, as mean squared change for a step in all its tokens.

        Args:
            tokens: `[B, D, h, w]`, whitened, of some pictures.
            step: in standard deviations.
        """
        before, energy = self.decode(tokens), []
        for channel in range(tokens.shape[1]):
            moved = tokens.clone()
            moved[:, channel] += step
            energy.append((self.decode(moved) - before).square().mean())
        return torch.stack(energy)

    def add_noise(self, latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Raw latents with `noise` (of their shape, in standard deviations of the whitening statistics) added."""
        std = self._statistics()[1]
        return latents + F.pixel_shuffle(F.pixel_unshuffle(noise, 2) * std, 2)

    def freeze_encoder(self) -> None:
        """Leaves only the decoding half to be trained; what was trained on this one's tokens stays valid."""
        for part in (self.vae.encoder, self.vae.quant_conv, self.linear_in):
            if part is not None:
                part.requires_grad_(False)

    @torch.no_grad()
    def start_linear(self, images: torch.Tensor) -> None:
        """Sets the shortcut to the principal components of the pictures' blocks, and leaves the network nothing to add.

        Args:
            images: `[M, 3, H, W]` in [-1, 1]; some thousand blocks do.

        Raises:
            ValueError: there is no shortcut.
        """
        if self.linear_in is None or self.linear_out is None:
            raise ValueError("shortcut: got False; expected True, a network without one has nothing to start")
        side, channels = self.config.downsample // 2, self.config.latent_channels
        blocks = F.pixel_unshuffle(images, side).movedim(1, -1).flatten(0, -2)
        mean = blocks.mean(0)
        _, values, axes = torch.linalg.svd(blocks - mean, full_matrices=False)
        std = values[:channels, None] / len(blocks) ** 0.5
        shape = (channels, 3, side, side)
        self.linear_in.weight.copy_((axes[:channels] / std).view(shape))
        self.linear_in.bias.copy_(-(axes[:channels] / std) @ mean)
        self.linear_out.weight.copy_((axes[:channels] * std).view(shape))
        self.linear_out.bias.copy_(mean.view(3, -1).mean(1))
        self._silence()

    def _silence(self) -> None:
        """The network adds nothing to either shortcut, and says that latents are nearly certain."""
        nn.init.zeros_(self.vae.decoder.conv_out.weight)
        nn.init.zeros_(self.vae.decoder.conv_out.bias)
        last = self.vae.quant_conv or self.vae.encoder.conv_out
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        last.bias[self.config.latent_channels :] = _CERTAIN

    @torch.no_grad()
    def measure_statistics(self, batches) -> None:
        """Sets the whitening statistics from batches of pictures `[B, 3, H, W]`."""
        tokens = torch.cat([F.pixel_unshuffle(self.posterior(x).mode(), 2).float().cpu() for x in batches])
        for name, value in (("running_mean", tokens.mean((0, 2, 3))), ("running_var", tokens.var((0, 2, 3)))):
            self.vae.bn.get_buffer(name).copy_(value)

    @property
    def _dtype(self) -> torch.dtype:
        return self.vae.decoder.conv_out.weight.dtype

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance = (
            self.vae.bn.get_buffer(name).float().view(1, -1, 1, 1) for name in ("running_mean", "running_var")
        )
        return mean, torch.sqrt(variance + self.vae.bn.eps)
