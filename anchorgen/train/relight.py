"""Pictures under another light, for the background tokens to look at in training.

b is taken from walls, and walls hold the light of the lamps; every edit keeps b, so a lamp that is taken away would leave
its light behind. Where it shines is drawn at random, so that b can tell how bright the room is, and less of what lights it.

Shape legend: B pictures, H W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

_CELLS = 4  # lights of lamps are wider than a quarter of a picture


def relight(images: torch.Tensor, strength: float, generator: torch.Generator | None = None) -> torch.Tensor:
    """Pictures `[B, 3, H, W]` in [-1, 1] times a smooth random light: the same in all colours, neither brighter nor darker in all.

    Args:
        strength: standard deviation of the light's logarithm, whose mean is 0; strength 0 changes nothing.
        generator: of the randomness (CPU); None takes torch's global one.
    """
    if not strength:
        return images
    cells = strength * torch.randn(len(images), 1, _CELLS, _CELLS, generator=generator)
    cells = cells - cells.mean((2, 3), keepdim=True)
    light = F.interpolate(cells.to(images), size=images.shape[-2:], mode="bicubic", align_corners=True).exp()
    return ((images + 1) * light - 1).clamp(-1, 1)
