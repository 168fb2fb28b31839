"""Trains the decoder with its pooling and background tokens: `python -m anchorgen train decoder --data DIR --out DIR`.

Flow matching (Eq. 10) in the frozen autoencoder's token grid, on rooms and their exact mirror images.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.decode.decoder import DecoderConfig, SceneVelocity
from anchorgen.decode.flow import add_noise, shift_sigma
from anchorgen.encode.background import BackgroundTokens
from anchorgen.encode.pooling import AttentionPooling
from anchorgen.train.loop import LoopConfig, fit
from anchorgen.train.tensors import RoomTensors, concatenate, load_rooms
from anchorgen.world.catalogue import CATEGORIES

_ALL_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True)
class DecoderTraining:
    """Attributes:
    data, vae, out: folder of records, `vae.safetensors`, and where the run goes.
    stop: use only the first records.
    batch_size: rooms a step.
    drop_scene: share of rooms whose scene is dropped, for guidance.
    pure_noise: share of rooms at sigma = 1, where a picture's layout is decided.
    """

    data: Path
    vae: Path
    out: Path
    stop: int | None = None
    batch_size: int = 32
    drop_scene: float = 0.1
    pure_noise: float = 0.15
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    model: DecoderConfig = field(default_factory=DecoderConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=4000, learning_rate=1e-3, mixed_precision="bf16", warmup_steps=200)
    )


class SceneLoss(nn.Module):
    """Everything that is trained together, and the flow-matching loss of one batch."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.pooling = AttentionPooling(num_tokens=config.num_tokens, channels=config.channels)
        self.background = BackgroundTokens(num_tokens=config.num_background, channels=config.channels)
        self.velocity = SceneVelocity(config)

    def forward(self, rooms: RoomTensors, tokens, noise, sigma, keep) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean squared error of the velocity, and of the clean tokens it implies."""
        appearance = self.pooling(rooms.coords.float(), rooms.feats.float(), rooms.voxels)
        background = self.background(rooms.pictures(), rooms.outside)
        context, drawn = self.velocity.context(rooms.scene(appearance, background), keep)
        predicted = self.velocity(add_noise(tokens, noise, sigma), sigma, context, drawn).float()
        error = (predicted - (noise - tokens)).square().mean((1, 2, 3))
        return error.mean(), (error * sigma.square()).mean()


@torch.no_grad()
def encode_tokens(autoencoder: Autoencoder, rooms: RoomTensors, chunk: int = 64) -> torch.Tensor:
    """Whitened tokens `[M, D, h, w]` float16 of all pictures."""
    rows = [autoencoder.encode(rooms[i : i + chunk].pictures()).half() for i in range(0, len(rooms), chunk)]
    return torch.cat(rows)


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(DecoderTraining, args=argv)
    autoencoder = Autoencoder(config.autoencoder).eval()
    autoencoder.load_state_dict(load_file(config.vae))
    rooms = load_rooms(config.data, CATEGORIES, stop=config.stop)
    rooms = concatenate([rooms, rooms.mirrored()])
    tokens = encode_tokens(autoencoder, rooms)
    torch.manual_seed(config.loop.seed)
    module = SceneLoss(config.model)

    def make_batch(step: int, generator: torch.Generator):
        index = torch.randint(len(rooms), (config.batch_size,), generator=generator)
        clean = tokens[index].float()
        noise = torch.randn(clean.shape, generator=generator)
        sigma = shift_sigma(torch.randn(len(index), generator=generator).sigmoid(), config.model.shift)
        sigma = torch.where(torch.rand(len(index), generator=generator) < config.pure_noise, 1.0, sigma)
        keep = torch.rand(len(index), generator=generator) >= config.drop_scene
        return {"args": (rooms[index], clean, noise, sigma, keep), "keys": index.tolist()}

    def loss_fn(module, batch, generator):
        # On a CPU the fused bfloat16 attention has a slow backward pass; plain matrix products are a tenth faster.
        kernels = SDPBackend.MATH if batch["args"][1].device.type == "cpu" else _ALL_KERNELS
        with sdpa_kernel(kernels):
            loss, clean_error = module(*batch["args"])
        return loss, {"clean_mse": float(clean_error.detach())}

    result = fit(config.loop, module, make_batch, loss_fn, config.out)
    ema = result.ema
    save_file({k: v.contiguous() for k, v in ema.velocity.state_dict().items()}, config.out / "decoder.safetensors")
    parts = {"pooling": ema.pooling, "background": ema.background}
    both = {f"{n}.{k}": v.contiguous() for n, part in parts.items() for k, v in part.state_dict().items()}
    save_file(both, config.out / "tokens.safetensors")
    print(f"wrote {config.out}/decoder.safetensors after {result.step} steps, {result.seconds:.0f} s")
