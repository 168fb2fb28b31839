"""Which way is up, and where the floor is, from a point map and from objects that stand upright.

Gravity is no latent: it is estimated once, when a picture is encoded. Objects that a 3D model gives stand along their own
z axis; floors, table tops and ceilings are the surfaces whose normals agree with that. (M objects, P points.)
"""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import box_extent, quat_to_matrix

LEVEL = np.array([0.0, -1.0, 0.0])  # of a camera that looks straight ahead
_CONES_DEG = (35.0, 15.0, 7.5)
_MAX_PITCH_DEG = 60.0
_MIN_SHARE = 0.03  # of the normals that must agree before they are believed
_JUMP = 0.05  # neighbours whose depths differ by more are of two surfaces
_BINS = 120
_SLAB_SHARE = 0.25  # of the fullest slab, that a slab needs to be the floor


def up_from_objects(quat_wxyz: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """`[3]` unit: the z axes of most objects `[M, 4]`, or None without objects.

    Those that lie or are turned over are outvoted: the mean is taken again of the axes within 25 degrees of it.
    """
    if not len(quat_wxyz):
        return None
    axes = quat_to_matrix(quat_wxyz)[..., 2]
    agree = axes @ axes.T > np.cos(np.radians(25))
    mean = axes[np.argmax(agree @ np.asarray(weights, float))]
    for _ in range(3):
        near = axes @ mean > np.cos(np.radians(25))
        mean = _unit(np.average(axes[near], axis=0, weights=np.asarray(weights, float)[near] + 1e-9))
    return mean


def surface_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals `[H - 1, W - 1, 3]` of a point map `[H, W, 3]` that face the camera; NaN at edges and gaps."""
    here, right, below = points[:-1, :-1], points[:-1, 1:], points[1:, :-1]
    normal = np.cross(below - here, right - here)
    with np.errstate(invalid="ignore", divide="ignore"):
        normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
        depth = here[..., 2]
        steps = np.maximum(np.abs(right[..., 2] - depth), np.abs(below[..., 2] - depth))
        normal[~(steps < _JUMP * np.abs(depth))] = np.nan
        away = np.sum(normal * here, -1) > 0
    normal[away] *= -1
    return normal


def up_from_points(points: np.ndarray, guess: np.ndarray) -> np.ndarray | None:
    """`[3]` unit: the direction near `guess` `[3]` to which level surfaces of a point map `[H, W, 3]` agree, or None."""
    normals = surface_normals(points).reshape(-1, 3)
    normals = normals[np.all(np.isfinite(normals), -1)]
    if not len(normals):
        return None
    up, near = _unit(guess), np.zeros(0, bool)
    for cone in _CONES_DEG:
        along = normals @ up
        near = np.abs(along) > np.cos(np.radians(cone))  # ceilings look down
        if near.mean() < _MIN_SHARE:
            return None
        up = _unit(np.sum(normals[near] * np.sign(along[near])[:, None], 0))
    return up


def estimate_up(points: np.ndarray | None, quat_wxyz: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, str]:
    """Up `[3]` in the camera frame, and what it is from: "surfaces", "objects" or "level camera".

    Nobody photographs a room from 60 degrees above: what says so is a painting that a 3D model laid flat, and its wall.
    """
    objects = up_from_objects(quat_wxyz, weights)
    if objects is not None and not _sees_the_room_level(objects):
        objects = None
    guess = LEVEL if objects is None else objects
    surfaces = None if points is None else up_from_points(points, guess)
    if surfaces is not None and _sees_the_room_level(surfaces):
        return surfaces, "surfaces"
    return guess, "level camera" if objects is None else "objects"


def _sees_the_room_level(up: np.ndarray) -> bool:
    return bool(abs(up[2]) < np.sin(np.radians(_MAX_PITCH_DEG)))


def floor_from_points(points: np.ndarray, up: np.ndarray) -> float | None:
    """up . p of the lowest level surface of a point map `[H, W, 3]` that is large enough to be a floor, or None."""
    normals, here = surface_normals(points), points[:-1, :-1]
    with np.errstate(invalid="ignore"):
        level = normals @ up > np.cos(np.radians(15))
    height = here[level] @ up
    if len(height) < _MIN_SHARE * normals[..., 0].size:
        return None
    low, high = (float(np.quantile(height, share)) for share in (0.005, 0.995))
    edges = np.linspace(low, high, _BINS + 1)
    if edges[-1] - edges[0] < 1e-9:
        return float(np.median(height))
    counts = np.histogram(height, edges)[0]
    slab = counts[:-1] + counts[1:]
    first = int(np.argmax(slab >= _SLAB_SHARE * slab.max()))
    inside = (height >= edges[first]) & (height <= edges[first + 2])
    return float(np.median(height[inside]))


def estimate_floor(
    points: np.ndarray | None, up: np.ndarray, translation: np.ndarray, quat_wxyz: np.ndarray, scale: np.ndarray
) -> tuple[float, str]:
    """The floor {p: up . p = floor}, and what it is from: "surfaces", "objects" or "a camera 1.4 high".

    A level surface well above the feet of the lowest object is a bed or a table, not the floor.

    Args:
        points: `[H, W, 3]`, or None. up: `[3]`. translation, quat_wxyz, scale: `[M, 3]`, `[M, 4]`, `[M, 3]`.
    """
    found = None if points is None else floor_from_points(points, up)
    if len(translation):
        heights = box_extent(up, quat_wxyz, scale)
        feet = float(np.min(translation @ up - heights / 2))
        if found is None or found > feet + 0.3 * float(np.median(heights)):
            return feet, "objects"
    return (found, "surfaces") if found is not None else (-1.4, "a camera 1.4 high")


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector, float) / np.linalg.norm(vector)
