"""A seeded bedroom: style, shell, furniture by the rules of `layout.py`, camera, daylight and exposure."""

from __future__ import annotations

import numpy as np

from anchorgen.world.catalogue import sample_style
from anchorgen.world.catalogue.style import between
from anchorgen.world.layout import Layout, furnish
from anchorgen.world.shell import sample_shell
from anchorgen.world.types import Camera, RoomSpec, Window, WorldScene


def sample_scene(seed: int) -> WorldScene:
    """The room of a seed: the same on every machine, whatever was sampled before."""
    rng = np.random.default_rng(seed)
    style = sample_style(rng)
    width, depth, height = between(rng, 3.4, 4.8), between(rng, 3.9, 5.2), between(rng, 2.45, 2.8)
    window = _window(rng, width, depth)
    room = RoomSpec(width, depth, height, window, sample_shell(rng, style))
    camera = _camera(rng, width)
    layout = Layout(room, camera, rng, style)
    furnish(layout)
    daylight = between(rng, 0.4, 3.2)
    return WorldScene(int(seed), room, tuple(layout.objects), camera, daylight, _exposure(rng, room, daylight))


def _window(rng: np.random.Generator, width: float, depth: float) -> Window:
    wall = str(rng.choice(["left", "right", "back"], p=[0.4, 0.35, 0.25]))
    length = width if wall == "back" else depth
    span = between(rng, 1.1, 1.6)
    # A side window stands where the camera can see its light: in the farther half of the room.
    centre = between(rng, span / 2 + 0.35, length - span / 2 - 0.35)
    if wall == "left":
        centre = max(centre, 0.5 * length)
    if wall == "right":
        centre = min(centre, 0.5 * length)
    centre = min(max(centre, span / 2 + 0.35), length - span / 2 - 0.35)
    sill = between(rng, 0.8, 1.0)
    return Window(wall, round(centre - span / 2, 4), round(centre + span / 2, 4), sill, between(rng, 2.0, 2.25))  # type: ignore[arg-type]


def _camera(rng: np.random.Generator, width: float) -> Camera:
    x = between(rng, -0.22 * width, 0.22 * width)
    focal_x = 0.5 / np.tan(np.radians(rng.uniform(58, 78)) / 2)
    rows = 128 if rng.random() < 0.8 else int(rng.integers(108, 152))  # anamorphic: fx / fy = rows / 128
    return Camera(
        position=(x, between(rng, 0.12, 0.3), between(rng, 1.25, 1.75)),
        yaw_rad=round(float(x * 0.16 + rng.normal(0, 0.11)), 4),  # mostly towards the middle of the far wall
        pitch_rad=between(rng, 0.05, 0.27),
        focal=(round(float(focal_x), 6), round(float(focal_x) * 128 / rows, 9)),
    )


def _exposure(rng: np.random.Generator, room: RoomSpec, daylight: float) -> float:
    """From daylight, window and wall colour alone: never from lamps or from the picture, else rooms would brighten
    when a lamp goes. The constants put the median picture's mean at middle grey."""
    window = room.window
    area = (window.end_m - window.start_m) * (window.head_m - window.sill_m)
    surface = 2 * (room.width_m * room.depth_m + (room.width_m + room.depth_m) * room.height_m)
    albedo = float(np.mean(room.params["wall"]))
    ambient = daylight * area / surface * (0.3 + albedo)
    return round(float(EXPOSURE_SCALE / (EXPOSURE_LAMPS + ambient) * np.exp(rng.normal(0, 0.12))), 4)


EXPOSURE_SCALE = 0.115
EXPOSURE_LAMPS = 0.025
