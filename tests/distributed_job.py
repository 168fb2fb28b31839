"""What two processes do together in `test_distributed.py`: `python -m torch.distributed.run ... distributed_job.py FOLDER`."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from prior_rooms import toy_rooms
from torch import nn

from anchorgen.train.encode_pictures import EncodeJob, encode_pictures
from anchorgen.train.loop import LoopConfig, fit
from anchorgen.train.prior import PriorTraining, train

DATA = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
LOOP = LoopConfig(
    steps=16, warmup_steps=4, learning_rate=3e-3, log_every=1, checkpoint_every=6, evaluate_every=8, parts=4
)
STOP = 7


class Blocks(nn.Module):
    """A network with a list of blocks, dropout, a tensor of an odd length and a buffer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.first = nn.Linear(4, 33)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(33, 33), nn.SiLU()) for _ in range(2))
        self.last = nn.Linear(33, 1)
        self.drop = nn.Dropout(0.2)
        self.register_buffer("scale", torch.tensor(2.0), persistent=False)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + self.drop(block(x))
        return self.scale * self.last(x)


def batch(step: int, generator: torch.Generator) -> dict:
    index = torch.randint(len(DATA), (8,), generator=generator)
    return {"x": DATA[index], "keys": index.tolist()}


def loss(module, batch, generator):
    noisy = batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=generator)
    value = (module(noisy).squeeze(-1) - batch["x"].sum(-1)).square().mean()
    return value, {"double": 2 * value.item()}


def sometimes_nan(module, batch, generator):
    value, numbers = loss(module, batch, generator)
    return value * (float("nan") if batch["keys"][0] % 13 == 0 else 1.0), numbers


class Stopped(Exception):
    pass


def blocks_run(folder: Path, steps: int, sharding: str = "no", loss_fn=loss, frozen: bool = False) -> None:
    """Trains `Blocks` up to a step of the schedule, where it is stopped unless that is the last.

    With `frozen`, the blocks are not trained and not saved.
    """
    stops = steps < LOOP.steps

    def make_batch(step: int, generator: torch.Generator):
        if stops and step == steps:
            raise Stopped
        return batch(step, generator)

    config, module = replace(LOOP, sharding=sharding, prefetch=not stops, save_frozen=not frozen), Blocks()
    module.blocks.requires_grad_(not frozen)
    with suppress(Stopped):
        fit(config, module, make_batch, loss_fn, folder)
        assert not stops


def prior_run(folder: Path, name: str, sharding: str = "no") -> Path:
    sizes = {"width": 16, "depth": 2, "num_heads": 2, "batch_size": 4, "num_validation": 8}
    latents = folder / "latents.safetensors"
    return train(PriorTraining(latents, folder / name, latents, loop=replace(LOOP, sharding=sharding), **sizes))


def main(folder: Path) -> None:
    blocks_run(folder / "ddp", LOOP.steps)
    blocks_run(folder / "full", LOOP.steps, "full")
    blocks_run(folder / "bad-ddp", LOOP.steps, loss_fn=sometimes_nan)
    blocks_run(folder / "bad-full", LOOP.steps, "full", sometimes_nan)
    blocks_run(folder / "one-to-two", LOOP.steps)
    blocks_run(folder / "one-to-two-full", LOOP.steps, "full")
    blocks_run(folder / "frozen-to-full", LOOP.steps, "full", frozen=True)
    blocks_run(folder / "frozen-full-to-one", STOP, "full", frozen=True)
    blocks_run(folder / "two-to-one", STOP)
    blocks_run(folder / "two-full-to-one", STOP, "full")
    prior_run(folder, "prior-ddp")
    prior_run(folder, "prior-full", "full")
    encode_pictures(EncodeJob(folder / "pictures", folder / "shards", device="cpu", shard_size=4), progress=False)
    torch.distributed.destroy_process_group()


def prepare(folder: Path) -> None:
    toy_rooms(40).save(folder / "latents.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
