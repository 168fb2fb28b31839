"""Background tokens from DINOv2 patches, with transformers' own class and small random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sam3d_helpers import block
from small_transformers import need_transformers, small_dinov2

from anchorgen.encode.background import outside_patches
from anchorgen.encode.dinov2 import Dinov2Background, Dinov2Patches, PatchBackground, outside_grid
from anchorgen.encode.sam3d.explain import PerceptionError


@pytest.fixture(scope="module")
def patches():
    return Dinov2Patches(small_dinov2(), num_patches=4)


def picture(height=56, width=56, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_patches_are_the_last_layer_without_its_class_token(patches):
    image = picture()
    pixels = (image + 1) / 2
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (pixels - mean[:, None, None]) / deviation[:, None, None]
    with torch.no_grad():
        whole = small_dinov2().eval()(pixel_values=pixels).last_hidden_state
    assert whole.shape == (1, 17, 32)
    torch.testing.assert_close(patches(image), whole[:, 1:], atol=1e-5, rtol=1e-5)


def test_sides_become_multiples_of_the_patch(patches):
    assert patches.grid(480, 640) == (4, 5)
    assert patches(picture(48, 64)).shape == (1, 20, 32)


def test_dinov2_is_frozen_and_no_part_of_what_is_saved(patches):
    torch.manual_seed(0)
    tokens = Dinov2Background(patches, num_tokens=1, channels=1024, width=32, num_heads=2).train()
    assert not [name for name in tokens.state_dict() if "patches" in name]
    tokens(picture(), torch.ones(1, 4, 4, dtype=torch.bool)).square().sum().backward()
    assert not patches._frozen[0].training
    assert all(p.grad is None for p in patches._frozen[0].parameters())
    assert all(p.grad is not None for p in tokens.parameters())
    assert tokens.to(torch.float64).patches._frozen[0].dtype == torch.float64
    tokens.to(torch.float32)


def test_covered_patches_change_nothing():
    torch.manual_seed(0)
    net = PatchBackground(1, 16, in_width=8, width=16, num_heads=2).eval()
    features, outside = torch.randn(2, 12, 8), torch.ones(2, 3, 4, dtype=torch.bool)
    outside[0, 1, 2] = False
    before = net(features, outside)
    features[0, 6] = float("nan")
    assert torch.equal(net(features, outside), before)
    features[1, 6] += 1.0
    assert not torch.equal(net(features, outside)[1], before[1])
    nothing = net(torch.randn(1, 12, 8), torch.zeros(1, 3, 4, dtype=torch.bool))
    assert torch.isfinite(nothing).all()
    assert torch.equal(nothing, net(torch.randn(1, 12, 8), torch.zeros(1, 3, 4, dtype=torch.bool)))
    with pytest.raises(ValueError, match="9 patches in the mask, 12 in the features"):
        net(features, torch.ones(2, 3, 3, dtype=torch.bool))


def test_the_mask_is_that_of_the_bundled_tokens_where_sizes_agree():
    masks = np.stack([block(0, 0), block(20, 30, side=9)])
    instance = np.where(masks.any(0), 0, -1)
    np.testing.assert_array_equal(outside_grid(masks, 4, 4), outside_patches(instance, 14))
    assert outside_grid(np.zeros((0, 56, 56), bool), 4, 5).all()


def test_paper_sizes():
    with torch.device("meta"):
        net = PatchBackground()
        out = net.eval()(torch.empty(2, 1369, 1024), torch.empty(2, 37, 37, dtype=torch.bool))
    assert out.shape == (2, 1, 1024)


def test_incomplete_weights_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    need_transformers()
    small_dinov2().save_pretrained(tmp_path)
    assert Dinov2Patches.load(str(tmp_path), num_patches=4).width == 32
    weights = load_file(tmp_path / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(PerceptionError, match=r"lacks 1 weights \(layernorm.weight"):
        Dinov2Patches.load(str(tmp_path))
