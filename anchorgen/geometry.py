"""Frames, rotations and projection: the only place where conventions meet.

Conventions (see the README's "Conventions"):
    camera     OpenCV: x right, y down, z forward, metres.
    object     centred box, z up, front = -y.
    quaternion `wxyz`, unit, w >= 0, maps object coordinates to camera coordinates: p_cam = R(q) p_obj + t.
    focal      (fx, fy) divided by picture width / height; principal point at the centre.

Everything here is float64 numpy and works on any leading batch shape `...`.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.transform import Rotation

MIN_DEPTH_M = 0.05
MIN_SIZE_M = 0.01
MAX_LENGTH_M = 1e4  # farther and larger boxes leave float32 networks without finite answers

_OPENCV_TO_THREE = np.diag([1.0, -1.0, -1.0])
_OPENCV_TO_PYTORCH3D = np.diag([-1.0, -1.0, 1.0])
_CONJUGATE = np.array([1.0, -1.0, -1.0, -1.0])

# Corner k has sign (k & 1, k & 2, k & 4) along x, y, z: the order that every drawing of a box uses.
BOX_CORNER_SIGNS = np.array([[1 if k >> axis & 1 else -1 for axis in range(3)] for k in range(8)], float)
_FACE_TRIPLES = np.array(list(combinations(range(12), 3)))  # of two boxes: where three faces meet there is a corner
BOX_EDGES = tuple((a, a | 1 << axis) for axis in range(3) for a in range(8) if not a >> axis & 1)


def canonical_quat(quat_wxyz: np.ndarray) -> np.ndarray:
    """Unit quaternions `[..., 4]` with w >= 0 (where w = 0, the first non-zero of x, y, z is positive).

    Raises:
        ValueError: a quaternion of length zero, or one that is not finite.
    """
    quat = np.asarray(quat_wxyz, float)
    length = np.linalg.norm(quat, axis=-1, keepdims=True)
    if not np.all(np.isfinite(quat)) or np.any(length < 1e-12):
        raise ValueError("a quaternion must be finite and not zero; expected (w, x, y, z) of length 1")
    return _one_sign(quat / length)


def _one_sign(quat: np.ndarray) -> np.ndarray:
    """q or -q, which are the same rotation: the one with w >= 0 (where w = 0, the first non-zero is positive)."""
    first = np.argmax(np.abs(quat) > 1e-12, axis=-1)[..., None]
    return quat * np.where(np.take_along_axis(quat, first, -1) < 0, -1.0, 1.0)


def quat_to_matrix(quat_wxyz: np.ndarray) -> np.ndarray:
    """Rotation matrices `[..., 3, 3]` of quaternions `[..., 4]` (wxyz)."""
    quat = np.asarray(quat_wxyz, float)
    flat = Rotation.from_quat(quat.reshape(-1, 4), scalar_first=True).as_matrix()
    return flat.reshape(*quat.shape[:-1], 3, 3)


def matrix_to_quat(matrix: np.ndarray) -> np.ndarray:
    """Canonical quaternions `[..., 4]` (wxyz) of rotation matrices `[..., 3, 3]`."""
    matrix = np.asarray(matrix, float)
    flat = Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_quat(scalar_first=True)
    return canonical_quat(flat).reshape(*matrix.shape[:-2], 4)


def quat_multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamilton product: the rotation `right`, then `left`. `[..., 4]` each, wxyz."""
    w1, x1, y1, z1 = np.moveaxis(np.asarray(left, float), -1, 0)
    w2, x2, y2, z2 = np.moveaxis(np.asarray(right, float), -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        -1,
    )


def quat_from_axis_angle(axis: np.ndarray, angle_rad: float) -> np.ndarray:
    """Quaternion `[4]` that turns by `angle_rad` about `axis` `[3]` (right-hand rule)."""
    axis = np.asarray(axis, float)
    axis = axis / np.linalg.norm(axis)
    return np.concatenate([[np.cos(angle_rad / 2)], np.sin(angle_rad / 2) * axis])


