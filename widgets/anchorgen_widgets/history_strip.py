"""`HistoryStrip`: the steps of an edit in a row, each with a thumbnail, to go back and forth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count, takewhile
from typing import Any

import traitlets
from PIL import Image, ImageDraw, ImageOps

from anchorgen_widgets.drawing import BRAND, FAINT, HOLLOW, INK, LINE, PAPER, cut, font
from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.picture_store import PictureStore
from anchorgen_widgets.pictures import checked_picture, decoded, thumbnail, webp

THUMBNAIL_PX = 72
SNAPSHOT_STEPS = 12
_STEP_PX, _HEIGHT_PX = 84, 108


class HistoryStrip(PictureStore):
    """The present step is marked; later ones, which redo would bring, are dimmed.

    Click, or arrow keys and Enter. A step shows a placeholder until its thumbnail arrives, and each thumbnail is sent
    to the page once (see `PictureStore`).

    Attributes:
        steps: dicts of `key` and `label`.
        current: index of the present step; -1 without steps.
        thumbnails: encoded pictures by step key.
    """

    _esm = joined_files("small_widgets.js", "picture_store.js", "listbox.js", "history_strip.js")
    _css = joined_files("small_widgets.css", "history_strip.css")

    steps = traitlets.List(traitlets.Dict()).tag(sync=True)
    current = traitlets.Int(-1).tag(sync=True)

    def __init__(self) -> None:
        self._key_numbers = count()
        super().__init__()

    def show(self, labels: Sequence[str], current: int, ids: Sequence[str] | None = None) -> None:
        """Shows these steps.

        Args:
            labels: what each step did, first to last.
            current: index of the present one.
            ids: names of the steps, unlike one another: a step keeps its thumbnail for as long as its id is shown.
                Without ids, those steps stay whose labels and those of all steps before them are as they were; give ids
                where the oldest steps are dropped, or where a step can be replaced by another with the same label.

        Raises:
            TypeError: labels or ids that are not texts.
            ValueError: `current` is none of the steps, or ids that are not one a step.
        """
        labels = _checked_texts(labels, "labels")
        _checked_current(current, len(labels))
        keys = self._kept_keys(labels) if ids is None else _checked_ids(ids, len(labels))
        steps = [{"key": key, "label": label} for key, label in zip(keys, labels, strict=True)]
        self._keep_pictures(keys)
        with self.hold_sync():
            self.steps = steps
            self.current = current

    def set_thumbnail(self, step: int | str, picture: Image.Image) -> None:
        """Shows a picture at a step, given by index or, where `show` got ids, by id; may be called from any thread.

        Raises:
            TypeError: not a PIL picture.
            LookupError: no such step.
        """
        small = thumbnail(checked_picture(picture, "picture"), THUMBNAIL_PX)
        self._add_pictures({self._step(step)["key"]: webp(small)})

    def has_thumbnail(self, step: int | str) -> bool:
        """Whether a step, by index or id, has its picture. Raises LookupError if there is no such step."""
        return self._step(step)["key"] in self.thumbnails

    def jump(self, index: int) -> None:
        """What a click does: marks the step and calls the handlers of `on_jump`; if one fails, the mark goes back.

        Raises:
            LookupError: no such step.
        """
        self._step(index)
        before, self.current = self.current, index
        if not self._tell("jump", index) and self.current == index:
            self.current = min(before, len(self.steps) - 1)

    def on_jump(self, handler: Callable[[int], Any]) -> None:
        """Calls `handler(index)` when a person goes to a step, which is marked already.

        A handler that fails without raising calls `show` to put the mark back.
        """
        self._add_handler("jump", handler)

    def snapshot(self) -> Image.Image:
        """The present step and those around it, at most twelve."""
        first = max(0, min(self.current - SNAPSHOT_STEPS // 2, len(self.steps) - SNAPSHOT_STEPS))
        shown = self.steps[first : first + SNAPSHOT_STEPS]
        canvas = Image.new("RGB", (max(1, len(shown)) * _STEP_PX, _HEIGHT_PX), PAPER)
        draw = ImageDraw.Draw(canvas)
        if not shown:
            draw.text((_STEP_PX / 2, _HEIGHT_PX / 2), "no steps", fill=FAINT, font=font(), anchor="mm")
        for k, step in enumerate(shown):
            self._draw_step(canvas, draw, k * _STEP_PX, first + k, step)
        return canvas

    def _draw_step(
        self, canvas: Image.Image, draw: ImageDraw.ImageDraw, x: int, index: int, step: dict[str, str]
    ) -> None:
        margin, side = (_STEP_PX - THUMBNAIL_PX) // 2, THUMBNAIL_PX
        encoded = self.thumbnails.get(step["key"])
        if encoded is None:
            small = Image.new("RGB", (side, side), HOLLOW)
        else:
            small = ImageOps.fit(decoded(encoded), (side, side), Image.Resampling.LANCZOS)
        later, chosen = index > self.current, index == self.current
        if later:
            small = Image.blend(small, Image.new("RGB", small.size, PAPER), 0.55)
        canvas.paste(small, (x + margin, margin))
        frame = (x + margin - 2, margin - 2, x + margin + side + 1, margin + side + 1)
        draw.rectangle(frame, outline=BRAND if chosen else LINE, width=2 if chosen else 1)
        label = cut(step["label"], side, 12)
        color = INK if chosen else "#9e9e9e" if later else FAINT
        draw.text((x + _STEP_PX / 2, margin + side + 14), label, fill=color, font=font(12), anchor="mm")

    def _kept_keys(self, labels: list[str]) -> list[str]:
        pairs = zip(self.steps, labels, strict=False)
        kept = [step["key"] for step, _ in takewhile(lambda pair: pair[0]["label"] == pair[1], pairs)]
        return kept + [f"step {next(self._key_numbers)}" for _ in labels[len(kept) :]]

    def _step(self, step: int | str) -> dict[str, str]:
        keys = [step["key"] for step in self.steps]
        if isinstance(step, str) and step in keys:
            return self.steps[keys.index(step)]
        if isinstance(step, int) and 0 <= step < len(keys):
            return self.steps[step]
        expected = f"0 to {len(keys) - 1}, or an id" if keys else "none: there are no steps, call `show` first"
        raise LookupError(f"step {step!r} does not exist; expected {expected}")

    def _receive(self, content: dict[str, Any]) -> None:
        super()._receive(content)
        keys = [step["key"] for step in self.steps]
        if content.get("type") == "jump" and content["key"] in keys:  # else it went while the click was on its way
            self.jump(keys.index(content["key"]))

    @traitlets.validate("current")
    def _check_current(self, proposal: Any) -> int:
        return _checked_current(proposal["value"], len(self.steps))


def _checked_current(current: int, num_steps: int) -> int:
    if not min(0, num_steps - 1) <= current < max(num_steps, 0):
        expected = f"0 to {num_steps - 1}" if num_steps else "-1"
        raise ValueError(f"current is {current}; expected {expected}: there are {num_steps} steps")
    return current


def _checked_texts(texts: Any, what: str) -> list[str]:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{what} is {texts!r}; expected a list of texts, one a step")
    return list(texts)


def _checked_ids(ids: Any, num_steps: int) -> list[str]:
    ids = _checked_texts(ids, "ids")
    if len(ids) != num_steps or len(set(ids)) != num_steps:
        raise ValueError(f"got {len(set(ids))} different ids for {num_steps} steps; expected one a step")
    return ids
