"""One training loop for every network: deterministic by (seed, step), so that resuming is exact.

How to use it (a trainer is a module, a function that makes batches and a function that makes a loss):

    from anchorgen.train.loop import LoopConfig, fit

    def make_batch(step, generator):                      # a pure function of its arguments; CPU tensors
        index = torch.randint(len(images), (64,), generator=generator)
        return {"image": images[index], "keys": index.tolist()}   # "keys" (optional) names records in error reports

    def loss_fn(module, batch, generator):                # the batch is already on module's device
        noise = torch.randn(batch["image"].shape, generator=generator).to(batch["image"].device)
        loss = ((module(batch["image"], noise)) ** 2).mean()
        return loss, {"mse": loss.item()}                 # scalar tensor, numbers for the log

    result = fit(LoopConfig(steps=20_000, max_seconds=3600), module, make_batch, loss_fn, "runs/vae")
    result.ema.eval()                                     # the averaged module; also in runs/vae/ema.safetensors

Rules that keep it exact and correct:
    - Draw every random number from the `generator` (a CPU torch.Generator seeded by (seed, step, process)) or from
      torch's global one (re-seeded each step before `loss_fn`, for dropout). `make_batch` must use only its
      `generator`: with `prefetch` it runs in a thread, one step ahead.
    - Several GPUs share data (DDP: every process makes its own batch); sharded parameters are not supported here.
    - Networks trained together go into one nn.Module; call `module(...)` itself, never its methods, so that several
      GPUs (`accelerate launch`) share gradients. Frozen parameters (`requires_grad = False`) are not optimized.
    - `batch` may be a tensor, a dict, list or tuple of them, or anything with `.to(device)`.
    - The schedule is warm-up then cosine over `steps`. `max_seconds` (of this call) ends early with a checkpoint and
      leaves the schedule where it is; the same call goes on from there.

Files in `out_dir`: `metrics.csv` (means over `log_every` steps; same rows with or without a kill, but for `seconds`),
`step-XXXXXXXX/` (the last checkpoint: model, EMA, optimizer, state), `ema.safetensors`, tensorboard events.
A loss or gradient that is not finite: the step is skipped, named with its record keys and counted in `bad_steps.csv`;
more than `max_bad_steps` of them raise FloatingPointError.
"""

from __future__ import annotations

import csv
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import nn
from torch.optim.swa_utils import AveragedModel

from anchorgen.train.checkpoint import LoopState, load_checkpoint, save_checkpoint
from anchorgen.train.metrics_log import MetricsLog
from anchorgen.train.optimizers import OptimizerName, make_optimizer

Module = TypeVar("Module", bound=nn.Module)
MakeBatch = Callable[[int, torch.Generator], Any]
LossFunction = Callable[[Any, Any, torch.Generator], tuple[torch.Tensor, dict[str, float]]]
Evaluate = Callable[[Any, int], dict[str, float]]


@dataclass(frozen=True)
class LoopConfig:
    """How long, how fast and how often; `tyro` makes `--loop.steps` and so on of it.

    Attributes:
        steps: optimizer steps of the whole schedule.
        max_seconds: ends this call early, with a checkpoint; None runs to the end.
        learning_rate: its peak, reached after `warmup_steps`; a cosine takes it to `final_lr_ratio` times that.
        weight_decay: on parameters of two or more dimensions.
        optimizer: "adamw", or "muon" (`optimizers.py`).
        ema_decay: of the averaged weights, lower in the first steps: min(ema_decay, (1 + n) / (10 + n)).
        evaluate_every: steps between calls of `evaluate`; 0 never.
        max_bad_steps: steps with a loss or gradient that is not finite that are skipped before giving up.
        prefetch: makes the next batch in a thread while this one trains.
        resume: goes on from the checkpoint in `out_dir`; False starts anew (and replaces it).
    """

    steps: int = 10_000
    max_seconds: float | None = None
    learning_rate: float = 3e-4
    warmup_steps: int = 200
    final_lr_ratio: float = 0.02
    weight_decay: float = 0.01
    optimizer: OptimizerName = "adamw"
    betas: tuple[float, float] = (0.9, 0.99)
    max_grad_norm: float = 1.0
    ema_decay: float = 0.999
    log_every: int = 50
    checkpoint_every: int = 500
    evaluate_every: int = 0
    max_bad_steps: int = 20
    seed: int = 0
    mixed_precision: str = "no"
    prefetch: bool = True
    tensorboard: bool = False
    resume: bool = True


@dataclass(frozen=True)
class FitResult(Generic[Module]):
    ema: Module
    step: int
    seconds: float
    bad_steps: int
    finished: bool


