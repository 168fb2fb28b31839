"""A scene out of what any detector and depth estimator give: 2D boxes, labels and metres. (M detections.)

Simple geometry, without learning. The front of an object stands upright, faces the camera along the floor, goes
through the point under the middle of its 2D box at the measured depth, and fills the 2D box. The object reaches back
from there as far as it is wide, unless its depth is given. What it misses: objects seen from a corner are turned a
little in truth, and of a camera that looks down, the upper edge of a 2D box is the back of the top, not its front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anchorgen.geometry import canonical_quat, floor_basis, matrix_to_quat, unproject
from anchorgen.scene.anchors import Anchors
from anchorgen.scene.latent import SceneLatent

_MIDDLE = 0.5  # share of a 2D box, along each side, whose depths are looked at
_DEFAULT_FLOOR_M = -1.4


def scene_from_detections(
    boxes_xyxy: Any,
    labels: Sequence[str],
    depth: Any,
    focal: Any,
    *,
    up: Any = (0.0, -1.0, 0.0),
    floor: Any = None,
    thickness: Any = None,
    num_slots: int = 16,
    num_tokens: int = 4,
    num_channels: int = 64,
    num_background_tokens: int = 4,
    latent_space: str = "",
) -> SceneLatent:
    """See `SceneLatent.from_detections`."""
    boxes = _boxes(boxes_xyxy)
    if len(labels) != len(boxes):
        raise ValueError(f"there are {len(labels)} labels for {len(boxes)} boxes; expected one each")
    focal = _finite("focal", focal, (2,))
    if np.any(focal <= 0):
        raise ValueError(f"focal is {focal.tolist()}; expected (fx, fy) > 0, over picture width / height")
    up = _finite("up", up, (3,))
    if abs(np.linalg.norm(up) - 1) > 1e-3:
        raise ValueError(f"up is {up.tolist()}; expected a unit vector against gravity, camera frame")
    basis = floor_basis(up)
    centre, size = _fronts(boxes, _depths(boxes, depth), focal, basis)
    if thickness is not None:
        size[:, 1] = np.broadcast_to(_finite("thickness", thickness, None), len(boxes))
    centre = centre + 0.5 * size[:, 1:2] * basis[2]
    if floor is None:
        floor = np.min(centre @ basis[1] - 0.5 * size[:, 2]) if len(boxes) else _DEFAULT_FLOOR_M
    facing = canonical_quat(matrix_to_quat(np.stack([basis[0], basis[2], basis[1]], axis=1)))
    nothing = np.zeros(num_slots, np.float32)
    return SceneLatent.pack(
        num_slots,
        translation=centre,
        quat_wxyz=np.tile(facing, (len(boxes), 1)),
        scale=size,
        appearance=np.zeros((len(boxes), num_tokens, num_channels)),
        labels=tuple(labels),
        ids=("",) * len(boxes),
        focal=focal,
        background=np.zeros((num_background_tokens, num_channels)),
        up=up,
        floor=float(floor),
        latent_space=latent_space,
        anchors=Anchors(layout=nothing + 1, appearance=nothing, presence=nothing + 1, background=0.0),
    )


def _fronts(
    boxes: np.ndarray, depth: np.ndarray, focal: np.ndarray, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Middles `[M, 3]` of the fronts, and sizes `[M, 3]` (width, width again, height), metres."""
    left, top, right, bottom = boxes.T
    middle_u, middle_v = (left + right) / 2, (top + bottom) / 2
    distance = unproject(np.stack([middle_u, middle_v], 1), depth, focal) @ basis[2]

    def along(axis: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """How far along a floor axis the rays through (u, v) meet the plane of the front."""
        rays = unproject(np.stack([u, v], 1), np.ones(len(u)), focal)
        ahead = rays @ basis[2]
        for index in np.flatnonzero((ahead < 1e-3) | (distance <= 0)):
            raise ValueError(
                f"box {index} {boxes[index].tolist()} is above or below the camera, where no upright front can be "
                "seen; expected objects in front of it: check `up`"
            )
        return rays @ basis[axis] * distance / ahead

    x_left, x_right = along(0, left, middle_v), along(0, right, middle_v)
    y_top, y_bottom = along(1, middle_u, top), along(1, middle_u, bottom)
    across = np.stack([(x_left + x_right) / 2, (y_top + y_bottom) / 2, distance], 1)
    return across @ basis, np.stack([x_right - x_left, x_right - x_left, y_top - y_bottom], 1)


def _boxes(boxes_xyxy: Any) -> np.ndarray:
    boxes = _finite("boxes_xyxy", boxes_xyxy, None)
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes_xyxy has shape {list(boxes.shape)}; expected [M, 4]: x0, y0, x1, y1")
    if np.any(np.abs(boxes) > 2):
        raise ValueError(
            f"boxes_xyxy reaches {np.abs(boxes).max():g}; expected 0 to 1: divide pixels by the picture's width / height"
        )
    for index in np.flatnonzero((boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])):
        raise ValueError(f"box {index} is {boxes[index].tolist()}; expected x0 < x1 and y0 < y1")
    return boxes


def _depths(boxes: np.ndarray, depth: Any) -> np.ndarray:
    """z of the fronts `[M]`, metres: given, or the median of a map in the middle of each box."""
    values = np.asarray(depth, float)
    if values.ndim == 2:
        values = np.array([_median_depth(index, box, values) for index, box in enumerate(boxes)])
    if values.shape != (len(boxes),):
        raise ValueError(f"depth has shape {list(values.shape)}; expected a map [H, W] or one for each box")
    for index in np.flatnonzero(~(np.isfinite(values) & (values > 0))):
        raise ValueError(f"depth of box {index} is {values[index]:g}; expected metres along z, > 0")
    return values


def _median_depth(index: int, box: np.ndarray, depth_hw: np.ndarray) -> float:
    sides = np.array([depth_hw.shape[1], depth_hw.shape[0]])
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * _MIDDLE
    low = np.clip(np.floor((middle - half) * sides).astype(int), 0, np.maximum(sides - 1, 0))
    high = np.maximum(np.clip(np.ceil((middle + half) * sides).astype(int), 0, sides), low + 1)
    part = depth_hw[low[1] : high[1], low[0] : high[0]]
    part = part[np.isfinite(part) & (part > 0)]
    if not part.size:
        raise ValueError(f"the depth map has no finite depth > 0 in the middle of box {index}; give it depth for it")
    return float(np.median(part))


def _finite(name: str, value: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    array = np.asarray(value, float)
    if (shape is not None and array.shape != shape) or not np.all(np.isfinite(array)):
        wanted = list(shape) if shape is not None else "finite numbers"
        raise ValueError(f"{name} is {str(value)[:80]}; expected {wanted}, finite, no None or NaN")
    return array
