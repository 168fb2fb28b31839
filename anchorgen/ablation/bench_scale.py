"""`bench scale`: is the cost model of `anchorgen scale` right about what can be run here?

Steps: operations are counted, their rate is taken from a step of a small batch, and the time of larger ones (and of a deeper
network) is predicted and measured. Bytes: shards, latents and checkpoints are predicted from the format and weighed. Times
are CPU-seconds of one thread, so that other jobs on the machine count little.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anchorgen.analysis.scale_costs import checkpoint_bytes, count_flops, latent_row_bytes, num_parameters, record_bytes
from anchorgen.data.encoded_shards import EncodedFolder, list_encoded
from anchorgen.data.screening import Screening
from anchorgen.pipeline.loading import load
from anchorgen.pipeline.pretrained import bundled_folder
from anchorgen.prior import PriorConfig, ScenePrior
from anchorgen.prior.loss import PriorLoss
from anchorgen.scene.batch import SceneBatch
from anchorgen.train.encode_pictures import EncodeJob, encode_pictures
from anchorgen.train.encoded_latents import write_latents
from anchorgen.train.latents import LatentSet
from anchorgen.train.loop import LoopConfig, fit

_SMALL, _LARGE = 8, 32
_SETTINGS = 4096  # bytes of state.json and of names in a checkpoint


def run(quick: bool = False) -> dict[str, Any]:
    """Figures of the benchmark; `quick` measures each step once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures = _encoding(folder)
            data = LatentSet.load(folder / "latents.safetensors")
            return {**figures, **_steps(data, 1 if quick else 5), **_checkpoint(data, folder)}
    finally:
        torch.set_num_threads(threads)


def _encoding(folder: Path) -> dict[str, Any]:
    """Encodes the bundled example rooms; weighs shards and latents."""
    source = bundled_folder("bedrooms-128") / "examples"
    job = EncodeJob(source, folder / "shards", device="cpu", screening=Screening(min_side_px=64))
    encode_pictures(replace(job, out=folder / "warm"), progress=False)
    began = time.process_time()
    (report,) = encode_pictures(job, progress=False)
    seconds = (time.process_time() - began) / report.num_keys
    records = list(EncodedFolder(job.out))
    write_latents(job.out, folder / "latents.safetensors")
    prior = _prior_config()
    objects = float(np.mean([r.scene.num_objects for r in records]))
    picture = float(np.mean([len(r.picture_bytes) for r in records]))
    row, slots = latent_row_bytes(prior, records[0].scene.num_slots), len(records)
    return {
        "encode_cpu_seconds": seconds,
        "objects": objects,
        "record_bytes": sum(p.stat().st_size for p in list_encoded(job.out)) / slots,
        "record_bytes_predicted": record_bytes(prior, objects, picture),
        "latent_row_bytes": (folder / "latents.safetensors").stat().st_size / slots,
        "latent_row_bytes_predicted": row,
    }


def _steps(data: LatentSet, repeats: int) -> dict[str, Any]:
    """CPU-seconds of training steps of the prior and of steps of the decoder, predicted and measured."""
    config, pipe = replace(_prior_config(), labels=data.labels), load(device="cpu")
    deeper = replace(config, depth=2 * config.depth)
    small, large = (_scenes(data, count) for count in (_SMALL, _LARGE))
    prior = _predicted(_prior_step(config, small), {
        "prior_batch": _prior_step(config, large), "prior_depth": _prior_step(deeper, small)
    }, repeats)  # fmt: skip
    decoder = _predicted(
        _decoder_step(pipe, small[0]), {"decoder_batch": _decoder_step(pipe, large[0])}, repeats
    )  # fmt: skip
    return {**prior, **decoder}


def _predicted(known: Callable, others: dict[str, Callable], repeats: int) -> dict[str, Any]:
    """Predicts the time of steps by their operations, from a step whose time is measured."""
    rate = count_flops(known) / _cpu_seconds(known, repeats)
    figures: dict[str, Any] = {f"{next(iter(others)).partition('_')[0]}_gflops_a_second": rate / 1e9}
    for name, step in others.items():
        predicted, taken = count_flops(step) / rate, _cpu_seconds(step, repeats)
        figures |= {f"{name}_step_s": taken, f"{name}_step_s_predicted": predicted, f"{name}_ratio": taken / predicted}
    return figures


def _cpu_seconds(step: Callable, repeats: int) -> float:
    """The least of some, after one that does not count."""
    step()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return min(times)


def _prior_step(config: PriorConfig, scenes: tuple[SceneBatch, torch.Tensor]) -> Callable:
    """Forward and backward pass of the bundled prior with random weights."""
    torch.manual_seed(0)
    module = PriorLoss(ScenePrior(config))
    module.model.whitening.fit([scenes[0]])

    def step() -> None:
        module.zero_grad()
        module(*scenes, torch.Generator().manual_seed(0))[0].backward()

    return step


def _decoder_step(pipe: Any, scene: SceneBatch) -> Callable:
    """One pass of the bundled decoder's transformer, as in drawing."""
    config = pipe.config.decoder
    tokens = torch.randn(len(scene), config.token_channels, config.grid, config.grid)
    sigma = torch.full((len(scene),), 0.5)

    @torch.no_grad()
    def step() -> None:
        context, drawn = pipe.decoder.velocity.context(scene, torch.ones(len(scene), dtype=torch.bool))
        pipe.decoder.velocity(tokens, sigma, context, drawn)

    return step


def _checkpoint(data: LatentSet, folder: Path) -> dict[str, Any]:
    """Weighs a checkpoint of the prior's trainer."""
    module = PriorLoss(ScenePrior(replace(_prior_config(), labels=data.labels)))
    module.model.whitening.fit([data.batch(slice(None))[0]])
    scenes = _scenes(data, 2)
    config = LoopConfig(steps=1, log_every=1)
    fit(config, module, lambda step, g: scenes, lambda m, batch, g: m(*batch, g), folder / "run")
    weighed = sum(p.stat().st_size for p in (folder / "run" / "step-00000001").iterdir())
    return {
        "checkpoint_bytes": weighed,
        "checkpoint_bytes_predicted": checkpoint_bytes(num_parameters(module)) + _SETTINGS,
    }


def _scenes(data: LatentSet, count: int) -> tuple[SceneBatch, torch.Tensor]:
    return data.batch(torch.arange(count) % len(data))


def _prior_config() -> PriorConfig:
    return load(device="cpu").prior.config