def fit(
    config: LoopConfig,
    module: Module,
    make_batch: MakeBatch,
    loss_fn: LossFunction,
    out_dir: str | os.PathLike,
    evaluate: Evaluate | None = None,
) -> FitResult[Module]:
    """Trains `module` in place; see the top of this file.

    Args:
        evaluate: called as `evaluate(ema_module, step)` on the main process; its numbers are logged as `eval/...`.

    Raises:
        FloatingPointError: more than `config.max_bad_steps` losses or gradients were not finite.
    """
    out_dir, begun = Path(out_dir), time.monotonic()
    accelerator = _accelerator(config, out_dir)
    ema = AveragedModel(module.to(accelerator.device), multi_avg_fn=_ema_update(config.ema_decay))
    optimizer = make_optimizer(module, config.optimizer, config.weight_decay, config.betas)
    state = load_checkpoint(config, module, ema, optimizer, out_dir) if config.resume else LoopState()
    model = accelerator.prepare(module)
    log = MetricsLog(out_dir / "metrics.csv", keep_until=state.step) if accelerator.is_main_process else None
    before, rank, stopped = state.seconds, accelerator.process_index, False
    with ThreadPoolExecutor(1) as pool:
        pending = None
        while state.step < config.steps and not stopped:
            step = state.step
            batch = pending.result() if pending else make_batch(step, generator_for(config.seed, step, rank, 0))
            if config.prefetch and step + 1 < config.steps:
                pending = pool.submit(make_batch, step + 1, generator_for(config.seed, step + 1, rank, 0))
            numbers = _train_step(config, accelerator, model, optimizer, loss_fn, batch, step)
            state.step += 1
            if numbers is None:
                _report_bad_step(state, batch, out_dir, config.max_bad_steps)
            else:
                ema.update_parameters(module)
                _accumulate(state, numbers)
            state.seconds = before + time.monotonic() - begun
            if log is not None and (state.step % config.log_every == 0 or state.step == config.steps):
                _flush(state, log, accelerator)
            if config.evaluate_every and state.step % config.evaluate_every == 0 and evaluate and log is not None:
                _evaluate(evaluate, ema, state, log)
            stopped = _out_of_time(accelerator, config.max_seconds, begun)
            if state.step % config.checkpoint_every == 0 or state.step == config.steps or stopped:
                save_checkpoint(config, accelerator, module, ema, optimizer, state, out_dir)
    accelerator.end_training()
    return FitResult(cast(Module, ema.module), state.step, state.seconds, state.bad_steps, state.step >= config.steps)


def generator_for(seed: int, step: int, process: int = 0, stream: int = 0) -> torch.Generator:
    """A CPU generator for one step: `stream` 0 makes the batch, 1 the loss, 2 seeds torch's global generator."""
    return torch.Generator().manual_seed(_mix(seed, step, process, stream))


def learning_rate_at(config: LoopConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to `final_lr_ratio` at `steps`."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = min(1.0, max(0.0, (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)))
    cosine = config.final_lr_ratio + (1 - config.final_lr_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate * warm * cosine


def _mix(*numbers: int) -> int:
    return int(np.random.SeedSequence([number % 2**32 for number in numbers]).generate_state(1, np.uint64)[0])


def _accelerator(config: LoopConfig, out_dir: Path) -> Accelerator:
    out_dir.mkdir(parents=True, exist_ok=True)
    trackers = "tensorboard" if config.tensorboard else None
    accelerator = Accelerator(mixed_precision=config.mixed_precision, log_with=trackers, project_dir=str(out_dir))
    if trackers:
        accelerator.init_trackers("tensorboard")
    return accelerator


def _ema_update(decay: float) -> Callable:
    @torch.no_grad()
    def update(averaged: list, current: list, num_averaged) -> None:
        number = int(num_averaged)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + number) / (10 + number)))

    return update


def _train_step(config, accelerator, model, optimizer, loss_fn, batch, step) -> dict[str, float] | None:
    """One optimizer step; None if the loss or the gradient of any process was not finite (nothing changed then)."""
    process = accelerator.process_index
    torch.manual_seed(_mix(config.seed, step, process, 2))
    model.train()
    rate = learning_rate_at(config, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    batch = send_to_device(batch, accelerator.device)
    loss, numbers = loss_fn(model, batch, generator_for(config.seed, step, process, 1))
    optimizer.zero_grad(set_to_none=True)
    if not bool(accelerator.gather(torch.isfinite(loss.detach()).float()).min()):
        return None
    accelerator.backward(loss)
    norm = float(accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm))
    if not math.isfinite(norm):
        optimizer.zero_grad(set_to_none=True)
        return None
    optimizer.step()
    return {"loss": float(loss.detach()), **numbers, "grad_norm": norm, "learning_rate": rate}


def _report_bad_step(state: LoopState, batch: Any, out_dir: Path, limit: int) -> None:
    keys = batch.get("keys", "unnamed") if isinstance(batch, dict) else getattr(batch, "keys", "unnamed")
    state.bad_steps += 1
    message = f"step {state.step}: the loss or its gradient is not finite; skipped. Records: {keys}"
    print(message, file=sys.stderr)
    with open(out_dir / "bad_steps.csv", "a", newline="") as file:
        csv.writer(file).writerow([state.step, str(keys)])
    if state.bad_steps > limit:
        raise FloatingPointError(
            f"{state.bad_steps} steps were not finite (allowed: {limit}); last: {message}. "
            "Look at these records, or lower the learning rate"
        )


def _accumulate(state: LoopState, numbers: dict[str, float]) -> None:
    sums = state.sums or {}
    state.sums = {**sums, **{key: sums.get(key, 0.0) + float(value) for key, value in numbers.items()}}
    state.count += 1


def _flush(state: LoopState, log: MetricsLog, accelerator: Accelerator) -> None:
    if state.count:
        means = {key: value / state.count for key, value in (state.sums or {}).items()}
        log.write(state.step, {**means, "bad_steps": state.bad_steps, "seconds": round(state.seconds, 2)})
        accelerator.log(means, step=state.step)
    state.sums, state.count = None, 0


def _evaluate(evaluate: Evaluate, ema: AveragedModel, state: LoopState, log: MetricsLog) -> None:
    with torch.no_grad():
        numbers = evaluate(ema.module.eval(), state.step)
    log.write(state.step, {f"eval/{key}": value for key, value in numbers.items()})


def _out_of_time(accelerator: Accelerator, max_seconds: float | None, begun: float) -> bool:
    if max_seconds is None:
        return False
    late = torch.tensor(float(time.monotonic() - begun > max_seconds), device=accelerator.device)
    return bool(cast(torch.Tensor, accelerator.gather(late)).max())
