"""LoRA layers in the attention of FLUX.2-klein's backbone, under the names that diffusers gives them in files."""

from __future__ import annotations

import dataclasses

import torch

from anchorgen.decode.flux2_adapter_file import PartOfNetwork
from anchorgen.decode.flux2_errors import BackboneError, needed
from anchorgen.decode.flux2_velocity import KleinVelocity

LORA_WEIGHTS = "pytorch_lora_weights"
_INFIX = ".default."  # the name that `add_adapter` gives layers, which files leave out
_PREFIX = "transformer."


def lora_targets(velocity: KleinVelocity) -> list[str]:
    """The attention projections of all blocks, as peft names them; the scene adapter's `scene_*` layers are none of these."""
    singles = range(len(velocity.transformer.single_transformer_blocks))
    return ["to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj"] + [
        f"single_transformer_blocks.{number}.attn.to_out" for number in singles
    ]


def add_lora(velocity: KleinVelocity, rank: int) -> None:
    """New layers, which add nothing yet; the network's settings then say that it has them.

    Raises:
        BackboneError: `peft` is missing. ValueError: no rank, or there are such layers.
    """
    if rank < 1:
        raise ValueError(f"lora_rank: got {rank}; expected a whole number of at least 1")
    if lora_parameters(velocity):
        raise ValueError(f"the backbone has LoRA layers of rank {velocity.config.lora_rank}; expected one without")
    peft = needed("peft", "LoRA layers")
    # alpha = rank is what diffusers assumes of a file that does not say.
    settings = peft.LoraConfig(
        r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=lora_targets(velocity)
    )
    velocity.transformer.add_adapter(settings)
    for layer in lora_parameters(velocity).values():
        layer.data = layer.data.to(velocity.config.torch_dtype)
    velocity.config = dataclasses.replace(velocity.config, lora_rank=rank)


def lora_parameters(velocity: KleinVelocity) -> dict[str, torch.nn.Parameter]:
    """This network's own, by their names in the transformer; not those of files that were loaded beside them."""
    named = velocity.transformer.named_parameters()
    return {name: p for name, p in named if "lora_" in name and _INFIX in name}


def file_name(name: str) -> str:
    """A parameter's name in a file that `load_lora_adapter` and `load_lora_weights` of diffusers read."""
    return _PREFIX + name.replace(_INFIX, ".")


class LoraWeights(PartOfNetwork):
    """The LoRA layers."""

    what = "the file of LoRA layers"

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {file_name(name): p.detach() for name, p in lora_parameters(self.velocity).items()}


class BackboneWeights(PartOfNetwork):
    """A backbone that was trained itself, without the scene adapter."""

    what = "the backbone's file"

    def state_dict(self) -> dict[str, torch.Tensor]:
        """By the names of a bare transformer, whatever LoRA files were loaded into it.

        Raises:
            BackboneError: the weights are no longer exact.
        """
        if self.velocity.in_8_bits:
            raise BackboneError(
                "saving the backbone: a memory plan stores it in 8 bits; load the model again, and save it before `use`"
            )
        return {
            name.replace(".base_layer.", "."): value
            for name, value in self.velocity.transformer.state_dict().items()
            if ".processor." not in name and "lora_" not in name
        }
