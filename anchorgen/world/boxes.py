"""The box around an object of a room: its size, centre and corners in the world frame."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from anchorgen.geometry import box_corners, box_extent, quat_to_matrix
from anchorgen.world.catalogue import build_furniture, params_key, size_of
from anchorgen.world.types import ObjectSpec, WorldScene

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Box:
    """Attributes:
    centre: `[3]` metres, world.
    quat_wxyz: `[4]` unit, object to world.
    extent: `[3]` full sides along the object's own axes, metres.
    """

    centre: np.ndarray
    quat_wxyz: np.ndarray
    extent: np.ndarray

    @cached_property
    def axes(self) -> np.ndarray:
        """`[3, 3]`: columns are the object's own axes in the world."""
        return quat_to_matrix(self.quat_wxyz)

    @cached_property
    def corners(self) -> np.ndarray:
        """`[8, 3]`, in the order of `geometry.BOX_CORNER_SIGNS`."""
        return box_corners(self.centre, self.quat_wxyz, self.extent)

    @property
    def bottom_m(self) -> float:
        return float(self.corners[:, 2].min())

    @property
    def top_m(self) -> float:
        return float(self.corners[:, 2].max())

    @property
    def upright(self) -> bool:
        return bool(self.axes[2, 2] > 1 - 1e-9)

    def height_m(self) -> float:
        """Extent along the vertical, which is not `extent[2]` for a tilted box."""
        return float(box_extent(UP, self.quat_wxyz, self.extent))


def mesh_size(spec: ObjectSpec) -> np.ndarray:
    """Extents `[3]` of the mesh before `spec.scale`, metres; remembered, since building it is what takes time.

    Raises:
        KeyError: an unknown category. ValueError: parameters that are not of that category.
    """
    return np.array(_mesh_size(spec.category, params_key(spec.category, spec.params)))


@lru_cache(maxsize=1 << 16)
def _mesh_size(category: str, params: str) -> tuple[float, ...]:
    return tuple(size_of(build_furniture(category, json.loads(params))).tolist())


def box_of(spec: ObjectSpec, size: np.ndarray | None = None) -> Box:
    """The box of an object. `size` `[3]` saves the work of `mesh_size`."""
    extent = (mesh_size(spec) if size is None else np.asarray(size, float)) * np.asarray(spec.scale, float)
    quat = np.asarray(spec.quat_wxyz, float)
    centre = np.asarray(spec.position, float) + quat_to_matrix(quat) @ np.array([0, 0, extent[2] / 2])
    return Box(centre, quat, extent)


def boxes_of(scene: WorldScene) -> list[Box]:
    """One box an object, in the order of the scene."""
    return [box_of(spec) for spec in scene.objects]


def with_box(spec: ObjectSpec, box: Box) -> ObjectSpec:
    """The object in another box."""
    bottom = box.centre - box.axes @ np.array([0, 0, box.extent[2] / 2])
    return replace(
        spec,
        position=tuple(bottom.tolist()),
        quat_wxyz=tuple(box.quat_wxyz.tolist()),
        scale=tuple((box.extent / mesh_size(spec)).tolist()),
    )
