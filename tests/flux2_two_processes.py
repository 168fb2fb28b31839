"""Started in two processes by `test_flux2_processes.py`: trains in shards, in copies, and on from one process's checkpoint."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch.distributed as dist
from accelerate.state import AcceleratorState
from test_flux2_training import LOOP, run, settings
from torch.distributed.tensor import DTensor


def main(shards: Path, out: Path) -> None:
    whole = replace(LOOP, steps=6)
    for name, shard, loop in (("copies", False, whole), ("shards", True, whole), ("resumed", True, whole)):
        decoder, _ = run(settings(shards, out / name, loop, shard=shard), latent_noise=0.0)
        weights = (decoder.velocity.scene.no_scene, decoder.velocity.transformer.x_embedder.weight)
        assert dist.get_world_size() == 2 and all(isinstance(weight, DTensor) == shard for weight in weights)
    AcceleratorState._reset_state()
    half = replace(LOOP, steps=2, mixed_precision="bf16")
    run(
        settings(shards, out / "half", half, shard=True, gradient_checkpointing=True),
        latent_noise=0.0,
        dtype="bfloat16",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
