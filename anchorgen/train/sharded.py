"""The training loop for modules too large to copy: only what is trained is averaged and stored, over any number of processes.

It keeps what `loop.py` promises (exact resume, bad steps skipped and named, a time budget). Different are: no process ever
holds the whole module on its device when it is sharded, nor whole tensors for a checkpoint (each writes its slices); frozen
weights have no averages; the rows of a step's batch, not parts of it, are shared out.

    def make_batch(step, generator, rows):        # a pure function: draw for the whole batch, keep `rows` of it
    def loss_fn(module, batch):                   # the mean over these rows, and numbers for the log
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import nn
from torch.distributed.tensor import DTensor

from anchorgen.train import trained_parts as parts
from anchorgen.train.checkpoint import LoopState
from anchorgen.train.loop import LoopConfig, learning_rate_at
from anchorgen.train.metrics_log import MetricsLog
from anchorgen.train.optimizers import make_optimizer
from anchorgen.train.step import generator_for, out_of_time, set_rate

MakeBatch = Callable[[int, torch.Generator, Sequence[int]], Any]
LossFunction = Callable[[Any, Any], tuple[torch.Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Shares:
    """Attributes:
    blocks: the module's repeated parts, gathered one at a time.
    batch_size: rows of a step, over all processes.
    accumulate: in how many turns a process goes through its rows.
    """

    blocks: Iterable[nn.Module]
    batch_size: int
    accumulate: int = 1

    def turns(self, process: int, num_processes: int) -> list[list[int]]:
        """The rows of one process, turn by turn.

        Raises:
            ValueError: the batch cannot be shared out evenly, so that its mean would depend on who has what.
        """
        if self.batch_size % (num_processes * self.accumulate):
            raise ValueError(
                f"batch_size: got {self.batch_size} for {num_processes} processes in {self.accumulate} turns; "
                f"expected a multiple of {num_processes * self.accumulate}"
            )
        rows = list(range(process, self.batch_size, num_processes))
        return [rows[turn :: self.accumulate] for turn in range(self.accumulate)]


@dataclass(frozen=True)
class ShardedResult:
    """Attributes:
    averages: averaged weights of what was trained, by name, whole and on the CPU.
    step, seconds, bad_steps, finished: as in `loop.FitResult`.
    is_main: whether this process writes the results.
    """

    averages: dict[str, torch.Tensor]
    step: int
    seconds: float
    bad_steps: int
    finished: bool
    is_main: bool


def fit_sharded(
    config: LoopConfig, module: nn.Module, make_batch: MakeBatch, loss_fn: LossFunction, out_dir: Path, how: Shares
) -> ShardedResult:
    """Trains the parameters of `module` that require gradients, in place.

    Raises:
        FloatingPointError: more than `config.max_bad_steps` losses or gradients were not finite.
        ValueError: AdamW is the only optimizer here; the batch cannot be shared out; the checkpoint is of another network.
    """
    if config.parts is not None:
        raise ValueError(
            f"loop.parts: got {config.parts}; expected none here: the batch size is over all processes, and --accumulate "
            "says in how many turns each goes through its rows"
        )
    if config.optimizer != "adamw":
        raise ValueError(f"optimizer: got {config.optimizer!r}; expected 'adamw': sharded matrices have no Muon step")
    begun, out_dir = time.monotonic(), Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision=config.mixed_precision, cpu=not torch.cuda.is_available())
    turns = how.turns(accelerator.process_index, accelerator.num_processes)
    model = parts.place(accelerator, module, how.blocks, config.sharding == "full")
    optimizer = make_optimizer(module, "adamw", config.weight_decay, config.betas)
    averages = parts.start_averages(module)
    state = parts.load(module, optimizer, averages, out_dir) if config.resume else LoopState()
    log = MetricsLog(out_dir / "metrics.csv", keep_until=state.step) if accelerator.is_main_process else None
    before, stopped = state.seconds, False

    def batches(step: int) -> list[Any]:
        return [make_batch(step, generator_for(config.seed, step), rows) for rows in turns]

    with ThreadPoolExecutor(1) as pool:
        pending = None
        while state.step < config.steps and not stopped:
            step = state.step
            batch = pending.result() if pending else batches(step)
            pending = pool.submit(batches, step + 1) if config.prefetch and step + 1 < config.steps else None
            numbers = _train_step(config, accelerator, model, optimizer, loss_fn, batch, step)
            state.step += 1
            if numbers is None:
                _count_bad_step(state, batch, out_dir, config.max_bad_steps, accelerator)
            else:
                parts.update_averages(averages, module, config.ema_decay, step)
                state.add(numbers)
            state.seconds = before + time.monotonic() - begun
            if state.step % config.log_every == 0 or state.step == config.steps:
                _write(log, state)
            stopped = out_of_time(accelerator, config.max_seconds, begun)
            if state.step % config.checkpoint_every == 0 or state.step == config.steps or stopped:
                parts.save(accelerator, module, optimizer, averages, state, out_dir)
    whole = parts.gathered(averages)
    finished, main = state.step >= config.steps, accelerator.is_main_process
    accelerator.wait_for_everyone()
    return ShardedResult(whole, state.step, state.seconds, state.bad_steps, finished, main)


def _train_step(config, accelerator, model, optimizer, loss_fn, turns, step) -> dict[str, float] | None:
    """One optimizer step; None if a loss or gradient of any process was not finite (nothing changed then)."""
    torch.manual_seed(generator_for(config.seed, step, accelerator.process_index, 2).initial_seed())
    model.train()
    rate = learning_rate_at(config, step)
    set_rate(optimizer, rate)
    optimizer.zero_grad(set_to_none=True)
    sums: dict[str, torch.Tensor] = {}
    for batch in turns:
        with accelerator.autocast():
            loss, numbers = loss_fn(model, send_to_device(batch, accelerator.device))
        accelerator.backward(loss / len(turns))
        for name, value in {"loss": loss.detach(), **numbers}.items():
            sums[name] = sums.get(name, 0.0) + torch.as_tensor(value, device=accelerator.device).float() / len(turns)
    means = accelerator.gather(torch.stack(list(sums.values()))[None]).mean(0).tolist()
    norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
    norm = float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    if not all(map(math.isfinite, [*means, norm])):
        optimizer.zero_grad(set_to_none=True)
        return None
    optimizer.step()
    return {**dict(zip(sums, means)), "grad_norm": norm, "learning_rate": rate}


def _count_bad_step(state: LoopState, turns: list[Any], out_dir: Path, limit: int, accelerator: Accelerator) -> None:
    state.bad_steps += 1
    names = [batch.get("keys") for batch in turns if isinstance(batch, dict)]
    with open(out_dir / "bad_steps.csv", "a") as file:
        file.write(f'{state.step},{accelerator.process_index},"{names}"{os.linesep}')
    if state.bad_steps > limit:
        raise FloatingPointError(
            f"{state.bad_steps} steps were not finite (allowed: {limit}); last: step {state.step}, records {names}. "
            "Look at these records, or lower the learning rate"
        )


def _write(log: MetricsLog | None, state: LoopState) -> None:
    means = state.take_means()
    if log is not None and means:
        log.write(state.step, means | state.counts())
