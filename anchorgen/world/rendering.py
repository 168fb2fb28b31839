"""Path-traced pictures of rooms, with instance masks and depth from the same camera.

The film is square and has square pixels, whatever the camera, so that every room shares the renderer's kernels; an
anamorphic picture (fx != fy) is its middle part. Shape legend: H W picture, h w film.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from anchorgen.world.camera import to_camera, world_to_camera
from anchorgen.world.mitsuba_scene import SURFACES, Geometry, build_scene, film_focal, gather
from anchorgen.world.types import Camera, WorldScene
from anchorgen.world.variant import use_mitsuba

TRAIN_SPP = 20
EVALUATION_SPP = 64
_FEATURE_SPP = 8


@dataclass(frozen=True)
class Rendering:
    """Attributes:
    image: `[H, W, 3]` uint8, sRGB.
    linear: `[H, W, 3]` float32, scene-referred radiance before exposure.
    instance: `[H, W]` int16, index into `scene.objects`, -1 for the room.
    depth: `[H, W]` float32, z-depth in metres, 0 where there is nothing.
    normals: `[H, W, 3]` float32, unit normal of the surface in the camera frame, 0 where there is nothing.
    """

    image: np.ndarray
    linear: np.ndarray
    instance: np.ndarray
    depth: np.ndarray
    normals: np.ndarray


def render(
    scene: WorldScene,
    size: int = 128,
    spp: int = TRAIN_SPP,
    seed: int = 0,
    denoise: bool = True,
    max_depth: int = 5,
    supersample: int = 1,
) -> Rendering:
    """Renders a room.

    Args:
        scene: the room.
        size: pixels a side of the picture.
        spp: samples a pixel.
        seed: of the renderer's own samples; one seed and one scene give one picture.
        denoise: Open Image Denoise with albedo and normals.
        max_depth: bounces of light.
        supersample: the film has this many pixels a side for one of the picture, averaged in linear light.

    Raises:
        ImportError: mitsuba or pyoidn is not installed.
        ValueError: size, spp or supersample below 1, or a room that nobody could build.
    """
    if size < 1 or spp < 1 or supersample < 1:
        raise ValueError(f"got size={size}, spp={spp}, supersample={supersample}; expected at least 1 each")
    mi = use_mitsuba()
    geometry = gather(scene)
    loaded, names = build_scene(mi, scene, geometry, size * supersample, max_depth)
    # A path that grazes a degenerate triangle may come back as NaN: such a pixel is black before the denoiser.
    linear = np.nan_to_num(np.array(mi.render(loaded, spp=spp, seed=seed)), nan=0.0, posinf=0.0, neginf=0.0)
    if denoise:
        features = np.array(mi.render(loaded, spp=_FEATURE_SPP, seed=seed, integrator=_integrators(mi)["features"]))
        linear = _denoise(linear, features[..., :3], features[..., 3:6])
    seen = np.array(mi.render(loaded, spp=1, seed=seed, integrator=_integrators(mi)["surface"]))
    part = _picture_part(scene.camera)
    seen = _pick(seen, size, part)
    linear = _average(_average(linear, size, part[1]).swapaxes(0, 1), size, part[0]).swapaxes(0, 1)
    owner = _owners(seen[..., 6], seen[..., 7], names, geometry)
    # Of the point itself: the renderer's own depth counts from its near plane.
    depth = np.where(seen[..., 6] > 0, to_camera(seen[..., :3], scene.camera)[..., 2], 0.0).astype(np.float32)
    normals = _unit(seen[..., 3:6] @ world_to_camera(scene.camera).T)
    return Rendering(tone_map(linear, scene.exposure), linear, owner, depth, normals)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), 0.0).astype(np.float32)


def _picture_part(camera: Camera) -> tuple[float, float]:
    """Which share of the square film's width and height the picture is: below 1 for one of them if fx != fy."""
    return film_focal(camera) / camera.focal[0], film_focal(camera) / camera.focal[1]


def _pick(film: np.ndarray, size: int, part: tuple[float, float]) -> np.ndarray:
    """`[size, size, C]`: the film pixel under each picture pixel's centre."""
    side, centre = len(film), (np.arange(size) + 0.5) / size - 0.5
    columns, rows = (((0.5 + centre * share) * side).astype(int) for share in part)
    return film[rows][:, columns]


def tone_map(linear: np.ndarray, exposure: float) -> np.ndarray:
    """Exposure, a filmic curve (Narkowicz's fit of ACES), then sRGB: `[H, W, 3]` uint8."""
    x = np.maximum(linear * exposure, 0) * 0.62
    y = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    srgb = np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255).astype(np.uint8)


def _integrators(mi: Any) -> dict[str, Any]:
    return _load_integrators(mi.variant())


@lru_cache(maxsize=2)
def _load_integrators(variant: str) -> dict[str, Any]:
    import mitsuba as mi

    return {
        "features": mi.load_dict({"type": "aov", "aovs": "albedo:albedo,normal:sh_normal"}),
        "surface": mi.load_dict({"type": "aov", "aovs": "p:position,n:sh_normal,shape:shape_index,prim:prim_index"}),
    }


def _denoise(linear: np.ndarray, albedo: np.ndarray, normal: np.ndarray) -> np.ndarray:
    import pyoidn

    arrays = (np.ascontiguousarray(x, np.float32) for x in (linear, np.clip(albedo, 0, 1), normal))
    colour, albedo, normal = arrays
    return np.asarray(pyoidn.denoise(colour, albedo=albedo, normal=normal, hdr=True))


def _owners(shape: np.ndarray, prim: np.ndarray, names: list[str], geometry: Geometry) -> np.ndarray:
    """`[h, w]` int16: which object each film pixel shows."""
    shape, prim = np.round(shape).astype(int) - 1, np.round(prim).astype(int)  # shapes count from 1, 0 is "none"
    owner = np.full(shape.shape, -1, np.int16)
    for index, name in enumerate(names):
        here = shape == index
        if name in SURFACES:
            owner[here] = geometry.surfaces[name][4][np.minimum(prim[here], len(geometry.surfaces[name][4]) - 1)]
        elif name.startswith(("shade", "bulb")):
            slot = int(name.removeprefix("shade").removeprefix("bulb"))
            owner[here] = geometry.lamps[slot].owner if slot < len(geometry.lamps) else -1
    return owner


def _average(film: np.ndarray, rows: int, share: float) -> np.ndarray:
    """Exact area average of the middle `share` of the rows of `[h, W, 3]` to `[rows, W, 3]`."""
    side = len(film)
    if side == rows and share == 1:
        return film
    edges = side * (0.5 + share * (np.arange(rows + 1) / rows - 0.5))
    low, high = np.maximum(edges[:-1, None], np.arange(side)), np.minimum(edges[1:, None], np.arange(side) + 1)
    weight = np.clip(high - low, 0, None).astype(np.float32)
    return np.einsum("rf,fwc->rwc", weight / weight.sum(1, keepdims=True), film, optimize=True)
