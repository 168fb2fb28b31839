"""SAM 3D's structured latents (SLAT) in this package's terms: boxes in the OpenCV frame, features for the pooling.

SAM 3D places an object's points x in [-0.5, 0.5]^3 (z up) by `p = (x * s) @ R(q) + t`: rows, PyTorch3D's camera frame,
one scale for all axes. A voxel with coordinates c fills [c / 64 - 0.5, (c + 1) / 64 - 0.5]; the box around the occupied
voxels gives the size along each axis, and its centre, which is off the grid's, moves the translation.

Shape legend: M objects, N slots, V voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anchorgen.geometry import (
    MIN_DEPTH_M,
    MIN_SIZE_M,
    opencv_to_pytorch3d,
    quat_pytorch3d_rows_to_opencv,
    quat_to_matrix,
)
from anchorgen.scene.truth import VOXEL_CHANNELS, VOXEL_GRID


@dataclass(frozen=True)
class SlatObject:
    """Attributes:
    label: its name; score: how sure the segmentation was.
    coords: `[V, 3]` uint8 in the 64^3 grid. feats: `[V, 8]` float32, whitened by SAM 3D's mean and deviation.
    translation: `[3]` float32, centre of the occupied box, OpenCV camera frame, in the unit of the depth map.
    quat_wxyz: `[4]` float32, object (z up) to camera. scale: `[3]` float32, full extents of the occupied box.
    """

    label: str
    score: float
    coords: np.ndarray
    feats: np.ndarray
    translation: np.ndarray
    quat_wxyz: np.ndarray
    scale: np.ndarray

    @property
    def is_placeable(self) -> bool:
        """Whether a scene takes its box: finite, at least 1 cm, in front of the camera."""
        values = np.concatenate([self.translation, self.quat_wxyz, self.scale])
        return bool(
            np.all(np.isfinite(values)) and self.scale.min() >= MIN_SIZE_M and self.translation[2] >= MIN_DEPTH_M
        )


def occupied_box(coords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre `[3]` and extents `[3]` of the occupied voxels, in grid lengths from the grid's middle.

    Raises:
        ValueError: no voxels, or coordinates outside the grid.
    """
    coords = np.asarray(coords)
    if coords.ndim != 2 or coords.shape[1] != 3 or not len(coords):
        raise ValueError(f"coords have shape {list(coords.shape)}; expected [V, 3] with V >= 1")
    low, high = coords.min(0).astype(float), coords.max(0).astype(float) + 1
    if low.min() < 0 or high.max() > VOXEL_GRID:
        raise ValueError(f"coords reach from {low.min():g} to {high.max() - 1:g}; expected 0 to {VOXEL_GRID - 1}")
    return (low + high) / 2 / VOXEL_GRID - 0.5, (high - low) / VOXEL_GRID


def box_of_slat(
    coords: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SAM 3D's layout of one object as a box of this package.

    Args:
        coords: `[V, 3]` voxels. rotation: `[4]` wxyz for rows; translation, scale: `[3]`; PyTorch3D camera frame.

    Returns:
        translation `[3]`, quat_wxyz `[4]`, scale `[3]`, OpenCV camera frame, float32.
    """
    centre, extent = occupied_box(coords)
    scale = np.asarray(scale, float)
    quat = quat_pytorch3d_rows_to_opencv(rotation)
    moved = opencv_to_pytorch3d(translation) + quat_to_matrix(quat) @ (centre * scale)  # the map is its own inverse
    return moved.astype(np.float32), quat.astype(np.float32), (extent * scale).astype(np.float32)


def slat_object(label: str, score: float, tensors: dict[str, np.ndarray]) -> SlatObject:
    """The record that the worker writes (`sam3d.folder.OBJECT_FIELDS`) as an object."""
    box = box_of_slat(*(tensors[name] for name in ("coords", "rotation", "translation", "scale")))
    feats = (tensors["feats"].astype(np.float32) - tensors["slat_mean"]) / tensors["slat_std"]
    return SlatObject(label, score, tensors["coords"], feats.astype(np.float32), *box)


def pack_slat(
    objects: Sequence[SlatObject], num_slots: int, num_voxels: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxels of objects in arrays of one size, for `AttentionPooling`.

    Args:
        num_slots: N >= M.
        num_voxels: V; an object with more is thinned at random, by `seed`, as its voxels are stored slice by slice.

    Returns:
        coords `[N, V, 3]` float32 in [-1, 1] (the occupied box spans it), feats `[N, V, 8]` float32, mask `[N, V]` bool.
    """
    if len(objects) > num_slots:
        raise ValueError(f"{len(objects)} objects do not fit into {num_slots} slots; keep the most visible ones")
    coords = np.zeros((num_slots, num_voxels, 3), np.float32)
    feats = np.zeros((num_slots, num_voxels, VOXEL_CHANNELS), np.float32)
    mask = np.zeros((num_slots, num_voxels), bool)
    for slot, item in enumerate(objects):
        centre, extent = occupied_box(item.coords)
        grid = ((item.coords.astype(float) + 0.5) / VOXEL_GRID - 0.5 - centre) / (extent / 2)
        count = min(num_voxels, len(grid))
        pick = np.arange(count)
        if count < len(grid):
            pick = np.sort(np.random.default_rng(seed).permutation(len(grid))[:count])
        coords[slot, :count], feats[slot, :count], mask[slot, :count] = grid[pick], item.feats[pick], True
    return coords, feats, mask
