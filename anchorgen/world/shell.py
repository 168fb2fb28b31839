"""The room itself: floor, walls with windows, ceiling, skirting and curtains."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from anchorgen.world.catalogue.style import FABRICS, between, jitter, of_period, one_of
from anchorgen.world.floors import build_floor
from anchorgen.world.meshes import Paint, cylinder, fabric, moved, rounded_box, sheet, solid, turned
from anchorgen.world.types import Material, Part, RoomSpec, Wall, Window

WALLS: tuple[Wall, ...] = ("left", "right", "back", "front")
CURTAIN_M = 0.38  # width of one
CURTAIN_REACH_M = 0.11  # how far they hang into the room
SILL_REACH_M = 0.07
_WHITE = (0.90, 0.90, 0.89)
_REVEAL_M = 0.18
_CLOSE_M = 0.06  # from the floor to a long curtain's hem


def sample_shell(rng: np.random.Generator, style: dict[str, Any]) -> dict[str, Any]:
    """JSON-able colours and kinds of a room's surfaces."""
    accent = [round(float(c), 4) for c in np.clip(np.array(style["wall"]) * rng.uniform(0.5, 1.0), 0.08, 0.9)]
    floors = {"modern": ("planks", "tiles", "carpet"), "classic": ("parquet",), "country": ("planks",)}
    warm = rng.uniform(-0.12, 0.2)  # overcast sky is bluish, late sun is not
    return {
        "wall": list(style["wall"]),
        "accent": accent,
        "accent_wall": str(rng.choice(["back", "back", "left", "right"])),
        "floor": of_period(rng, style, **floors),
        "floor_colour": list(jitter(rng, style["floor"])),
        "plank_m": between(rng, 0.11, 0.18),
        "curtain_colour": list(jitter(rng, style["curtain"] if rng.random() < 0.8 else one_of(rng, FABRICS))),
        "curtains": str(one_of(rng, ("long", "long", "long", "short", "short", "none"))),
        "moulding": of_period(rng, style, modern=("no",), classic=("yes",), country=("no",)) == "yes",
        "sky": [round(0.82 + warm, 4), 0.93, round(1.08 - warm, 4)],
    }


def build_shell(room: RoomSpec) -> list[Part]:
    """All surfaces of a room, in the world frame."""
    w, d, h, p = room.width_m, room.depth_m, room.height_m, room.params
    parts = build_floor(w, d, p)
    parts += _sheet((-w / 2, d, h), (w, 0, 0), (0, -d, 0), solid((0.88, 0.88, 0.87)), 1.0, 1.0)
    for wall in WALLS:
        parts += _wall(room, wall, solid(p["accent"] if wall == p["accent_wall"] else p["wall"]))
    for window in room.windows:
        parts += _window(room, window)
    return parts + _block(room) + _boards(room)


def wall_frame(room: RoomSpec, wall: Wall) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Origin at the floor, direction along, direction into the room, and length of a wall."""
    w, d = room.width_m, room.depth_m
    frames = {
        "left": ((-w / 2, 0, 0), (0, 1, 0), (1, 0, 0), d),
        "right": ((w / 2, d, 0), (0, -1, 0), (-1, 0, 0), d),
        "back": ((-w / 2, d, 0), (1, 0, 0), (0, -1, 0), w),
        "front": ((w / 2, 0, 0), (-1, 0, 0), (0, 1, 0), w),
    }
    origin, along, inward, length = frames[wall]
    return np.array(origin, float), np.array(along, float), np.array(inward, float), length


def _sheet(origin, u, v, paint: Paint, step_u: float, step_v: float, material: Material = "matte") -> list[Part]:
    """A flat grid from `origin` along `u` and `v`, a vertex every `step` metres."""
    u, v, origin = np.asarray(u, float), np.asarray(v, float), np.asarray(origin, float)
    count_u, count_v = (max(2, int(np.ceil(np.linalg.norm(x) / s)) + 1) for x, s in ((u, step_u), (v, step_v)))
    a, b = np.meshgrid(np.linspace(0, 1, count_u), np.linspace(0, 1, count_v), indexing="ij")
    return sheet(origin + a[..., None] * u + b[..., None] * v, paint, material)


def _wall(room: RoomSpec, wall: Wall, paint: Paint) -> list[Part]:
    """A wall with holes: cut along every window's edges, the pieces between them left out."""
    origin, along, _, length = wall_frame(room, wall)
    up, windows = np.array([0, 0, 1.0]), [w for w in room.windows if w.wall == wall]
    across = sorted({0.0, length, *(x for w in windows for x in (w.start_m, w.end_m))})
    heights = sorted({0.0, room.height_m, *(z for w in windows for z in (w.sill_m, w.head_m))})
    parts = []
    for left, right in pairwise(across):
        for low, high in pairwise(heights):
            x, z = (left + right) / 2, (low + high) / 2
            if not any(w.start_m < x < w.end_m and w.sill_m < z < w.head_m for w in windows):
                corner = origin + along * left + up * low
                parts += _sheet(corner, along * (right - left), up * (high - low), paint, 1.0, 1.0)
    return parts


