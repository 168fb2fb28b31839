"""What the world knows of a picture: boxes, voxels, camera and gravity, in the camera frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anchorgen.geometry import project, quat_to_matrix
from anchorgen.scene.truth import VOXEL_GRID, WorldTruth
from anchorgen.world.camera import box_in_camera, to_camera, world_to_camera
from anchorgen.world.catalogue import build_furniture, size_of
from anchorgen.world.shell import WALLS, wall_frame
from anchorgen.world.types import Furniture, ObjectSpec, Part, WorldScene

MIN_VISIBLE_PX = 30  # at 128 px; what shows less belongs to the background
MAX_SLOTS = 16
MAX_VOXELS = 512
_SURFACE_POINTS = 2048
_BEHIND_M = 0.03  # depth is that of a random point of the pixel
_GLOSS = {"matte": 0.0, "shade": 0.0, "gloss": 0.6, "mirror": 1.0}


def world_truth(scene: WorldScene, instance: np.ndarray, depth: np.ndarray | None = None) -> WorldTruth:
    """The truth of a rendered room.

    Args:
        scene: the room.
        instance: `[H, W]` index of the object each pixel shows, -1 for the room.
        depth: `[H, W]` metres; without it `visible_share` counts what other objects hide, but not what walls do.

    Returns:
        One entry per object that shows at least 30 pixels (counted at 128 px), at most 16, most visible kept.
    """
    visible = visible_pixels(scene, instance)
    kept = truth_slots(scene, instance)
    specs = [scene.objects[i] for i in kept]
    furniture = [build_furniture(spec.category, spec.params) for spec in specs]
    boxes = [box_in_camera(spec, size_of(f), scene.camera) for spec, f in zip(specs, furniture, strict=True)]
    surfaces = [sample_surface(f, spec) for f, spec in zip(furniture, specs, strict=True)]
    voxels = [to_voxels(surface) for surface in surfaces]
    up = world_to_camera(scene.camera) @ np.array([0, 0, 1.0])
    columns = [
        np.array([b[k] for b in boxes], np.float32).reshape(len(kept), width) for k, width in ((0, 3), (1, 4), (2, 3))
    ]
    shares = [visible_share(s, scene, i, instance, depth) for s, i in zip(surfaces, kept, strict=True)]
    return WorldTruth(
        translation=columns[0],
        quat_wxyz=columns[1],
        scale=columns[2],
        labels=tuple(spec.category for spec in specs),
        ids=tuple(spec.id for spec in specs),
        visible_px=np.round(visible[kept]).astype(np.int32),
        visible_share=np.array(shares, np.float32),
        voxel_coords=tuple(coords for coords, _ in voxels),
        voxel_feats=tuple(feats for _, feats in voxels),
        focal=np.array(scene.camera.focal, np.float32),
        up=up.astype(np.float32),
        floor=-float(scene.camera.position[2]),
        walls=wall_planes(scene),
    )


def visible_pixels(scene: WorldScene, instance: np.ndarray) -> np.ndarray:
    """`[M]` float64: how many pixels of each object show, counted as at 128 px."""
    counts = np.bincount(instance[instance >= 0].ravel(), minlength=len(scene.objects))[: len(scene.objects)]
    return counts * (128 / len(instance)) ** 2


def truth_slots(scene: WorldScene, instance: np.ndarray) -> list[int]:
    """Indices into `scene.objects` of the objects that have a slot, in the order of the scene."""
    visible = visible_pixels(scene, instance)
    seen = [i for i in np.argsort(-visible, kind="stable") if visible[i] >= MIN_VISIBLE_PX]
    return sorted(int(i) for i in seen[:MAX_SLOTS])


def slot_instances(instance: np.ndarray, slots: list[int]) -> np.ndarray:
    """`[H, W]` int16: object indices as slot numbers, -1 where the object has none."""
    out = np.full(instance.shape, -1, np.int16)
    for slot, index in enumerate(slots):
        out[instance == index] = slot
    return out


def visible_share(
    surface: Surface, scene: WorldScene, index: int, instance: np.ndarray, depth: np.ndarray | None = None
) -> float:
    """Share of an object's silhouette that shows: not outside the picture, not behind something else.

    Measured on points of its camera-facing surface, each weighted with the solid angle that it covers; what an object
    hides of itself counts as seen.

    Args:
        surface: points of the object in its own frame, scaled.
        scene, index: the room and the object's number in it.
        instance, depth: `[H, W]` of the room's rendering (see `world_truth`).
    """
    spec, size = scene.objects[index], len(instance)
    turn = quat_to_matrix(np.asarray(spec.quat_wxyz))
    points = to_camera(surface.points @ turn.T + np.asarray(spec.position), scene.camera)
    normals = surface.normals @ (world_to_camera(scene.camera) @ turn).T
    distance = np.linalg.norm(points, axis=1)
    facing = np.clip(-(points * normals).sum(1) / distance, 0, None) / distance**2
    weight = np.where(points[:, 2] > 0.05, facing, 0.0)
    uv = project(points, np.asarray(scene.camera.focal))
    inside = np.all((uv >= 0) & (uv < 1), axis=1) & (weight > 0)
    column, row = (np.clip((uv[inside, k] * size).astype(int), 0, size - 1) for k in (0, 1))
    shown = instance[row, column]
    nearer = shown >= 0 if depth is None else depth[row, column] < points[inside, 2] - _BEHIND_M
    hidden = (shown != index) & nearer
    return float((weight[inside] * ~hidden).sum() / max(weight.sum(), 1e-12))


def voxelise(furniture: Furniture, spec: ObjectSpec) -> tuple[np.ndarray, np.ndarray]:
    """SLAT-shaped voxels of an object's surface: coords `[V, 3]` uint8 in an isotropic 64^3 grid, feats `[V, 8]` uint8.

    Points are drawn on the surface by area; each occupied cell keeps its first point. At most 512 cells are kept.
    """
    return to_voxels(sample_surface(furniture, spec))


@dataclass(frozen=True)
class Surface:
    """Points `[P, 3]`, unit normals `[P, 3]` and (colour 3, emission, gloss) `[P, 5]`, object frame, scaled."""

    points: np.ndarray
    normals: np.ndarray
    feats: np.ndarray


def sample_surface(furniture: Furniture, spec: ObjectSpec) -> Surface:
    """Points on an object's surface, by area; one object, one set of points, in whatever room."""
    glow = np.zeros(3)
    if furniture.light is not None and spec.lit:
        glow = np.asarray(furniture.light.shade_radiance)
    points, normals, feats = _surface_points(furniture.parts, np.random.default_rng(0), glow)
    normals = normals / np.asarray(spec.scale)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return Surface(points * np.asarray(spec.scale), normals, feats)


