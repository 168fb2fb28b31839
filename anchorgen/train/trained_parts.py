"""The trained part of a large module, over one process or several: placing it, averaging it, storing it, gathering it.

Checkpoints hold trained parameters, their averages and the optimizer, whoever holds which piece: a run that was stopped
goes on with another number of processes. Frozen weights are in no checkpoint.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from accelerate import Accelerator, DistributedType
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, OffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor

from anchorgen.train.checkpoint import LoopState

Averages = dict[str, torch.Tensor]


def place(accelerator: Accelerator, module: nn.Module, blocks: Iterable[nn.Module], shard: bool) -> nn.Module:
    """The module on its device: whole, shared by processes (DDP), or in shards (FSDP2), block by block.

    Args:
        accelerator: launched by `accelerate launch`; an FSDP config of version 2 asks for shards too.
        module: changed in place where it is sharded.
        blocks: its repeated parts, gathered one at a time.
        shard: whether each process keeps only its piece of every parameter.

    Raises:
        ValueError: the launcher was configured for FSDP version 1.
    """
    by_config = accelerator.distributed_type == DistributedType.FSDP
    if by_config and not accelerator.is_fsdp2:
        raise ValueError("fsdp_version: got 1; expected 2: set `fsdp_version: 2` in accelerate's config file")
    if accelerator.num_processes == 1 or not (shard or by_config):
        return accelerator.prepare(module.to(accelerator.device))
    plugin = accelerator.state.fsdp_plugin if by_config else None
    half = torch.bfloat16 if accelerator.mixed_precision == "bf16" else None
    offload = plugin is not None and isinstance(plugin.cpu_offload, CPUOffloadPolicy)
    options: dict[str, Any] = {
        "mesh": init_device_mesh(accelerator.device.type, (accelerator.num_processes,)),
        "mp_policy": MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32),
        "offload_policy": CPUOffloadPolicy() if offload else OffloadPolicy(),
    }
    for block in blocks:
        fully_shard(block, **options)
    fully_shard(module, **options)
    return module


def trained(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that are trained, by name: detached, but the same memory."""
    return {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}


def start_averages(module: nn.Module) -> Averages:
    return {name: value.clone() for name, value in trained(module).items()}


@torch.no_grad()
def update_averages(averages: Averages, module: nn.Module, decay: float, step: int) -> None:
    """Exponential averages, quicker in the first steps: min(decay, (1 + n) / (10 + n))."""
    weight = 1 - min(decay, (1 + step) / (10 + step))
    for name, value in trained(module).items():
        _local(averages[name]).lerp_(_local(value), weight)


def gathered(values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole tensors on the CPU; every process must call it."""
    return {name: (v.full_tensor() if isinstance(v, DTensor) else v).detach().cpu() for name, v in values.items()}


def save(accelerator: Accelerator, module, optimizer, averages: Averages, state: LoopState, out_dir: Path) -> None:
    """A directory `step-XXXXXXXX` that appears whole; the older one goes after that. Every process must call it."""
    final = out_dir / f"step-{state.step:08d}"
    partial = final.with_suffix(".tmp")
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    with _alone() as alone:
        dcp.save(_state(module, optimizer, averages), checkpoint_id=partial, no_dist=alone)
    if accelerator.is_main_process:
        (partial / "state.json").write_text(json.dumps(asdict(state), indent=1))
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        for old in _checkpoints(out_dir):
            if old != final:
                shutil.rmtree(old)
    accelerator.wait_for_everyone()


def load(module: nn.Module, optimizer, averages: Averages, out_dir: Path) -> LoopState:
    """Puts the last checkpoint into the arguments; a fresh state where there is none.

    Raises:
        ValueError: the checkpoint is of other parameters.
    """
    found = _checkpoints(out_dir)
    if not found:
        return LoopState()
    tensors = _state(module, optimizer, averages)
    if more := _stored_names(found[-1]) - {f"model.{name}" for name in tensors["model"]}:
        raise ValueError(
            f"{found[-1]} also trained {len(more)} parameters that this call does not ({min(more)}): expected its own "
            "--what and --paper-tokens; choose another --out to train less"
        )
    try:
        with _alone() as alone:
            dcp.load(tensors, checkpoint_id=found[-1], no_dist=alone)
    except (dcp.CheckpointException, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{found[-1]} is not of this network ({type(error).__name__}: {str(error)[:200]}); "
            "expected the settings it was trained with; choose another --out, or --loop.no-resume to begin again"
        ) from None
    set_optimizer_state_dict(module, optimizer, tensors["optimizer"])
    return replace(LoopState(), **json.loads((found[-1] / "state.json").read_text()))


def _stored_names(checkpoint: Path) -> set[str]:
    """Of trained parameters; where its list cannot be read, what is loaded next says why."""
    try:
        names = dcp.FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    except Exception:  # a damaged file may unpickle to anything
        return set()
    return {name for name in names if name.startswith("model.")}


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this process is the only one, which torch would warn of at every checkpoint."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield not dist.is_initialized()


def _state(module: nn.Module, optimizer, averages: Averages) -> dict[str, Any]:
    return {
        "model": trained(module),
        "averages": averages,
        "optimizer": get_optimizer_state_dict(module, optimizer),
    }


def _checkpoints(out_dir: Path) -> list[Path]:
    return sorted(path for path in out_dir.glob("step-*") if path.is_dir() and path.suffix != ".tmp")


def _local(value: torch.Tensor) -> torch.Tensor:
    return value.to_local() if isinstance(value, DTensor) else value
