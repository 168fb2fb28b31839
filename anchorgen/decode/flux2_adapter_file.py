"""What is trained beside a frozen backbone, as one safetensors file: the adapter's `.processor.` weights and the scene tokens.

Names are the transformer's own, `transformer_blocks.0.attn.processor.scene_q.weight`, and `scene.*` for the tokens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.flux2_velocity import KleinVelocity

FORMAT_VERSION = 1
_SIZES = ("sites", "context_width", "num_tokens", "channels", "num_background")


class AdapterFileError(ValueError):
    """A file that holds no adapter for this backbone and these settings."""


class PartOfNetwork:
    """A part of a velocity network that has its own file, with the two methods that files need."""

    what: str

    def __init__(self, velocity: KleinVelocity):
        self.velocity = velocity

    def state_dict(self) -> dict[str, torch.Tensor]:
        """By the names of the file; the same memory as the network's."""
        raise NotImplementedError

    def load_state_dict(self, tensors: dict[str, torch.Tensor]) -> None:
        """Fills exactly these weights; raises AdapterFileError if there are others, or of other sizes."""
        own = self.state_dict()
        check_names_and_shapes(self.what, tensors, own)
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])


class AdapterWeights(PartOfNetwork):
    """The adapter and scene tokens."""

    what = "the adapter"

    def state_dict(self) -> dict[str, torch.Tensor]:
        scene = {f"scene.{name}": value for name, value in self.velocity.scene.state_dict().items()}
        return self.velocity.adapter.state_dict() | scene


def check_names_and_shapes(what: str, tensors: dict[str, Any], own: dict[str, torch.Tensor]) -> None:
    """Raises AdapterFileError unless both hold the same names and shapes."""
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [
        f"{name} {tuple(tensors[name].shape)}, expected {tuple(own[name].shape)}"
        for name in sorted(own.keys() & tensors.keys())
        if tensors[name].shape != own[name].shape
    ]
    if missing or extra or shapes:
        raise AdapterFileError(
            f"{what} is of another network: missing {missing[:2]}, unknown {extra[:2]}, other shapes {shapes[:2]}"
        )


def adapter_settings(config: KleinConfig, width: int) -> dict[str, Any]:
    """What an adapter's weights belong to."""
    return {"width": width, **{name: getattr(config, name) for name in _SIZES}}


def save_adapter(
    velocity: KleinVelocity,
    path: str | Path,
    tensors: dict[str, torch.Tensor] | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Writes the file whole or not at all.

    Args:
        velocity: whose weights are written, and whose settings go into the header.
        path: of the `.safetensors`.
        tensors: instead of the network's own (its averages, say), under the same names.
        facts: JSON values for the header, e.g. the latent space.
    """
    values = AdapterWeights(velocity).state_dict() if tensors is None else tensors
    header = {
        "format_version": str(FORMAT_VERSION),
        "settings": json.dumps(adapter_settings(velocity.config, velocity.transformer.inner_dim)),
        "repository": velocity.config.repository,
        "facts": json.dumps(facts or {}),
    }
    partial = Path(f"{path}.tmp")
    save_file({k: v.detach().cpu().contiguous() for k, v in values.items()}, partial, metadata=header)
    partial.replace(path)


def load_adapter(velocity: KleinVelocity, path: str | Path) -> dict[str, Any]:
    """Fills the adapter and scene tokens; returns the `facts` that were saved with them.

    Raises:
        AdapterFileError: no such file, not an adapter, newer, or of another width, site choice or latent size; the
            message says what the file is of and what this network expects.
    """
    path = Path(path)
    if not path.is_file():
        raise AdapterFileError(f"{path} is missing; expected a file of save_adapter: anchorgen train flux2 writes it")
    try:
        with safe_open(str(path), "pt") as file:
            header, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise AdapterFileError(f"{path} cannot be read ({error}); copy it again") from None
    if "settings" not in header:
        raise AdapterFileError(f"{path} has no adapter's header; expected a file of save_adapter, not other weights")
    if header["format_version"] != str(FORMAT_VERSION):
        raise AdapterFileError(
            f"{path} has format_version {header['format_version']}; this anchorgen reads {FORMAT_VERSION}; update it"
        )
    found, own = json.loads(header["settings"]), adapter_settings(velocity.config, velocity.transformer.inner_dim)
    other = {name: (found.get(name), own[name]) for name in own if found.get(name) != own[name]}
    if other:
        said = "; ".join(f"{name} {got!r}, this decoder's is {mine!r}" for name, (got, mine) in other.items())
        raise AdapterFileError(
            f"{path} is of another decoder: {said}. Set these in the decoder's settings, or take another file"
        )
    AdapterWeights(velocity).load_state_dict(tensors)
    return json.loads(header.get("facts", "{}"))
