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


class StackedMuon(torch.optim.Muon):
    """`torch.optim.Muon`, with the matrices of one shape made orthogonal together: on a GPU its many small products are
    launches more than work."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        assert closure is None, "no closure: gradients are there"
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            for p in trained:
                self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
            for shape in {p.shape for p in trained}:
                self._step_of([p for p in trained if p.shape == shape], group)

    def _step_of(self, matrices: list[torch.Tensor], group: dict[str, Any]) -> None:
        grads = [p.grad for p in matrices]
        buffers = [self.state[p]["momentum_buffer"] for p in matrices]
        torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
        ahead = torch._foreach_lerp(grads, buffers, group["momentum"]) if group["nesterov"] else buffers
        steps = orthogonal(torch.stack(ahead), group["ns_coefficients"], group["ns_steps"], group["eps"])
        rate = group["lr"] * 0.2 * max(matrices[0].shape) ** 0.5  # the root mean square of AdamW's steps
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(matrices, list(steps.to(matrices[0].dtype).unbind()), alpha=-rate)


def orthogonal(
    matrices_MAB: torch.Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> torch.Tensor:
    """About U V^T of each matrix U S V^T, by a quintic Newton-Schulz iteration in bfloat16 (Jordan et al. 2024)."""
    a, b, c = coefficients
    x = matrices_MAB.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


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
        parts.append(StackedMuon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))
    return parts[0] if len(parts) == 1 else Together(*parts)
