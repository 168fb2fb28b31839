"""One optimizer step over the parts of a batch.

A step's batch is made of P parts, each by its own random generators. R processes take parts r, r + R, r + 2 R, ... and add
their gradients up, so the loss of every step is the same for any R that divides P, but for the order of sums.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import send_to_device

from anchorgen.train.sharding import whole


class Outcome(NamedTuple):
    """Attributes:
    numbers: means over all parts; None if the loss or gradient of any part was not finite: nothing changed then.
    bad: batches of this process to name in that case.
    """

    numbers: dict[str, float] | None
    bad: list[Any]


def generator_for(seed: int, step: int, part: int = 0, stream: int = 0) -> torch.Generator:
    """A CPU generator for one part of a step: `stream` 0 makes the batch, 1 the loss, 2 seeds torch's global one."""
    return torch.Generator().manual_seed(mix(seed, step, part, stream))


def mix(*numbers: int) -> int:
    """One seed of several numbers."""
    return int(np.random.SeedSequence([number % 2**32 for number in numbers]).generate_state(1, np.uint64)[0])


def parts_of(accelerator: Accelerator, num_parts: int) -> list[int]:
    """Which parts this process computes.

    Raises:
        ValueError: the processes cannot share them evenly.
    """
    count = accelerator.num_processes
    if num_parts % count:
        fits = [n for n in range(1, num_parts + 1) if num_parts % n == 0]
        raise ValueError(
            f"{count} processes cannot share a batch of {num_parts} parts evenly; start {fits} processes, or begin "
            "anew with --loop.parts a multiple of their number"
        )
    return list(range(accelerator.process_index, num_parts, count))


def train_step(config, accelerator, model, optimizer, loss_fn, batches: dict[int, Any], step: int) -> Outcome:
    """Gradients of every part, clipped together, then one step.

    Args:
        config: a `LoopConfig`. model: as the accelerator prepared it.
        batches: by part, what `make_batch` gave.
    """
    model.train()
    optimizer.zero_grad(set_to_none=True)
    bad, sums, last = [], dict[str, float](), max(batches)
    for part, batch in batches.items():
        torch.manual_seed(mix(config.seed, step, part, 2))
        sent = send_to_device(batch, accelerator.device)
        waits = part != last and hasattr(model, "no_sync")
        with accelerator.no_sync(model) if waits else nullcontext():
            with accelerator.autocast() if config.sharding == "full" else nullcontext():
                loss, numbers = loss_fn(model, sent, generator_for(config.seed, step, part, 1))
            if not bool(torch.isfinite(loss.detach())):
                bad.append(batch)
            # Shards are brought together in every backward pass, so all processes must agree on each.
            if (part == last or config.sharding == "full") and _any(accelerator, bool(bad)):
                return Outcome(None, bad)
            if not bad:
                accelerator.backward(loss / len(batches))
        for name, value in {"loss": float(loss.detach()), **numbers}.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    norm = _clip(model, config.max_grad_norm)
    if not math.isfinite(norm):
        optimizer.zero_grad(set_to_none=True)
        return Outcome(None, list(batches.values()))
    optimizer.step()
    means = _mean(accelerator, {name: value / len(batches) for name, value in sums.items()})
    return Outcome({**means, "grad_norm": norm, "learning_rate": optimizer.param_groups[0]["lr"]}, [])


def set_rate(optimizer: Any, rate: float) -> None:
    """Sets the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def out_of_time(accelerator: Accelerator, max_seconds: float | None, begun: float) -> bool:
    """Whether a process has trained for longer since `begun` (of `time.monotonic`); all agree. None: never."""
    if max_seconds is None:
        return False
    late = torch.tensor(float(time.monotonic() - begun > max_seconds), device=accelerator.device)
    return bool(cast(torch.Tensor, accelerator.gather(late)).max())


def _clip(model: torch.nn.Module, limit: float) -> float:
    return float(whole(torch.nn.utils.clip_grad_norm_(model.parameters(), limit)))


def _any(accelerator: Accelerator, flag: bool) -> bool:
    if accelerator.num_processes == 1:
        return flag
    return bool(accelerator.gather(torch.tensor([float(flag)], device=accelerator.device)).max())


def _mean(accelerator: Accelerator, numbers: dict[str, float]) -> dict[str, float]:
    """Over the processes, which all have the same names."""
    if accelerator.num_processes == 1:
        return numbers
    values = torch.tensor(list(numbers.values()), dtype=torch.float64, device=accelerator.device)
    dist.all_reduce(values)
    return dict(zip(numbers, (values / accelerator.num_processes).tolist(), strict=True))
