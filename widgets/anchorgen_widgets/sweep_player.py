"""`SweepPlayer`: the pictures of a sweep one after the other, by hand or by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import traitlets
from PIL import Image, ImageDraw

from anchorgen_widgets.drawing import BRAND, FAINT, INK, LINE, PAPER, cut, font, in_frame
from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.guard import GuardedWidget
from anchorgen_widgets.pictures import Size, checked_picture, checked_size, fitted, webp

if TYPE_CHECKING:
    from anchorgen.analysis.sweeps import Sweep

MIN_INTERVAL_MS, MAX_INTERVAL_MS = 20, 60_000
_FOOT_PX = 48


class SweepPlayer(GuardedWidget):
    """A picture, and under it a slider with the value that made it.

    Space plays and pauses; arrow keys step; Home and End go to the ends.

    Args:
        sweep: what `anchorgen.analysis.sweep` gives; or instead of it
        images, values, unit, name: pictures, what each was made with (numbers or texts; default: 1, 2, ...), in which
            unit, and what was changed.
        size_px: width and height of the picture on the page.
        interval_ms: how long each picture stays while it plays.

    Attributes:
        index: of the picture that shows.
        playing: whether it plays; the page keeps the time, so a busy kernel does not stop it.
        mode: "loop" starts again after the last picture, "ping-pong" goes back.
        interval_ms, size_px, name: as given.
        captions: a text per picture, e.g. "+0.25 m".
        pictures_webp: the encoded pictures.

    Raises:
        TypeError: not a sweep, or not PIL pictures.
        ValueError: no pictures, or not a value a picture.
    """

    _esm = joined_files("small_widgets.js", "sweep_player.js")
    _css = joined_files("small_widgets.css", "sweep_player.css")

    index = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    mode = traitlets.Enum(("loop", "ping-pong"), "loop").tag(sync=True)
    interval_ms = traitlets.Int(400).tag(sync=True)
    size_px = traitlets.List(traitlets.Int(), [384, 384]).tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)
    captions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pictures_webp = traitlets.List(traitlets.Bytes()).tag(sync=True)

    def __init__(
        self,
        sweep: Sweep | None = None,
        size_px: Size = (384, 384),
        interval_ms: int = 400,
        *,
        images: Sequence[Image.Image] | None = None,
        values: Sequence[float | str] | None = None,
        unit: str = "",
        name: str = "",
    ):
        self._pictures: list[Image.Image] = []
        super().__init__(size_px=list(checked_size(size_px)), interval_ms=interval_ms)
        self.show(sweep, images=images, values=values, unit=unit, name=name)

    def show(
        self,
        sweep: Sweep | None = None,
        *,
        images: Sequence[Image.Image] | None = None,
        values: Sequence[float | str] | None = None,
        unit: str = "",
        name: str = "",
    ) -> None:
        """Replaces the pictures and goes to the first; arguments and errors as of the class."""
        if (sweep is None) == (images is None):
            given = "neither" if sweep is None else "both"
            raise ValueError(f"{given} of a sweep and images= were given; expected one of the two")
        if sweep is not None:
            images, values, unit, name = _parts_of(sweep)
        pictures = [checked_picture(image, f"picture {k}") for k, image in enumerate(images or ())]
        if not pictures:
            raise ValueError("there are no pictures to play; expected one or more, each with a value")
        values = range(1, len(pictures) + 1) if values is None else list(values)
        if len(values) != len(pictures):
            raise ValueError(f"got {len(pictures)} pictures and {len(values)} values; expected a value a picture")
        self._pictures = [fitted(picture, (self.size_px[0], self.size_px[1])) for picture in pictures]
        with self.hold_sync():
            self.index = 0
            self.name = name
            self.captions = [value_label(value, unit) for value in values]
            self.pictures_webp = [webp(picture) for picture in self._pictures]

    def on_change(self, handler: Callable[[int], Any]) -> None:
        """Calls `handler(index)` when another picture shows, by hand, by itself or in code."""
        self._add_handler("change", handler)

    def snapshot(self) -> Image.Image:
        """The picture that shows, with its value and where it stands in the sweep."""
        width, height = self.size_px
        canvas = Image.new("RGB", (width, height + _FOOT_PX), PAPER)
        canvas.paste(in_frame(self._pictures[self.index], (width, height)))
        draw = ImageDraw.Draw(canvas)
        caption = self.captions[self.index]
        draw.text((width - 4, height + 14), caption, fill=INK, font=font(), anchor="rm")
        room = width - 20 - font().getlength(caption)
        draw.text((4, height + 14), cut(self.name, room), fill=FAINT, font=font(), anchor="lm")
        y, last = height + 34, max(1, len(self._pictures) - 1)
        at = 10 + round((width - 20) * self.index / last)
        draw.line((10, y, width - 10, y), fill=LINE, width=4)
        draw.line((10, y, at, y), fill=BRAND, width=4)
        draw.ellipse((at - 7, y - 7, at + 7, y + 7), fill=BRAND)
        return canvas

    @traitlets.validate("index")
    def _check_index(self, proposal: Any) -> int:
        value, count = proposal["value"], max(1, len(self._pictures))
        if not 0 <= value < count:
            raise traitlets.TraitError(f"index is {value}; expected 0 to {count - 1}: there are {count} pictures")
        return value

    @traitlets.validate("interval_ms")
    def _check_interval(self, proposal: Any) -> int:
        value = proposal["value"]
        if not MIN_INTERVAL_MS <= value <= MAX_INTERVAL_MS:
            raise traitlets.TraitError(f"interval_ms is {value}; expected {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS} ms")
        return value

    @traitlets.observe("index")
    def _on_index(self, change: Any) -> None:
        self._tell("change", change["new"])


def value_label(value: float | str, unit: str) -> str:
    """A value for people, as in the sweep's figure: "+0.25 m", "1.2x", "lamp on"."""
    if isinstance(value, str):
        return value
    return f"{value:+g} {unit}" if unit in ("m", "°") else f"{value:g}{unit}"


def _parts_of(sweep: Any) -> tuple[Sequence[Image.Image], Sequence[float], str, str]:
    try:
        return sweep.images, sweep.values, sweep.unit, sweep.selector
    except AttributeError:
        raise TypeError(
            f"sweep is {type(sweep).__name__}; expected what `anchorgen.analysis.sweep(...)` gives, "
            "or pictures as images=[...], values=[...]"
        ) from None
