"""An adversary for the autoencoder: a small patch discriminator, trained with it in one loss.

An L1 loss draws the median of what a latent may mean, and that is blurred; the adversary asks that patches look like
patches of pictures, as for the autoencoders of latent diffusion (Rombach et al. 2022, hinge loss).

Shape legend: B pictures, H W pixels, P patches.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call


class PatchDiscriminator(nn.Module):
    """Pictures `[B, 3, H, W]` in [-1, 1] -> `[B, P]`: how real each patch of 18 px looks."""

    def __init__(self, width: int = 48):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.GroupNorm(8, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1),
            nn.GroupNorm(8, 4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images).flatten(1).float()


def adversarial_losses(
    discriminator: PatchDiscriminator, fake: torch.Tensor, real: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The generator's loss, whose gradient reaches `fake` alone, and the discriminator's, which reaches it alone.

    So both may be added up and trained by one optimizer.
    """
    fixed = {name: value.detach() for name, value in discriminator.named_parameters()}
    fools = -functional_call(discriminator, fixed, (fake,)).mean()
    told_apart = F.relu(1 - discriminator(real)).mean() + F.relu(1 + discriminator(fake.detach())).mean()
    return fools, told_apart
