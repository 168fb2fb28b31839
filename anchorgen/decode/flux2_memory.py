"""Ways to run the backbone in less memory or time: offloaded groups, weights in 8 bits, compiled blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from anchorgen.decode.flux2_errors import explained, needed
from anchorgen.decode.flux2_velocity import KleinVelocity

# `set_attn_processor` puts the adapter at `...attn.processor`; it stays in the dtype of the computation.
SKIPPED = ("processor", "lora_", "pos_embed", "norm", "proj_out")


@dataclass(frozen=True)
class MemoryPlan:
    """Attributes:
    offload: the backbone stays in the CPU's memory; each block is on the GPU while it runs (the next is fetched meanwhile).
    fp8: weights are stored in 8 bits (e4m3) and cast when used: half the memory of bfloat16.
    int8: weights are quantised to 8 bits by torchao (`pip install 'anchorgen[int8]'`): half the memory of bfloat16.
    compile: the repeated blocks are compiled at the first picture.
    compile_options: of `torch.compile`.
    """

    offload: bool = False
    fp8: bool = False
    int8: bool = False
    compile: bool = False
    compile_options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if self.fp8 and self.int8:
            raise ValueError("fp8 and int8: got both; expected one, each stores all weights in 8 bits")
        if self.compile and (self.offload or self.fp8):
            raise ValueError(
                "compile: got it with offload or fp8, whose hooks break the graph at every layer; expected one of them, "
                "or compile with int8"
            )
        if self.offload and self.int8:
            raise ValueError("offload and int8: got both; expected one, or offload with fp8")


def apply_plan(velocity: KleinVelocity, plan: MemoryPlan, device: str | torch.device) -> None:
    """Changes the backbone in place; it cannot be undone, load it again for another plan.

    Args:
        velocity: the network; its weights are where they were loaded, on the CPU.
        plan: what to do.
        device: where it will run.

    Raises:
        BackboneError: torchao is missing, the GPU cannot be used or is full; the message says what to do.
    """
    place = torch.device(device)
    transformer: Any = velocity.transformer
    velocity.in_8_bits = plan.fp8 or plan.int8
    with explained("preparing the backbone"):
        if plan.fp8:
            transformer.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=velocity.dtype, skip_modules_pattern=SKIPPED
            )
        if plan.int8:
            _quantise(transformer)
        if plan.offload:
            stream = place.type == "cuda"
            transformer.enable_group_offload(
                onload_device=place,
                offload_device=torch.device("cpu"),
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=stream,
                non_blocking=stream,
            )
            velocity.offloaded = True
        velocity.to(place)
        if plan.compile:
            transformer.compile_repeated_blocks(**dict(plan.compile_options))


def _quantise(transformer: nn.Module) -> None:
    torchao = needed("torchao.quantization", "MemoryPlan(int8=True)", "int8")
    torchao.quantize_(transformer, torchao.Int8WeightOnlyConfig(), filter_fn=is_quantised)


def is_quantised(module: nn.Module, name: str) -> bool:
    """The backbone's large linear layers: not those of adapter, LoRA, time embedding and output."""
    own = ".processor" in name or "lora_" in name
    return isinstance(module, nn.Linear) and "transformer_blocks" in name and not own
