"""Floors: planks, parquet, carpet and tiles, as vertex colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorgen.world.meshes import sheet, smooth_noise
from anchorgen.world.types import Part

_SPACING_M = {"planks": (0.045, 0.2), "carpet": (0.15, 0.15)}  # fine enough for the pattern
_JOINT_M = 0.012


def build_floor(width_m: float, depth_m: float, params: dict[str, Any]) -> list[Part]:
    """The floor of a room, z = 0; `params`: "floor" (the kind), "floor_colour" and "plank_m"."""
    colour, plank, kind = np.asarray(params["floor_colour"], float), params["plank_m"], params["floor"]
    if kind == "parquet":
        return [_parquet(width_m, depth_m, colour, plank)]
    if kind == "tiles":
        return _tiles(width_m, depth_m, colour, 3 * plank)
    paint = {"planks": _planks, "carpet": _carpet}[kind]
    step_x, step_y = _SPACING_M[kind]
    x = np.linspace(-width_m / 2, width_m / 2, int(np.ceil(width_m / step_x)) + 1)
    y = np.linspace(0, depth_m, int(np.ceil(depth_m / step_y)) + 1)
    points = np.stack([*np.meshgrid(x, y, indexing="ij"), np.zeros((len(x), len(y)))], -1)
    return sheet(
        points, lambda p: np.clip(paint(p, colour, plank), 0.02, 0.95), "matte" if kind == "carpet" else "gloss"
    )


def _tone(i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """`[V]` in [0, 1): one number per board, the same on every machine."""
    return ((i * 31 + j * 17) * 2654435761 % 1000) / 1000


def _planks(p: np.ndarray, colour: np.ndarray, plank: float) -> np.ndarray:
    row = np.floor(p[:, 0] / plank).astype(int)
    board = np.floor((p[:, 1] + (row * 7919 % 97) / 97 * 1.2) / 1.2).astype(int)
    tone = _tone(row, board)
    grain = smooth_noise(p * [14, 1.2, 14] + tone[:, None] * [9, 3, 0], 5, 1.0)
    out = colour * (0.85 + 0.3 * tone)[:, None] * (0.85 + 0.3 * grain)[:, None]
    return np.where(((p[:, 0] / plank) % 1 < 0.1)[:, None], 0.75 * out, out)


def _parquet(width: float, depth: float, colour: np.ndarray, plank: float) -> Part:
    """Squares of four boards, set diagonally, boards of neighbours at right angles; it ends under the walls."""
    size, reach = 4 * plank, (width + depth) / np.sqrt(2)
    count = int(np.ceil(reach / size)) + 1
    i, j, k = (x.ravel() for x in np.meshgrid(*[np.arange(-count, count)] * 2, np.arange(4), indexing="ij"))
    along = (i + j) % 2 == 0
    corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    across = (k[:, None] + corner[:, 0]) * plank
    run = np.broadcast_to(corner[:, 1] * size, across.shape)
    u = i[:, None] * size + np.where(along[:, None], run, across)
    v = j[:, None] * size + np.where(along[:, None], across, run)
    points = np.stack([(u + v) / np.sqrt(2), (v - u) / np.sqrt(2) + depth / 2, np.zeros_like(u)], -1)
    middle = points.mean(1)
    kept = (np.abs(middle[:, 0]) < width / 2 + size) & (np.abs(middle[:, 1] - depth / 2) < depth / 2 + size)
    points, along, i, j, k = points[kept], along[kept], i[kept], j[kept], k[kept]
    tone = _tone(i * 7 + k, j * 13 + along)
    ends = 0.94 + 0.12 * _tone(j * 5 + k, i * 11 + along)  # a board is a little darker at one end
    shade = (0.8 + 0.12 * along + 0.24 * tone)[:, None] * np.where(corner[:, 1] == 0, 1.0, ends[:, None])
    return _quads(points, colour * shade[..., None])


def _quads(points: np.ndarray, colours: np.ndarray) -> Part:
    """Flat quadrilaterals `[Q, 4, 3]` that look up, with a colour at each corner."""
    quad = np.arange(len(points))[:, None] * 4
    faces = np.concatenate([quad + [0, 1, 2], quad + [0, 2, 3]])
    vertices = points.reshape(-1, 3)
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    faces = np.where((np.cross(b - a, c - a)[:, 2] > 0)[:, None], faces, faces[:, ::-1])
    normals = np.tile([0, 0, 1.0], (len(vertices), 1))
    return Part(vertices, normals, faces, np.clip(colours.reshape(-1, 3), 0.02, 0.95), "gloss")


def _carpet(p: np.ndarray, colour: np.ndarray, plank: float) -> np.ndarray:
    return (0.6 * colour + 0.25) * (0.96 + 0.08 * smooth_noise(p, 7, 25.0))[:, None]


def _tiles(width: float, depth: float, colour: np.ndarray, size: float) -> list[Part]:
    """Square tiles on a bed of grout."""
    i, j = (x.ravel() for x in np.meshgrid(np.arange(np.ceil(width / size)), np.arange(np.ceil(depth / size))))
    corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (size - _JOINT_M)
    x, y = i[:, None] * size + corner[:, 0] - width / 2, j[:, None] * size + corner[:, 1]
    pale = 0.4 * colour + 0.4
    shade = pale * (0.94 + 0.1 * _tone(i.astype(int), j.astype(int)))[:, None]
    tiles = _quads(np.stack([x, y, np.zeros_like(x)], -1), np.repeat(shade[:, None], 4, 1))
    below = np.array(
        [[-width, -1, -0.003], [width, -1, -0.003], [width, depth + 1, -0.003], [-width, depth + 1, -0.003]]
    )
    return [tiles, _quads(below[None], np.tile(0.7 * pale, (1, 4, 1)))]
