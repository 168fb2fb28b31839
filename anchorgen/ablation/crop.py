"""Objects as their visible pixels in place of their voxels: what f knows if it is pooled from the crop of a picture.

The pooling is the same network, which reads points with colours; here they lie in the plane of the picture, and what is
hidden has none. Shape legend: H W picture, M objects, V points.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from anchorgen.ablation.small import small_record
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.data.records import Record
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.truth import VOXEL_CHANNELS, WorldTruth

NO_PICTURE = ("insert", "swap")  # their objects come from rooms of which there is no picture
CROP_EDITS = tuple(name for name in EDITS if name not in NO_PICTURE)
_FLAT = 128  # a normal of no direction


def crop_points(picture: np.ndarray, instance: np.ndarray, slot: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of one object, in an order without meaning, as `WorldTruth` keeps voxels.

    Those of a mirrored picture are these mirrored, but which of them are kept where they are thinned (`pack_voxels`)
    is another draw, and "no normal" is a 255th off.

    Args:
        picture: `[H, W, 3]` uint8; instance: `[H, W]` slot of each pixel's object.

    Returns:
        coords `[V, 3]` uint8: column, row, 0; feats `[V, 8]` uint8: linear colour, no normal, no emission, no gloss.
    """
    rows, columns = np.nonzero(instance == slot)
    order = np.random.default_rng(0).permutation(len(rows))
    rows, columns = rows[order], columns[order]
    coords = np.stack([columns, rows, np.zeros_like(rows)], 1).astype(np.uint8)
    feats = np.zeros((len(rows), VOXEL_CHANNELS), np.uint8)
    feats[:, :3] = np.round(255 * (picture[rows, columns] / 255.0) ** 2.2)
    feats[:, 3:6] = _FLAT
    return coords, feats


def crop_truth(truth: WorldTruth, picture: np.ndarray, instance: np.ndarray) -> WorldTruth:
    """The same truth, with points of visible pixels for voxels."""
    points = [crop_points(picture, instance, slot) for slot in range(truth.num_objects)]
    return dataclasses.replace(truth, voxel_coords=tuple(c for c, _ in points), voxel_feats=tuple(f for _, f in points))


def crop_record(record: Record, size: int) -> Record:
    """A record with small pictures, and points of these for voxels."""
    small = small_record(record, size)
    return dataclasses.replace(small, truth=crop_truth(small.truth, small.image, small.instance))


class CropPipeline(AnchorgenPipeline):
    """Pools f from visible pixels."""

    def latents(self, truth: WorldTruth, image: np.ndarray, instance: np.ndarray) -> SceneLatent:
        return super().latents(crop_truth(truth, image, instance), image, instance)

    @staticmethod
    def of(pipe: AnchorgenPipeline) -> CropPipeline:
        parts: tuple[Any, ...] = (pipe.config, pipe.tokens, pipe.decoder, pipe.prior, pipe.encoder)
        return CropPipeline(*parts)
