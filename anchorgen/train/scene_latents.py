"""Latents of every rendered room, for the prior: `python -m anchorgen train scene_latents --data DIR --tokens FILE --out FILE`.

Of a folder that `data encode` wrote, the latents are there already: `--tokens` is left out.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file

from anchorgen.data.encoded_shards import is_encoded
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.velocity import DecoderConfig
from anchorgen.pipeline.token_networks import TokenNetworks
from anchorgen.train.device import training_device
from anchorgen.train.encoded_latents import write_latents
from anchorgen.train.latents import LatentSet
from anchorgen.train.tensors import RoomTensors, concatenate, load_rooms
from anchorgen.world.catalogue import CATEGORIES

_CHUNK = 64


@dataclass(frozen=True)
class LatentExport:
    """Attributes:
    data: folder of rendered records, or of encoded pictures.
    out: the `.safetensors` to write.
    tokens: `tokens.safetensors` of a decoder run; of rendered records only.
    stop: use only the first records.
    mirror: add every rendered room's mirror image.
    """

    data: Path
    out: Path
    tokens: Path | None = None
    stop: int | None = None
    mirror: bool = True
    model: DecoderConfig = field(default_factory=DecoderConfig)


@torch.no_grad()
def room_latents(tokens: TokenNetworks, rooms: RoomTensors) -> tuple[torch.Tensor, torch.Tensor]:
    """f `[M, N, K, C]` and b `[M, Kb, C]` of rooms, in chunks, on the CPU."""
    device = training_device()
    networks, appearance, background = copy.deepcopy(tokens).to(device), [], []
    for start in range(0, len(rooms), _CHUNK):
        part = rooms[start : start + _CHUNK].to(device)
        appearance.append(networks.pooling(part.coords.float(), part.feats.float(), part.voxels).cpu())
        background.append(networks.background(part.pictures(), part.outside).cpu())
    return torch.cat(appearance), torch.cat(background)


def load_tokens(path: Path, model: DecoderConfig | KleinConfig) -> TokenNetworks:
    """The pooling and background networks of a decoder run."""
    tokens = TokenNetworks(model.num_tokens, model.channels, model.num_background, model.background_patch)
    # Rounded as they will be stored, so that training sees the very latents that users will have.
    tokens.load_state_dict({k: v.bfloat16().float() for k, v in load_file(path).items()})
    return tokens.eval().requires_grad_(False)


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(LatentExport, args=argv)
    if is_encoded(config.data):
        if config.tokens is not None:
            raise SystemExit(f"--tokens: {config.data} holds encoded pictures, whose latents are made; leave it out")
        return print(f"wrote {config.out}: {write_latents(config.data, config.out, config.stop)} scenes")
    if config.tokens is None:
        raise SystemExit(f"--tokens is missing: the latents of rendered rooms in {config.data} are yet to be made")
    rooms = load_rooms(config.data, CATEGORIES, stop=config.stop)
    rooms = concatenate([rooms, rooms.mirrored()]) if config.mirror else rooms
    tokens = load_tokens(config.tokens, config.model)
    latents = LatentSet(rooms.scene(*room_latents(tokens, rooms)), rooms.category, CATEGORIES, tokens.fingerprint())
    config.out.parent.mkdir(parents=True, exist_ok=True)
    latents.save(config.out)
    print(f"wrote {config.out}: {len(latents)} scenes of latent space {latents.latent_space}")
