"""`Library`: objects of many scenes, with small pictures, to insert into others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from PIL import Image

from anchorgen.scene.errors import EditError, SelectionError
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector, everything
from anchorgen.scene.thumbnails import as_picture, decoded, encoded, object_thumbnail
from anchorgen.scene.validate import frozen, new_id

MAX_ITEMS = 1024


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LibraryItem(ObjectView):
    """One object of a library. It is an `ObjectView`, so every verb that takes an object takes it as it is.

    Attributes:
        key: its name in the library.
        source: where it comes from, for people; may be "".
        webp: its small picture as WebP, b"" if there is none.
    """

    key: str
    source: str = ""
    webp: bytes = b""

    @property
    def obj(self) -> ObjectView:
        """The object alone."""
        return ObjectView(**{part.name: getattr(self, part.name) for part in fields(ObjectView)})

    @property
    def thumbnail(self) -> Image.Image | None:
        """Its small picture, 96 px square; None if it was added without a picture, or was out of it."""
        return decoded(self.webp) if self.webp else None

    def __repr__(self) -> str:
        size = " x ".join(f"{side:.2f}" for side in self.scale)
        origin = f", from {self.source!r}" if self.source else ""
        return f"LibraryItem {self.key!r} ({self.label or 'no label'}): {size} m{origin}"

    def _repr_html_(self) -> str:
        from anchorgen.scene.library_display import items_html

        return items_html([self])


class Library:
    """Objects to insert, by key: `scene.insert(library["floor-lamp-2"])`. It changes in place.

    Items of several latent spaces may live in one library; a scene takes those of its own (`items_of`).
    """

    def __init__(self) -> None:
        self._items: dict[str, LibraryItem] = {}

    def add(
        self,
        scene: SceneLatent,
        selector: Selector = everything,
        image: Image.Image | np.ndarray | None = None,
        source: str = "",
    ) -> tuple[LibraryItem, ...]:
        """Takes in the present objects that match, each under a new key made of its label.

        Args:
            scene: where they are.
            selector: which of them.
            image: the picture of the scene (PIL, or uint8 `[H, W, 3]`), for the thumbnails; without it there are none.
            source: a name for where they come from.

        Returns:
            The new items.

        Raises:
            SelectionError: nothing matches.
            EditError: something else than a picture, or more than 1024 objects.
        """
        if not isinstance(scene, SceneLatent):
            raise EditError(
                f"got {type(scene).__name__}; expected a SceneLatent: library.add(scene, 'lamp', image=...)"
            )
        slots = scene.select(selector)
        if len(self) + len(slots) > MAX_ITEMS:
            raise EditError(f"a library holds at most {MAX_ITEMS} objects; this one has {len(self)}: start another")
        picture = None if image is None else as_picture(image)
        added = []
        for view in map(scene.view, slots):
            thumbnail = None if picture is None else object_thumbnail(picture, view, scene.focal)
            values: dict[str, Any] = {part.name: getattr(view, part.name) for part in fields(ObjectView)}
            # Copies: a view would keep all of its scene in memory.
            arrays = {name: frozen(a) for name, a in values.items() if isinstance(a, np.ndarray)}
            webp = b"" if thumbnail is None else encoded(thumbnail)
            key = new_id(view.label, self._items)
            added.append(LibraryItem(**{**values, **arrays}, key=key, source=source, webp=webp))
            self._items[added[-1].key] = added[-1]
        return tuple(added)

    def remove(self, key: str) -> None:
        """Takes one item out. Raises SelectionError if there is none of that key."""
        del self._items[self[key].key]

    def search(self, text: str) -> tuple[LibraryItem, ...]:
        """Items of this label or group ("lamp" is every kind of lamp), then those in whose label, key or source every
        word of `text` begins a word. Upper and lower case are the same; an empty text finds all."""
        words, wanted = _words(text), text.strip().casefold()
        group = [item for item in self if wanted and f" {item.label}".casefold().endswith(f" {wanted}")]
        others = [item for item in self if words or not wanted]
        found = [item for item in others if all(any(w.startswith(word) for w in _words_of(item)) for word in words)]
        return (*group, *(item for item in found if item not in group))

    def items_of(self, latent_space: str) -> tuple[LibraryItem, ...]:
        """Items that a scene of `latent_space` can take."""
        return tuple(item for item in self if item.latent_space == latent_space)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one .safetensors, atomically.

        Raises:
            SceneFileError: more than 64 MiB.
            OSError: the folder does not exist or cannot be written to.
        """
        from anchorgen.scene.library_file import save_items

        save_items(tuple(self), path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Library:
        """Reads what `save` wrote. Raises SceneFileError (a ValueError) for anything else."""
        from anchorgen.scene.library_file import load_items

        library = Library()
        library._items = {item.key: item for item in load_items(path)}
        return library

    def __getitem__(self, key: str) -> LibraryItem:
        """The item of that key; spaces are as good as hyphens. Raises SelectionError, which lists the keys."""
        for name in (key, re.sub(r"\s+", "-", key.strip())):
            if name in self._items:
                return self._items[name]
        keys = ", ".join(list(self._items)[:24]) + (", ..." if len(self) > 24 else "")
        raise SelectionError(f"no item has the key {key!r}; {'there are: ' + keys if keys else 'the library is empty'}")

    def __contains__(self, key: object) -> bool:
        """Whether a key, or an item itself, is here."""
        if isinstance(key, LibraryItem):
            return self._items.get(key.key) is key
        try:
            return isinstance(key, str) and bool(self[key].key)
        except SelectionError:
            return False

    def __iter__(self) -> Iterator[LibraryItem]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        from anchorgen.scene.library_display import library_text

        return library_text(self)

    def _repr_html_(self) -> str:
        from anchorgen.scene.library_display import library_html

        return library_html(self)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _words_of(item: LibraryItem) -> list[str]:
    return _words(f"{item.label} {item.key} {item.source}")
