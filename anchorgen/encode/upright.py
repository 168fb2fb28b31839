"""Upright objects: a rotation as one angle about gravity, seen from the camera."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import floor_basis, matrix_to_quat, quat_to_matrix


def quat_from_yaw(yaw_rad: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Quaternions `[M, 4]` of upright objects, yaws `[M]`, gravity `[3]`.

    Yaw 0: the object's x is the camera's right along the floor and its front (-y) looks at the camera; positive turns
    are counter-clockwise from above.
    """
    right, up, forward = floor_basis(up)
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    x = c[:, None] * right + s[:, None] * forward
    y = -s[:, None] * right + c[:, None] * forward
    return matrix_to_quat(np.stack([x, y, np.broadcast_to(up, x.shape)], -1))


def yaw_of(quat_wxyz: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The inverse for quaternions `[M, 4]`: yaws `[M]` in (-pi, pi] (of tilted objects, their heading)."""
    right, _, forward = floor_basis(up)
    x = quat_to_matrix(quat_wxyz)[..., 0]
    return np.arctan2(x @ forward, x @ right)
