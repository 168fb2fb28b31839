"""Figures of what is in a set of rooms: classes together, and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from anchorgen.analysis.figures import INK, QUIET, NotebookFigure
from anchorgen.analysis.room_statistics import RoomStatistics

_BLUE, _ORANGE, _GREEN, _RULE = "#2f6db5", "#e07a1f", "#3f9d6b", "#e5e7eb"
_HEAT = LinearSegmentedColormap.from_list("rooms", ["#f8fafc", "#c9dcf0", "#5b93cf", "#1d4477"])
_SIDES = (("width", _BLUE), ("depth", _ORANGE), ("height", _GREEN))


def save_figures(sheet: Path, contact_sheet: Figure, rooms: RoomStatistics) -> list[Path]:
    """Writes the contact sheet and, where there are objects, `together.png` and `boxes.png` beside it; returns their paths."""
    figures: dict[Path, Figure] = {sheet: contact_sheet}
    if rooms.classes:
        figures[sheet.with_name("together.png")] = together_figure(rooms)
        figures[sheet.with_name("boxes.png")] = box_figure(rooms)
    for path, figure in figures.items():
        figure.savefig(path, facecolor="white")
    return list(figures)


def together_figure(rooms: RoomStatistics) -> NotebookFigure:
    """Heat map: of the rooms with the row's class, the share that also holds the column's."""
    shares, count = rooms.together(), len(rooms.classes)
    side = 1.9 + 0.46 * count
    figure = _figure(side + 0.2, side)
    axes = figure.add_axes((1.5 / (side + 0.2), 0.25 / side, 0.46 * count / (side + 0.2), 0.46 * count / side))
    axes.imshow(shares, cmap=_HEAT, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else INK if share >= 0.01 else "#c3c9d2"
        axes.text(column, row, f"{share * 100:.0f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_yticks(range(count), rooms.classes, fontsize=9, color=INK)
    axes.set_xticks(range(count), rooms.classes, fontsize=9, color=INK, rotation=45, ha="left", rotation_mode="anchor")
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    _title(figure, "Of the rooms with the row's class, % that also hold the column's", "on the diagonal: two or more")
    return figure


def box_figure(rooms: RoomStatistics) -> NotebookFigure:
    """Sizes and visible share by class, places in plan around the camera, objects a room."""
    height = max(5.6, 1.6 + 0.34 * len(rooms.classes))
    figure = _figure(16, height)
    span = {"top": 1 - 0.95 / height, "bottom": 0.6 / height}
    grid = figure.add_gridspec(1, 2, left=0.085, right=0.5, width_ratios=(2, 1), wspace=0.06, **span)
    sizes = figure.add_subplot(grid[0])
    _sizes(sizes, rooms)
    _visible(figure.add_subplot(grid[1], sharey=sizes), rooms)
    grid = figure.add_gridspec(1, 2, left=0.545, right=0.985, width_ratios=(1.5, 1), wspace=0.16, **span)
    _plan(figure.add_subplot(grid[0]), rooms)
    _counts(figure.add_subplot(grid[1]), rooms)
    note = f"{rooms.num_rooms:,} rooms, {len(rooms.category):,} objects with a slot; bars: 5 to 95 %, dots: median"
    _title(figure, "Boxes", note)
    return figure


def _sizes(axes: Any, rooms: RoomStatistics) -> None:
    for side, (name, colour) in enumerate(_SIDES):
        for row in range(len(rooms.classes)):
            mine = rooms.size[rooms.category == row, side]
            _interval(axes, mine, row + (side - 1) * 0.23, colour, name if row == 0 else None)
    axes.set_yticks(range(len(rooms.classes)), rooms.classes, fontsize=9, color=INK)
    axes.set_ylim(len(rooms.classes) - 0.4, -0.6)
    axes.set_xlim(left=-0.04)
    axes.legend(loc="lower right", fontsize=8, frameon=False, labelcolor=QUIET, handlelength=1.2)
    _plain(axes, "size by class", "metres", "x")


def _visible(axes: Any, rooms: RoomStatistics) -> None:
    for row in range(len(rooms.classes)):
        _interval(axes, rooms.visible_share[rooms.category == row] * 100, row, _BLUE)
    axes.set_xlim(-3, 103)
    _plain(axes, "visible share", "% of the side that faces the camera", "x")
    axes.tick_params(labelleft=False)


def _interval(axes: Any, values: np.ndarray, row: float, colour: str, label: str | None = None) -> None:
    if not len(values):
        return
    low, middle, high = np.percentile(values, (5, 50, 95))
    axes.plot([low, high], [row, row], color=colour, linewidth=3, alpha=0.35, solid_capstyle="round")
    axes.plot([middle], [row], "o", color=colour, markersize=4.5, label=label)


def _plan(axes: Any, rooms: RoomStatistics) -> None:
    x, y = rooms.plan.T
    reach = float(np.percentile(np.abs(x), 99.5)) * 1.1 if len(x) else 1.0
    far = float(np.percentile(y, 99.5)) * 1.1 if len(y) else 1.0
    cells = max(12, min(60, int(np.sqrt(len(x)) * 0.9)))
    axes.hexbin(x, y, gridsize=cells, cmap=_HEAT, mincnt=1, linewidths=0.2, extent=(-reach, reach, -0.6, far))
    axes.plot([0], [0], marker="^", color=_ORANGE, markersize=10)
    axes.annotate("camera", (0, 0), (9, -3), textcoords="offset points", fontsize=8.5, color=_ORANGE)
    axes.set(xlim=(-reach, reach), ylim=(-0.6, far), aspect="equal", anchor="NW")
    _plain(axes, "where objects are, from above", "metres to the right", "both")
    axes.set_ylabel("metres ahead", fontsize=8.5, color=QUIET)


def _counts(axes: Any, rooms: RoomStatistics) -> None:
    everything = rooms.present.sum(1)
    most = int(max(everything.max(initial=0), rooms.slots.max(initial=0)))
    least = int(rooms.slots.min(initial=most))
    numbers = np.arange(least, most + 1)
    for values, colour, shift, label in (
        (everything, "#9db8d6", 0.2, "in the room"),
        (rooms.slots, _BLUE, -0.2, "with a slot"),
    ):
        shares = np.bincount(values, minlength=most + 1)[least:] / max(len(values), 1) * 100
        axes.barh(numbers + shift, shares, height=0.4, color=colour, label=label)
    axes.set_yticks(numbers)
    axes.legend(fontsize=8, frameon=False, labelcolor=QUIET, handlelength=1.0, loc="lower right")
    _plain(axes, "objects a room", "% of rooms", "x")


def _figure(width: float, height: float) -> NotebookFigure:
    figure = NotebookFigure(figsize=(width, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _title(figure: NotebookFigure, text: str, note: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.16 / width, 1 - 0.14 / height, text, fontsize=12, color=INK, weight="bold", va="top")
    figure.text(0.16 / width, 1 - 0.40 / height, note, fontsize=9, color=QUIET, va="top")


def _plain(axes: Any, title: str, unit: str, grid: str) -> None:
    axes.set_title(title, fontsize=10, color=INK, loc="left", pad=6)
    axes.set_xlabel(unit, fontsize=8.5, color=QUIET)
    axes.tick_params(axis="both", length=0, labelsize=8.5, labelcolor=QUIET)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(axis=grid, color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
