"""Trains the bundled encoder: `python -m anchorgen train encoder --data DIR --tokens FILE --out DIR`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

import roma
import torch
import tyro
from safetensors.torch import save_file
from torch import nn

from anchorgen.decode.velocity import DecoderConfig
from anchorgen.encode.bundled import BundledEncoder, EncoderConfig, camera_targets
from anchorgen.encode.loss import Targets, box_targets, encoder_loss, floor_yaw
from anchorgen.train.loop import LoopConfig, fit
from anchorgen.train.run_record import write_run_record
from anchorgen.train.scene_latents import load_tokens, room_latents
from anchorgen.train.tensors import RoomTensors, concatenate, load_rooms
from anchorgen.world.catalogue import CATEGORIES


@dataclass(frozen=True)
class EncoderTraining:
    """Attributes:
    data, out: folder of records, and where the run goes.
    tokens: `tokens.safetensors` of a decoder run; without it appearance is not trained: boxes can start earlier, and the
        same call with tokens goes on from there.
    stop: use only the first records.
    batch_size: pictures a step.
    """

    data: Path
    out: Path
    tokens: Path | None = None
    stop: int | None = None
    batch_size: int = 48
    model: EncoderConfig = field(default_factory=lambda: EncoderConfig(categories=CATEGORIES))
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=4000, learning_rate=6e-4, mixed_precision="bf16"))


class EncoderLoss(nn.Module):
    """The encoder and its loss in one call."""

    def __init__(self, encoder: BundledEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images: torch.Tensor, target: Targets) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return encoder_loss(self.encoder(images), target)


def targets_of(rooms: RoomTensors, appearance: torch.Tensor | None) -> Targets:
    """What the encoder should say of a batch of rooms."""
    matrix = roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(rooms.quat_wxyz))
    return Targets(
        box=box_targets(rooms.translation, rooms.focal, rooms.scale, floor_yaw(matrix, rooms.up)),
        presence=rooms.presence,
        category=rooms.category,
        appearance=appearance,
        camera=camera_targets(rooms.focal, rooms.up, rooms.floor),
        foreground=(~rooms.outside).float(),
    )


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(EncoderTraining, args=argv)
    rooms = load_rooms(config.data, CATEGORIES, stop=config.stop)
    rooms = concatenate([rooms, rooms.mirrored()])
    appearance, latent_space = None, ""
    if config.tokens is not None:
        tokens = load_tokens(config.tokens, config.decoder)
        appearance, latent_space = room_latents(tokens, rooms)[0].half(), tokens.fingerprint()
    torch.manual_seed(config.loop.seed)
    module = EncoderLoss(BundledEncoder(config.model))

    def make_batch(step: int, generator: torch.Generator):
        index = torch.randint(len(rooms), (config.batch_size,), generator=generator)
        batch = rooms[index]
        target = targets_of(batch, None if appearance is None else appearance[index].float())
        return {"images": batch.pictures(), "target": dataclasses.asdict(target), "keys": batch.names}

    def loss_fn(module, batch, generator):
        loss, parts = module(batch["images"], Targets(**batch["target"]))
        return loss, {name: float(value.detach()) for name, value in parts.items()}

    result = fit(config.loop, module, make_batch, loss_fn, config.out)
    if not result.is_main:
        return
    encoder = result.ema.encoder
    save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, config.out / "encoder.safetensors")
    facts = {"rooms": len(rooms) // 2, "mirrored": True, "batch_size": config.batch_size}
    facts["latent_space"] = latent_space
    write_run_record(config.out, config.loop, result, encoder, **facts)
    (config.out / "encoder.json").write_text(json.dumps(dataclasses.asdict(config.model)) + "\n")
    print(f"wrote {config.out}/encoder.safetensors after {result.step} steps, {result.seconds:.0f} s")
