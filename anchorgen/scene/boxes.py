"""Boxes of a scene in the frame of another program, and back. (M boxes.)

frame        camera axes (x, y, z)      quaternions (object to camera)
"opencv"     right, down, forward       wxyz; ours
"three"      right, up, backward        xyzw; three.js and glTF
"pytorch3d"  left, up, forward          wxyz for points that are rows, `p @ R(q) + t`; PyTorch3D and SAM 3D

Only the camera frame differs: the object's own axes (z up, front -y) and its size along them are the same in all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.geometry import (
    opencv_to_pytorch3d,
    opencv_to_three,
    quat_opencv_to_pytorch3d_rows,
    quat_opencv_to_three_xyzw,
    quat_pytorch3d_rows_to_opencv,
    quat_three_xyzw_to_opencv,
)
from anchorgen.scene.errors import EditError, SelectionError
from anchorgen.scene.latent import SceneLatent

_Turn = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Frame:
    points: _Turn  # from OpenCV and to it: each is its own inverse
    quats_out: _Turn
    quats_in: _Turn


_FRAMES = {
    "opencv": _Frame(np.array, np.array, np.array),
    "three": _Frame(opencv_to_three, quat_opencv_to_three_xyzw, quat_three_xyzw_to_opencv),
    "pytorch3d": _Frame(opencv_to_pytorch3d, quat_opencv_to_pytorch3d_rows, quat_pytorch3d_rows_to_opencv),
}


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in one frame.

    Attributes:
        frame: "opencv", "three" or "pytorch3d".
        translation: `[M, 3]` float64, centres, metres, camera axes of the frame.
        quat: `[M, 4]` float64, in the frame's own order and sense; unit.
        scale: `[M, 3]` float64, full extents (width, depth, height) along the object's own axes, metres.
        labels, ids: M strings each.

    Raises:
        EditError: (a ValueError) an unknown frame, other shapes, values that are not finite, quaternions of length 0.
    """

    frame: str
    translation: np.ndarray
    quat: np.ndarray
    scale: np.ndarray
    labels: Sequence[str]
    ids: Sequence[str]

    def __post_init__(self) -> None:
        _checked_frame(self.frame)
        sizes = {"translation": 3, "quat": 4, "scale": 3}
        for name, size in sizes.items():
            array = np.array(getattr(self, name), float)
            if array.shape != (len(self.ids), size) or not np.all(np.isfinite(array)):
                shape = list(array.shape)
                raise EditError(f"{name} of the boxes has shape {shape}; expected finite [{len(self.ids)}, {size}]")
            object.__setattr__(self, name, array)
        if len(self.labels) != len(self.ids):
            raise EditError(f"the boxes have {len(self.labels)} labels and {len(self.ids)} ids; expected as many")
        if np.any(np.linalg.norm(self.quat, axis=-1) < 1e-6):
            raise EditError("a quaternion of the boxes has length 0; expected unit quaternions")

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, frame: str) -> Boxes:
        """The same boxes in another frame. Raises EditError for an unknown one."""
        there, here = _checked_frame(frame), _FRAMES[self.frame]
        return Boxes(
            frame=frame,
            translation=there.points(here.points(self.translation)),
            quat=there.quats_out(here.quats_in(self.quat)),
            scale=self.scale,
            labels=self.labels,
            ids=self.ids,
        )


def boxes_of(scene: SceneLatent, frame: str) -> Boxes:
    """The present objects of `scene`, by slot, in `frame`."""
    slots = np.flatnonzero(scene.presence).tolist()
    labels, ids = ([names[slot] for slot in slots] for names in (scene.labels, scene.ids))
    arrays = (np.asarray(getattr(scene, name)[slots], float) for name in ("translation", "quat_wxyz", "scale"))
    return Boxes("opencv", *arrays, labels=labels, ids=ids).to(frame)


def with_boxes(scene: SceneLatent, boxes: Boxes) -> SceneLatent:
    """`scene` with the given boxes for the objects with their ids; the others stay where they are.

    Raises:
        SelectionError: an id that no present object has.
        EditError: an id that occurs twice, or a box that a scene refuses.
    """
    slot_of = {view.id: view.index for view in scene.objects}
    unknown = [name for name in boxes.ids if name not in slot_of]
    if unknown:
        raise SelectionError(f"no object has the id {', '.join(unknown)}; there are: {', '.join(slot_of)}")
    if len(set(boxes.ids)) < len(boxes):
        raise EditError(f"ids of the boxes must be unique; got {', '.join(boxes.ids)}")
    slots, ours = [slot_of[name] for name in boxes.ids], boxes.to("opencv")
    changes: dict[str, Any] = {}
    for name, rows in (("translation", ours.translation), ("quat_wxyz", ours.quat), ("scale", ours.scale)):
        changes[name] = np.asarray(getattr(scene, name), float).copy()
        changes[name][slots] = rows
    try:
        return scene.replace(**changes)
    except ValueError as error:
        raise EditError(f"{error}; the boxes were refused and the scene stays as it was") from None


def _checked_frame(name: str) -> _Frame:
    if name not in _FRAMES:
        raise EditError(f"unknown frame {name!r}; expected one of {', '.join(_FRAMES)}")
    return _FRAMES[name]
