"""Scenes out of the paper's own latent records: box 10, appearance 8 x 1024, camera 2, background 1024.

The paper publishes no files; what is read here is what it describes: per object p = (t, q, s) as ten numbers (Eq. 5) and
f of 8 tokens (Eq. 7), per scene c = (fx, fy) and one background token (Eq. 8). Shape legend: M objects, K, C as in f.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anchorgen.geometry import canonical_quat, opencv_to_pytorch3d, quat_pytorch3d_rows_to_opencv
from anchorgen.scene.latent import SceneLatent

FRAMES = ("opencv", "pytorch3d")
_LARGEST_FOCAL = 20.0


def scene_from_paper(
    box: Any,
    appearance: Any,
    camera: Any,
    background: Any,
    labels: Sequence[str] | None = None,
    *,
    frame: str = "opencv",
    up: Any = (0.0, -1.0, 0.0),
    floor: float = -1.4,
    num_slots: int = 16,
    latent_space: str = "",
) -> SceneLatent:
    """One scene.

    Args:
        box: `[M, 10]`: t in metres, q as wxyz (of any length), s in metres, full extents.
        appearance: `[M, K, C]`. camera: `[2]`, (fx, fy) over picture width / height. background: `[C]` or `[Kb, C]`.
        labels: M names; None: "object".
        frame: "opencv", or "pytorch3d", as SAM 3D writes t and q (x left, y up, points as rows).
        up, floor: gravity, which those records do not hold: unit in the OpenCV camera frame, and metres of the floor along it.
        num_slots, latent_space: of the scene.

    Raises:
        ValueError: other shapes, focal lengths in pixels, a quaternion of length 0, or what SceneLatent itself refuses.
    """
    if frame not in FRAMES:
        raise ValueError(f"frame is {frame!r}; expected one of {FRAMES}")
    box, appearance = np.asarray(box, float), np.asarray(appearance, np.float32)
    camera, background = np.asarray(camera, float), np.atleast_2d(np.asarray(background, np.float32))
    if box.ndim != 2 or box.shape[1] != 10 or appearance.ndim != 3 or len(appearance) != len(box):
        raise ValueError(
            f"box has shape {list(box.shape)}, appearance {list(appearance.shape)}; expected [M, 10] and [M, K, C]"
        )
    if camera.shape != (2,) or not (camera.min() > 0 and camera.max() < _LARGEST_FOCAL):
        raise ValueError(
            f"camera is {camera.tolist()}; expected (fx, fy) over picture width / height: divide pixels by those"
        )
    length = np.linalg.norm(box[:, 3:7], axis=1, keepdims=True)
    if np.any(length < 1e-6):
        raise ValueError(f"box {int(np.argmin(length))} has a quaternion of length 0; expected wxyz in columns 3 to 6")
    translation, quat = box[:, :3], box[:, 3:7] / length
    if frame == "pytorch3d":
        translation, quat = opencv_to_pytorch3d(translation), quat_pytorch3d_rows_to_opencv(quat)
    return SceneLatent.pack(
        num_slots,
        translation=translation,
        quat_wxyz=canonical_quat(quat),
        scale=box[:, 7:],
        appearance=appearance,
        labels=("object",) * len(box) if labels is None else tuple(labels),
        ids=("",) * len(box),
        focal=camera,
        background=background,
        up=np.asarray(up, float),
        floor=floor,
        latent_space=latent_space,
    )
