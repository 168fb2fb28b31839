"""World frame (z up) to the OpenCV camera frame."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import matrix_to_quat, quat_to_matrix
from anchorgen.world.types import Camera, ObjectSpec


def world_to_camera(camera: Camera) -> np.ndarray:
    """Rotation `[3, 3]`: rows are the camera's right, down and forward in the world."""
    cy, sy, cp, sp = np.cos(camera.yaw_rad), np.sin(camera.yaw_rad), np.cos(camera.pitch_rad), np.sin(camera.pitch_rad)
    forward = np.array([-sy * cp, cy * cp, -sp])
    right = np.array([cy, sy, 0.0])
    return np.stack([right, np.cross(forward, right), forward])


def to_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points `[..., 3]` in the camera frame."""
    return (np.asarray(points, float) - np.asarray(camera.position)) @ world_to_camera(camera).T


def from_camera(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Inverse of `to_camera`."""
    return np.asarray(camera.position) + np.asarray(points, float) @ world_to_camera(camera)


def floor_axes(camera: Camera) -> np.ndarray:
    """Rows right, up, forward `[3, 3]` of the floor as the camera sees it, in the world (`geometry.floor_basis`)."""
    c, s = np.cos(camera.yaw_rad), np.sin(camera.yaw_rad)
    return np.array([[c, s, 0.0], [0.0, 0.0, 1.0], [-s, c, 0.0]])


def box_in_camera(spec: ObjectSpec, size: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre `[3]`, quaternion `[4]` (wxyz) and extents `[3]` of an object whose unscaled mesh measures `size` `[3]`."""
    extent = np.asarray(size) * np.asarray(spec.scale)
    rotation = quat_to_matrix(np.asarray(spec.quat_wxyz))
    centre = np.asarray(spec.position) + rotation @ np.array([0, 0, extent[2] / 2])
    return to_camera(centre, camera), matrix_to_quat(world_to_camera(camera) @ rotation), extent
