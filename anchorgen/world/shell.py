"""The room itself: floor, walls with a window, ceiling, skirting and curtains."""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorgen.world.catalogue.style import FABRICS, between, jitter
from anchorgen.world.meshes import Paint, cylinder, fabric, moved, rounded_box, sheet, smooth_noise, solid, turned
from anchorgen.world.types import Material, Part, RoomSpec

_WHITE = (0.90, 0.90, 0.89)
_FLOORS = ((0.58, 0.40, 0.25), (0.70, 0.54, 0.38), (0.42, 0.28, 0.18), (0.76, 0.70, 0.62))
_REVEAL_M = 0.18


def sample_shell(rng: np.random.Generator, style: dict[str, Any]) -> dict[str, Any]:
    """JSON-able colours and kinds of a room's surfaces."""
    accent = [round(float(c), 4) for c in np.clip(np.array(style["wall"]) * rng.uniform(0.55, 1.0), 0.08, 0.9)]
    return {
        "wall": list(style["wall"]),
        "accent": accent,
        "accent_wall": str(rng.choice(["back", "back", "left", "right"])),
        "floor": str(rng.choice(["planks", "planks", "planks", "carpet", "tiles"])),
        "floor_colour": list(jitter(rng, _FLOORS[rng.integers(len(_FLOORS))])),
        "plank_m": between(rng, 0.11, 0.18),
        "curtain_colour": list(jitter(rng, FABRICS[rng.integers(len(FABRICS))])),
        "curtains": bool(rng.random() < 0.85),
    }


def build_shell(room: RoomSpec) -> list[Part]:
    """All surfaces of a room, in the world frame."""
    w, d, h, p = room.width_m, room.depth_m, room.height_m, room.params
    parts = _sheet(
        (-w / 2, 0, 0),
        (w, 0, 0),
        (0, d, 0),
        _floor_paint(p),
        0.045,
        0.12,
        "matte" if p["floor"] == "carpet" else "gloss",
    )
    parts += _sheet((-w / 2, d, h), (w, 0, 0), (0, -d, 0), solid((0.88, 0.88, 0.87)), 1.0, 1.0)
    for wall in ("left", "right", "back", "front"):
        colour = p["accent"] if wall == p["accent_wall"] else p["wall"]
        parts += _wall(room, wall, solid(colour))
    return parts + _skirting(room) + _window(room)


