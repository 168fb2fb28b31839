"""What of FLUX.2-klein is trained: the adapter beside a frozen backbone, LoRA layers in it too, or everything; and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import save_file

from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_adapter_file import save_adapter
from anchorgen.decode.flux2_lora import LORA_WEIGHTS, add_lora, file_name

Trained = Literal["adapter", "lora", "full"]
LORA_FILE = f"{LORA_WEIGHTS}.safetensors"
_BACKBONE = "velocity.transformer."


def choose_trained(decoder: Flux2KleinDecoder, what: Trained, rank: int = 16) -> None:
    """Leaves `requires_grad` only to what is trained, which becomes float32: masters of mixed precision.

    Args:
        decoder: changed in place; "lora" adds layers to its backbone.
        what: "adapter" (with scene tokens), "lora" (these and LoRA layers) or "full" (these and the whole backbone).
        rank: of the LoRA layers.

    Raises:
        BackboneError: `peft` is missing. ValueError: there is no such choice.
    """
    if what not in ("adapter", "lora", "full"):
        raise ValueError(f"what: got {what!r}; expected 'adapter', 'lora' or 'full'")
    velocity = decoder.velocity
    decoder.requires_grad_(False)
    if what == "lora":
        add_lora(velocity, rank)
    for name, parameter in velocity.transformer.named_parameters():
        if what == "full" or ".processor." in name or (what == "lora" and "lora_" in name):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)
    velocity.scene.float().requires_grad_(True)


def blocks(decoder: Flux2KleinDecoder) -> list[torch.nn.Module]:
    """The backbone's repeated parts, each with its part of the adapter: what is gathered at a time when sharded."""
    transformer = decoder.velocity.transformer
    return [*transformer.transformer_blocks, *transformer.single_transformer_blocks]


def write_results(
    decoder: Flux2KleinDecoder, averages: dict[str, torch.Tensor], what: Trained, out: Path, facts: dict[str, Any]
) -> None:
    """Writes the averaged weights by kind: adapter.safetensors always; LoRA layers or the backbone where they were trained.

    Args:
        decoder: of whose networks these are averages.
        averages: by name within the trained module: `velocity.*`, and `tokens.*` of the token networks.
        what: what was trained.
        out: folder of the run.
        facts: JSON values for the adapter's header.
    """
    backbone = {n.removeprefix(_BACKBONE): v for n, v in averages.items() if n.startswith(_BACKBONE)}
    adapter = {name: value for name, value in backbone.items() if ".processor." in name}
    scene = {n.removeprefix("velocity."): v for n, v in averages.items() if n.startswith("velocity.scene.")}
    save_adapter(decoder.velocity, out / "adapter.safetensors", adapter | scene, facts)
    tokens = {n.removeprefix("tokens."): v.contiguous() for n, v in averages.items() if n.startswith("tokens.")}
    if tokens:
        save_file(tokens, out / "tokens.safetensors")
    if what == "lora":
        layers = {file_name(name): value.contiguous() for name, value in backbone.items() if "lora_" in name}
        save_file(layers, out / LORA_FILE, metadata={"format": "pt"})
    if what == "full":
        _write_backbone(decoder, {n: v for n, v in backbone.items() if ".processor." not in n}, out / "transformer")


def _write_backbone(decoder: Flux2KleinDecoder, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """A folder that `Flux2Transformer2DModel.from_pretrained` reads, in bfloat16: a backbone like any other."""
    folder.mkdir(parents=True, exist_ok=True)
    transformer = decoder.velocity.transformer
    (folder / "config.json").write_text(json.dumps(json.loads(transformer.to_json_string()), indent=2) + "\n")
    half = {name: value.to(torch.bfloat16) for name, value in weights.items()}
    save_torch_state_dict(half, folder, filename_pattern="diffusion_pytorch_model{suffix}.safetensors")
