"""`Sheet`: a light page on which a widget draws its snapshot, without a browser."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, LINE, BRAND, ERROR = "#212121", "#757575", "#d0d0d0", "#2196f3", "#c62828"
Color = str | tuple[int, ...]
Place = Sequence[float] | np.ndarray
Points = Sequence[Sequence[float]] | np.ndarray
_LACKING = str.maketrans({"×": "x", "…": "...", "“": '"', "”": '"'})  # signs that Pillow's own font lacks
_ZOOM = 2  # drawn larger and scaled down, since Pillow's lines are not smooth


class Sheet:
    """Lengths are pixels of the page; places are (right, down) from its top left corner.

    Args:
        size_px: width and height.
        background: colour of the page.
    """

    def __init__(self, size_px: tuple[int, int], background: Color = "#ffffff"):
        self.size_px = size_px
        self._image = Image.new("RGB", (size_px[0] * _ZOOM, size_px[1] * _ZOOM), background)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def picture(self) -> Image.Image:
        """The page as it now is."""
        return self._image.resize(self.size_px, Image.Resampling.LANCZOS)

    def text(
        self,
        at: Place,
        text: str,
        *,
        color: Color = INK,
        size: int = 12,
        anchor: str = "lm",
        limit_px: float | None = None,
    ) -> None:
        """Writes one line; `anchor` as Pillow's ("lm": left middle). What is wider than `limit_px` ends with dots."""
        shown = text.translate(_LACKING)
        while limit_px is not None and len(shown) > 1 and text_width(shown, size) > limit_px:
            shown = shown.removesuffix("...")[:-1].rstrip() + "..." if len(shown) > 4 else shown[:-1]
        self._draw.text(_scaled(at), shown, fill=color, font=_font(size * _ZOOM), anchor=anchor)

    def box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        fill: Color | None = None,
        outline: Color | None = None,
        radius: float = 0.0,
    ) -> None:
        """A rectangle, with round corners if asked."""
        if width <= 0 or height <= 0:
            return
        edges = (left, top, left + width - 0.5, top + height - 0.5)
        self._draw.rounded_rectangle(_scaled(edges), radius * _ZOOM, fill=fill, outline=outline, width=_ZOOM)

    def polygon(self, points: Points, fill: Color) -> None:
        """A filled polygon `[P, 2]`."""
        self._draw.polygon([tuple(point) for point in np.asarray(points) * _ZOOM], fill=fill)

    def line(
        self, points: Points, color: Color, width_px: float = 1.0, dash: Sequence[float] = (), closed: bool = False
    ) -> None:
        """A line through points `[P, 2]`; `dash` are lengths on, off."""
        path = np.asarray(points, float)
        if closed:
            path = np.concatenate([path, path[:1]])
        options: dict[str, Any] = {"fill": color, "width": max(1, round(width_px * _ZOOM))}
        if not dash:
            self._draw.line([tuple(point) for point in path * _ZOOM], joint="curve", **options)
        for start, stop in itertools.pairwise(path) if dash else ():
            length = max(float(np.linalg.norm(stop - start)), 1e-6)
            for begin in np.arange(0.0, min(length, 1e4), sum(dash)):
                ends = [begin, min(begin + dash[0], length)]
                self._draw.line(
                    [tuple(point) for point in (start + np.outer(ends, stop - start) / length) * _ZOOM], **options
                )

    def dot(self, at: Place, radius: float, fill: Color) -> None:
        """A disc."""
        x, y = at
        self._draw.ellipse(_scaled((x - radius, y - radius, x + radius, y + radius)), fill=fill)

    def image(self, picture: Image.Image, left: float, top: float, width: float, height: float) -> None:
        """A picture, as large as fits the frame, in its middle."""
        picture = picture.convert("RGBA")
        factor = min(width / picture.width, height / picture.height) * _ZOOM
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        at = (round(left * _ZOOM + (width * _ZOOM - size[0]) / 2), round(top * _ZOOM + (height * _ZOOM - size[1]) / 2))
        scaled = picture.resize(size, Image.Resampling.LANCZOS)
        self._image.paste(scaled, at, scaled)


def text_width(text: str, size: int = 12) -> float:
    """Width of one line, pixels of the page."""
    return float(_font(size * _ZOOM).getlength(text)) / _ZOOM


@lru_cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _scaled(values: Place) -> tuple[float, ...]:
    return tuple(float(value) * _ZOOM for value in values)
