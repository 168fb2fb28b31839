"""One training loop for every network: deterministic by (seed, step), so that resuming is exact.

How to use it (a trainer is a module, a function that makes batches and a function that makes a loss):

    from anchorgen.train.loop import LoopConfig, fit

    def make_batch(step, generator):                      # a pure function of its arguments; CPU tensors
        index = torch.randint(len(images), (64,), generator=generator)
        return {"image": images[index], "keys": index.tolist()}   # "keys" (optional; or what gives them) names records in error reports

    def loss_fn(module, batch, generator):                # the batch is already on module's device
        noise = torch.randn(batch["image"].shape, generator=generator).to(batch["image"].device)
        loss = ((module(batch["image"], noise)) ** 2).mean()
        return loss, {"mse": loss.item()}                 # scalar tensor, numbers for the log

    result = fit(LoopConfig(steps=20_000, max_seconds=3600), module, make_batch, loss_fn, "runs/vae")
    result.ema.eval()                                     # the averaged module; also in runs/vae/ema.safetensors

Rules that keep it exact and correct:
    - Draw every random number from the `generator` (a CPU torch.Generator seeded by (seed, step, part)) or from
      torch's global one (re-seeded for each part before `loss_fn`, for dropout). `make_batch` must use only its
      `generator`: with `prefetch` it runs in a thread, one step ahead.
    - A step's batch has `config.parts` parts, one `make_batch` each; processes share them out (`step.py`). So one GPU, or
      two, or eight with `parts=8` train on the same batches, and a run goes on with another number of processes.
    - Several GPUs share data (DDP), or with `sharding="full"` also parameters, averages and moments (`sharding.py`);
      then `evaluate` is called on every process, as the averaged module computes only when all of them ask.
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

import copy
import csv
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import nn
from torch.optim.swa_utils import AveragedModel

from anchorgen.train.checkpoint import LoopState, load_checkpoint, save_checkpoint
from anchorgen.train.metrics_log import MetricsLog
from anchorgen.train.optimizers import OptimizerName, make_optimizer
from anchorgen.train.sharding import shard, skeleton_of, unsharded
from anchorgen.train.step import generator_for, out_of_time, parts_of, set_rate, train_step

Module = TypeVar("Module", bound=nn.Module)
MakeBatch = Callable[[int, torch.Generator], Any]
LossFunction = Callable[[Any, Any, torch.Generator], tuple[torch.Tensor, dict[str, float]]]
Evaluate = Callable[[Any, int], dict[str, float]]

_SHARING = {DistributedType.NO, DistributedType.MULTI_GPU, DistributedType.MULTI_CPU}


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
        parts: of a step's batch, each as large as the trainer's batch size; a multiple of the number of processes. None:
            as many as the checkpoint has, else one a process.
        sharding: "no", or "full": each process keeps a slice of the parameters and moments (FSDP).
        save_frozen: False leaves parameters with `requires_grad = False` out of checkpoints and `ema.safetensors`: those of
            a large backbone that its own file has. The caller must have put them into `module` again to go on.
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
    parts: int | None = None
    sharding: Literal["no", "full"] = "no"
    save_frozen: bool = True


@dataclass(frozen=True)
class FitResult(Generic[Module]):
    """What a call of `fit` gives; of several processes, the one with `is_main` writes files."""

    ema: Module
    step: int
    seconds: float
    bad_steps: int
    finished: bool
    is_main: bool = True


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
    ema = _averaged(config, module.to(accelerator.device))
    skeleton = _shard(config, module, ema)
    optimizer = make_optimizer(module, config.optimizer, config.weight_decay, config.betas)
    state = load_checkpoint(config, module, ema, optimizer, out_dir) if config.resume else LoopState()
    state.parts = config.parts or state.parts or accelerator.num_processes
    mine = parts_of(accelerator, state.parts)
    model = module if skeleton is not None else accelerator.prepare(module)
    log = MetricsLog(out_dir / "metrics.csv", keep_until=state.step) if accelerator.is_main_process else None
    before, stopped = state.seconds, False

    def batches(step: int) -> dict[int, Any]:
        return {part: make_batch(step, generator_for(config.seed, step, part, 0)) for part in mine}

    with ThreadPoolExecutor(1) as pool:
        pending = None
        while state.step < config.steps and not stopped:
            now = pending.result() if pending else batches(state.step)
            if config.prefetch and state.step + 1 < config.steps:
                pending = pool.submit(batches, state.step + 1)
            set_rate(optimizer, learning_rate_at(config, state.step))
            numbers, bad = train_step(config, accelerator, model, optimizer, loss_fn, now, state.step)
            state.step += 1
            if numbers is None:
                _report_bad_step(state, bad, out_dir, config.max_bad_steps)
            else:
                ema.update_parameters(module)
                state.add(numbers)
            state.seconds = before + time.monotonic() - begun
            if log is not None and (state.step % config.log_every == 0 or state.step == config.steps):
                _flush(state, log, accelerator)
            if config.evaluate_every and state.step % config.evaluate_every == 0 and evaluate:
                _evaluate(evaluate, ema, state, log, everywhere=skeleton is not None)
            stopped = out_of_time(accelerator, config.max_seconds, begun)
            if state.step % config.checkpoint_every == 0 or state.step == config.steps or stopped:
                save_checkpoint(replace(config, parts=state.parts), accelerator, module, ema, optimizer, state, out_dir)
    for tracker in accelerator.trackers:  # not `end_training`, after which the processes know one another no more
        tracker.finish()
    averaged = cast(Module, ema.module if skeleton is None else unsharded(skeleton, ema.module))
    finished, is_main = state.step >= config.steps, log is not None
    return FitResult(averaged, state.step, state.seconds, state.bad_steps, finished, is_main)


def learning_rate_at(config: LoopConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to `final_lr_ratio` at `steps`."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = min(1.0, max(0.0, (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)))
    cosine = config.final_lr_ratio + (1 - config.final_lr_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate * warm * cosine


def _accelerator(config: LoopConfig, out_dir: Path) -> Accelerator:
    out_dir.mkdir(parents=True, exist_ok=True)
    trackers = "tensorboard" if config.tensorboard else None
    accelerator = Accelerator(mixed_precision=config.mixed_precision, log_with=trackers, project_dir=str(out_dir))
    if accelerator.distributed_type not in _SHARING:
        raise ValueError(
            f"accelerate was set up for {accelerator.distributed_type.value}; expected plain processes: launch without "
            "--use_fsdp or --use_deepspeed and give --loop.sharding full instead"
        )
    if trackers:
        accelerator.init_trackers("tensorboard")
    return accelerator


def _ema_update(decay: float) -> Callable:
    @torch.no_grad()
    def update(averaged: list, current: list, num_averaged) -> None:
        number = int(num_averaged)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + number) / (10 + number)))

    return update


def _averaged(config: LoopConfig, module: nn.Module) -> AveragedModel:
    """Starts at `module`'s values. Frozen parameters are the module's own where each process has them whole."""
    ema = AveragedModel(nn.Identity(), multi_avg_fn=_ema_update(config.ema_decay))
    frozen = [] if config.sharding == "full" else [p for p in module.parameters() if not p.requires_grad]
    ema.module = copy.deepcopy(module, {id(p): p for p in frozen})
    return ema


def _shard(config: LoopConfig, module: nn.Module, ema: AveragedModel) -> nn.Module | None:
    """Shards both in place where asked; gives what the whole module can be made of again."""
    if config.sharding == "no":
        return None
    if config.optimizer != "adamw":
        raise ValueError(
            f"loop.optimizer is {config.optimizer!r}, which needs whole matrices; with loop.sharding 'full' expected 'adamw'"
        )
    skeleton = skeleton_of(module)
    shard(module)
    shard(cast(nn.Module, ema.module))
    return skeleton


def _report_bad_step(state: LoopState, bad: list[Any], out_dir: Path, limit: int) -> None:
    """Every process counts the step; those whose parts were bad name them."""
    state.bad_steps += 1
    message = f"step {state.step}: the loss or its gradient is not finite; skipped"
    for batch in bad:
        keys = batch.get("keys", "unnamed") if isinstance(batch, dict) else getattr(batch, "keys", "unnamed")
        keys = keys() if callable(keys) else keys
        message = f"step {state.step}: the loss or its gradient is not finite; skipped. Records: {keys}"
        print(message, file=sys.stderr)
        with open(out_dir / "bad_steps.csv", "a", newline="") as file:
            csv.writer(file).writerow([state.step, str(keys)])
    if state.bad_steps > limit:
        raise FloatingPointError(
            f"{state.bad_steps} steps were not finite (allowed: {limit}); last: {message}. "
            "Look at these records, or lower the learning rate"
        )


def _flush(state: LoopState, log: MetricsLog, accelerator: Accelerator) -> None:
    if means := state.take_means():
        log.write(state.step, means | state.counts())
        accelerator.log(means, step=state.step)


def _evaluate(
    evaluate: Evaluate, ema: AveragedModel, state: LoopState, log: MetricsLog | None, everywhere: bool
) -> None:
    """On the main process, which alone has a `log`, or `everywhere`."""
    if log is None and not everywhere:
        return
    with torch.no_grad():
        numbers = evaluate(ema.module.eval(), state.step)
    if log is not None:
        log.write(state.step, {f"eval/{key}": value for key, value in numbers.items()})
