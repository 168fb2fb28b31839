"""The autoencoder's adversary: who learns from what, and that it tells blur from pictures."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.train.adversary import PatchDiscriminator, adversarial_losses
from anchorgen.train.vae import VaeLoss, VaeTraining, likeness


def _noisy(seed: int) -> torch.Tensor:
    return torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_each_loss_teaches_its_own_side_alone():
    discriminator, fake = PatchDiscriminator(16), _noisy(0).requires_grad_()
    fools, told_apart = adversarial_losses(discriminator, fake, _noisy(1))
    fools.backward(retain_graph=True)
    assert fake.grad is not None and float(fake.grad.abs().sum()) > 0
    assert all(p.grad is None for p in discriminator.parameters())
    before = fake.grad.clone()
    told_apart.backward()
    assert torch.equal(fake.grad, before)
    assert all(p.grad is not None for p in discriminator.parameters())


def test_it_learns_to_tell_blur_from_pictures():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(16)
    optimizer = torch.optim.Adam(discriminator.parameters(), 2e-3)
    for step in range(30):
        real = _noisy(step)
        loss = adversarial_losses(discriminator, F.avg_pool2d(real, 3, 1, 1), real)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5  # 2 is what knowing nothing costs
    assert discriminator(_noisy(99)).mean() > 0 > discriminator(F.avg_pool2d(_noisy(99), 3, 1, 1)).mean()


def test_without_a_weight_there_is_no_adversary(tmp_path):
    sizes = AutoencoderConfig(image_size=32, block_channels=(16, 16), decoder_channels=(32, 32))
    images, noise = _noisy(0), torch.zeros(2, 8, 16, 4, 4)
    plain = VaeLoss(Autoencoder(sizes), VaeTraining(tmp_path, tmp_path, model=sizes))
    assert plain.adversary is None and "fools" not in plain(images, noise)
    against = VaeLoss(Autoencoder(sizes), VaeTraining(tmp_path, tmp_path, adversarial_weight=0.5))
    against.autoencoder.load_state_dict(plain.autoencoder.state_dict())
    rows = [against(images, noise, ramp) for ramp in (0.0, 1.0)]
    without = float(plain(images, noise)["loss"])
    for row, weight in zip(rows, (0.0, 0.5), strict=True):
        expected = without + weight * float(row["fools"]) + float(row["told_apart"])
        assert float(row["loss"]) == pytest.approx(expected, rel=1e-5)


def test_noise_on_latents_is_in_their_own_standard_deviations():
    auto = Autoencoder(AutoencoderConfig(image_size=32, block_channels=(16, 16)))
    deviations = torch.rand(64) + 0.1
    auto.vae.bn.running_var.copy_(deviations**2)
    noise = torch.randn(256, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = auto.add_noise(torch.zeros_like(noise), noise)
    assert F.pixel_unshuffle(moved, 2).std((0, 2, 3)) == pytest.approx(deviations, rel=0.1)


def test_a_blurred_picture_has_less_laplacian_energy():
    real = _noisy(0)
    assert likeness(real, real)["laplacian_ratio"] == pytest.approx(1)
    assert likeness(F.avg_pool2d(real, 3, 1, 1), real)["laplacian_ratio"] < 0.2