def quat_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The shortest turn `[4]` (wxyz) that takes the unit direction `source` `[3]` to `target` `[3]`."""
    source, target = np.asarray(source, float), np.asarray(target, float)
    quat = np.concatenate([[1.0 + source @ target], np.cross(source, target)])
    if np.linalg.norm(quat) < 1e-6:  # opposite: any axis at right angles turns one into the other
        quat = np.concatenate([[0.0], np.cross(source, np.eye(3)[np.argmin(np.abs(source))])])
    return canonical_quat(quat)


def opencv_to_three(points: np.ndarray) -> np.ndarray:
    """Points `[..., 3]` from the OpenCV camera frame to three.js (x right, y up, z backward). Its own inverse."""
    return np.asarray(points, float) @ _OPENCV_TO_THREE


def quat_opencv_to_three_xyzw(quat_wxyz: np.ndarray) -> np.ndarray:
    """Object-to-camera quaternions `[..., 4]` (wxyz, OpenCV) as three.js wants them (xyzw, its camera frame)."""
    return np.roll(_half_turned(quat_wxyz, axis=0), -1, axis=-1)


def quat_three_xyzw_to_opencv(quat_xyzw: np.ndarray) -> np.ndarray:
    """The inverse of `quat_opencv_to_three_xyzw`."""
    return _half_turned(np.roll(np.asarray(quat_xyzw, float), 1, axis=-1), axis=0)


def opencv_to_pytorch3d(points: np.ndarray) -> np.ndarray:
    """Points `[..., 3]` from OpenCV to PyTorch3D / SAM 3D (x left, y up, z forward). Its own inverse."""
    return np.asarray(points, float) @ _OPENCV_TO_PYTORCH3D


def quat_opencv_to_pytorch3d_rows(quat_wxyz: np.ndarray) -> np.ndarray:
    """Object-to-camera quaternions `[..., 4]` (wxyz, OpenCV) as PyTorch3D and SAM 3D want them: wxyz, their camera
    frame, and for points that are rows, `p_cam = p_obj @ R(q) + t`, so that R(q) is the inverse rotation."""
    return _half_turned(quat_wxyz, axis=2) * _CONJUGATE


def quat_pytorch3d_rows_to_opencv(quat_wxyz: np.ndarray) -> np.ndarray:
    """The inverse of `quat_opencv_to_pytorch3d_rows`."""
    return _half_turned(np.asarray(quat_wxyz, float) * _CONJUGATE, axis=2)


def _half_turned(quat_wxyz: np.ndarray, axis: int) -> np.ndarray:
    """Quaternions turned by 180 degrees about a camera axis. Those that are unit to float32 are not rounded again, so
    that a box that went to another frame and back has its bits."""
    quat = np.asarray(quat_wxyz, float)
    unit = np.abs(np.linalg.norm(quat, axis=-1, keepdims=True) - 1) < 1e-6
    quat = np.where(unit, quat, canonical_quat(quat))
    return _one_sign(quat_multiply(np.eye(4)[1 + axis], quat))


def box_corners(translation: np.ndarray, quat_wxyz: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Corners `[..., 8, 3]` of boxes `[..., 3]`, `[..., 4]`, `[..., 3]`, camera frame; order: BOX_CORNER_SIGNS."""
    local = BOX_CORNER_SIGNS * 0.5 * np.asarray(scale, float)[..., None, :]
    rotated = np.einsum("...ij,...kj->...ki", quat_to_matrix(quat_wxyz), local)
    return rotated + np.asarray(translation, float)[..., None, :]


def project(points: np.ndarray, focal: np.ndarray) -> np.ndarray:
    """Picture coordinates `[..., 2]` in [0, 1] (u right, v down) of camera points `[..., 3]`; depth is clamped."""
    points = np.asarray(points, float)
    depth = np.maximum(points[..., 2:], 1e-3)
    return np.asarray(focal, float) * points[..., :2] / depth + 0.5


def unproject(uv: np.ndarray, depth: np.ndarray, focal: np.ndarray) -> np.ndarray:
    """Camera points `[..., 3]` at z-depth `[...]` metres under picture coordinates `[..., 2]`."""
    direction = (np.asarray(uv, float) - 0.5) / np.asarray(focal, float)
    depth = np.asarray(depth, float)[..., None]
    return np.concatenate([direction * depth, depth], -1)


def floor_basis(up: np.ndarray) -> np.ndarray:
    """Rows right, up, forward `[3, 3]` of the floor as the camera sees it, for `up` `[3]` in the camera frame.

    Raises:
        ValueError: the camera looks straight up or down, so that "forward along the floor" means nothing.
    """
    up = np.asarray(up, float) / np.linalg.norm(up)
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(forward) < 1e-6:
        raise ValueError(f"up = {up.round(3)} is the viewing direction; expected a camera that sees the room level")
    forward = forward / np.linalg.norm(forward)
    return np.stack([np.cross(forward, up), up, forward])


def iou_upright(center_a, yaw_a, size_a, center_b, yaw_b, size_b) -> float:
    """Exact volume IoU of two upright boxes: centres and sizes `[3]` metres with z up, yaws in radians."""
    polygon_a, polygon_b = _footprint(center_a, yaw_a, size_a), _footprint(center_b, yaw_b, size_b)
    area = polygon_area(clip_convex(polygon_a, polygon_b))
    low = max(center_a[2] - size_a[2] / 2, center_b[2] - size_b[2] / 2)
    high = min(center_a[2] + size_a[2] / 2, center_b[2] + size_b[2] / 2)
    shared = area * max(0.0, high - low)
    return float(shared / (np.prod(size_a) + np.prod(size_b) - shared))


