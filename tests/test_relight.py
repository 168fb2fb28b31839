"""Pictures under another light keep their brightness, their colours and their edges."""

from __future__ import annotations

import torch

from anchorgen.train.relight import relight

GREY = torch.full((64, 3, 32, 32), -0.4)


def _light(strength: float, seed: int = 0) -> torch.Tensor:
    """Logarithms of the light `[B, 3, 32, 32]` that fell on a grey card."""
    return ((relight(GREY, strength, torch.Generator().manual_seed(seed)) + 1) / 0.6).log()


def test_no_strength_changes_nothing():
    assert relight(GREY, 0.0) is GREY


def test_the_light_varies_as_asked_and_is_smooth_and_grey():
    light = _light(0.3)
    assert 0.15 < float(light.std()) < 0.35
    assert float(light.diff(dim=-1).abs().max()) < 0.3 < float(light.abs().max())
    assert torch.equal(light[:, 0], light[:, 1])


def test_pictures_are_neither_brighter_nor_darker():
    means = _light(0.3).mean((1, 2, 3))
    assert float(means.abs().max()) < 0.15 and abs(float(means.mean())) < 0.03


def test_every_picture_has_its_own_light_and_seeds_repeat():
    assert not torch.equal(_light(0.3)[0], _light(0.3)[1])
    assert torch.equal(_light(0.3, 5), _light(0.3, 5)) and not torch.equal(_light(0.3, 5), _light(0.3, 6))