def wall_frame(room: RoomSpec, wall: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
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


def _wall(room: RoomSpec, wall: str, paint: Paint) -> list[Part]:
    origin, along, _, length = wall_frame(room, wall)
    up, window = np.array([0, 0, 1.0]), room.window
    if window.wall != wall:
        return _sheet(origin, along * length, up * room.height_m, paint, 1.0, 1.0)
    across = [0, window.start_m, window.end_m, length]
    heights = [0, window.sill_m, window.head_m, room.height_m]
    parts = []
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                corner = origin + along * across[i] + up * heights[j]
                parts += _sheet(
                    corner, along * (across[i + 1] - across[i]), up * (heights[j + 1] - heights[j]), paint, 1.0, 1.0
                )
    return parts


def _skirting(room: RoomSpec) -> list[Part]:
    parts = []
    for wall in ("left", "right", "back"):
        origin, along, inward, length = wall_frame(room, wall)
        board = rounded_box((length, 0.015, 0.1), solid(_WHITE), "gloss", bevel_m=0.005, spacing_m=2.0)
        parts += _against(board, origin + along * length / 2 + inward * 0.008, along)
    return parts


def _against(parts: list[Part], at: np.ndarray, along: np.ndarray) -> list[Part]:
    """Parts built along x, turned so that x runs along a wall."""
    return turned(parts, yaw=float(np.arctan2(along[1], along[0])), at=at)


def _window(room: RoomSpec) -> list[Part]:
    """Reveal, frame, sill and curtains, built along x with the room towards +y, then put into its wall."""
    window, white = room.window, solid(_WHITE)
    wide, high = window.end_m - window.start_m, window.head_m - window.sill_m
    origin, along, inward, _ = wall_frame(room, window.wall)
    centre = origin + along * (window.start_m + window.end_m) / 2 + np.array([0, 0, window.sill_m])
    parts = rounded_box((wide + 0.1, _REVEAL_M, 0.04), white, "gloss", at=(0, -0.02, -0.04), bevel_m=0.008)
    for x in (-wide / 2 + 0.025, wide / 2 - 0.025, 0):
        parts += rounded_box((0.05, 0.05, high), white, "gloss", at=(x, -0.08, 0), bevel_m=0.008)
    for z in (0, high - 0.05, high / 2):
        parts += rounded_box((wide, 0.05, 0.05), white, "gloss", at=(0, -0.08, z), bevel_m=0.008)
    for x in (-1, 1):
        parts += rounded_box(
            (0.02, _REVEAL_M, high), white, at=(x * (wide / 2 + 0.01), -_REVEAL_M / 2, 0), bevel_m=0.003
        )
    parts += rounded_box((wide, _REVEAL_M, 0.02), white, at=(0, -_REVEAL_M / 2, high), bevel_m=0.003)
    if room.params["curtains"]:
        parts += _curtains(room, wide)
    # The local y axis must point into the room: mirror along x where along x inward is not up.
    frame = np.stack([np.cross(inward, [0, 0, 1.0]), inward, [0, 0, 1.0]], 1)
    return [moved(part, centre, frame) for part in parts]


def _curtains(room: RoomSpec, wide: float) -> list[Part]:
    window, cloth = room.window, fabric(room.params["curtain_colour"], 3, 0.05)
    parts, along = [], np.linspace(0, 1, 61)
    top, bottom = window.head_m - window.sill_m + 0.12, 0.06 - window.sill_m
    for side in (-1, 1):
        x = side * (wide / 2 + 0.08) + (along - 0.5) * 0.38
        y = 0.07 + 0.03 * np.sin(along * 10 * np.pi)
        points = [np.stack([x, y, np.full_like(x, z)], -1) for z in np.linspace(bottom, top, 4)]
        parts += sheet(np.stack(points, 1), cloth)
    rod = turned(cylinder(0.014, wide + 1.0, solid((0.3, 0.25, 0.2)), "gloss", sides=8), pitch=np.pi / 2, yaw=np.pi / 2)
    return parts + [moved(part, (-(wide + 1.0) / 2, 0.08, top + 0.02)) for part in rod]


def _floor_paint(params: dict[str, Any]) -> Paint:
    colour, plank, kind = np.asarray(params["floor_colour"], float), params["plank_m"], params["floor"]

    def planks(p: np.ndarray) -> np.ndarray:
        row = np.floor(p[:, 0] / plank).astype(int)
        board = np.floor((p[:, 1] + (row * 7919 % 97) / 97 * 1.2) / 1.2).astype(int)
        tone = ((row * 31 + board * 17) * 2654435761 % 1000) / 1000
        grain = smooth_noise(p * [14, 1.2, 14] + tone[:, None] * [9, 3, 0], 5, 1.0)
        out = colour * (0.85 + 0.3 * tone)[:, None] * (0.85 + 0.3 * grain)[:, None]
        return np.where(((p[:, 0] / plank) % 1 < 0.1)[:, None], 0.75 * out, out)

    def carpet(p: np.ndarray) -> np.ndarray:
        return (0.6 * colour + 0.25) * (0.96 + 0.08 * smooth_noise(p, 7, 25.0))[:, None]

    def tiles(p: np.ndarray) -> np.ndarray:
        size = 3 * plank
        i, j = np.floor(p[:, 0] / size).astype(int), np.floor(p[:, 1] / size).astype(int)
        tone = ((i * 31 + j * 17) * 2654435761 % 1000) / 1000
        return (0.4 * colour + 0.4) * (0.92 + 0.12 * tone)[:, None]

    return {"planks": planks, "carpet": carpet, "tiles": tiles}[kind]
