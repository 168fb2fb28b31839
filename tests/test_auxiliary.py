"""The heads that only training sees: colours must come out of f, and the thumbnail must be the picture's own."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from anchorgen.train.auxiliary import CoarsePicture, VoxelColours


def test_colours_are_learned_from_the_tokens_alone():
    """Objects of one hue each: whoever reads f gets far below the variance of hues, whoever does not cannot."""
    torch.manual_seed(0)
    num_objects, num_voxels = 24, 20
    hue_N3 = torch.rand(1, num_objects, 3)
    feats = torch.cat([hue_N3, torch.zeros(1, num_objects, 5)], -1)[:, :, None].expand(-1, -1, num_voxels, -1)
    coords, mask = torch.rand(1, num_objects, num_voxels, 3) * 2 - 1, torch.ones(1, num_objects, num_voxels, dtype=bool)
    mask[0, -1] = False  # an absent object has no colours to tell
    appearance = torch.cat([hue_N3, torch.randn(1, num_objects, 5)], -1).reshape(1, num_objects, 2, 4)
    head = VoxelColours(num_tokens=2, channels=4, noise=0.0)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    for _ in range(150):
        loss = head(appearance, coords, feats, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    spread = hue_N3.sqrt().var()
    assert head(appearance, coords, feats, mask) < 0.1 * spread
    assert head(torch.zeros_like(appearance), coords, feats, mask) > 0.5 * spread


def test_thumbnail_error_is_zero_for_the_right_thumbnail_and_ignores_dropped_rooms():
    side, grid = 4, 2
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    keep = torch.tensor([True, False])
    head = CoarsePicture(stem_channels=3 * side**2, side=side)
    torch.nn.init.eye_(head.head.weight)
    torch.nn.init.zeros_(head.head.bias)
    small = F.interpolate(images, size=grid * side, mode="area")
    rows = [
        small[:, :, r * side : (r + 1) * side, c * side : (c + 1) * side].flatten(1)
        for r in range(grid)
        for c in range(grid)
    ]
    drawn = torch.stack(rows, 1)
    assert head(drawn, images, keep) < 1e-12
    drawn[1] += 1
    assert head(drawn, images, keep) < 1e-12
    drawn[0] += 1
    assert torch.isclose(head(drawn, images, keep), torch.tensor(1.0))
