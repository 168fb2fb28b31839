"""Where viewing rays meet the boxes and walls of a room: geometry of a picture without a renderer.

Shape legend: P rays, H W picture.
"""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import ray_crossing
from anchorgen.world.boxes import Box, box_of
from anchorgen.world.camera import world_to_camera
from anchorgen.world.types import Camera, WorldScene

_UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def camera_rays(camera: Camera, size: int) -> np.ndarray:
    """`[size * size, 3]` rays through the pixel centres, row by row, in the world; their z in the camera is 1."""
    centre = (np.arange(size) + 0.5) / size - 0.5
    v, u = np.meshgrid(centre, centre, indexing="ij")
    fx, fy = camera.focal
    return np.stack([u / fx, v / fy, np.ones_like(u)], -1).reshape(-1, 3) @ world_to_camera(camera)


def box_entry(box: Box, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """`[P]`: where rays `[P, 3]` from `origin` `[3]` enter a box, in lengths of the ray; inf where they miss it."""
    enter, leave = _crossing(box, origin, rays)
    return np.where((enter < leave) & (enter > 0.05), enter, np.inf)


def visible_points(world: WorldScene, size: int, without: str | None = None) -> np.ndarray:
    """What each pixel shows of a room whose objects are boxes: `[size, size, 3]`, metres, world frame.

    Args:
        world: the room; floor, ceiling and the four outer walls end every ray.
        size: pixels a side.
        without: id of an object to look through.
    """
    origin, rays = np.asarray(world.camera.position, float), camera_rays(world.camera, size)
    room = world.room
    shell = Box(
        np.array([0.0, room.depth_m / 2, room.height_m / 2]),
        _UPRIGHT,
        np.array([room.width_m, room.depth_m, room.height_m]),
    )
    depth = _crossing(shell, origin, rays)[1]
    for spec in world.objects:
        if spec.id != without:
            depth = np.minimum(depth, box_entry(box_of(spec), origin, rays))
    return (origin + rays * depth[:, None]).reshape(size, size, 3)


def _crossing(box: Box, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return ray_crossing(origin, rays, box.centre, box.axes, box.extent)
