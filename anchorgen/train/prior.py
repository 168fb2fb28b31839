"""Trains the prior G_phi on a file of scene latents.

    python -m anchorgen.train.prior --latents runs/latents/train.safetensors \
        --validation runs/latents/val.safetensors --out-dir runs/prior --loop.steps 20000

Writes `prior.safetensors` (averaged weights, for `ScenePrior.load`) beside what `train.loop` writes. The same command
goes on after a kill. Wants a file that `train scene_latents` wrote; it is mapped into memory, not read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import nn

from anchorgen.prior.loss import LossConfig, PriorLoss
from anchorgen.prior.model import PRESETS, PriorConfig, ScenePrior
from anchorgen.scene.batch import SceneBatch
from anchorgen.train.latents import LatentSet
from anchorgen.train.loop import LoopConfig, fit, generator_for
from anchorgen.train.run_record import write_run_record

_SCENES_AT_ONCE = 1024
_VALIDATION_SEED = 20_000


@dataclass(frozen=True)
class PriorTraining:
    """Settings of one training.

    Attributes:
        latents: training scenes, a `LatentSet` file.
        out_dir: where everything is written.
        validation: scenes held out; their loss is logged every `loop.evaluate_every` steps.
        preset: sizes; width, depth, num_heads, tokens_per_appearance and rotation replace the preset's.
        batch_size: scenes in each of a step's `loop.parts` parts.
        num_validation: scenes of `validation` that are read each time.
        num_whitening: at most, scenes that the whitening statistics are made of, spread over all.
    """

    latents: Path
    out_dir: Path
    validation: Path | None = None
    preset: Literal["bundled", "paper"] = "bundled"
    width: int | None = None
    depth: int | None = None
    num_heads: int | None = None
    tokens_per_appearance: int | None = None
    rotation: Literal["6d", "quat"] | None = None
    batch_size: int = 64
    num_validation: int = 512
    num_whitening: int = 200_000
    loss: LossConfig = field(default_factory=LossConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=20_000, learning_rate=5e-4, evaluate_every=1000))


def train(config: PriorTraining) -> Path:
    """Runs the training; returns the path of the averaged weights.

    Raises:
        ValueError: training and validation files of different latent spaces or labels.
    """
    data = LatentSet.load(config.latents)
    validation = LatentSet.load(config.validation) if config.validation else None
    if validation and (validation.latent_space, validation.labels) != (data.latent_space, data.labels):
        raise ValueError(f"{config.validation} and {config.latents} differ in latent space or labels; make both anew")
    torch.manual_seed(config.loop.seed)
    model = ScenePrior(prior_config(config, data))
    model.whitening.fit(_chunks(data, config.num_whitening))
    module = PriorLoss(model, config.loss)

    def make_batch(step: int, generator: torch.Generator) -> dict:
        index = torch.randint(len(data), (config.batch_size,), generator=generator)
        scene, label = data.batch(index)
        return {"scene": scene, "label": label, "keys": index.tolist()}

    def evaluate(averaged: PriorLoss, step: int) -> dict[str, float]:
        return validation_terms(averaged, validation, config.num_validation) if validation else {}

    result = fit(config.loop, module, make_batch, _loss, config.out_dir, evaluate)
    path = Path(config.out_dir) / "prior.safetensors"
    if not result.is_main:
        return path
    result.ema.model.save(path)
    facts = {"scenes": len(data), "batch_size": config.batch_size, "latent_space": data.latent_space}
    write_run_record(Path(config.out_dir), config.loop, result, result.ema.model, **facts)
    return path


def prior_config(config: PriorTraining, data: LatentSet) -> PriorConfig:
    """The preset's sizes with the data's K, C, Kb and labels, and what `config` replaces."""
    num_tokens, num_channels = data.scene.appearance.shape[2:]
    names = ("width", "depth", "num_heads", "tokens_per_appearance", "rotation")
    chosen = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    return replace(
        PRESETS[config.preset],
        num_tokens=num_tokens,
        num_channels=num_channels,
        num_background_tokens=data.scene.background.shape[1],
        labels=data.labels,
        **chosen,
    )


def validation_terms(module: PriorLoss, data: LatentSet, num_scenes: int) -> dict[str, float]:
    """Loss terms on the first `num_scenes`, with the same noise and times at every call."""
    device, sums, count = next(module.parameters()).device, {}, min(num_scenes, len(data))
    for number, start in enumerate(range(0, count, 64)):
        scene, label = data.batch(slice(start, min(start + 64, count)))
        generator = _on_device(generator_for(_VALIDATION_SEED, number), device)
        loss, terms = module(scene.to(device), label.to(device), generator)
        for name, value in {"loss": float(loss), **terms}.items():
            sums[name] = sums.get(name, 0.0) + value * len(scene)
    return {name: value / count for name, value in sums.items()}


def _loss(module: nn.Module, batch: dict, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
    label = batch["label"]
    return module(batch["scene"], label, _on_device(generator, label.device))


def _on_device(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """The generator itself on a CPU; on an accelerator one seeded by it, as drawing there is much faster."""
    if device.type == "cpu":
        return generator
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))


def _chunks(data: LatentSet, limit: int) -> Iterator[SceneBatch]:
    """About `limit` scenes in runs of 1024, evenly spread."""
    starts = range(0, len(data), _SCENES_AT_ONCE)
    step = max(1, -(-len(data) // max(limit, 1)))
    for start in starts[::step]:
        yield data.batch(slice(start, start + _SCENES_AT_ONCE))[0]


def main(argv: list[str] | None = None) -> None:
    print(train(tyro.cli(PriorTraining, args=argv, description="Trains the prior on scene latents.")))


if __name__ == "__main__":
    main()
