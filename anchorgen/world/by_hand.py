"""Rooms built by hand: an empty shell, and one piece of furniture after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from anchorgen.world.catalogue import build_furniture, sample_params, sample_style, size_of
from anchorgen.world.checks import impossibilities
from anchorgen.world.layout import YAW
from anchorgen.world.selection import select
from anchorgen.world.shell import WALLS, sample_shell, wall_frame
from anchorgen.world.types import Camera, ObjectSpec, RoomSpec, Wall, Window, WorldScene, check_scene

_GAP_M = {"painting": 0.012, "mirror": 0.012}
_HUNG_M = {"painting": 1.45, "mirror": 0.3}  # height of the lower edge
_BESIDE_M = 0.1


def empty_room(
    width_m: float = 4.2,
    depth_m: float = 4.8,
    height_m: float = 2.6,
    *,
    seed: int = 0,
    window: Wall | None = "left",
    daylight: float = 1.2,
    exposure: float = 1.6,
    camera: Camera | None = None,
    **params: Any,
) -> WorldScene:
    """A room without furniture, seen from the middle of its front wall.

    Args:
        width_m, depth_m, height_m: of the room.
        seed: of its style and colours, which the furniture put into it shares.
        window: the wall of a window 1.4 m wide, or None.
        daylight: radiance of the sky, 0 (night) to about 3 (noon).
        exposure: of the camera.
        camera: another one; position in metres, x right of the middle, y from the front wall, z up.
        params: of the shell instead of those drawn: `floor` ("planks", "parquet", "carpet", "tiles"), `curtains`
            ("long", "short", "none"), `wall`, `accent`, `floor_colour`, `curtain_colour` (linear RGB), `accent_wall`.

    Raises:
        ValueError: a size, window or parameter that makes no room; the message says what was expected.
    """
    rng = np.random.default_rng(seed)
    style = sample_style(rng)
    drawn = sample_shell(rng, style)
    unknown = set(params) - set(drawn)
    if unknown:
        raise ValueError(f"empty_room got {sorted(unknown)}; expected of {sorted(drawn)}")
    shell = RoomSpec(width_m, depth_m, height_m, (), None, {**drawn, **params})
    if window is not None:
        middle = (0.6 if window == "left" else 0.4 if window == "right" else 0.5) * _length(shell, window)
        shell = replace(shell, windows=(Window(window, middle - 0.7, middle + 0.7, 0.9, min(2.15, height_m - 0.1)),))
    view = camera or Camera((0.0, 0.15, 1.5), 0.0, 0.13, (0.72, 0.72))
    style = {key: list(value) if isinstance(value, tuple) else value for key, value in style.items()}
    scene = WorldScene(seed, shell, (), view, daylight, exposure, style)
    check_scene(scene)
    return scene


def put(
    scene: WorldScene,
    category: str,
    *,
    wall: Wall | None = None,
    along_m: float | None = None,
    beside: str | None = None,
    side: str = "left",
    on: str | None = None,
    at: tuple[float, float] | None = None,
    yaw: float = 0.0,
    height_above_m: float | None = None,
    lit: bool = True,
    **params: Any,
) -> WorldScene:
    """The room with one more piece; say where in one of four ways. Pendants hang from the ceiling.

    Args:
        scene: the room.
        category: of the catalogue (`CATEGORIES`).
        wall: its back goes to this wall, `along_m` metres from the wall's start (its middle by default).
        beside: an object at a wall; it goes next to it, to its `side` ("left" or "right" as one looks at it).
        on: an object that it stands on, in the middle.
        at: (x, y) on the floor, metres; yaw: degrees, 0 looks towards the camera's wall.
        height_above_m: of its lower edge over the floor, for what hangs on a wall.
        lit: lamps.
        params: of the piece, instead of those drawn in the style of the room (`width_m=1.8`).

    Raises:
        KeyError: an unknown category or object.
        ValueError: no place or two, unknown parameters, or a place where it cannot be.
    """
    if sum(value is not None for value in (wall, beside, on, at)) != 1:
        raise ValueError("put takes one of wall=, beside=, on= or at=(x, y)")
    number = sum(spec.category == category for spec in scene.objects)
    rng = np.random.default_rng([scene.seed, number, *category.encode()])
    style = scene.style or sample_style(np.random.default_rng(scene.seed))
    drawn = {**sample_params(category, rng, style), **params}
    size = size_of(build_furniture(category, drawn))
    up = _HUNG_M.get(category, 0.0) if height_above_m is None else height_above_m
    if wall is not None:
        place, turn = _at_wall(scene, category, wall, along_m, size, up)
    elif beside is not None:
        place, turn = _beside(scene, beside, side, size)
    elif on is not None:
        place, turn = _on(scene, on)
    else:
        place, turn = np.array([*at, up], float), np.radians(yaw)  # type: ignore[misc]
    if category == "pendant":
        place[2] = scene.room.height_m - size[2] - 0.001
    names = {spec.id for spec in scene.objects}
    name = next(f"{category}-{i}" for i in range(len(names) + 1) if f"{category}-{i}" not in names)
    spec = ObjectSpec(name, category, drawn, tuple(place.tolist()), _quat(turn), lit=lit)
    after = scene.replace(objects=(*scene.objects, spec))
    check_scene(after)
    wrong = [text for text in impossibilities(after) if text not in impossibilities(scene)]
    if wrong:
        raise ValueError(f"{name} cannot be there: {'; '.join(wrong)}; choose another place")
    return after


def _at_wall(
    scene: WorldScene, category: str, wall: Wall, along_m: float | None, size: np.ndarray, up: float
) -> tuple[np.ndarray, float]:
    along_m = _length(scene.room, wall) / 2 if along_m is None else along_m
    origin, along, inward, _ = wall_frame(scene.room, wall)
    away = size[1] / 2 + _GAP_M.get(category, 0.03)
    return origin + along * along_m + inward * away + [0, 0, up], YAW[wall]


def _beside(scene: WorldScene, name: str, side: str, size: np.ndarray) -> tuple[np.ndarray, float]:
    """Both backs in one line."""
    if side not in ("left", "right"):
        raise ValueError(f"side: got {side!r}; expected 'left' or 'right'")
    spec, extent = _one(scene, name)
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    sign = -1.0 if side == "left" else 1.0
    shift = sign * ((extent[0] + size[0]) / 2 + _BESIDE_M), (extent[1] - size[1]) / 2
    c, s = np.cos(yaw), np.sin(yaw)
    return np.asarray(spec.position) + [c * shift[0] - s * shift[1], s * shift[0] + c * shift[1], 0.0], yaw


def _on(scene: WorldScene, name: str) -> tuple[np.ndarray, float]:
    spec, extent = _one(scene, name)
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    return np.asarray(spec.position) + [0, 0, extent[2] + 0.002], yaw


def _one(scene: WorldScene, name: str) -> tuple[ObjectSpec, np.ndarray]:
    found = select(scene, name)
    if len(found) != 1:
        raise ValueError(f"{name!r} matches {len(found)} objects; name one, such as {scene.objects[found[0]].id!r}")
    spec = scene.objects[found[0]]
    return spec, size_of(build_furniture(spec.category, spec.params)) * np.asarray(spec.scale)


def _length(room: RoomSpec, wall: Wall) -> float:
    if wall not in WALLS:
        raise ValueError(f"wall: got {wall!r}; expected one of {list(WALLS)}")
    return wall_frame(room, wall)[3]


def _quat(yaw: float) -> tuple[float, float, float, float]:
    return float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))
