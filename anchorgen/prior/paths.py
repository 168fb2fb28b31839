"""Noise paths of the hybrid diffusion (Eq. 10, 11) and the clock of anchored generation (Eq. 12).

tau = 1 is clean, tau = 0 is noise. Shape legend: B scenes, N slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from anchorgen.prior.variables import MASKED
from anchorgen.scene.latent import SceneLatent


@dataclass
class VariableTimes:
    """One number in [0, 1] for each variable j of B scenes: a time tau_j or an anchor alpha_j.

    Attributes:
        layout, appearance, presence: `[B, N]` float32, of p^i, f^i, z^i.
        focal, background: `[B]` float32, of c and b.
    """

    layout: Tensor
    appearance: Tensor
    presence: Tensor
    focal: Tensor
    background: Tensor

    def to(self, device: torch.device | str) -> Self:
        return type(self)(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def __getitem__(self, index) -> Self:
        return type(self)(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def __len__(self) -> int:
        return len(self.presence)

    def replace(self, **changes: Tensor) -> Self:
        return type(self)(
            **{f.name: changes[f.name] if f.name in changes else getattr(self, f.name) for f in fields(self)}
        )

    @classmethod
    def full(cls, num_scenes: int, num_slots: int, value: float) -> VariableTimes:
        """The same number everywhere."""
        slots, scenes = torch.full((num_scenes, num_slots), value), torch.full((num_scenes,), value)
        return cls(slots, slots.clone(), slots.clone(), scenes, scenes.clone())


class AnchorBatch(VariableTimes):
    """alpha_j of Eq. 12 for B scenes: 1 keeps a variable, 0 resamples it from noise."""

    @staticmethod
    def stack(scenes: Sequence[SceneLatent]) -> AnchorBatch:
        """The anchors that the scenes carry."""
        values = {f.name: [torch.tensor(getattr(s.anchors, f.name)) for s in scenes] for f in fields(AnchorBatch)}
        return AnchorBatch(**{name: torch.stack(rows).float() for name, rows in values.items()})


def at_path(clean: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
    """Eq. 10: u_tau = tau u_0 + (1 - tau) eps. `tau` has the leading dimensions of `clean`."""
    tau = expand(tau, clean)
    return tau * clean + (1 - tau) * noise


def path_velocity(clean: Tensor, noise: Tensor) -> Tensor:
    """d u_tau / d tau of Eq. 10."""
    return clean - noise


def mask_presence(presence: Tensor, tau: Tensor, uniform: Tensor) -> Tensor:
    """Eq. 11: z_tau is z_0 with probability tau, else [M]. All `[B, N]`; `uniform` in [0, 1)."""
    return torch.where(uniform < tau, presence, MASKED)


def times_at(anchors: VariableTimes, rho: float) -> VariableTimes:
    """Eq. 12: tau_j(rho) = alpha_j + (1 - alpha_j) rho."""
    times = {f.name: getattr(anchors, f.name) for f in fields(anchors)}
    return VariableTimes(**{name: alpha + (1 - alpha) * rho for name, alpha in times.items()})


def unmask_probability(rho: float, rho_next: float) -> float:
    """Probability that [M] at rho is revealed by rho_next.

    From Eq. 11 and 12, P([M] at rho) = 1 - tau(rho) = (1 - alpha) (1 - rho), so that
    1 - (1 - rho_next) / (1 - rho) = (rho_next - rho) / (1 - rho), whatever alpha.
    """
    return (rho_next - rho) / (1 - rho)


def expand(value: Tensor, like: Tensor) -> Tensor:
    """`value` with trailing dimensions of 1 up to those of `like`."""
    return value.reshape(value.shape + (1,) * (like.ndim - value.ndim))
