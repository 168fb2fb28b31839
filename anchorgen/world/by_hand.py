"""Rooms built by hand: an empty shell, and one piece of furniture after the other."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from typing import Any, Literal

import numpy as np

from anchorgen.world.catalogue import build_furniture, params_key, sample_params, sample_style, size_of
from anchorgen.world.checks import impossibilities
from anchorgen.world.layout import YAW
from anchorgen.world.selection import select
from anchorgen.world.shell import WALLS, sample_shell, wall_frame
from anchorgen.world.shell_params import check_numbers
from anchorgen.world.types import Camera, ObjectSpec, RoomSpec, Wall, Window, WorldScene, check_scene

_GAP_M = {"painting": 0.012, "mirror": 0.012}
_HUNG_M = {"painting": 1.45, "mirror": 0.3}  # height of the lower edge
_BESIDE_M = 0.1
_PLACES_OF = {"along_m": ("wall",), "side": ("beside",), "yaw": ("at",), "height_above_m": ("wall", "at")}


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
        ValueError: a size, window, camera or parameter that makes no room; the message says what was expected.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: got {seed!r}; expected a whole number >= 0")
    rng = np.random.default_rng(seed)
    style = sample_style(rng)
    drawn = sample_shell(rng, style)
    unknown = set(params) - set(drawn)
    if unknown:
        raise ValueError(f"empty_room got {sorted(unknown)}; expected of {sorted(drawn)}")
    shell = RoomSpec(width_m, depth_m, height_m, (), None, _plain("empty_room", {**drawn, **params}))
    if window is not None:
        middle = (0.6 if window == "left" else 0.4 if window == "right" else 0.5) * _length(shell, window)
        shell = replace(shell, windows=(Window(window, middle - 0.7, middle + 0.7, 0.9, min(2.15, height_m - 0.1)),))
    view = camera or Camera((0.0, 0.15, 1.5), 0.0, 0.13, (0.72, 0.72))
    style = {key: list(value) if isinstance(value, tuple) else value for key, value in style.items()}
    scene = WorldScene(int(seed), shell, (), view, daylight, exposure, style)
    check_scene(scene)
    x, y, z = view.position
    if not (abs(x) < width_m / 2 and 0 < y < depth_m and 0 < z < height_m):
        raise ValueError(
            f"camera: got the position {view.position}; expected a place in the room, x in ({-width_m / 2:g}, "
            f"{width_m / 2:g}), y in (0, {depth_m:g}), z in (0, {height_m:g}): move the camera or enlarge the room"
        )
    return scene


def put(
    scene: WorldScene,
    category: str,
    *,
    wall: Wall | None = None,
    along_m: float | None = None,
    beside: str | None = None,
    side: Literal["left", "right"] | None = None,
    on: str | None = None,
    at: tuple[float, float] | None = None,
    yaw: float | None = None,
    height_above_m: float | None = None,
    lit: bool = True,
    **params: Any,
) -> WorldScene:
    """The room with one more piece; say where in one of four ways. Pendants hang from the ceiling.

    Args:
        scene: the room.
        category: of the catalogue (`CATEGORIES`).
        wall: its back goes to this wall, `along_m` metres from the wall's start (its middle by default).
        beside: an object at a wall; it goes next to it, to its `side`, "left" (the default) or "right" as one looks.
        on: an object that it stands on, in the middle.
        at: (x, y) on the floor, metres; yaw: degrees, 0 (the default) looks towards the camera's wall.
        height_above_m: of its lower edge over the floor, for what hangs on a wall; with `wall` or `at` alone.
        lit: lamps.
        params: of the piece, instead of those drawn in the style of the room (`width_m=1.8`).

    Raises:
        KeyError: an unknown category or object.
        ValueError: no place or two, unknown parameters, or a place where it cannot be.
    """
    places = {"wall": wall, "beside": beside, "on": on, "at": at}
    _check_place(category, places, along_m=along_m, side=side, yaw=yaw, height_above_m=height_above_m)
    taken = {spec.id for spec in (*scene.objects, *scene.removed)}
    number = next(i for i in count() if f"{category}-{i}" not in taken)
    drawn = _drawn(scene, category, number, params)
    size = size_of(build_furniture(category, drawn))
    up = _HUNG_M.get(category, 0.0) if height_above_m is None else height_above_m
    if wall is not None:
        place, turn = _at_wall(scene, category, wall, along_m, size, up)
    elif beside is not None:
        place, turn = _beside(scene, beside, side or "left", size)
    elif on is not None:
        place, turn = _on(scene, on)
    else:
        place, turn = np.array([*(at or ()), up], float), float(np.radians(yaw or 0.0))
    if category == "pendant":
        place[2] = scene.room.height_m - size[2] - 0.001
    spec = ObjectSpec(f"{category}-{number}", category, drawn, tuple(place.tolist()), _quat(turn), lit=lit)
    return _with(scene, spec)


def _check_place(category: str, places: dict[str, Any], **details: Any) -> None:
    """One place, and of the details only those that this place has."""
    given = [name for name, value in places.items() if value is not None]
    if len(given) != 1:
        raise ValueError(f"put got {given or 'no place'}; expected one of wall=, beside=, on= or at=(x, y)")
    for name, value in details.items():
        if value is None:
            continue
        if given[0] not in _PLACES_OF[name]:
            expected = " or ".join(f"{place}=" for place in _PLACES_OF[name])
            raise ValueError(f"{name}: got {value!r} with {given[0]}=; expected it with {expected}: leave it out")
        if name != "side":
            check_numbers(name, value)
    if category == "pendant" and details["height_above_m"] is not None:
        raise ValueError(
            f"height_above_m: got {details['height_above_m']} for a pendant, which hangs from the ceiling; expected "
            "none: choose its drop_m"
        )
    if places["at"] is not None:
        check_numbers("at, (x, y) in metres", places["at"], (2,))


def _drawn(scene: WorldScene, category: str, number: int, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the piece, as JSON holds them; `number`, that of its name, and the seed of the room decide them."""
    rng = np.random.default_rng([scene.seed, number, *category.encode()])
    style = scene.style or sample_style(np.random.default_rng(scene.seed))
    return _plain(category, {**sample_params(category, rng, style), **params})


def _plain(what: str, params: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON values, in the same order."""
    values = json.loads(params_key(what, params))
    return {name: values[name] for name in params}


def _with(scene: WorldScene, spec: ObjectSpec) -> WorldScene:
    """The room with the object, unless that makes something impossible that was not so before."""
    after = scene.replace(objects=(*scene.objects, spec))
    check_scene(after)
    before = impossibilities(scene)
    wrong = [text for text in impossibilities(after) if text not in before]
    if wrong:
        raise ValueError(f"{spec.id} cannot be there: {'; '.join(wrong)}; choose another place")
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
