"""`VariationGallery`: samples side by side, to look at and take one, with what varies between them in a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

import traitlets
from PIL import Image

from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.gallery_drawing import gallery_snapshot
from anchorgen_widgets.picture_store import PictureStore
from anchorgen_widgets.pictures import checked_picture, decoded, thumbnail, webp
from anchorgen_widgets.slot_rows import SlotRow

MIN_THUMB_PX, MAX_THUMB_PX = 48, 512


class VariationGallery(PictureStore):
    """Thumbnails in a grid, best first where they are ranked; under them a table of the objects' slots.

    Click or Enter takes one; the mouse over one, or the arrow keys, preview it. A picture that is still being drawn has
    a placeholder.

    Args:
        thumb_px: side of a thumbnail on the page.
        columns: thumbnails in a row, where the page is wide enough.

    Attributes:
        items: dicts of `key`, `index` (as given to `show`), `rank` (from 1; 0: not ranked), `caption`, `detail`; in the
            order on the page.
        taken: index of the one that was taken, or None.
        rows: dicts of the fields of `SlotRow`.
        thumbnails: encoded pictures by item key.
        thumb_px, columns: as given.

    Raises:
        ValueError: a size or a number of columns that fits no page.
    """

    _esm = joined_files("small_widgets.js", "picture_store.js", "listbox.js", "slot_table.js", "variation_gallery.js")
    _css = joined_files("small_widgets.css", "variation_gallery.css")

    thumb_px = traitlets.Int(128).tag(sync=True)
    columns = traitlets.Int(4).tag(sync=True)
    items = traitlets.List(traitlets.Dict()).tag(sync=True)
    taken = traitlets.Int(None, allow_none=True).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, thumb_px: int = 128, columns: int = 4):
        if not MIN_THUMB_PX <= thumb_px <= MAX_THUMB_PX:
            raise ValueError(f"thumb_px is {thumb_px}; expected {MIN_THUMB_PX} to {MAX_THUMB_PX} px")
        if columns < 1:
            raise ValueError(f"columns is {columns}; expected 1 or more")
        self._key_numbers = count()
        self._previewed: int | None = None
        super().__init__(thumb_px=thumb_px, columns=columns)

    def show(
        self,
        pictures: Sequence[Image.Image | None],
        captions: Sequence[str],
        order: Sequence[int] | None = None,
        details: Sequence[str] | None = None,
    ) -> None:
        """Replaces the pictures; none is taken.

        Args:
            pictures: None: not there yet, see `set_picture`.
            captions: a short text per picture.
            order: indices, best first; None: as given, without ranks.
            details: a longer text per picture, shown on hover.

        Raises:
            TypeError: not PIL pictures.
            ValueError: lists of different lengths, or an order that does not name each picture once.
        """
        num_pictures = len(pictures)
        details = [""] * num_pictures if details is None else details
        for name, texts in (("captions", captions), ("details", details)):
            if isinstance(texts, str) or len(texts) != num_pictures:
                raise ValueError(f"got {num_pictures} pictures and {name} {texts!r}; expected a text a picture")
        encoded = [None if p is None else self._encoded(p, f"picture {k}") for k, p in enumerate(pictures)]
        keys = [f"picture {next(self._key_numbers)}" for _ in pictures]
        parts = zip(keys, captions, details, strict=True)
        items = [{"key": key, "index": k, "caption": c, "detail": d} for k, (key, c, d) in enumerate(parts)]
        items = _ranked(items, order)
        self._preview(None)
        self._keep_pictures(())
        with self.hold_sync():
            self.taken = None
            self.items = items
        self._add_pictures({key: picture for key, picture in zip(keys, encoded, strict=True) if picture is not None})

    def set_picture(self, index: int, picture: Image.Image) -> None:
        """Shows a picture in its place; may be called from any thread.

        Args:
            index: as in `show`, whatever the rank.
            picture: what was drawn.

        Raises:
            TypeError: not a PIL picture.
            IndexError: no such place.
        """
        self._add_pictures({self._item(index)["key"]: self._encoded(picture, "picture")})

    def rank(self, order: Sequence[int] | None) -> None:
        """Puts the pictures in this order, best first; None: as they were given, without ranks.

        Raises:
            ValueError: an order that does not name each picture once.
        """
        self.items = _ranked(sorted(self.items, key=lambda item: item["index"]), order)

    def show_slots(self, rows: Sequence[SlotRow]) -> None:
        """Fills the table under the pictures; no rows: no table.

        Raises:
            TypeError: something else than `SlotRow`.
        """
        for row in rows:
            if not isinstance(row, SlotRow):
                raise TypeError(f"a row is {type(row).__name__}; expected SlotRow(name, presence, ...)")
        self.rows = [asdict(row) for row in rows]

    def clear(self) -> None:
        """Takes away pictures and table."""
        self.show([], [])
        self.rows = []

    def take(self, index: int) -> None:
        """What a click does: marks one as taken and calls the handlers of `on_take`; if one fails, the mark goes back.

        Raises:
            IndexError: no such picture.
        """
        self._item(index)
        before, self.taken = self.taken, index
        if not self._tell("take", index) and self.taken == index:
            self.taken = before

    def on_take(self, handler: Callable[[int], Any]) -> None:
        """Calls `handler(index)` when a person takes one, also one that is taken already."""
        self._add_handler("take", handler)

    def on_preview(self, handler: Callable[[int | None], Any]) -> None:
        """Calls `handler(index)` when the mouse or the keys go to one, `handler(None)` when they leave."""
        self._add_handler("preview", handler)

    def snapshot(self) -> Image.Image:
        """The grid and the table, in light colours."""
        pictures = {key: decoded(encoded) for key, encoded in dict(self.thumbnails).items()}
        return gallery_snapshot(self.items, pictures, self.rows, self.taken, self.thumb_px, self.columns)

    @traitlets.validate("taken")
    def _check_taken(self, proposal: Any) -> int | None:
        if proposal["value"] is not None:
            self._item(proposal["value"])
        return proposal["value"]

    def _encoded(self, picture: Any, what: str) -> bytes:
        return webp(thumbnail(checked_picture(picture, what), self.thumb_px))

    def _item(self, index: Any) -> dict[str, Any]:
        item = next((item for item in self.items if item["index"] == index), None)
        if item is None:
            expected = f"0 to {len(self.items) - 1}" if self.items else "none: there are no pictures, call `show` first"
            raise IndexError(f"picture {index!r} does not exist; expected {expected}")
        return item

    def _preview(self, index: int | None) -> None:
        if index != self._previewed:
            self._previewed = index
            self._tell("preview", index)

    def _receive(self, content: dict[str, Any]) -> None:
        super()._receive(content)
        if content.get("type") not in ("take", "preview"):
            return
        index = next((item["index"] for item in self.items if item["key"] == content["key"]), None)
        if content["type"] == "preview":
            self._preview(index)
        elif index is not None:  # else the picture went while the click was on its way
            self.take(index)


def _ranked(items: list[dict[str, Any]], order: Sequence[int] | None) -> list[dict[str, Any]]:
    if order is None:
        return [{**item, "rank": 0} for item in items]
    if sorted(order) != list(range(len(items))):
        raise ValueError(f"order is {list(order)}; expected each of 0 to {len(items) - 1} once, best first")
    return [{**items[int(index)], "rank": place} for place, index in enumerate(order, 1)]
