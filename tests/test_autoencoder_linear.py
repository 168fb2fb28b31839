"""The autoencoder's linear shortcut, and what its channels weigh."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.train.decoder import channel_weights

SIZES = AutoencoderConfig(image_size=32, block_channels=(16, 16), latent_channels=6, norm_groups=8, shortcut=True)


def pictures(count: int = 24) -> torch.Tensor:
    """Smooth ones, so that six numbers a block tell most of them."""
    noise = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return F.interpolate(noise, size=(32, 32), mode="bicubic", align_corners=True)


@pytest.fixture(scope="module")
def autoencoder() -> Autoencoder:
    torch.manual_seed(0)
    auto = Autoencoder(SIZES).eval()
    auto.start_linear(pictures())
    auto.measure_statistics([pictures()])
    return auto.requires_grad_(False)


def test_it_begins_as_principal_components(autoencoder):
    blocks = F.pixel_unshuffle(pictures(), 8).movedim(1, -1).flatten(0, -2)
    centred = blocks - blocks.mean(0)
    axes = torch.linalg.svd(centred, full_matrices=False)[2][:6]
    best = float((centred - centred @ axes.T @ axes).square().mean())
    decoded = autoencoder.decode(autoencoder.encode(pictures()))
    assert float((decoded - pictures()).square().mean()) == pytest.approx(
        best, rel=0.35
    )  # biases of colours, not blocks
    assert autoencoder.posterior(pictures()).mean.std((0, 2, 3)) == pytest.approx(torch.ones(6), rel=0.05)
    assert float(autoencoder.posterior(pictures()).std.max()) < 0.1


def test_one_without_a_shortcut_has_nothing_to_start():
    plain = Autoencoder(AutoencoderConfig(image_size=32, block_channels=(16, 16)))
    assert not [name for name in plain.state_dict() if name.startswith("linear")]
    with pytest.raises(ValueError, match="shortcut: got False"):
        plain.start_linear(pictures())


def test_channels_weigh_what_they_move(autoencoder):
    tokens = autoencoder.encode(pictures())
    energy = autoencoder.channel_energy(tokens)
    assert energy.shape == (24,)
    # The first component moves the most, the last the least; four token channels hold each.
    by_component = energy.view(6, 4).mean(1)
    assert torch.equal(by_component.argsort(descending=True), torch.arange(6))
    weights = channel_weights(autoencoder, tokens, 0.5)
    assert float(weights.mean()) == pytest.approx(1)
    assert weights[0] / weights[-1] == pytest.approx(float((energy[0] / energy[-1]).sqrt()), rel=1e-4)
    assert torch.equal(channel_weights(autoencoder, tokens, 0.0), torch.ones(24))
