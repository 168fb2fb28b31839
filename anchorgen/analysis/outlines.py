"""Boxes of a scene drawn as outlines over its picture, for figures: which objects an edit is about, or which are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from anchorgen.geometry import BOX_CORNER_SIGNS, BOX_EDGES, box_corners, project, quat_to_matrix
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector, everything

AMBER = "#ffa02e"
_CASING = "#1f2430"
_NEAR_M = 0.05
_FINENESS = 3  # PIL's lines are jagged: they are drawn this much larger


def outline_boxes(
    picture: Any, scene: SceneLatent, selector: Selector = everything, *, color: str = AMBER, side_px: int = 256
) -> Image.Image:
    """The picture with the edges of some boxes that face the camera.

    Args:
        picture: PIL, or `[H, W, 3]` uint8; of the scene, or of another with the same camera.
        scene: where the boxes are.
        selector: whose boxes; [] draws none.
        color: of the lines, any that PIL knows.
        side_px: longer side of the picture that comes back.

    Raises:
        SelectionError: (a LookupError) nothing matches.
        ValueError: a colour that cannot be read, or a size that is not 16 to 4096.
    """
    if not 16 <= side_px <= 4096:
        raise ValueError(f"side_px is {side_px}; expected 16 to 4096, the longer side of the picture")
    ink = ImageColor.getrgb(color)
    slots = scene.select(selector) if selector != [] else ()
    source = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
    zoom = side_px / max(source.size)
    size = (max(1, round(source.width * zoom)), max(1, round(source.height * zoom)))
    drawing = Image.new("RGBA", (size[0] * _FINENESS, size[1] * _FINENESS))
    lines = [line for slot in slots for line in _visible_edges(scene.view(slot), scene.focal)]
    for width, shade in ((0.018, (*ImageColor.getrgb(_CASING), 200)), (0.0085, (*ink[:3], 255))):
        _draw(drawing, lines, max(1, round(width * side_px * _FINENESS)), shade)
    canvas = source.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    canvas.paste(drawing.convert("RGB").resize(size), mask=drawing.getchannel("A").resize(size, Image.Resampling.BOX))
    return canvas


def _visible_edges(view: ObjectView, focal: np.ndarray) -> list[np.ndarray]:
    """Ends `[2, 2]` in [0, 1] over the picture of every edge of a face that faces the camera."""
    corners = box_corners(view.translation, view.quat_wxyz, view.scale)
    towards = -(quat_to_matrix(view.quat_wxyz).T @ view.translation.astype(float))  # the camera, in the object's frame
    facing = BOX_CORNER_SIGNS * towards > view.scale / 2  # [8, 3]: whether the corner's face along each axis is seen
    lines = []
    for a, b in BOX_EDGES:
        shared = BOX_CORNER_SIGNS[a] == BOX_CORNER_SIGNS[b]
        ends = corners[[a, b]]
        if not np.any(facing[a] & shared) or np.all(ends[:, 2] < _NEAR_M):
            continue
        behind = ends[:, 2] < _NEAR_M
        if behind.any():
            share = (_NEAR_M - ends[0, 2]) / (ends[1, 2] - ends[0, 2])
            ends[behind] = ends[0] + share * (ends[1] - ends[0])
        lines.append(project(ends, focal))
    return lines


def _draw(drawing: Image.Image, lines: list[np.ndarray], width_px: int, shade: tuple[int, ...]) -> None:
    draw = ImageDraw.Draw(drawing)
    for line in lines:
        (x0, y0), (x1, y1) = np.clip(line, -20.0, 20.0) * drawing.size
        draw.line((x0, y0, x1, y1), fill=shade, width=width_px)
        for x, y in ((x0, y0), (x1, y1)):
            draw.ellipse((x - width_px / 2, y - width_px / 2, x + width_px / 2, y + width_px / 2), fill=shade)
