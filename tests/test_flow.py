"""Samplers against a flow whose end is known: noise goes to mean + std * noise where x0 is Gaussian."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anchorgen.decode.flow import SAMPLERS, euler, heun, invert, noise_for

MEAN, STD = 1.5, 0.3
NOISE = noise_for(range(200), (1,)).double()
END = MEAN + STD * NOISE


def velocity(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """E[noise - x0 | x] for x0 ~ N(MEAN, STD^2)."""
    s = sigma.view(-1, 1).double()
    variance = (1 - s) ** 2 * STD**2 + s**2
    centred = x - (1 - s) * MEAN
    return s / variance * centred - (MEAN + (1 - s) * STD**2 / variance * centred)


def error(sampler, steps: int, shift: float) -> float:
    return float((sampler(velocity, NOISE, steps, shift) - END).abs().max())


@pytest.mark.parametrize("shift", [1.0, 2.0])
@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2)], ids=["euler", "heun"])
def test_the_error_falls_with_the_order_of_the_sampler(sampler, order, shift):
    errors = [error(sampler, steps, shift) for steps in (40, 80, 160)]
    found = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(found, order, atol=0.25)


def test_heun_is_nearer_for_the_same_number_of_velocities():
    for steps in (8, 16, 32):
        assert error(heun, steps, 1.0) < error(euler, 2 * steps - 1, 1.0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_is_the_mean(name):
    np.testing.assert_allclose(SAMPLERS[name](velocity, NOISE, 1).numpy(), np.full((200, 1), MEAN), atol=1e-12)


@pytest.mark.parametrize(("name", "calls"), [("euler", 5), ("heun", 9)])
def test_times_begin_at_noise_and_never_reach_the_clean_end(name, calls):
    seen, steps = [], []

    def watched(x, sigma):
        seen.append(float(sigma[0]))
        return velocity(x, sigma)

    SAMPLERS[name](watched, NOISE, 5, 2.0, lambda step, total: steps.append((step, total)))
    assert len(seen) == calls
    assert seen[0] == 1 and min(seen) > 0
    assert seen == sorted(seen, reverse=True)
    assert steps == [(k, 5) for k in range(1, 6)]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_callback_cancels(name):
    def stop(step, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SAMPLERS[name](velocity, NOISE, 3, 1.0, stop)


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_inverted_noise_draws_what_was_inverted(shift):
    drawn = euler(velocity, NOISE, 24, shift)
    missed = []
    for iterations in (1, 4, 40):
        noise = invert(velocity, drawn, 24, shift, iterations)
        missed.append(float((euler(velocity, noise, 24, shift) - drawn).abs().max()))
    assert missed[0] > missed[1] > missed[2]
    assert missed[2] < 1e-6
    assert float((noise - NOISE).abs().max()) < 1e-5
