"""Rectified-flow sampling in diffusers' time (sigma = 1 is noise), and the one place where tau becomes sigma."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Callback = Callable[[int, int], None]


def sigma_from_tau(tau: torch.Tensor) -> torch.Tensor:
    """The paper's tau (1 = clean, Eq. 10) as FLUX's sigma (1 = noise)."""
    return 1.0 - tau


def shift_sigma(sigma: torch.Tensor, shift: float) -> torch.Tensor:
    """Moves times towards noise for shift > 1 (Esser et al. 2024, Eq. 23); 0 and 1 stay."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def sigmas(num_steps: int, shift: float = 1.0) -> torch.Tensor:
    """`[num_steps + 1]` from 1 to 0."""
    if num_steps < 1:
        raise ValueError(f"steps: got {num_steps}; expected a whole number of at least 1")
    return shift_sigma(torch.linspace(1, 0, num_steps + 1), shift)


def noise_for(seeds: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Noise `[B, *shape]`, drawn on the CPU by a generator a scene: the same in any batch and on any device."""
    draws = [torch.randn(*shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(draws)


def add_noise(clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Eq. 10 in sigma: x = (1 - sigma) x0 + sigma noise; `sigma` is `[B]`."""
    sigma = sigma.view(-1, *[1] * (clean.ndim - 1))
    return (1 - sigma) * clean + sigma * noise


@torch.no_grad()
def euler(
    velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    noise: torch.Tensor,
    num_steps: int,
    shift: float = 1.0,
    callback: Callback | None = None,
) -> torch.Tensor:
    """Integrates dx/dsigma = v(x, sigma) = noise - x0 from sigma = 1 to 0.

    Args:
        velocity: maps x `[B, ...]` and sigma `[B]` to the velocity `[B, ...]`.
        noise: `[B, ...]`.
        callback: called as `callback(step, num_steps)` after each step; it may raise to cancel.
    """
    x, times = noise, sigmas(num_steps, shift).to(noise.device)
    for step in range(num_steps):
        v = velocity(x, times[step].expand(len(x)))
        x = x + (times[step + 1] - times[step]) * v
        if callback is not None:
            callback(step + 1, num_steps)
    return x
