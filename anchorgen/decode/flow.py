"""Rectified-flow sampling in diffusers' time (sigma = 1 is noise), and the one place where tau becomes sigma."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Callback = Callable[[int, int], None]
Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


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
    velocity: Velocity, noise: torch.Tensor, num_steps: int, shift: float = 1.0, callback: Callback | None = None
) -> torch.Tensor:
    """Integrates dx/dsigma = v(x, sigma) = noise - x0 from sigma = 1 to 0. First order, one velocity a step.

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


@torch.no_grad()
def heun(
    velocity: Velocity, noise: torch.Tensor, num_steps: int, shift: float = 1.0, callback: Callback | None = None
) -> torch.Tensor:
    """As `euler`, of second order: every step but the last is taken with the mean of the velocities at both its ends.

    The last is Euler's (Karras et al. 2022): networks are hardly trained at sigma = 0, and one such step costs no
    order. It takes 2 num_steps - 1 velocities; with one step it is `euler`.
    """
    x, times = noise, sigmas(num_steps, shift).to(noise.device)
    for step in range(num_steps):
        length = times[step + 1] - times[step]
        v = velocity(x, times[step].expand(len(x)))
        if step < num_steps - 1:
            v = (v + velocity(x + length * v, times[step + 1].expand(len(x)))) / 2
        x = x + length * v
        if callback is not None:
            callback(step + 1, num_steps)
    return x


SAMPLERS = {"euler": euler, "heun": heun}


@torch.no_grad()
def invert(
    velocity: Velocity, clean: torch.Tensor, num_steps: int, shift: float = 1.0, iterations: int = 4
) -> torch.Tensor:
    """The noise from which `euler` draws `clean`: flow inversion, each step solved for its start by fixed point.

    Args:
        velocity: as for `euler`.
        clean: `[B, ...]`, what is to be drawn.
        num_steps, shift: of the `euler` that draws it.
        iterations: velocities a step. What is left of the error shrinks with each, if steps are short enough
            (|step| times the slope of the velocity in x below 1); few long steps have no exact inverse.
    """
    x, times = clean, sigmas(num_steps, shift).to(clean.device)
    for step in reversed(range(num_steps)):
        end, start = x, x
        for _ in range(iterations):
            start = end - (times[step + 1] - times[step]) * velocity(start, times[step].expand(len(x)))
        x = start
    return x
