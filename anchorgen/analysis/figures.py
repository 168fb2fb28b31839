"""Figures of pictures, without pyplot: safe in widget callbacks and threads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, QUIET = "#1f2430", "#6b7280"
_TITLE_INCH = 0.34
_CELL_INCH = 1.55


class NotebookFigure(Figure):
    """A figure that notebooks show as it is, also where nobody has imported pyplot, which else tells them how.

    They show a JPEG: of pictures it takes a third of the bytes of a PNG, and notebooks keep what they show.
    """

    def _repr_jpeg_(self) -> bytes:
        return to_jpeg(self)


def picture_grid(
    rows: Sequence[Sequence[Any]],
    *,
    titles: Sequence[str] | Sequence[Sequence[str]] = (),
    row_titles: Sequence[str] = (),
    caption: str = "",
    highlight: int | None = None,
    cell_inch: float = _CELL_INCH,
) -> Figure:
    """Pictures in rows.

    Args:
        rows: of PIL pictures, `[H, W, 3]` arrays, or `[H, W]` maps in [0, 1] (drawn as heat); None leaves a gap.
        titles: above the columns, or, as lists, above each picture. row_titles: beside the rows. caption: above it all.
        highlight: a column to frame.
        cell_inch: side of a picture.
    """
    height, width = len(rows), max(len(row) for row in rows)
    each = bool(titles) and not isinstance(titles[0], str)
    above: Sequence[Sequence[str]] = titles if each else [titles]  # type: ignore[assignment]
    left, gap = 1.05 if row_titles else 0.08, _TITLE_INCH if each else 0.0
    head = (_TITLE_INCH if titles and not each else 0.06) + (0.36 if caption else 0)
    size = (left + width * cell_inch + 0.08, head + height * (cell_inch + gap) + 0.08)
    figure = NotebookFigure(figsize=size, dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    w, h = size
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            if picture is None:
                continue
            bottom = 1 - (head + (i + 1) * (cell_inch + gap)) / h
            box = ((left + j * cell_inch) / w, bottom, (cell_inch - 0.05) / w, (cell_inch - 0.05) / h)
            axes = figure.add_axes(box)
            _draw(axes, picture)
            framed = j == highlight
            for spine in axes.spines.values():
                spine.set(edgecolor="#e07a1f" if framed else "#d1d5db", linewidth=2.0 if framed else 0.6)
            if i < len(above) and j < len(above[i]):
                axes.set_title(above[i][j], fontsize=9, color=INK, pad=4)
            if j == 0 and i < len(row_titles):
                axes.set_ylabel(row_titles[i], fontsize=9, color=QUIET, rotation=0, ha="right", va="center", labelpad=8)
    if caption:
        figure.text(left / w, 1 - 0.12 / h, caption, fontsize=11, color=INK, ha="left", va="top", weight="bold")
    return figure


def _draw(axes: Any, picture: Any) -> None:
    array = np.asarray(picture)
    if array.ndim == 2:
        axes.imshow(array, cmap="magma", vmin=0, vmax=0.4, interpolation="bilinear")
    else:
        axes.imshow(array, interpolation="lanczos")
    axes.set(xticks=[], yticks=[])


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    return _saved(figure, "png")


def to_jpeg(figure: Figure) -> bytes:
    """The figure as a JPEG file, fine enough for its letters."""
    return _saved(figure, "jpeg", quality=92, subsampling=0)


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, facecolor=figure.get_facecolor(), pil_kwargs=options)
    return stream.getvalue()