def block_faces(room: RoomSpec) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of a walled-off corner: start and run `[3]` of the faces that the room sees, along the floor."""
    if room.block is None:
        return []
    sign = -1.0 if room.block.side == "left" else 1.0
    outer, inner = sign * room.width_m / 2, sign * (room.width_m / 2 - room.block.width_m)
    near, far = room.depth_m - room.block.depth_m, room.depth_m
    corner = np.array([inner, near, 0.0])
    return [(corner, np.array([0, far - near, 0.0])), (corner, np.array([outer - inner, 0, 0.0]))]


def _block(room: RoomSpec) -> list[Part]:
    paint, up = solid(room.params["wall"]), (0, 0, room.height_m)
    return [part for start, run in block_faces(room) for part in _sheet(start, run, up, paint, 1.0, 1.0)]


def _boards(room: RoomSpec) -> list[Part]:
    """Skirting along every wall, and a moulding below the ceiling where the period has one."""
    runs = [(wall_frame(room, w)[0], wall_frame(room, w)[1] * wall_frame(room, w)[3]) for w in WALLS[:3]]
    sizes = [(0.015, 0.1, 0.0, 0.005)]
    if room.params.get("moulding"):
        sizes.append((0.05, 0.07, room.height_m - 0.072, 0.022))
    parts = []
    for start, run in runs + block_faces(room):
        length = float(np.linalg.norm(run))
        inward = np.cross([0, 0, 1.0], run / length)
        inside = np.array([0.0, 0.4 * room.depth_m, 0.0]) - start
        inward = inward if inward @ inside > 0 else -inward
        for thick, high, z, bevel in sizes:
            board = rounded_box((length, thick, high), solid(_WHITE), "gloss", bevel_m=bevel, spacing_m=2.0)
            parts += _against(board, start + run / 2 + inward * 0.5 * thick + [0, 0, z], run / length)
    return parts


def _against(parts: list[Part], at: np.ndarray, along: np.ndarray) -> list[Part]:
    """Parts built along x, turned so that x runs along a wall."""
    return turned(parts, yaw=float(np.arctan2(along[1], along[0])), at=at)


def _window(room: RoomSpec, window: Window) -> list[Part]:
    """Reveal, frame, sill and curtains, built along x with the room towards +y, then put into its wall."""
    white = solid(_WHITE)
    wide, high = window.end_m - window.start_m, window.head_m - window.sill_m
    origin, along, inward, _ = wall_frame(room, window.wall)
    centre = origin + along * (window.start_m + window.end_m) / 2 + np.array([0, 0, window.sill_m])
    parts = rounded_box((wide + 0.1, _REVEAL_M, 0.04), white, "gloss", at=(0, -0.02, -0.04), bevel_m=0.008)
    for x in (-wide / 2 + 0.025, wide / 2 - 0.025, 0):
        parts += rounded_box((0.05, 0.05, high), white, "gloss", at=(x, -0.08, 0), bevel_m=0.008)
    for z in (0, high - 0.05, high / 2):
        parts += rounded_box((wide, 0.05, 0.05), white, "gloss", at=(0, -0.08, z), bevel_m=0.008)
    for x in (-1, 1):
        at = (x * (wide / 2 + 0.01), -_REVEAL_M / 2, 0)
        parts += rounded_box((0.02, _REVEAL_M, high), white, at=at, bevel_m=0.003)
    parts += rounded_box((wide, _REVEAL_M, 0.02), white, at=(0, -_REVEAL_M / 2, high), bevel_m=0.003)
    if room.params["curtains"] not in ("none", False):  # world 1 said True or False
        parts += _curtains(room, window, wide)
    # The local y axis must point into the room: mirror along x where along x inward is not up.
    frame = np.stack([np.cross(inward, [0, 0, 1.0]), inward, [0, 0, 1.0]], 1)
    return [moved(part, centre, frame) for part in parts]


def curtain_spans(room: RoomSpec, window: Window) -> list[tuple[float, float, float, float]]:
    """Of each curtain of a window: from and to along its wall, bottom and top, metres."""
    kind = room.params["curtains"]
    if kind in ("none", False):
        return []
    bottom = window.sill_m - 0.12 if kind == "short" else _CLOSE_M
    middles = (window.start_m - 0.08, window.end_m + 0.08)
    return [(m - CURTAIN_M / 2, m + CURTAIN_M / 2, bottom, window.head_m + 0.12) for m in middles]


def _curtains(room: RoomSpec, window: Window, wide: float) -> list[Part]:
    cloth = fabric(room.params["curtain_colour"], 3, 0.05)
    parts, along = [], np.linspace(0, 1, 41)
    _, _, low, high = curtain_spans(room, window)[0]
    bottom, top = low - window.sill_m, high - window.sill_m
    for side in (-1, 1):
        x = side * (wide / 2 + 0.08) + (along - 0.5) * CURTAIN_M
        y = 0.07 + 0.03 * np.sin(along * 10 * np.pi)
        points = [np.stack([x, y, np.full_like(x, z)], -1) for z in np.linspace(bottom, top, 2)]
        parts += sheet(np.stack(points, 1), cloth)
    length = wide + 0.66
    rod = turned(cylinder(0.014, length, solid((0.3, 0.25, 0.2)), "gloss", sides=8), pitch=np.pi / 2, yaw=np.pi / 2)
    return parts + [moved(part, (-length / 2, 0.08, top + 0.02)) for part in rod]
