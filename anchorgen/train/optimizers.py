"""The optimizers of `loop.fit`: AdamW, or Muon for matrices with AdamW for the rest.

Muon (Jordan et al. 2024) makes the step of a matrix orthogonal; scaled to AdamW's size of steps (Liu et al. 2025), both
share one learning rate.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

OptimizerName = Literal["adamw", "muon"]

_SMALLEST_SIDE = 128  # of a matrix for Muon: embeddings of few numbers and heads of few outputs are AdamW's


class Together:
    """Several optimizers as one; what `fit` needs of an optimizer."""

    def __init__(self, *optimizers: torch.optim.Optimizer):
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return {str(k): optimizer.state_dict() for k, optimizer in enumerate(self.optimizers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for k, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state[str(k)])


def make_optimizer(
    module: nn.Module, name: OptimizerName, weight_decay: float, betas: tuple[float, float]
) -> torch.optim.Optimizer | Together:
    """For the parameters that are trained; weights of two or more dimensions decay, the rest does not.

    Raises:
        ValueError: nothing is trained.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise ValueError("the module has no parameter with requires_grad=True; nothing would be trained")
    matrices = [p for p in trained if name == "muon" and p.ndim == 2 and min(p.shape) >= _SMALLEST_SIDE]
    taken = {id(p) for p in matrices}
    others = [p for p in trained if id(p) not in taken]
    decayed, rest = [p for p in others if p.ndim >= 2], [p for p in others if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    parts: list[torch.optim.Optimizer] = []
    if any(group["params"] for group in groups):
        parts.append(torch.optim.AdamW([group for group in groups if group["params"]], betas=betas))
    if matrices:
        parts.append(torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))
    return parts[0] if len(parts) == 1 else Together(*parts)
