"""The paper's token networks: sizes, and what names their latent space."""

from __future__ import annotations

import torch
from small_transformers import small_dinov2

from anchorgen.encode.dinov2 import Dinov2Patches
from anchorgen.pipeline.paper_tokens import PaperTokenNetworks


def make(seed: int = 0, dino: int = 0, **sizes) -> PaperTokenNetworks:
    torch.manual_seed(seed)
    small = {"width": 32, "num_heads": 2} | sizes
    return PaperTokenNetworks(Dinov2Patches(small_dinov2(dino), num_patches=4), **small).eval()


def test_sizes_of_the_paper():
    tokens = make()
    image, outside = torch.rand(1, 3, 64, 64) * 2 - 1, torch.ones(1, 4, 4, dtype=torch.bool)
    assert tokens.background(image, outside).shape == (1, 1, 1024)
    mask = torch.ones(1, 2, 30, dtype=torch.bool)
    assert tokens.pooling(torch.rand(1, 2, 30, 3), torch.randn(1, 2, 30, 8), mask).shape == (1, 2, 8, 1024)
    assert tokens.sizes == (8, 1024, 1)


def test_the_latent_space_is_named_by_what_is_trained():
    torch.manual_seed(0)
    tokens = make()
    assert tokens.fingerprint() == PaperTokenNetworks.fingerprint(make_again(tokens))
    assert make(num_background=2).fingerprint() != tokens.fingerprint()
    with torch.no_grad():
        tokens.background.tokens.queries += 1
    assert tokens.fingerprint() != make_again(make()).fingerprint()


def make_again(tokens: PaperTokenNetworks) -> PaperTokenNetworks:
    """Other weights, then these: DINOv2 needs no loading."""
    again = make(seed=5)
    again.load_state_dict(tokens.state_dict())
    return again