def _footprint(center, yaw, size) -> np.ndarray:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5 * np.asarray(size, float)[:2]
    c, s = np.cos(yaw), np.sin(yaw)
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(center, float)[:2]


def clip_convex(subject: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Intersection `[P, 2]` of two counter-clockwise convex polygons (Sutherland-Hodgman); `[0, 2]` if empty."""
    polygon = list(np.asarray(subject, float))
    for start, end in zip(clip, np.roll(clip, -1, axis=0), strict=True):
        edge = end - start
        side = [edge[0] * (p[1] - start[1]) - edge[1] * (p[0] - start[0]) for p in polygon]
        kept: list[np.ndarray] = []
        for i, point in enumerate(polygon):
            j = (i + 1) % len(polygon)
            if side[i] >= 0:
                kept.append(point)
            if (side[i] >= 0) != (side[j] >= 0):
                kept.append(point + (polygon[j] - point) * side[i] / (side[i] - side[j]))
        polygon = kept
        if not polygon:
            return np.zeros((0, 2))
    return np.array(polygon)


def polygon_area(polygon: np.ndarray) -> float:
    """Area of a counter-clockwise polygon `[P, 2]`."""
    if len(polygon) < 3:
        return 0.0
    x, y = polygon[:, 0], polygon[:, 1]
    return float(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def box_extent(direction: np.ndarray, quat_wxyz: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Full extent `[...]`, metres, of boxes `[..., 4]`, `[..., 3]` along a unit `direction` `[3]`, camera frame."""
    own = np.einsum("...ij,i->...j", quat_to_matrix(quat_wxyz), np.asarray(direction, float))
    return np.asarray(np.sum(np.abs(own) * np.asarray(scale, float), -1))


def box_planes(translation: np.ndarray, quat_wxyz: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward unit normals `[6, 3]` and offsets `[6]` of one box: it is where every `normals @ p <= offsets`."""
    axes = quat_to_matrix(quat_wxyz).T
    normals = np.concatenate([axes, -axes])
    return normals, normals @ np.asarray(translation, float) + np.tile(0.5 * np.asarray(scale, float), 2)


def ray_crossing(
    origin: np.ndarray, rays: np.ndarray, centre: np.ndarray, axes: np.ndarray, extent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where rays cross into the last of a box's three slabs and out of the first of them (slab test).

    Args:
        origin: `[3]` metres.
        rays: `[P, 3]` directions from there, of any length.
        centre, axes, extent: `[3]`, `[3, 3]` (own axes in columns), `[3]` full extents of the box.

    Returns:
        enter, leave: `[P]` each, in lengths of the ray; it meets the box where enter < leave and leave > 0.
    """
    at, along = (origin - centre) @ axes, rays @ axes
    along = np.where(np.abs(along) < 1e-12, 1e-12, along)
    ends = np.stack([(-extent / 2 - at) / along, (extent / 2 - at) / along])
    return ends.min(0).max(1), ends.max(0).min(1)


def box_penetration(axes_a: np.ndarray, corners_a: np.ndarray, axes_b: np.ndarray, corners_b: np.ndarray) -> float:
    """How deep two boxes, however turned, reach into one another, metres; <= 0 if they are apart.

    It is the least overlap along the axes that can separate two boxes (separating axes: exact).

    Args:
        axes_a, axes_b: rotation matrices `[3, 3]`, whose columns are the own axes.
        corners_a, corners_b: `[8, 3]`.
    """
    edges = np.cross(axes_a.T[:, None], axes_b.T[None]).reshape(9, 3)
    length = np.linalg.norm(edges, axis=1)
    axes = np.concatenate([axes_a.T, axes_b.T, edges[length > 1e-6] / length[length > 1e-6, None]])
    spans = [axes @ corners.T for corners in (corners_a, corners_b)]
    shared = np.minimum(spans[0].max(1), spans[1].max(1)) - np.maximum(spans[0].min(1), spans[1].min(1))
    return float(shared.min())


def shared_volume(planes_a: tuple[np.ndarray, np.ndarray], planes_b: tuple[np.ndarray, np.ndarray]) -> float:
    """Volume that two boxes share, cubic metres, however they are turned: exact up to rounding.

    Every corner of what they share is a point where three of the twelve faces meet, and that is in both boxes.

    Args:
        planes_a, planes_b: what `box_planes` returns.
    """
    normals, offsets = (np.concatenate(parts) for parts in zip(planes_a, planes_b, strict=True))
    meet = np.abs(np.linalg.det(normals[_FACE_TRIPLES])) > 1e-9
    triples = _FACE_TRIPLES[meet]
    points = np.linalg.solve(normals[triples], offsets[triples][..., None])[..., 0]
    points = points[np.all(points @ normals.T <= offsets + 1e-9, axis=1)]
    if len(points) < 4:
        return 0.0
    try:
        return float(ConvexHull(points - points.mean(0)).volume)
    except QhullError:  # they touch: all points lie in one plane
        return 0.0
