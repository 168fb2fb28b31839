"""Weights on disk: one safetensors file a network (bfloat16), beside `config.json`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from anchorgen.pipeline.config import PipelineConfig, PretrainedError

BUNDLED = ("bedrooms-128",)


class StoredWeights(Protocol):
    """A network, or a part of one that has its own file."""

    def state_dict(self) -> dict[str, torch.Tensor]: ...

    def load_state_dict(self, state_dict: dict[str, torch.Tensor], /) -> Any: ...


def bundled_folder(name: str) -> Path:
    """Where the weights of a bundled set lie.

    Raises:
        PretrainedError: no such set; the message lists those there are.
    """
    folder = Path(str(resources.files("anchorgen"))) / "pretrained" / name
    if not (folder / "config.json").is_file():
        raise PretrainedError(
            f"no bundled model {name!r}; expected one of {list(BUNDLED)}, or the path of a folder written by save_pretrained()"
        )
    return folder


def pretrained_folder(name: str | Path) -> Path:
    """A folder as it is, or else that of a bundled set. Raises PretrainedError: it is neither."""
    return Path(name) if Path(name).is_dir() else bundled_folder(str(name))


def save_folder(folder: Path, config: PipelineConfig, networks: dict[str, StoredWeights]) -> None:
    """Writes config.json and one safetensors file a network."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        save_weights(network, folder / f"{name}.safetensors")
    config.save(folder)


def save_weights(module: StoredWeights, path: Path) -> None:
    """Stores floating-point tensors as bfloat16 (batch statistics stay float32: they are few, and exactness is cheap)."""
    tensors = {}
    for name, tensor in module.state_dict().items():
        exact = not tensor.is_floating_point() or "running_" in name or "whiten" in name
        tensors[name] = (tensor if exact else tensor.to(torch.bfloat16)).detach().cpu().contiguous()
    partial = path.with_suffix(".tmp")
    save_file(tensors, partial)
    partial.replace(path)


def load_weights(module: StoredWeights, path: Path) -> None:
    """Fills `module` from a file, in the precision it has.

    Raises:
        PretrainedError: the file is missing, cut off, or of another network.
    """
    if not path.is_file():
        raise PretrainedError(f"{path} is missing; expected a folder written by save_pretrained()")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise PretrainedError(f"{path} cannot be read ({error}); copy the folder again") from None
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [n for n in own.keys() & tensors.keys() if own[n].shape != tensors[n].shape]
    if missing or extra or shapes:
        raise PretrainedError(
            f"{path} is of another network: missing {missing[:3]}, unknown {extra[:3]}, other shapes {shapes[:3]}; "
            "check that config.json belongs to it"
        )
    module.load_state_dict({n: t.to(own[n].dtype) for n, t in tensors.items()})
