"""What a world or a data set knows about a picture, before any network has looked at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WORLD_VERSION = 2  # raise it whenever the same seed would give another room or picture
VOXEL_GRID = 64
VOXEL_CHANNELS = 8  # colour 3, normal 3 (mapped to [0, 1]), emission, gloss


@dataclass(frozen=True)
class WorldTruth:
    """Exact boxes, voxels, camera and gravity of one picture (M objects that have a slot).

    Attributes:
        translation: `[M, 3]` float32, box centres in the OpenCV camera frame, metres.
        quat_wxyz: `[M, 4]` float32, object frame (z up, front -y) to camera frame; unit, w >= 0.
        scale: `[M, 3]` float32, full extents along the object's own axes, metres.
        labels: category of each object.
        ids: stable name of each object.
        visible_px: `[M]` int32, pixels of it that show at 128 px.
        visible_share: `[M]` float32 in [0, 1], share of the surface facing the camera that is in the picture and not
            behind another object; 1 where nothing hides it.
        voxel_coords: per object `[V, 3]` uint8 in a 64^3 grid around the object, isotropic: the longest side of its
            box spans the grid (as in SAM 3D's SLAT).
        voxel_feats: per object `[V, 8]` uint8: linear colour, normal in the object frame, emission, gloss; 255 = 1.
        focal: `[2]` float32, (fx, fy) over picture width / height.
        up: `[3]` float32, unit, against gravity, camera frame.
        floor: the floor is `{p : up . p = floor}` (negative: below the camera), metres.
        walls: `[W, 4]` float32, planes (n, d) with `n . p >= d` inside the room, camera frame.
    """

    translation: np.ndarray
    quat_wxyz: np.ndarray
    scale: np.ndarray
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    visible_px: np.ndarray
    visible_share: np.ndarray
    voxel_coords: tuple[np.ndarray, ...]
    voxel_feats: tuple[np.ndarray, ...]
    focal: np.ndarray
    up: np.ndarray
    floor: float
    walls: np.ndarray

    @property
    def num_objects(self) -> int:
        return len(self.labels)
