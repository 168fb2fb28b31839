"""Checkpoints of `loop.fit`: whole or not there at all."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, load_model, save_file, save_model

from anchorgen.train.sharding import fill, fill_optimizer, kept_names, whole_optimizer_state, whole_state

# Settings that may change between calls without a word.
_FREE = {"steps", "max_seconds", "resume", "log_every", "checkpoint_every", "evaluate_every", "prefetch", "tensorboard"}
_FREE |= {"sharding"}  # files hold whole tensors either way


@dataclass
class LoopState:
    """What a checkpoint holds beside tensors. `sums` and `count` are the means in the making; `parts` those of a step's
    batch (0: not said)."""

    step: int = 0
    seconds: float = 0.0
    bad_steps: int = 0
    sums: dict[str, float] | None = None
    count: int = 0
    parts: int = 0

    def add(self, numbers: dict[str, float]) -> None:
        """One step's numbers for the means in the making."""
        sums = self.sums or {}
        self.sums = {**sums, **{name: sums.get(name, 0.0) + float(value) for name, value in numbers.items()}}
        self.count += 1

    def take_means(self) -> dict[str, float]:
        """The means since they were last taken; empty if nothing was added."""
        means = {name: value / self.count for name, value in (self.sums or {}).items()} if self.count else {}
        self.sums, self.count = None, 0
        return means

    def counts(self) -> dict[str, float]:
        """What is logged beside means."""
        return {"bad_steps": self.bad_steps, "seconds": round(self.seconds, 2)}


def _checkpoints(out_dir: Path) -> list[Path]:
    return sorted(path for path in out_dir.glob("step-*") if path.is_dir() and path.suffix != ".tmp")


def save_checkpoint(config, accelerator, module, ema, optimizer, state, out_dir: Path) -> None:
    """A directory that appears whole (written beside, then renamed); the older one goes after that."""
    plain = config.sharding == "no" and config.save_frozen
    tensors = None if plain else _whole(config, module, ema, optimizer)
    if accelerator.is_main_process:
        final = out_dir / f"step-{state.step:08d}"
        partial = final.with_suffix(".tmp")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        if tensors is None:
            save_model(module, str(partial / "model.safetensors"))
            save_model(ema.module, str(partial / "ema.safetensors"))
            torch.save(optimizer.state_dict(), partial / "optimizer.pt")
        else:
            save_file(tensors[0], partial / "model.safetensors")
            save_file(tensors[1], partial / "ema.safetensors")
            torch.save(tensors[2], partial / "optimizer.pt")
        facts = {"state": asdict(state), "num_averaged": int(ema.n_averaged), "config": asdict(config)}
        (partial / "state.json").write_text(json.dumps(facts, indent=1))
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        shutil.copy(final / "ema.safetensors", out_dir / "ema.safetensors.tmp")
        os.replace(out_dir / "ema.safetensors.tmp", out_dir / "ema.safetensors")
        for old in _checkpoints(out_dir):
            if old != final:
                shutil.rmtree(old)
    accelerator.wait_for_everyone()


def _whole(config, module, ema, optimizer) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """On every process, as they bring the slices together."""
    names = kept_names(module, config.save_frozen)
    moments = whole_optimizer_state(optimizer.state_dict())
    return whole_state(module, names), whole_state(ema.module, names), moments


def load_checkpoint(config, module, ema, optimizer, out_dir: Path) -> LoopState:
    """Puts the last checkpoint into the arguments; a fresh state where there is none."""
    found = _checkpoints(out_dir)
    if not found:
        return LoopState()
    facts = json.loads((found[-1] / "state.json").read_text())
    then, now = (
        {k: v for k, v in json.loads(json.dumps(c)).items() if k not in _FREE}
        for c in (facts["config"], asdict(config))
    )
    changed = sorted(key for key in now if then.get(key, now[key]) != now[key])
    if now.get("parts") is None:  # then it goes on with as many as there were
        changed = [key for key in changed if key != "parts"]
    if changed:
        message = f"{found[-1]} was trained with other settings for {changed}; going on with the new ones"
        warnings.warn(message, stacklevel=3)
    moments = torch.load(found[-1] / "optimizer.pt", weights_only=True)
    if config.sharding == "full" or not config.save_frozen:
        names = kept_names(module, config.save_frozen)
        fill(module, load_file(found[-1] / "model.safetensors"), names)
        fill(ema.module, load_file(found[-1] / "ema.safetensors"), names)
        fill_optimizer(optimizer, moments, [p for group in optimizer.param_groups for p in group["params"]])
    else:
        load_model(module, str(found[-1] / "model.safetensors"))
        load_model(ema.module, str(found[-1] / "ema.safetensors"))
        optimizer.load_state_dict(moments)
    ema.n_averaged.fill_(facts["num_averaged"])
    return LoopState(**facts["state"])
