"""Trains the decoder with its pooling and background tokens: `python -m anchorgen train decoder --data DIR --out DIR`.

Flow matching (Eq. 10) in the frozen autoencoder's token grid, on rooms and their exact mirror images. Two runs make a
bundled decoder: one that also learns what f and b are, and one that goes on from it with f and b frozen (`--init`), while
the prior and the encoder already learn on them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from safetensors.torch import load_file, load_model, save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from anchorgen.data.encoded_shards import is_encoded
from anchorgen.data.records import Record
from anchorgen.decode.autoencoder import Autoencoder
from anchorgen.decode.decoder import velocity_network
from anchorgen.decode.flow import add_noise, shift_sigma
from anchorgen.decode.velocity import BUNDLED_DECODER, DecoderConfig
from anchorgen.encode.background import BackgroundTokens
from anchorgen.encode.pooling import AttentionPooling
from anchorgen.train.auxiliary import CoarsePicture, VoxelColours
from anchorgen.train.device import training_device
from anchorgen.train.encoded_latents import load_encoded
from anchorgen.train.loop import FitResult, LoopConfig, fit
from anchorgen.train.relight import relight
from anchorgen.train.run_record import first_part, write_run_record
from anchorgen.train.run_settings import load_autoencoder, write_settings
from anchorgen.train.scene_latents import load_tokens, room_latents
from anchorgen.train.tensors import RoomTensors, concatenate, load_rooms
from anchorgen.world.catalogue import CATEGORIES

_AVERAGED = "ema.safetensors"
_ALL_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True)
class DecoderTraining:
    """Attributes:
    data, vae, out: folders of records (rendered ones, or encoded pictures, which want `--init`), of the finished run of
        `train vae`, and where this run goes.
    stop: use only the first records.
    size: pixels a side of the pictures, which are made smaller for small experiments.
    batch_size: rooms a step.
    drop_scene: share of rooms whose scene is dropped, for guidance.
    pure_noise: share of rooms at sigma = 1, where a picture's layout is decided.
    colour_weight, thumbnail_weight: of the auxiliary errors (`auxiliary.py`).
    channel_weight: power of the energy that a token channel has in pictures, by which its velocity's error counts; 0
        weighs all alike, though most of them hold texture that no scene tells of.
    object_weight: by how much more the error of a token counts where all of it shows objects.
    relight: how much the light on the pictures that b is taken from varies (`relight.py`).
    init: folder of a finished run, or of a model, to go on from. Its pooling and background networks are kept as they are,
        so that what is trained on their latents stays valid.
    compile: compiles the transformer and the stem (a minute at the start, then a seventh less time a step on two CPU cores). Needs a C++ compiler.
    gradient_checkpointing: keeps only the inputs of the transformer's blocks and computes the rest again on the way
        back: less memory, about a third more time, the same gradients.
    """

    data: Path
    vae: Path
    out: Path
    stop: int | None = None
    size: int = 128
    batch_size: int = 32
    drop_scene: float = 0.1
    pure_noise: float = 0.15
    colour_weight: float = 5.0
    thumbnail_weight: float = 3.0
    channel_weight: float = 0.5
    object_weight: float = 0.0
    relight: float = 0.0
    init: Path | None = None
    compile: bool = False
    gradient_checkpointing: bool = False
    model: DecoderConfig = BUNDLED_DECODER
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=3800, learning_rate=1e-3, mixed_precision="bf16", warmup_steps=200)
    )


class SceneLoss(nn.Module):
    """Everything that is trained together, and the flow-matching loss of one batch."""

    def __init__(
        self,
        config: DecoderConfig,
        relight: float = 0.0,
        channel_weights: torch.Tensor | None = None,
        object_weight: float = 0.0,
    ):
        super().__init__()
        self.relight, self.object_weight = relight, object_weight
        weights = torch.ones(config.token_channels) if channel_weights is None else channel_weights
        self.channel_weights: torch.Tensor
        self.register_buffer("channel_weights", weights.view(1, -1, 1, 1), persistent=False)
        self.pooling = AttentionPooling(num_tokens=config.num_tokens, channels=config.channels)
        self.background = BackgroundTokens(config.num_background, config.channels, patch=config.background_patch)
        self.velocity = velocity_network(config)
        self.colours = VoxelColours(config.num_tokens, config.channels)
        self.thumbnail = CoarsePicture(config.stem_channels) if config.conditioning == "drawn" else None

    def forward(
        self, rooms: RoomTensors, tokens, noise, sigma, keep, appearance=None, background=None
    ) -> dict[str, torch.Tensor]:
        """Mean squared errors: of the velocity, of the clean tokens it implies, of colours read back, of a thumbnail.

        With `appearance` (f) given, the pooling is left alone, and there are no colours to read back; so is the
        background network with `background` (b).
        """
        voxels = (rooms.coords.float(), rooms.feats.float(), rooms.voxels)
        pooled = self.pooling(*voxels) if appearance is None else appearance
        b = self._background(rooms) if background is None else background
        context, drawn = self.velocity.context(rooms.scene(pooled, b), keep)
        predicted = self.velocity(add_noise(tokens, noise, sigma), sigma, context, drawn).float()
        weights = self.channel_weights * self._place_weights(rooms, predicted.shape[-1])
        error = (weights * (predicted - (noise - tokens)).square()).mean((1, 2, 3))
        terms = {"velocity": error.mean(), "clean": (error * sigma.square()).mean()}
        if appearance is None:
            terms["colour"] = self.colours(pooled, *voxels)
        if self.thumbnail is not None:
            terms["thumbnail"] = self.thumbnail(drawn, rooms.pictures(), keep)
        return terms

    def _place_weights(self, rooms: RoomTensors, grid: int) -> torch.Tensor:
        """`[B, 1, grid, grid]`: more where objects are."""
        inside = F.adaptive_avg_pool2d((~rooms.outside).float()[:, None], grid)
        return 1 + self.object_weight * inside

    def _background(self, rooms: RoomTensors) -> torch.Tensor:
        return self.background(relight(rooms.pictures(), self.relight if self.training else 0.0), rooms.outside)

    def start_from(self, run: Path) -> None:
        """Averaged weights of a finished run, or the decoder of a model's folder, whose auxiliary heads begin anew.

        Pooling, background and the colours' head are no longer trained.
        """
        if (run / _AVERAGED).is_file():
            load_model(self, run / _AVERAGED)
        else:
            self.velocity.load_state_dict(load_file(run / "decoder.safetensors"))
            tokens = load_file(run / "tokens.safetensors")
            for name in ("pooling", "background"):
                own = {k.removeprefix(f"{name}."): v for k, v in tokens.items() if k.startswith(f"{name}.")}
                getattr(self, name).load_state_dict(own)
        for part in (self.pooling, self.background, self.colours):
            part.requires_grad_(False)


@torch.no_grad()
def encode_tokens(autoencoder: Autoencoder, rooms: RoomTensors, chunk: int = 64) -> torch.Tensor:
    """Whitened tokens `[M, D, h, w]` float16 of all pictures, on the CPU."""
    device = next(autoencoder.parameters()).device
    parts = (rooms[i : i + chunk].pictures().to(device) for i in range(0, len(rooms), chunk))
    return torch.cat([autoencoder.encode(part).half().cpu() for part in parts])


def channel_weights(autoencoder: Autoencoder, tokens: torch.Tensor, power: float) -> torch.Tensor:
    """`[D]` with mean 1: the energy of each token channel in pictures, to a power; `tokens` `[M, D, h, w]` of pictures."""
    if not power:
        return torch.ones(tokens.shape[1])
    device = next(autoencoder.parameters()).device
    weights = autoencoder.channel_energy(tokens[:16].float().to(device)).cpu() ** power
    return weights / weights.mean()


def _attention_kernels(tensor: torch.Tensor) -> AbstractContextManager:
    """On a CPU the fused bfloat16 attention has a slow backward pass; plain matrix products are a tenth faster."""
    return sdpa_kernel(SDPBackend.MATH if tensor.device.type == "cpu" else _ALL_KERNELS)


def _checkpointed(block: nn.Module, *args):
    """As diffusers does, but with the same kernels when the block is computed again, outside of `loss_fn`."""
    return checkpoint(
        block, *args, use_reentrant=False, context_fn=lambda: (nullcontext(), _attention_kernels(args[0]))
    )


def _training_rooms(
    config: DecoderTraining, change: Callable[[Record], Record] | None
) -> tuple[RoomTensors, torch.Tensor | None, torch.Tensor | None]:
    """Rooms, and their f and b where these do not change in training.

    Raises:
        FileNotFoundError: `init` is no finished run.
    """
    files = (_AVERAGED, "decoder.safetensors")
    if config.init is not None and not any((config.init / name).is_file() for name in files):
        raise FileNotFoundError(
            f"{config.init} holds no {' or '.join(files)}; --init wants the folder of a finished decoder run or of a model"
        )
    tokens = None if config.init is None else load_tokens(config.init / "tokens.safetensors", config.model)
    if is_encoded(config.data):
        if tokens is None:
            raise SystemExit(
                f"--init is missing: {config.data} holds encoded pictures, whose latents are fixed, and a decoder for "
                "them goes on from the run whose pooling and background networks they are of"
            )
        return load_encoded(config.data, config.size, tokens.fingerprint(), config.stop)
    rooms = load_rooms(config.data, CATEGORIES, stop=config.stop, change=change).resized(config.size)
    rooms = concatenate([rooms, rooms.mirrored()])
    return rooms, None if tokens is None else room_latents(tokens, rooms)[0].half(), None


def _write(config: DecoderTraining, result: FitResult, num_rooms: int) -> None:
    ema, mirrored = result.ema, not is_encoded(config.data)
    save_file({k: v.contiguous() for k, v in ema.velocity.state_dict().items()}, config.out / "decoder.safetensors")
    parts = {"pooling": ema.pooling, "background": ema.background}
    both = {f"{n}.{k}": v.contiguous() for n, part in parts.items() for k, v in part.state_dict().items()}
    save_file(both, config.out / "tokens.safetensors")
    count = num_rooms // 2 if mirrored else num_rooms
    facts = {"rooms": count, "mirrored": mirrored, "batch_size": config.batch_size}
    facts["latent_space"] = load_tokens(config.out / "tokens.safetensors", config.model).fingerprint()
    facts |= first_part(config.init, "decoder")
    write_settings(config.out, decoder=config.model)
    write_run_record(config.out, config.loop, result, ema.velocity, **facts)
    print(f"wrote {config.out}/decoder.safetensors after {result.step} steps, {result.seconds:.0f} s")


def main(argv: list[str] | None = None, change: Callable[[Record], Record] | None = None) -> None:
    """Trains as `argv` says; `change` makes other records of those that are read, for experiments."""
    config = tyro.cli(DecoderTraining, args=argv)
    autoencoder = load_autoencoder(config.vae).to(training_device())
    rooms, *latents = _training_rooms(config, change)
    tokens = encode_tokens(autoencoder, rooms)
    torch.manual_seed(config.loop.seed)
    energy = channel_weights(autoencoder, tokens, config.channel_weight)
    module = SceneLoss(config.model, config.relight, energy, config.object_weight)
    if config.init is not None:
        module.start_from(config.init)
    if config.gradient_checkpointing:
        module.velocity.backbone.enable_gradient_checkpointing(_checkpointed)
    if config.compile:
        module.velocity.compile_parts()
    weights = {"velocity": 1.0, "colour": config.colour_weight, "thumbnail": config.thumbnail_weight}

    def make_batch(step: int, generator: torch.Generator):
        index = torch.randint(len(rooms), (config.batch_size,), generator=generator)
        clean = tokens[index].float()
        noise = torch.randn(clean.shape, generator=generator)
        sigma = shift_sigma(torch.randn(len(index), generator=generator).sigmoid(), config.model.shift)
        sigma = torch.where(torch.rand(len(index), generator=generator) < config.pure_noise, 1.0, sigma)
        keep = torch.rand(len(index), generator=generator) >= config.drop_scene
        known = [None if value is None else value[index].float() for value in latents]
        batch = rooms[index]
        return {"args": (batch, clean, noise, sigma, keep, *known), "keys": batch.names}

    def loss_fn(module, batch, generator):
        with _attention_kernels(batch["args"][1]):
            terms = module(*batch["args"])
        loss = torch.stack([weight * terms[name] for name, weight in weights.items() if name in terms]).sum()
        return loss, {f"{name}_mse": float(value.detach()) for name, value in terms.items()}

    result = fit(config.loop, module, make_batch, loss_fn, config.out)
    if result.is_main:
        _write(config, result, len(rooms))
