"""The floor plan as plain shapes in pixels, and two ways to draw them: on an ipycanvas, and with Pillow.

The colours are readable on light and on dark pages; names are white on a dark shade of their object's colour.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen_widgets.css_colors import RGB, darker, hex_of
from anchorgen_widgets.plan_layout import Footprint, PlanLayout
from anchorgen_widgets.sheet import Sheet, text_width

GREY: RGB = (128, 128, 128)
PROBLEM: RGB = (224, 49, 49)
FONT_PX, NAME_HEIGHT_PX, SMALL_PX = 11, 15, 40
_DASH = (4.0, 3.0)
# Where a name is tried, in halves of its width across and lines down, the nearest place first.
_NUDGES = sorted(itertools.product((0, -1, 1), range(-6, 7)), key=lambda nudge: 1.5 * abs(nudge[0]) + abs(nudge[1]))


@dataclass(frozen=True, eq=False)
class Line:
    """Through `points` `[P, 2]`, pixels."""

    points: np.ndarray
    color: RGB
    alpha: float = 1.0
    width: float = 1.0
    dash: tuple[float, ...] = ()
    closed: bool = False


@dataclass(frozen=True, eq=False)
class Area:
    """Filled polygon `[P, 2]`, pixels."""

    points: np.ndarray
    color: RGB
    alpha: float


@dataclass(frozen=True, eq=False)
class Name:
    """White text on a plate around `at` `[2]`, `width` pixels wide."""

    text: str
    at: np.ndarray
    width: float
    color: RGB


Shape = Line | Area | Name


def plan_shapes(layout: PlanLayout, selected: str, problems: Collection[str]) -> list[Shape]:
    """What is seen of a plan: grid of 1 m, field of view, camera, footprints with a mark in front, and names."""
    width, height = layout.size_px
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    shapes: list[Shape] = [Area(frame, GREY, 0.10), *_grid(layout), *_camera(layout)]
    ordered = sorted(layout.footprints, key=lambda one: one.id == selected)
    for one in ordered:
        shapes += _footprint(layout, one, one.id == selected, one.id in problems)
    return shapes + _names(layout, ordered[::-1], problems)


def ghost_shapes(layout: PlanLayout, object_id: str, shift_m: np.ndarray) -> list[Shape]:
    """The outline of an object that is being dragged."""
    one = layout.footprint(object_id)
    if one is None:
        return []
    outline, front = layout.to_px(one.outline + shift_m), layout.to_px(np.array([one.centre, one.front]) + shift_m)
    return [
        Area(outline, one.color, 0.25),
        Line(outline, one.color, 1.0, 2.0, _DASH, True),
        Line(front, one.color, 1.0, 2.0),
    ]


def _grid(layout: PlanLayout) -> list[Shape]:
    (left, bottom), (right, top) = layout.low, layout.high
    lines = [((x, bottom), (x, top)) for x in range(int(np.ceil(left)), int(np.floor(right)) + 1)]
    lines += [((left, z), (right, z)) for z in range(int(np.ceil(bottom)), int(np.floor(top)) + 1)]
    return [Line(layout.to_px(np.array(ends)), GREY, 0.35, 0.75) for ends in lines]


def _camera(layout: PlanLayout) -> list[Shape]:
    reach = float(layout.high[1]) + 5.0
    sides = [layout.to_px(np.array([[0.0, 0.0], [sign * layout.half_width * reach, reach]])) for sign in (-1, 1)]
    body = layout.to_px(np.zeros((1, 2))) + np.array([[0.0, -7.0], [5.0, 4.0], [-5.0, 4.0]])
    return [*(Line(side, GREY, 0.9, 1.0, (2.0, 3.0)) for side in sides), Area(body, GREY, 1.0)]


def _footprint(layout: PlanLayout, one: Footprint, is_selected: bool, is_problem: bool) -> list[Shape]:
    outline, edge = layout.to_px(one.outline), PROBLEM if is_problem else one.color
    width = 3.0 if is_selected else 2.0 if is_problem else 1.5
    halo: list[Shape] = [Line(outline, PROBLEM, 0.35, 7.0, (), True)] if is_problem else []
    return [
        *halo,
        Area(outline, edge, 0.45 if is_selected else 0.20),
        Line(outline, edge, 1.0, width, _DASH if one.is_free else (), True),
        Line(layout.to_px(np.array([one.centre, one.front])), edge, 1.0, 2.5),
    ]


def _names(layout: PlanLayout, prints: list[Footprint], problems: Collection[str]) -> list[Shape]:
    """Names near their footprints, nudged up or down where they would cover one another; the first ones stay put."""
    size = np.array(layout.size_px, float)
    taken: list[Name] = []
    for one in prints:
        outline, at = layout.to_px(one.outline), layout.to_px(one.centre)
        if np.ptp(outline[:, 1]) < SMALL_PX:  # its name would hide it
            at[1] = outline[:, 1].max() + NAME_HEIGHT_PX / 2 + 2
        if not np.all((at > -20) & (at < size + 20)):
            continue
        text = ("! " if one.id in problems else "") + one.name
        text = text if len(text) <= 18 else text[:17] + "…"
        width = text_width(text, FONT_PX) + 8
        for across, down in _NUDGES:
            x, y = _inside(at + [across * width / 2, down * (NAME_HEIGHT_PX + 1)], width, size)
            if all(_apart(name, x, y, width) for name in taken):
                break
        else:
            x, y = _inside(at, width, size)
        plate = darker(PROBLEM, 190) if one.id in problems else darker(one.color)
        taken.append(Name(text, np.array([x, y]), width, plate))
    return list(taken[::-1])


def _inside(at: np.ndarray, width: float, size: np.ndarray) -> tuple[float, float]:
    half = np.array([width / 2 + 2, NAME_HEIGHT_PX / 2 + 2])
    x, y = np.clip(at, half, np.maximum(half, size - half))
    return float(x), float(y)


def _apart(name: Name, x: float, y: float, width: float) -> bool:
    return abs(name.at[0] - x) >= (name.width + width) / 2 + 1 or abs(name.at[1] - y) >= NAME_HEIGHT_PX + 1


def draw_on_sheet(sheet: Sheet, shapes: list[Shape]) -> None:
    """Draws with Pillow."""
    for shape in shapes:
        if isinstance(shape, Area):
            sheet.polygon(shape.points, (*shape.color, round(255 * shape.alpha)))
        elif isinstance(shape, Line):
            color = (*shape.color, round(255 * shape.alpha))
            sheet.line(shape.points, color, shape.width, shape.dash, shape.closed)
        else:
            left, top = shape.at - [shape.width / 2, NAME_HEIGHT_PX / 2]
            sheet.box(left, top, shape.width, NAME_HEIGHT_PX, fill=shape.color, radius=3)
            sheet.text(shape.at, shape.text, color="#ffffff", size=FONT_PX, anchor="mm")


def draw_on_canvas(canvas: Any, shapes: list[Shape], zoom: float) -> None:
    """Replaces what an `ipycanvas.Canvas` shows; `zoom` is its pixels a pixel of the page."""
    canvas.clear()
    canvas.font, canvas.text_align, canvas.text_baseline = f"{FONT_PX * zoom:g}px sans-serif", "center", "middle"
    canvas.line_join = canvas.line_cap = "round"
    for shape in shapes:
        if isinstance(shape, Name):
            left, top = (shape.at - [shape.width / 2, NAME_HEIGHT_PX / 2]) * zoom
            canvas.global_alpha, canvas.fill_style = 1.0, hex_of(shape.color)
            canvas.fill_rect(float(left), float(top), shape.width * zoom, NAME_HEIGHT_PX * zoom)
            canvas.fill_style = "#ffffff"
            x, y = (float(value) * zoom for value in shape.at)
            canvas.fill_text(shape.text, x, y + 0.5 * zoom, (shape.width - 4) * zoom)
            continue
        points = np.asarray(shape.points, float) * zoom
        canvas.global_alpha = shape.alpha
        if isinstance(shape, Area):
            canvas.fill_style = hex_of(shape.color)
            canvas.fill_polygon(points)
            continue
        canvas.stroke_style, canvas.line_width = hex_of(shape.color), shape.width * zoom
        canvas.set_line_dash([length * zoom for length in shape.dash])
        (canvas.stroke_polygon if shape.closed else canvas.stroke_lines)(points)
