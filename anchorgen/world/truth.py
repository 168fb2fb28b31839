"""What the world knows of a picture: boxes, voxels, camera and gravity, in the camera frame."""

from __future__ import annotations

import numpy as np

from anchorgen.scene.truth import VOXEL_GRID, WorldTruth
from anchorgen.world.camera import box_in_camera, to_camera, world_to_camera
from anchorgen.world.catalogue import build_furniture, size_of
from anchorgen.world.shell import wall_frame
from anchorgen.world.types import Furniture, ObjectSpec, Part, WorldScene

MIN_VISIBLE_PX = 30  # at 128 px; what shows less belongs to the background
MAX_SLOTS = 16
MAX_VOXELS = 512
_SURFACE_POINTS = 4096
_GLOSS = {"matte": 0.0, "shade": 0.0, "gloss": 0.6, "mirror": 1.0}


def world_truth(scene: WorldScene, instance: np.ndarray) -> WorldTruth:
    """The truth of a rendered room.

    Args:
        scene: the room.
        instance: `[H, W]` index of the object each pixel shows, -1 for the room.

    Returns:
        One entry per object that shows at least 30 pixels (counted at 128 px), at most 16, most visible kept.
    """
    visible = np.array([(instance == i).sum() for i in range(len(scene.objects))], float) * (128 / len(instance)) ** 2
    kept = truth_slots(scene, instance)
    furniture = [build_furniture(scene.objects[i].category, scene.objects[i].params) for i in kept]
    boxes = [box_in_camera(scene.objects[i], size_of(f), scene.camera) for i, f in zip(kept, furniture, strict=True)]
    voxels = [voxelise(f, scene.objects[i]) for i, f in zip(kept, furniture, strict=True)]
    up = world_to_camera(scene.camera) @ np.array([0, 0, 1.0])
    columns = [
        np.array([b[k] for b in boxes], np.float32).reshape(len(kept), width) for k, width in ((0, 3), (1, 4), (2, 3))
    ]
    return WorldTruth(
        translation=columns[0],
        quat_wxyz=columns[1],
        scale=columns[2],
        labels=tuple(scene.objects[i].category for i in kept),
        ids=tuple(scene.objects[i].id for i in kept),
        visible_px=np.round(visible[kept]).astype(np.int32),
        voxel_coords=tuple(coords for coords, _ in voxels),
        voxel_feats=tuple(feats for _, feats in voxels),
        focal=np.array(scene.camera.focal, np.float32),
        up=up.astype(np.float32),
        floor=-float(scene.camera.position[2]),
        walls=_walls(scene),
    )


def truth_slots(scene: WorldScene, instance: np.ndarray) -> list[int]:
    """Indices into `scene.objects` of the objects that have a slot, in the order of the scene."""
    visible = np.array([(instance == i).sum() for i in range(len(scene.objects))], float) * (128 / len(instance)) ** 2
    seen = [i for i in np.argsort(-visible, kind="stable") if visible[i] >= MIN_VISIBLE_PX]
    return sorted(int(i) for i in seen[:MAX_SLOTS])


def slot_instances(instance: np.ndarray, slots: list[int]) -> np.ndarray:
    """`[H, W]` int16: object indices as slot numbers, -1 where the object has none."""
    out = np.full(instance.shape, -1, np.int16)
    for slot, index in enumerate(slots):
        out[instance == index] = slot
    return out


def voxelise(furniture: Furniture, spec: ObjectSpec) -> tuple[np.ndarray, np.ndarray]:
    """SLAT-shaped voxels of an object's surface: coords `[V, 3]` uint8 in an isotropic 64^3 grid, feats `[V, 8]` uint8.

    Points are drawn on the surface by area; each occupied cell keeps its first point. At most 512 cells are kept.
    """
    rng = np.random.default_rng(0)  # one object, one set of voxels, in whatever room
    glow = np.zeros(3)
    if furniture.light is not None and spec.lit:
        glow = np.asarray(furniture.light.shade_radiance)
    points, normals, feats = _surface_points(furniture.parts, rng, glow)
    points = points * np.asarray(spec.scale)
    normals = normals / np.asarray(spec.scale)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    low, high = points.min(0), points.max(0)
    cells = ((points - (low + high) / 2) / max(float((high - low).max()), 1e-6) + 0.5) * VOXEL_GRID
    cells = np.clip(cells.astype(int), 0, VOXEL_GRID - 1)
    _, first = np.unique(cells @ [VOXEL_GRID**2, VOXEL_GRID, 1], return_index=True)
    first = np.sort(rng.permutation(first)[:MAX_VOXELS])
    values = np.concatenate([feats[first, :3], normals[first] / 2 + 0.5, feats[first, 3:]], 1)
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


def _walls(scene: WorldScene) -> np.ndarray:
    """`[4, 4]` float32 planes (n, d) with n . p >= d inside the room."""
    rotation, rows = world_to_camera(scene.camera), []
    for wall in ("left", "right", "back", "front"):
        origin, _, inward, _ = wall_frame(scene.room, wall)
        normal = rotation @ inward
        rows.append([*normal, float(normal @ to_camera(origin, scene.camera))])
    return np.array(rows, np.float32)
