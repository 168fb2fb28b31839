"""Parameters that several processes share out among themselves (FSDP), and their whole values for files.

Each process keeps a slice of every parameter, of its gradient, its averages and the optimizer's moments; a block's
parameters are brought together while it computes. Files hold whole values, so that a run may go on with another number
of processes, or unsharded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def shard(module: nn.Module) -> None:
    """Shards a module in place over all processes: every block of its `nn.ModuleList`s, then the rest.

    Raises:
        ValueError: there is no group of processes.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    if not dist.is_initialized():
        raise ValueError(
            "loop.sharding is 'full', but there is one process; start several (accelerate launch --multi_gpu "
            "--num_processes N -m anchorgen train ..., on CPUs torchrun --nproc-per-node N -m ...) or leave it at 'no'"
        )
    device = next(module.parameters()).device.type
    mesh = init_device_mesh(device, (dist.get_world_size(),))
    lists = [m for m in module.modules() if isinstance(m, nn.ModuleList)]
    for block in (block for blocks in lists for block in blocks if _has_parameters(block)):
        fully_shard(block, mesh=mesh)
    # Slices again after every forward pass, also one without a backward pass: averages are made of slices.
    fully_shard(module, mesh=mesh, reshard_after_forward=True)


def whole(value: Any) -> Any:
    """The whole of a sharded tensor (every process must ask), anything else as it is."""
    return value.full_tensor() if _is_sharded(value) else value


def kept_names(module: nn.Module, frozen: bool = True) -> list[str]:
    """Names in `state_dict`; without parameters that are not trained if `frozen` is False."""
    left_out = set() if frozen else {name for name, p in module.named_parameters() if not p.requires_grad}
    return [name for name in module.state_dict() if name not in left_out]


def whole_state(module: nn.Module, names: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
    """`state_dict`, or some of it, with whole tensors on the CPU. Every process must ask."""
    state = module.state_dict()
    return {name: whole(state[name].detach()).cpu().contiguous() for name in names or state}


def whole_optimizer_state(state: Any) -> Any:
    """An optimizer's `state_dict()` with whole tensors on the CPU. Every process must ask."""
    if isinstance(state, torch.Tensor):
        return whole(state).cpu()
    if isinstance(state, dict):
        return {key: whole_optimizer_state(value) for key, value in state.items()}
    return state


@torch.no_grad()
def fill(module: nn.Module, state: dict[str, torch.Tensor], names: Sequence[str] | None = None) -> None:
    """Puts whole tensors into a module, or some of it, whose parameters may be sharded.

    Raises:
        KeyError: `state` lacks one of them.
    """
    own = module.state_dict()
    for name in names or own:
        own[name].copy_(_like(state[name], own[name]))


def fill_optimizer(optimizer: Any, state: dict[str, Any], parameters: Iterable[nn.Parameter]) -> None:
    """Puts the whole `state_dict()` of an optimizer into one whose parameters may be sharded.

    Args:
        optimizer, state: where to, and what.
        parameters: in the order in which the optimizer counts them.
    """
    for index, parameter in enumerate(parameters):
        moments = state["state"].get(index, {})
        for name, value in moments.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                moments[name] = _like(value.to(parameter.device), parameter)
    optimizer.load_state_dict(state)


def skeleton_of(module: Module) -> Module:
    """The module without values (on the meta device), its buffers as they are, to be filled by `unsharded`."""
    with torch.device("meta"):
        memo: dict[int, Any] = {id(p): nn.Parameter(torch.empty_like(p, device="meta")) for p in module.parameters()}
    return copy.deepcopy(module, memo)


def unsharded(skeleton: Module, module: nn.Module) -> Module:
    """`skeleton` on the CPU with the values of a sharded module like it. Every process must ask."""
    for child in skeleton.modules():
        for name, parameter in child.named_parameters(recurse=False):
            empty = torch.empty_like(parameter, device="cpu")
            setattr(child, name, nn.Parameter(empty, parameter.requires_grad))
    fill(cast(nn.Module, skeleton.cpu()), whole_state(module))
    return skeleton


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _is_sharded(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and hasattr(value, "full_tensor")


def _like(value: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """`value`, cut up as `target` is."""
    if not _is_sharded(target):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    sharded = cast(DTensor, target)
    return distribute_tensor(value.to(sharded.device), sharded.device_mesh, sharded.placements)
