"""Sizes of the paper's decoder: FLUX.2-klein-base-4B with the scene adapter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch

from anchorgen.decode.adapter import Sites
from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.json_values import tuples

Dtype = Literal["bfloat16", "float32"]
REPOSITORY = "black-forest-labs/FLUX.2-klein-base-4B"

# What `Flux2Transformer2DModel` is built with: config.json of the repository's transformer.
KLEIN_BASE_4B: dict[str, Any] = {
    "in_channels": 128,
    "num_layers": 5,
    "num_single_layers": 20,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "mlp_ratio": 3.0,
    "axes_dims_rope": (32, 32, 32, 32),
    "rope_theta": 2000,
    "guidance_embeds": False,
}

# FLUX.2's own autoencoder, by the defaults of `AutoencoderKLFlux2`: nothing is folded before the network.
FLUX2_AUTOENCODER = AutoencoderConfig(
    image_size=512, pixel_block=1, block_channels=(128, 256, 512, 512), latent_channels=32, layers_per_block=2,
    norm_groups=32, attention=True,
)  # fmt: skip


@dataclass(frozen=True)
class KleinConfig:
    """Attributes:
    num_tokens, channels, num_background: K, C and Kb of the latent space.
    background_patch: pixels a side of the patches that background tokens look at.
    image_size: pixels a side; 16 make a token.
    sites: which blocks have a scene adapter: "double" (after MM-attention, the paper's) or "all".
    context_width: of the scene tokens that the adapter attends to.
    num_text_tokens: of the empty prompt; 0 runs without text.
    latent_noise: added to f and b in training, in standard deviations.
    repository: where the backbone's weights are, a name on the hub or a folder; "" leaves them random.
    revision: of the repository.
    dtype: of the backbone's weights.
    lora_rank: of LoRA layers in the backbone's attention, kept beside the adapter; 0 has none.
    own_transformer: the backbone itself was trained, so its weights are kept beside the adapter, not taken from the repository.
    transformer: sizes of a random or weightless backbone; one from a repository brings its own.
    backbone: tells these settings from those of the small decoders in `config.json`.
    """

    num_tokens: int = 8
    channels: int = 1024
    num_background: int = 1
    background_patch: int = 32
    image_size: int = 512
    sites: Sites = "double"
    context_width: int = 1024
    num_text_tokens: int = 512
    latent_noise: float = 0.03
    repository: str = REPOSITORY
    revision: str | None = None
    dtype: Dtype = "bfloat16"
    lora_rank: int = 0
    own_transformer: bool = False
    transformer: dict[str, Any] = field(default_factory=lambda: dict(KLEIN_BASE_4B))
    backbone: Literal["klein"] = "klein"

    def __post_init__(self) -> None:
        object.__setattr__(self, "transformer", tuples(self.transformer))
        if self.image_size < 16 or self.image_size % 16:
            raise ValueError(f"image_size: got {self.image_size}; expected a multiple of 16 pixels")
        if self.dtype not in get_args(Dtype):
            raise ValueError(f"dtype: got {self.dtype!r}; expected one of {get_args(Dtype)}")
        if self.lora_rank and self.own_transformer:
            raise ValueError("lora_rank and own_transformer: got both; expected one way to train the backbone")

    @property
    def torch_dtype(self) -> torch.dtype:
        return {"bfloat16": torch.bfloat16, "float32": torch.float32}[self.dtype]

    @property
    def grid(self) -> int:
        """Image tokens a side."""
        return self.image_size // 16

    @property
    def token_channels(self) -> int:
        return self.transformer["in_channels"]


def flux2_shift(num_image_tokens: int, num_steps: int) -> float:
    """How far FLUX.2 moves times towards noise: exp(mu), mu linear in image tokens and in steps.

    The stock pipeline's mu (`compute_empirical_mu`), a line between its values for 10 and for 200 steps; pictures of
    more than 4,300 tokens take that for 200. Its exponential time shift is `shift_sigma` with exp(mu).
    """
    at_200 = 1.6927e-4 * num_image_tokens + 0.45666666
    at_10 = 8.73809524e-5 * num_image_tokens + 1.89833333
    if num_image_tokens > 4300:
        return math.exp(at_200)
    return math.exp(at_200 + (at_10 - at_200) * (200 - num_steps) / 190)
