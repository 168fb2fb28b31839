"""`CompareSlider`: two pictures over each other, and a divider to drag between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import traitlets
from PIL import Image, ImageDraw

from anchorgen_widgets.drawing import FAINT, chip, font, in_frame
from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.guard import GuardedWidget
from anchorgen_widgets.pictures import Size, checked_picture, checked_size, fitted, webp

EMPTY = "no pictures yet"
_CHIP_GAP_PX = 8


class CompareSlider(GuardedWidget):
    """Left of the divider the picture before, right of it the one after.

    Drag, or the arrow keys (Shift: larger steps), Home and End; a double click goes back to the middle.

    Args:
        before, after: the pictures; without them, an empty frame until `show`.
        size_px: width and height of the frame on the page; each picture fits in whole.
        labels: what the two are called.

    Attributes:
        position: of the divider, 0 (all after) to 1 (all before).
        size_px, labels: as given.
        before_webp, after_webp: the encoded pictures, b"" without one.

    Raises:
        TypeError: not PIL pictures.
        ValueError: only one picture, a size that fits no page, or not two labels.
    """

    _esm = joined_files("small_widgets.js", "compare_slider.js")
    _css = joined_files("small_widgets.css", "compare_slider.css")

    position = traitlets.Float(0.5).tag(sync=True)
    size_px = traitlets.List(traitlets.Int(), [512, 512]).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), ["before", "after"]).tag(sync=True)
    before_webp = traitlets.Bytes(b"").tag(sync=True)
    after_webp = traitlets.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        before: Image.Image | None = None,
        after: Image.Image | None = None,
        size_px: Size = (512, 512),
        labels: Sequence[str] = ("before", "after"),
    ):
        self._pictures: tuple[Image.Image, Image.Image] | None = None
        super().__init__(size_px=list(checked_size(size_px)), labels=_checked_labels(labels))
        if before is not None or after is not None:
            self.show(before, after)

    def show(self, before: Image.Image | None, after: Image.Image | None) -> None:
        """Replaces both pictures; the divider stays.

        Raises:
            TypeError: not PIL pictures.
            ValueError: only one of them.
        """
        if (before is None) != (after is None):
            missing = "before" if before is None else "after"
            raise ValueError(f"{missing} is None, the other is a picture; expected two pictures to compare")
        pair = (checked_picture(before, "before"), checked_picture(after, "after"))
        width, height = self.size_px
        self._pictures = (fitted(pair[0], (width, height)), fitted(pair[1], (width, height)))
        with self.hold_sync():
            self.before_webp, self.after_webp = (webp(picture) for picture in self._pictures)

    def on_move(self, handler: Callable[[float], Any]) -> None:
        """Calls `handler(position)` when the divider has moved, by hand or in code."""
        self._add_handler("move", handler)

    def snapshot(self) -> Image.Image:
        """Both pictures with the divider and the labels, as one sees them."""
        width, height = self.size_px
        if self._pictures is None:
            canvas = in_frame(None, (width, height))
            ImageDraw.Draw(canvas).text((width / 2, height / 2), EMPTY, fill=FAINT, font=font(), anchor="mm")
            return canvas
        before, after = (in_frame(picture, (width, height)) for picture in self._pictures)
        x = round(self.position * width)
        canvas = after.copy()
        canvas.paste(before.crop((0, 0, x, height)), (0, 0))
        draw = ImageDraw.Draw(canvas)
        self._draw_labels(draw, x)
        draw.rectangle((x - 1, 0, x, height), fill="#ffffff")
        draw.ellipse((x - 15, height / 2 - 15, x + 15, height / 2 + 15), fill="#ffffff", outline="#7a7a7a")
        for sign in (-1, 1):
            tip, back = x + sign * 10, x + sign * 5
            draw.polygon([(tip, height / 2), (back, height / 2 - 5), (back, height / 2 + 5)], fill="#424242")
        return canvas

    def _draw_labels(self, draw: ImageDraw.ImageDraw, x: int) -> None:
        """A label shows while its own picture has room for it."""
        width = self.size_px[0]
        left, right = (round(font().getlength(label)) + 16 + 2 * _CHIP_GAP_PX for label in self.labels)
        if x >= left:
            chip(draw, (_CHIP_GAP_PX, _CHIP_GAP_PX), self.labels[0])
        if width - x >= right:
            chip(draw, (width - _CHIP_GAP_PX, _CHIP_GAP_PX), self.labels[1], from_right=True)

    @traitlets.validate("position")
    def _check_position(self, proposal: Any) -> float:
        value = proposal["value"]
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise traitlets.TraitError(f"position is {value}; expected 0 (all after) to 1 (all before)")
        return value

    @traitlets.validate("labels")
    def _check_labels(self, proposal: Any) -> list[str]:
        return _checked_labels(proposal["value"])

    @traitlets.observe("position")
    def _on_position(self, change: Any) -> None:
        self._tell("move", change["new"])


def _checked_labels(labels: Any) -> list[str]:
    if isinstance(labels, str) or len(labels) != 2 or not all(isinstance(label, str) for label in labels):
        raise ValueError(f'labels is {labels!r}; expected two texts, e.g. ("before", "after")')
    return list(labels)
