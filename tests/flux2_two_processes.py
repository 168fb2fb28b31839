"""Started in two processes by `test_flux2_processes.py`: trains in shards, in copies, and on from one process's checkpoint."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch.distributed as dist
from accelerate import DistributedType, FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState, PartialState
from test_flux2_training import LOOP, run, settings
from torch.distributed.tensor import DTensor

from anchorgen.train.loop import LoopConfig


def main(shards: Path, out: Path) -> None:
    whole = replace(LOOP, steps=4)
    half = replace(LOOP, steps=2, mixed_precision="bf16")
    _run(shards, out / "half", half, True, gradient_checkpointing=True, dtype="bfloat16")
    AcceleratorState._reset_state()
    _run(shards, out / "copies", whole, False)
    _run(shards, out / "shards", whole, True)
    _run(shards, out / "full", whole, True, what="full")
    if find_spec("peft"):
        _run(shards, out / "lora", whole, True, what="lora", lora_rank=2)
    _as_configured_for_fsdp()
    _run(shards, out / "resumed", whole, True, ask=False)


def _run(shards: Path, out: Path, loop: LoopConfig, sharded: bool, ask: bool = True, **changes) -> None:
    dtype, ask = changes.pop("dtype", "float32"), ask and sharded
    loop = replace(loop, sharding="full" if ask else "no")
    decoder, _ = run(settings(shards, out, loop, **changes), latent_noise=0.0, dtype=dtype)
    weights = (decoder.velocity.scene.no_scene, decoder.velocity.transformer.x_embedder.weight)
    assert dist.get_world_size() == 2 and all(isinstance(weight, DTensor) == sharded for weight in weights)


def _as_configured_for_fsdp() -> None:
    """What an accelerate config file with FSDP 2 does; accelerate itself takes it only where there are GPUs."""
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP
    AcceleratorState().fsdp_plugin = FullyShardedDataParallelPlugin(fsdp_version=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
