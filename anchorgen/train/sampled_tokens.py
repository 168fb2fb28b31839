"""Tokens that a decoder run draws of its training rooms: `python -m anchorgen train sampled_tokens --run DIR --vae DIR ...`.

A sampler's tokens are never quite an encoder's. `train vae_decoder --sampled FILE` teaches the decoding half of the autoencoder
to make good pictures of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file, save_file
from tqdm.auto import tqdm

from anchorgen.decode.flow import euler, noise_for
from anchorgen.train.device import training_device
from anchorgen.train.run_pipeline import pipeline_of_run
from anchorgen.train.scene_latents import load_tokens, room_latents
from anchorgen.train.tensors import load_rooms
from anchorgen.world.catalogue import CATEGORIES

_CHUNK = 32


@dataclass(frozen=True)
class TokenExport:
    """Attributes:
    data: folder of rendered records.
    run, vae: folders of the decoder run and of its autoencoder.
    out: the `.safetensors` to write.
    stop: use only the first records.
    steps, guidance: of each drawing; every room is drawn once for each pair of them.
    """

    data: Path
    run: Path
    vae: Path
    out: Path
    stop: int | None = None
    steps: tuple[int, ...] = (1, 4)
    guidance: tuple[float, ...] = (1.0, 1.5)


@torch.no_grad()
def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(TokenExport, args=argv)
    device = training_device()
    decoder = pipeline_of_run(config.run, config.vae).to(device).decoder
    model = decoder.velocity.config
    rooms = load_rooms(config.data, CATEGORIES, stop=config.stop).resized(decoder.image_size)
    scenes = rooms.scene(*room_latents(load_tokens(config.run / "tokens.safetensors", model), rooms))
    shape, drawn = (model.token_channels, model.grid, model.grid), []
    for start in tqdm(range(0, len(rooms), _CHUNK), desc="draw"):
        chunk = scenes[start : start + _CHUNK].to(device)
        noise = noise_for(range(start, start + len(chunk)), shape).to(device)
        pairs = zip(config.steps, config.guidance, strict=True)
        rows = [euler(decoder.guided(chunk, guidance), noise, steps, model.shift) for steps, guidance in pairs]
        drawn.append(torch.stack(rows, 1).half().cpu())
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({"tokens": torch.cat(drawn)}, config.out)
    print(f"wrote {config.out}: {len(rooms)} rooms, {len(config.steps)} drawings each")


def load_sampled(path: Path, rooms: int) -> torch.Tensor:
    """`[M, draws, D, h, w]` float16.

    Raises:
        ValueError: not of as many rooms as the pictures.
    """
    tokens = load_file(path)["tokens"]
    if len(tokens) != rooms:
        raise ValueError(
            f"{path} holds tokens of {len(tokens)} rooms; expected {rooms}: use the same --data and --stop"
        )
    return tokens
