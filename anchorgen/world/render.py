"""Path-traced pictures of rooms, with instance masks and depth from the same camera.

Shape legend: H W picture, h w film (the film has square pixels; an anamorphic camera's film is not square).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from anchorgen.world.mitsuba_scene import SURFACES, Geometry, build_scene, gather
from anchorgen.world.types import WorldScene
from anchorgen.world.variant import use_mitsuba

TRAIN_SPP = 16
EVALUATION_SPP = 64


@dataclass(frozen=True)
class Rendering:
    """Attributes:
    image: `[H, W, 3]` uint8, sRGB.
    linear: `[H, W, 3]` float32, scene-referred radiance before exposure.
    instance: `[H, W]` int16, index into `scene.objects`, -1 for the room.
    depth: `[H, W]` float32, z-depth in metres.
    """

    image: np.ndarray
    linear: np.ndarray
    instance: np.ndarray
    depth: np.ndarray


def render(
    scene: WorldScene, size: int = 128, spp: int = TRAIN_SPP, seed: int = 0, denoise: bool = True, max_depth: int = 5
) -> Rendering:
    """Renders a room.

    Args:
        scene: the room.
        size: pixels a side of the picture.
        spp: samples a pixel.
        seed: of the renderer's own samples; one seed and one scene give one picture.
        denoise: Open Image Denoise with albedo and normals.
        max_depth: bounces of light.

    Raises:
        ImportError: mitsuba or pyoidn is not installed.
        ValueError: size or spp below 1.
    """
    if size < 1 or spp < 1:
        raise ValueError(f"got size={size}, spp={spp}; expected at least 1 pixel and 1 sample")
    mi = use_mitsuba()
    rows = round(size * scene.camera.focal[0] / scene.camera.focal[1])
    geometry = gather(scene)
    loaded, names = build_scene(mi, scene, geometry, rows, size, max_depth)
    # A path that grazes a degenerate triangle may come back as NaN: such a pixel is black before the denoiser.
    linear = np.nan_to_num(np.array(mi.render(loaded, spp=spp, seed=seed)), nan=0.0, posinf=0.0, neginf=0.0)
    if denoise:
        features = np.array(mi.render(loaded, spp=16, seed=seed, integrator=_integrators(mi)["features"]))
        linear = _denoise(linear, features[..., :3], features[..., 3:6])
    ids = np.array(mi.render(loaded, spp=1, seed=seed, integrator=_integrators(mi)["ids"]))
    distance, owner = ids[..., 0], _owners(ids[..., 1], ids[..., 2], names, geometry)
    pick = (np.arange(size) + 0.5) * rows // size
    linear = _resample_rows(linear, size)
    depth = distance[pick.astype(int)] * _cosine(scene, size)
    return Rendering(tone_map(linear, scene.exposure), linear, owner[pick.astype(int)], depth.astype(np.float32))


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
        "ids": mi.load_dict({"type": "aov", "aovs": "distance:depth,shape:shape_index,prim:prim_index"}),
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
            owner[here] = geometry.lamps[slot][3] if slot < len(geometry.lamps) else -1
    return owner


def _resample_rows(picture: np.ndarray, rows: int) -> np.ndarray:
    """Exact area average of `[h, W, 3]` to `[rows, W, 3]`."""
    film = len(picture)
    if film == rows:
        return picture
    edges = np.arange(rows + 1) * film / rows
    low, high = np.maximum(edges[:-1, None], np.arange(film)), np.minimum(edges[1:, None], np.arange(film) + 1)
    weight = np.clip(high - low, 0, None)
    return np.einsum("rf,fwc->rwc", weight / weight.sum(1, keepdims=True), picture).astype(np.float32)


def _cosine(scene: WorldScene, size: int) -> np.ndarray:
    """z of the unit ray through each pixel's centre."""
    centre = (np.arange(size) + 0.5) / size - 0.5
    v, u = np.meshgrid(centre, centre, indexing="ij")
    x, y = u / scene.camera.focal[0], v / scene.camera.focal[1]
    return 1 / np.sqrt(1 + x**2 + y**2)