def to_voxels(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """See `voxelise`."""
    points, feats = surface.points, surface.feats
    low, high = points.min(0), points.max(0)
    cells = ((points - (low + high) / 2) / max(float((high - low).max()), 1e-6) + 0.5) * VOXEL_GRID
    cells = np.clip(cells.astype(int), 0, VOXEL_GRID - 1)
    _, first = np.unique(cells @ [VOXEL_GRID**2, VOXEL_GRID, 1], return_index=True)
    first = np.sort(np.random.default_rng(1).permutation(first)[:MAX_VOXELS])
    values = np.concatenate([feats[first, :3], surface.normals[first] / 2 + 0.5, feats[first, 3:]], 1)
    return cells[first].astype(np.uint8), np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _surface_points(parts: tuple[Part, ...], rng: np.random.Generator, glow: np.ndarray):
    """Points `[P, 3]`, normals `[P, 3]` and (colour 3, emission, gloss) `[P, 5]`."""
    corners = np.concatenate([part.vertices[part.faces] for part in parts])
    normals = np.concatenate([part.normals[part.faces] for part in parts])
    colours = np.concatenate([part.colors[part.faces] for part in parts])
    emission = np.concatenate(
        [np.full(len(p.faces), float(glow.mean()) / 4 if p.material == "shade" else 0.0) for p in parts]
    )
    gloss = np.concatenate([np.full(len(p.faces), _GLOSS[p.material]) for p in parts])
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1) + 1e-12
    face = np.searchsorted(np.cumsum(area) / area.sum(), rng.random(_SURFACE_POINTS)).clip(max=len(area) - 1)
    a, b = rng.random((2, _SURFACE_POINTS, 1))
    flip = a + b > 1
    a, b = np.where(flip, 1 - a, a), np.where(flip, 1 - b, b)

    def mix(values: np.ndarray) -> np.ndarray:
        v = values[face]
        return v[:, 0] * (1 - a - b) + v[:, 1] * a + v[:, 2] * b

    return mix(corners), mix(normals), np.concatenate([mix(colours), emission[face, None], gloss[face, None]], 1)


def wall_planes(scene: WorldScene) -> np.ndarray:
    """`[4, 4]` float32 planes (n, d), camera frame, with n . p >= d inside the room."""
    rotation, rows = world_to_camera(scene.camera), []
    for wall in WALLS:
        origin, _, inward, _ = wall_frame(scene.room, wall)
        normal = rotation @ inward
        rows.append([*normal, float(normal @ to_camera(origin, scene.camera))])
    return np.array(rows, np.float32)
