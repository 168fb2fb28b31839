"""Trains the paper's decoder: `accelerate launch -m anchorgen train flux2 --data DIR --out DIR` (docs/flux2.md).

Flow matching (Eq. 10) in the token grid of FLUX.2's autoencoder: the scene adapter, its tokens, the pooling (Eq. 7) and the
background tokens, beside a frozen backbone, LoRA layers in it, or all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import nn

from anchorgen.data.encoded_shards import is_encoded
from anchorgen.decode.adapter import Sites
from anchorgen.decode.flow import add_noise, shift_sigma
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_config import REPOSITORY, KleinConfig
from anchorgen.decode.flux2_errors import BackboneError, explained
from anchorgen.decode.flux2_velocity import KleinVelocity
from anchorgen.encode.sam3d.explain import PerceptionError
from anchorgen.pipeline.encoding import EncodingPipeline
from anchorgen.pipeline.token_networks import TokenNetworks
from anchorgen.train.flux2_data import Latents, PictureSource, open_source
from anchorgen.train.flux2_parts import Trained, blocks, choose_trained, write_results
from anchorgen.train.loop import LoopConfig
from anchorgen.train.run_settings import write_settings
from anchorgen.train.scene_latents import load_tokens
from anchorgen.train.sharded import ShardedResult, Shares, fit_sharded
from anchorgen.train.tensors import BACKGROUND_GRID, RoomTensors


@dataclass(frozen=True)
class Flux2Training:
    """Attributes:
    data: folder of encoded pictures, whose f and b are as they are, or of rendered rooms of `image_size` pixels or a multiple, for which
        pooling and background networks are trained too.
    out: folder of this run; the same call goes on where it stopped, with any number of processes.
    what: "adapter" (the backbone stays as it is), "lora" (and LoRA layers in its attention) or "full".
    lora_rank: of the LoRA layers.
    repository, revision: FLUX.2-klein's, on the hub or a folder.
    sites, context_width, image_size, num_text_tokens, num_tokens, channels, num_background: see `KleinConfig`.
    tokens: a finished `tokens.safetensors`; pooling and background networks are then kept as they are. Of rendered records only.
    paper_tokens: folder of `paper new`, whose pooling and background networks are trained too, from the weights there. Of encoded
        pictures that kept their voxels (`data encode --keep-voxels`) only.
    batch_size: pictures a step, over all processes.
    accumulate: in how many turns a process goes through its pictures.
    drop_scene: share of pictures whose scene is dropped, for guidance.
    pure_noise: share of pictures at sigma = 1, where a picture's layout is decided.
    shift: of training times towards noise.
    gradient_checkpointing: keeps only the inputs of the backbone's blocks and computes the rest again on the way back.
    """

    data: Path
    out: Path
    what: Trained = "adapter"
    lora_rank: int = 16
    repository: str = REPOSITORY
    revision: str | None = None
    sites: Sites = "double"
    context_width: int = 1024
    image_size: int = 512
    num_text_tokens: int = 512
    num_tokens: int = 8
    channels: int = 1024
    num_background: int = 1
    tokens: Path | None = None
    paper_tokens: Path | None = None
    batch_size: int = 64
    accumulate: int = 1
    drop_scene: float = 0.1
    pure_noise: float = 0.1
    shift: float = 3.0
    gradient_checkpointing: bool = True
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=20_000, learning_rate=1e-4, mixed_precision="bf16", warmup_steps=500)
    )

    def decoder_config(self) -> KleinConfig:
        """A frozen backbone is kept in bfloat16; one that is trained, or computed in full precision, in float32."""
        full = self.what == "full" or self.loop.mixed_precision == "no"
        names = ("sites", "context_width", "image_size", "num_text_tokens", "num_tokens", "channels", "num_background")
        sizes = {name: getattr(self, name) for name in (*names, "repository", "revision")}
        patch = self.image_size // BACKGROUND_GRID
        return KleinConfig(dtype="float32" if full else "bfloat16", background_patch=patch, **sizes)


class Flux2Loss(nn.Module):
    """Everything that is trained together; the flow-matching loss of some pictures.

    Args:
        velocity: the network.
        tokens: pooling and background networks; None where f and b are given.
    """

    def __init__(self, velocity: KleinVelocity, tokens: TokenNetworks | None):
        super().__init__()
        self.velocity, self.tokens = velocity, tokens

    def forward(self, rooms: RoomTensors, known: Latents | None, clean, noise, sigma, keep) -> torch.Tensor:
        """Mean squared error of the velocity; `clean` and `noise` `[B, D, h, h]`, `sigma` `[B]`, `keep` `[B]` bool."""
        f, b = self._latents(rooms) if known is None else known
        context, _ = self.velocity.context(rooms.scene(f.float(), b.float()), keep)
        predicted = self.velocity(add_noise(clean, noise, sigma), sigma, context)
        return (predicted.float() - (noise - clean)).square().mean()

    def _latents(self, rooms: RoomTensors) -> Latents:
        assert self.tokens is not None, "pictures without f and b need the networks that make them"
        f = self.tokens.pooling(rooms.coords.float(), rooms.feats.float(), rooms.voxels)
        return f, self.tokens.background(rooms.pictures(), rooms.outside)


def train_flux2(
    config: Flux2Training, decoder: Flux2KleinDecoder, source: PictureSource, tokens: TokenNetworks | None
) -> ShardedResult:
    """Trains in place and leaves the averaged weights in `config.out`; `tokens` are trained if they require gradients."""
    velocity = decoder.velocity
    choose_trained(decoder, config.what, config.lora_rank)
    module = Flux2Loss(velocity, tokens)
    given_space = source.latent_space if tokens is None else tokens.fingerprint()  # if it is not trained
    if config.gradient_checkpointing:
        velocity.transformer.enable_gradient_checkpointing()
    shape = (velocity.config.token_channels, velocity.config.grid, velocity.config.grid)

    def make_batch(step: int, generator: torch.Generator, rows: Sequence[int]) -> dict[str, Any]:
        size = config.batch_size
        number = torch.randint(len(source), (size,), generator=generator)
        noise = torch.randn(size, *shape, generator=generator)
        sigma = shift_sigma(torch.randn(size, generator=generator).sigmoid(), config.shift)
        sigma = torch.where(torch.rand(size, generator=generator) < config.pure_noise, 1.0, sigma)
        keep = torch.rand(size, generator=generator) >= config.drop_scene
        own = torch.as_tensor(rows)
        rooms, known = source.read(number[own].tolist())
        return {"rooms": rooms, "known": known, "others": (noise[own], sigma[own], keep[own]), "keys": rooms.names()}

    def loss_fn(model, batch):
        with torch.no_grad():
            clean = decoder.autoencoder.to(batch["rooms"].images.device).encode(batch["rooms"].pictures()).float()
        return model(batch["rooms"], batch["known"], clean, *batch["others"]), {}

    how = Shares(blocks(decoder), config.batch_size, config.accumulate)
    result = fit_sharded(config.loop, module, make_batch, loss_fn, config.out, how)
    if result.is_main:
        facts = {"steps": result.step, "pictures": len(source), "what": config.what}
        facts["latent_space"] = latent_space(tokens, result.averages) or given_space
        write_results(decoder, result.averages, config.what, config.out, facts)
        write_settings(config.out, decoder=replace(velocity.config, own_transformer=config.what == "full"))
    return result


def latent_space(tokens: TokenNetworks | None, averages: dict[str, torch.Tensor]) -> str:
    """That of the averaged pooling and background networks; "" if these were not trained."""
    trained = {n.removeprefix("tokens."): v for n, v in averages.items() if n.startswith("tokens.")}
    return tokens.fingerprint_of(trained) if tokens is not None and trained else ""


def token_networks(config: Flux2Training, model: KleinConfig) -> TokenNetworks | None:
    """Pooling and background networks: new ones to be trained, finished ones that stay as they are, or none to be had.

    Raises:
        ValueError: the pictures are encoded, and there is a file of networks too.
        PretrainedError: `paper_tokens` is no folder of a model.
    """
    if config.paper_tokens is not None:
        pipe = EncodingPipeline.from_pretrained(config.paper_tokens, "cpu")
        if pipe.config.encoder_kind == "bundled":
            raise ValueError(f"--paper-tokens: {config.paper_tokens} is not of `paper new`: its networks read no SLAT")
        return pipe.tokens.train().requires_grad_(True)
    if is_encoded(config.data):
        if config.tokens is not None:
            raise ValueError(f"--tokens: {config.data} holds encoded pictures, whose f and b are made; leave it out")
        return None
    if config.tokens is not None:
        return load_tokens(config.tokens, model)
    torch.manual_seed(config.loop.seed)
    return TokenNetworks(model.num_tokens, model.channels, model.num_background, model.background_patch)


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Flux2Training, args=argv)
    try:
        source = open_source(config.data, config.decoder_config(), voxels=config.paper_tokens is not None)
        decoder = Flux2KleinDecoder.from_pretrained(config.decoder_config())
        tokens = token_networks(config, decoder.velocity.config)
        with explained("training"):
            result = train_flux2(config, decoder, source, tokens)
    except (BackboneError, PerceptionError, ValueError) as error:
        raise SystemExit(f"anchorgen train flux2: {error}") from None
    if result.is_main:
        print(f"wrote {config.out}/adapter.safetensors after {result.step} steps, {result.seconds:.0f} s")
