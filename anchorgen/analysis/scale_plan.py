"""What the paper's size costs, stage by stage: GPU-hours and disk for some number of pictures.

GPU-hours of training = operations / (peak of the card x share of it that is reached). Of an encoder they are its measured
seconds a picture. Every number is counted, measured or assumed, and the table says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anchorgen.analysis.scale_costs import (
    NUM_SLOTS,
    PX_PER_TOKEN,
    adapter_flops,
    checkpoint_bytes,
    klein_costs,
    latent_row_bytes,
    prior_costs,
    record_bytes,
    vae_flops,
    voxel_bytes,
)
from anchorgen.prior.model import PRESETS

PEAK_TFLOPS = {"h100": 989.0, "a100": 312.0, "rtx4090": 165.0}  # bfloat16, dense, as the maker states
TOKEN_CHANNELS = 128
_HOUR, _WEEK_H = 3600.0, 168.0


@dataclass(frozen=True)
class ScaleConfig:
    """Attributes:
    gpu: whose peak counts.
    share: of that peak that training reaches: assumed until `bench flux2` has measured it.
    gpus: cards that work together, for the column of hours; evenly, without loss.
    size_px: side of the decoder's pictures.
    picture_bytes: of a source picture; LSUN's bedrooms have 43 GB for 3,033,042.
    objects: found in a picture.
    encode_seconds: of one card a picture; None: not measured yet.
    decoder_samples, prior_samples: pictures and scenes seen in training, for each number of pictures.
    trained: of the decoder: the adapter alone, or everything.
    num_sites: attention sites of the adapter: 5 or 25.
    """

    gpu: Literal["h100", "a100", "rtx4090"] = "h100"
    share: float = 0.35
    gpus: int = 8
    size_px: int = 512
    picture_bytes: float = 43e9 / 3_033_042
    objects: float = 6.0
    encode_seconds: float | None = None
    pictures: tuple[int, ...] = (97_000, 10_000_000)
    decoder_samples: tuple[int, ...] = (2_000_000, 20_000_000)
    prior_samples: tuple[int, ...] = (20_000_000, 100_000_000)
    trained: Literal["adapter", "full"] = "adapter"
    num_sites: int = 5

    def __post_init__(self) -> None:
        if not len(self.pictures) == len(self.decoder_samples) == len(self.prior_samples):
            raise ValueError("pictures, decoder_samples and prior_samples want equally many numbers, one a column")
        if not 0 < self.share <= 1 or min(self.gpus, self.size_px, *self.pictures) < 1:
            raise ValueError(f"got share={self.share}, gpus={self.gpus}; expected a share in (0, 1] and counts >= 1")


@dataclass(frozen=True)
class Stage:
    """Attributes:
    name: of the stage. gpu_hours: of one card, None where it is not known. gigabytes: that it leaves on disk.
    how: where the numbers come from.
    """

    name: str
    gpu_hours: float | None
    gigabytes: float
    how: str


def num_scene_tokens() -> int:
    """Keys of the adapter: f and box of every slot, camera, background."""
    paper = PRESETS["paper"]
    return NUM_SLOTS * (paper.num_tokens + 1) + 1 + paper.num_background_tokens


def train_flops(config: ScaleConfig) -> float:
    """Operations of one picture of decoder training. Through a frozen backbone the gradient passes (one forward pass's
    worth), but none of its weights has one."""
    backbone = klein_costs(config.size_px)[1]
    adapter = adapter_flops(config.size_px, config.num_sites, num_scene_tokens())
    return (2 if config.trained == "adapter" else 3) * backbone + 3 * adapter


def adapter_parameters(config: ScaleConfig) -> int:
    """Queries, keys, values and results of every site, keys and values from tokens of the paper's 1024 channels."""
    width = 3072
    return config.num_sites * (2 * width * width + 2 * width * PRESETS["paper"].num_channels)


def gpu_hours(config: ScaleConfig, flops: float) -> float:
    return flops / (PEAK_TFLOPS[config.gpu] * 1e12 * config.share) / _HOUR


def stages(config: ScaleConfig, column: int) -> list[Stage]:
    """The stages for `config.pictures[column]` pictures."""
    n, paper = config.pictures[column], PRESETS["paper"]
    seen, scenes = config.decoder_samples[column], config.prior_samples[column]
    tokens = (config.size_px // PX_PER_TOKEN) ** 2
    prior, prior_flops = prior_costs()
    # With the backbone frozen only the adapter is saved.
    trained = adapter_parameters(config) + (klein_costs(config.size_px)[0] if config.trained == "full" else 0)
    seconds = config.encode_seconds
    return [
        Stage("pictures (whole shards or lmdb)", 0.0, n * config.picture_bytes / 1e9, "bytes a picture as LSUN's"),
        Stage(
            "data encode",
            None if seconds is None else n * seconds / _HOUR,
            n * record_bytes(paper, config.objects, config.picture_bytes) / 1e9,
            "seconds: measure a few shards; bytes: the format",
        ),
        Stage(
            "tokens of the autoencoder (if cached)",
            gpu_hours(config, n * vae_flops(config.size_px)),
            n * tokens * TOKEN_CHANNELS * 2 / 1e9,
            "operations counted",
        ),
        Stage(
            f"decoder, {config.trained}, {seen / 1e6:g} M pictures seen",
            gpu_hours(config, seen * train_flops(config)),
            checkpoint_bytes(trained) / 1e9,
            "operations counted; pictures seen assumed",
        ),
        Stage("train scene_latents", 0.0, n * latent_row_bytes(paper) / 1e9, "the format"),
        Stage(
            f"prior, {scenes / 1e6:g} M scenes seen",
            gpu_hours(config, scenes * 3 * prior_flops),
            checkpoint_bytes(prior) / 1e9,
            "operations counted; scenes seen assumed",
        ),
    ]


def bends(config: ScaleConfig, column: int) -> list[str]:
    """Where the plan stops being a product of unit costs, with numbers."""
    n, paper = config.pictures[column], PRESETS["paper"]
    row, file = latent_row_bytes(paper), n * latent_row_bytes(paper) / 1e9
    rate = PEAK_TFLOPS[config.gpu] * 1e12 * config.share / (3 * prior_costs()[1])
    present = record_bytes(paper, config.objects, 0)
    voxels = n * config.objects * voxel_bytes(4096) / 1e9
    week = n / (_WEEK_H * _HOUR)
    return [
        f"Encoder: within a week, {week:,.1f} GPUs for each second that a picture takes.",
        f"Shuffle: one {config.gpu} trains the prior at {rate:,.0f} scenes a second and reads {rate * row / 1e6:,.0f} MB/s at "
        f"random; the latents file has {file:,.0f} GB: "
        + ("it fits the memory of a large node, and pages stay there." if file < 200 else
           "no memory holds it; it must lie on local NVMe, or be cut into files that nodes read one after another."),
        f"Small files: {n:,} pictures are {3 * n:,} members; in shards of 512 they are {-(-n // 512):,} files, and headers and "
        f"filling cost {2304 * n / 1e9:,.1f} GB.",
        f"Empty slots: the latents file keeps {NUM_SLOTS} slots, {row / present:.1f} times what shards keep.",
        f"Voxels: 4096 an object, kept to train the pooling along with the decoder, are {voxels:,.0f} GB more.",
    ]  # fmt: skip
