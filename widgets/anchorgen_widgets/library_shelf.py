"""`LibraryShelf`: objects of a library as pictures, to search, to click and to drag into the picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import traitlets
from PIL import Image

from anchorgen.scene.object_view import ObjectView
from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.panel_widget import PanelWidget
from anchorgen_widgets.sheet import FAINT, LINE, Sheet

DRAG_TYPE = "application/x-anchorgen-object"
TILE_PX, CAPTION_PX, GAP_PX, THUMBNAIL_PX = 84, 32, 6, 128


class ShelfItem(Protocol):
    """One object of a library.

    Attributes:
        key: names it in the library.
        obj: what `scene.insert` takes.
        thumbnail: a picture of it, or None.
        source: where it comes from, for people.
    """

    @property
    def key(self) -> str: ...
    @property
    def obj(self) -> ObjectView: ...
    @property
    def thumbnail(self) -> Image.Image | None: ...
    @property
    def source(self) -> str: ...


class ObjectLibrary(Protocol):
    """What the shelf needs of `anchorgen.Library`."""

    def __iter__(self) -> Iterator[Any]: ...
    def search(self, text: str) -> Iterable[Any]: ...


class LibraryShelf(PanelWidget):
    """Thumbnails with labels and sizes, and a search box. Click or Enter asks to insert; a drag carries the key.

    A drag's dataTransfer holds the key as `DRAG_TYPE`. Objects of another latent space are dimmed and say why.

    Args:
        library: `anchorgen.Library`, or anything like it; None for nothing yet.
        latent_space: of the scene that objects would go into; "" for any.
        width_px: width on the page.
        height_px: height of the part that scrolls.

    Attributes:
        items: dicts of `key`, `label`, `size`, `source`, `thumbnail` (WebP, empty if there is none) and `refusal`, the
            reason why it cannot be inserted, or "".
        query: what is searched for; matches: keys of the items found.
        library: the library that is shown, or None.
    """

    _esm = joined_files("panel.js", "library_shelf.js")
    _css = joined_files("panel.css", "library_shelf.css")

    items = traitlets.List().tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    matches = traitlets.List().tag(sync=True)
    width_px = traitlets.Int(300).tag(sync=True)
    height_px = traitlets.Int(260).tag(sync=True)

    def __init__(
        self,
        library: ObjectLibrary | None = None,
        latent_space: str = "",
        width_px: int = 300,
        height_px: int = 260,
    ):
        if not 120 <= width_px <= 1600 or not 120 <= height_px <= 1600:
            raise ValueError(f"the shelf is {width_px} x {height_px} px; expected 120 to 1600 a side")
        super().__init__(width_px=width_px, height_px=height_px)
        self.library: ObjectLibrary | None = None
        if library is not None:
            self.show(library, latent_space)

    def show(self, library: ObjectLibrary, latent_space: str = "") -> None:
        """Shows a library, as it now is; what was searched for stays.

        Args:
            library: its items are those of `ShelfItem`.
            latent_space: of the scene that objects would go into; "" for any.

        Raises:
            TypeError: not a library.
        """
        if not callable(getattr(library, "search", None)) or not hasattr(library, "__iter__"):
            raise TypeError(
                f"LibraryShelf shows a library of objects, got {type(library).__name__}; expected an `anchorgen.Library`"
            )
        items = [_shown(item, latent_space) for item in library]
        found = _found(library, self.query)
        with self.hold_sync():
            self.library = library
            self.items, self.matches = items, found
            self._settle()

    def on_insert(self, handler: Callable[[str], None]) -> None:
        """Calls `handler(key)` when a person clicks an object, or presses Enter on it."""
        self._listen("insert", handler)

    def snapshot(self) -> Image.Image:
        """The shelf as one sees it on a light page, with every object that is found."""
        return _drawn(self)

    def _take(self, message: dict[str, Any]) -> None:
        if self.library is None:
            return
        if message["type"] == "search":
            found = _found(self.library, message["text"])
            with self.hold_sync():
                self.query, self.matches = message["text"], found
                self._settle()
        elif message["type"] == "insert":
            item = next((item for item in self.items if item["key"] == message["key"]), None)
            if item is None:
                raise LookupError(f"the library has no object {message['key']!r} any more")
            if item["refusal"]:
                raise ValueError(item["refusal"])
            self._tell("insert", item["key"])


def _found(library: ObjectLibrary, text: str) -> list[str]:
    return [item.key for item in (library.search(text) if text.strip() else library)]


def _shown(item: ShelfItem, latent_space: str) -> dict[str, Any]:
    obj = item.obj
    size = "×".join(f"{float(side):.2f}".rstrip("0").rstrip(".") for side in obj.scale)
    refusal = ""
    if latent_space and obj.latent_space != latent_space:
        refusal = (
            f"{item.key} is of latent space {obj.latent_space!r}, the scene of {latent_space!r}; their tokens mean "
            "different things: encode both pictures with the same pipeline"
        )
    about = {"key": item.key, "label": obj.label or obj.name, "size": f"{size} m", "source": item.source}
    return {**about, "thumbnail": _encoded(item.thumbnail), "refusal": refusal}


def _encoded(thumbnail: Image.Image | None) -> bytes:
    if thumbnail is None:
        return b""
    small = thumbnail.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "webp", quality=90, method=0)
    return buffer.getvalue()


def _drawn(shelf: LibraryShelf) -> Image.Image:
    by_key = {item["key"]: item for item in shelf.items}
    found = [by_key[key] for key in shelf.matches if key in by_key]
    columns = max(1, (shelf.width_px - 12 + GAP_PX) // (TILE_PX + GAP_PX))
    rows = -(-len(found) // columns)
    pitch = TILE_PX + CAPTION_PX + GAP_PX
    sheet = Sheet((shelf.width_px, 40 + max(rows * pitch, 24)))
    sheet.box(6, 4, shelf.width_px - 12, 24, outline=LINE, radius=2)
    sheet.text((12, 16), shelf.query or f"search {len(shelf.items)} objects", color=FAINT)
    for k, item in enumerate(found):
        left, top = 6 + (k % columns) * (TILE_PX + GAP_PX), 36 + (k // columns) * pitch
        sheet.box(left, top, TILE_PX, TILE_PX, fill="#f2f2f2", outline=LINE, radius=3)
        if item["thumbnail"]:
            sheet.image(Image.open(io.BytesIO(item["thumbnail"])), left + 1, top + 1, TILE_PX - 2, TILE_PX - 2)
        if item["refusal"]:
            sheet.box(left, top, TILE_PX, TILE_PX, fill=(255, 255, 255, 160), radius=3)
        ink = FAINT if item["refusal"] else "#212121"
        sheet.text((left + 2, top + TILE_PX + 8), item["label"], color=ink, size=11, limit_px=TILE_PX - 4)
        sheet.text((left + 2, top + TILE_PX + 21), item["size"], color=FAINT, size=9, limit_px=TILE_PX - 4)
    if not found:
        sheet.text((8, 48), "nothing found" if shelf.query else "no objects yet", color=FAINT)
    return sheet.picture()
