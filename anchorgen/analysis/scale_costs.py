"""Unit costs of the paper's size: operations counted on the meta device, bytes from the formats.

Counted are the multiply-adds of matrix products, convolutions and attention (two operations each), by torch's own counter;
no weights and no memory are needed. Shape legend: N slots, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from anchorgen.prior import ScenePrior
from anchorgen.prior.model import PRESETS, PriorConfig
from anchorgen.prior.paths import VariableTimes
from anchorgen.prior.variables import Variables

KLEIN_4B: dict[str, Any] = {
    "in_channels": 128, "num_layers": 5, "num_single_layers": 20, "attention_head_dim": 128, "num_attention_heads": 24,
    "joint_attention_dim": 7680, "mlp_ratio": 3.0, "axes_dims_rope": (32,) * 4, "rope_theta": 2000,
    "guidance_embeds": False,
}  # fmt: skip
TEXT_TOKENS = 512  # of the cached empty prompt
PX_PER_TOKEN = 16  # the autoencoder halves three times, patches of 2 x 2 make a token

NUM_SLOTS = 16
_TAR_BLOCK = 512
_HEADERS = 3 * _TAR_BLOCK  # of the three members of a record
_BOX_BYTES = 4 * (3 + 4 + 3)
_ROW_EXTRA = 4 * (2 + 3 + 1)  # focal, up, floor


def count_flops(run: Callable[[], Any]) -> int:
    """Operations of `run()`."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@cache
def klein_costs(size_px: int, text_tokens: int = TEXT_TOKENS) -> tuple[int, int]:
    """Parameters, and operations of one forward pass at `size_px` a side, of the paper's backbone."""
    from diffusers import Flux2Transformer2DModel

    with torch.device("meta"), torch.no_grad():
        model = Flux2Transformer2DModel(**KLEIN_4B)
        tokens = (size_px // PX_PER_TOKEN) ** 2
        given = {
            "hidden_states": torch.empty(1, tokens, KLEIN_4B["in_channels"]),
            "encoder_hidden_states": torch.empty(1, text_tokens, KLEIN_4B["joint_attention_dim"]),
            "timestep": torch.empty(1),
            "img_ids": torch.empty(1, tokens, 4),
            "txt_ids": torch.empty(1, text_tokens, 4),
            "guidance": None,
        }
        return num_parameters(model), count_flops(lambda: model(**given))


def adapter_flops(size_px: int, num_sites: int, num_scene_tokens: int) -> int:
    """Operations of one forward pass of the scene adapter: queries and results of every image token, attention over the
    scene's tokens; the scene's keys and values once."""
    width = KLEIN_4B["attention_head_dim"] * KLEIN_4B["num_attention_heads"]
    tokens = (size_px // PX_PER_TOKEN) ** 2
    site = 2 * (2 * tokens * width**2 + 2 * tokens * num_scene_tokens * width + 2 * num_scene_tokens * width**2)
    return num_sites * site


@cache
def vae_flops(size_px: int) -> int:
    """Operations of encoding one picture with the paper's autoencoder."""
    from diffusers import AutoencoderKLFlux2

    with torch.device("meta"), torch.no_grad():
        model = AutoencoderKLFlux2()
        return count_flops(lambda: model.encode(torch.empty(1, 3, size_px, size_px)))


@cache
def prior_costs(preset: str = "paper", num_slots: int = NUM_SLOTS) -> tuple[int, int]:
    """Parameters, and operations of one forward pass over one scene."""
    config = PRESETS[preset]
    with torch.device("meta"), torch.no_grad():
        model = ScenePrior(config)
        variables, times = meta_scene(config, num_slots)
        return num_parameters(model), count_flops(lambda: model(variables, times))


def meta_scene(config: PriorConfig, num_slots: int) -> tuple[Variables, VariableTimes]:
    """One scene without values."""
    slots: Tensor = torch.empty(1, num_slots)
    channels = 6 + (4 if config.rotation == "quat" else 6)
    variables = Variables(
        layout=torch.empty(1, num_slots, channels),
        appearance=torch.empty(1, num_slots, config.num_tokens, config.num_channels),
        presence=torch.zeros(1, num_slots, dtype=torch.long),
        focal=torch.empty(1, 2),
        background=torch.empty(1, config.num_background_tokens, config.num_channels),
        gravity=torch.empty(1, 4),
    )
    return variables, VariableTimes(slots, slots, slots, torch.empty(1), torch.empty(1))


def num_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def record_bytes(config: PriorConfig, num_objects: float, picture_bytes: float, json_bytes: float = 300.0) -> float:
    """Bytes of one encoded picture in a shard: the picture, present objects (f in float16), b, tar headers, and on average
    half a block of filling for each of the three members."""
    tokens = 2 * config.num_channels * (num_objects * config.num_tokens + config.num_background_tokens)
    arrays = tokens + num_objects * _BOX_BYTES + _ROW_EXTRA + 600  # names and shapes
    return picture_bytes + arrays + json_bytes + _HEADERS + 3 * _TAR_BLOCK / 2


def latent_row_bytes(config: PriorConfig, num_slots: int = NUM_SLOTS) -> int:
    """Bytes of one scene in a `LatentSet` file: all slots, present or not."""
    tokens = 2 * config.num_channels * (num_slots * config.num_tokens + config.num_background_tokens)
    return tokens + num_slots * (_BOX_BYTES + 1 + 8) + _ROW_EXTRA


def checkpoint_bytes(trained: int) -> int:
    """Bytes of a training checkpoint: weights, averages and AdamW's two moments of what is trained, in float32."""
    return 16 * trained


def voxel_bytes(num_voxels: int) -> int:
    """Bytes of an object's voxels: coordinates in 64^3 as bytes, 8 channels in float16."""
    return num_voxels * (3 + 2 * 8)
