"""The true picture after an edit: the same room, exposure and samples, with only the edit changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from anchorgen.world.checks import impossibilities
from anchorgen.world.edits import Edit, apply_edits
from anchorgen.world.rendering import EVALUATION_SPP, Rendering, render
from anchorgen.world.types import WorldScene

_THRESHOLD = 8.0  # grey levels of 255
_DILATE_PX = 3


@dataclass(frozen=True)
class Counterfactual:
    """Attributes:
    before, after: renderings of both rooms with the same seed, samples and exposure.
    influence: `[H, W]` bool, where the edit shows.
    edited: the room after the edit.
    warnings: what is physically impossible in it (`checks.impossibilities`).
    """

    before: Rendering
    after: Rendering
    influence: np.ndarray
    edited: WorldScene
    warnings: tuple[str, ...]


def counterfactual(
    scene: WorldScene,
    edits: Edit | Sequence[Edit],
    size: int = 128,
    spp: int = EVALUATION_SPP,
    seed: int = 0,
    supersample: int = 1,
) -> Counterfactual:
    """Renders a room before and after an edit, or several in order.

    Args:
        scene: the room.
        edits: as for `apply_edit`.
        size, spp, seed, supersample: of both renderings, as for `render`.

    Raises:
        KeyError: no such object. ValueError: an edit that `apply_edit` refuses, or an odd size.
    """
    if size % 2:
        raise ValueError(f"size: got {size}; expected an even number: the influence mask is of 2x2 pixels")
    edited = apply_edits(scene, edits)
    before, after = (render(room, size, spp, seed, supersample=supersample) for room in (scene, edited))
    return Counterfactual(before, after, influence_mask(before.image, after.image), edited, impossibilities(edited))


def influence_mask(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """`[H, W]` bool: |after - before| > 8 of 255 on means over 2x2 pixels (any channel), dilated by 3 px.

    Args:
        before, after: `[H, W, 3]` uint8, H and W even.

    Raises:
        ValueError: other shapes.
    """
    if before.shape != after.shape or before.ndim != 3 or before.shape[0] % 2 or before.shape[1] % 2:
        raise ValueError(f"pictures of {before.shape} and {after.shape}; expected two of one [H, W, 3], H and W even")
    means = [x.astype(float).reshape(len(x) // 2, 2, -1, 2, 3).mean((1, 3)) for x in (before, after)]
    changed = (np.abs(means[1] - means[0]) > _THRESHOLD).any(-1).repeat(2, 0).repeat(2, 1)
    return binary_dilation(changed, np.ones((3, 3), bool), iterations=_DILATE_PX)
