"""A seeded bedroom: style, shell, furniture by the rules of `grammar.py`, camera, daylight and exposure."""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorgen.world.catalogue import sample_style
from anchorgen.world.catalogue.style import between
from anchorgen.world.grammar import furnish
from anchorgen.world.layout import Layout
from anchorgen.world.shell import sample_shell, wall_frame
from anchorgen.world.types import Block, Camera, ObjectSpec, RoomSpec, Wall, Window, WorldScene

MIN_OBJECTS = 3
EVENING = 0.5  # daylight below this is evening
EXPOSURE_SCALE = 0.115
EXPOSURE_LAMPS = 0.025


def sample_scene(seed: int) -> WorldScene:
    """The room of a seed: the same on every machine, whatever was sampled before.

    Raises:
        ValueError: a negative seed.
    """
    if seed < 0:
        raise ValueError(f"seed: got {seed}; expected a whole number >= 0")
    for attempt in range(20):  # a room with next to nothing in it is drawn again
        scene = _draw(int(seed), np.random.default_rng([int(seed), attempt]))
        if len(scene.objects) >= MIN_OBJECTS:
            return scene
    raise RuntimeError(f"seed {seed}: no room with {MIN_OBJECTS} objects in 20 attempts")


def refurnish(scene: WorldScene, seed: int) -> WorldScene:
    """Another room in the same shell, seen by the same camera with the same exposure.

    Size, windows, camera and exposure stay; style, colours, floor, curtains, daylight and furniture are drawn anew.
    """
    rng = np.random.default_rng([int(seed), 1])
    style = sample_style(rng)
    room = RoomSpec(**{**vars(scene.room), "params": sample_shell(rng, style)})
    daylight = _daylight(rng)
    objects = _furnished(room, scene.camera, rng, style, daylight)
    return scene.replace(room=room, objects=objects, removed=(), daylight=daylight, style=_json(style))


def _draw(seed: int, rng: np.random.Generator) -> WorldScene:
    style = sample_style(rng)
    width, depth, height = between(rng, 3.6, 5.4), between(rng, 4.1, 5.7), between(rng, 2.45, 2.85)
    block = _block(rng, width) if rng.random() < 0.2 else None
    room = RoomSpec(width, depth, height, _windows(rng, width, depth, block), block, sample_shell(rng, style))
    camera, daylight = _camera(rng, width), _daylight(rng)
    objects = _furnished(room, camera, rng, style, daylight)
    return WorldScene(seed, room, objects, camera, daylight, _exposure(rng, room, daylight), _json(style))


def _furnished(
    room: RoomSpec, camera: Camera, rng: np.random.Generator, style: dict[str, Any], daylight: float
) -> tuple[ObjectSpec, ...]:
    layout = Layout(room, camera, rng, style)
    furnish(layout, evening=daylight < EVENING)
    return tuple(layout.objects)


def _json(style: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in style.items()}


def _daylight(rng: np.random.Generator) -> float:
    """One room in six is seen in the evening."""
    return between(rng, 0.05, EVENING) if rng.random() < 1 / 6 else between(rng, EVENING, 3.2)


def _block(rng: np.random.Generator, width: float) -> Block:
    side = "left" if rng.random() < 0.5 else "right"
    return Block(side, between(rng, 0.5, 0.28 * width), between(rng, 0.5, 1.5))


def _windows(rng: np.random.Generator, width: float, depth: float, block: Block | None) -> tuple[Window, ...]:
    """One window, or two in different walls."""
    walls = rng.choice(["left", "right", "back", "front"], size=2, replace=False, p=[0.32, 0.32, 0.2, 0.16])
    sill, head = between(rng, 0.8, 1.0), between(rng, 2.0, 2.25)
    shell = RoomSpec(width, depth, head + 0.3, (), block)
    layout_walls = walls[: 2 if rng.random() < 0.25 else 1]
    return tuple(_window(rng, shell, str(wall), sill, head) for wall in layout_walls)  # type: ignore[arg-type]


def _window(rng: np.random.Generator, shell: RoomSpec, wall: Wall, sill: float, head: float) -> Window:
    start, end = 0.0, wall_frame(shell, wall)[3]
    block = shell.block
    if block is not None and wall in ("back", block.side):
        # The walled-off corner is at the wall's end or start, see `wall_frame`.
        taken = block.width_m if wall == "back" else block.depth_m
        at_end = (wall == "back") == (block.side == "right")
        start, end = (start, end - taken) if at_end else (start + taken, end)
    span = min(between(rng, 1.1, 1.7), end - start - 0.9)
    low, high = start + span / 2 + 0.4, end - span / 2 - 0.4
    # A side window stands where the camera can see it or its light: in the farther half of the room.
    middle = (low + high) / 2
    low, high = (middle, high) if wall == "left" else (low, middle) if wall == "right" else (low, high)
    centre = between(rng, low, high)
    return Window(wall, round(centre - span / 2, 4), round(centre + span / 2, 4), sill, head)


def _camera(rng: np.random.Generator, width: float) -> Camera:
    """Near the front wall; one in four from a front corner, looking across the room."""
    corner = rng.random() < 0.25
    x = between(rng, 0.25 * width, 0.38 * width) * rng.choice([-1, 1]) if corner else between(rng, -0.22, 0.22) * width
    yaw = x * (0.2 if corner else 0.16) + rng.normal(0, 0.12)  # mostly towards the middle of the far wall
    focal_x = 0.5 / np.tan(np.radians(rng.uniform(59, 81)) / 2)
    rows = 128 if rng.random() < 0.8 else int(rng.integers(108, 152))  # anamorphic: fx / fy = rows / 128
    return Camera(
        position=(round(float(x), 4), between(rng, 0.12, 0.3), between(rng, 1.2, 1.8)),
        yaw_rad=round(float(yaw), 4),
        pitch_rad=between(rng, 0.03, 0.27),
        focal=(round(float(focal_x), 6), round(float(focal_x) * 128 / rows, 9)),
    )


def _exposure(rng: np.random.Generator, room: RoomSpec, daylight: float) -> float:
    """From daylight, windows and wall colour alone: never from lamps or from the picture, else rooms would brighten
    when a lamp goes. The constants put the median picture's mean at middle grey."""
    area = sum((window.end_m - window.start_m) * (window.head_m - window.sill_m) for window in room.windows)
    surface = 2 * (room.width_m * room.depth_m + (room.width_m + room.depth_m) * room.height_m)
    albedo = float(np.mean(room.params["wall"]))
    ambient = daylight * area / surface * (0.3 + albedo)
    return round(float(EXPOSURE_SCALE / (EXPOSURE_LAMPS + ambient) * np.exp(rng.normal(0, 0.12))), 4)
