"""`LibraryShelf` without a browser: what it lists, finds, refuses and draws."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
import pytest
from fake_pipeline import make_room
from PIL import Image

from anchorgen.scene import ObjectView
from anchorgen_widgets.anchor_panel import AnchorPanel
from anchorgen_widgets.inspector import Inspector
from anchorgen_widgets.library_shelf import DRAG_TYPE, THUMBNAIL_PX, LibraryShelf
from anchorgen_widgets.plan_access import PlanAccess


@dataclass
class _Item:
    key: str
    obj: ObjectView
    thumbnail: Image.Image | None
    source: str = "a room"


class _Library(list):
    def search(self, text: str) -> list[_Item]:
        return [item for item in self if text in item.obj.label]


@pytest.fixture
def library() -> _Library:
    pictures = (Image.new("RGB", (400, 300), "#ff0000"), None)
    items = [_Item(f"room/{view.id}", view, pictures[k % 2]) for k, view in enumerate(make_room().objects)]
    return _Library([*items, _Item("other/bed-0", make_room("another")["bed"], None)])


def _send(shelf: LibraryShelf, **message) -> None:
    shelf._handle_custom_msg(message, [])


def test_items_carry_name_size_source_and_a_small_thumbnail(library: _Library) -> None:
    shelf = LibraryShelf(library, "test-space")
    bed, nightstand = shelf.items[:2]
    assert (bed["key"], bed["label"], bed["size"], bed["source"]) == ("room/bed-0", "bed", "1.6×2×0.8 m", "a room")
    picture = Image.open(io.BytesIO(bed["thumbnail"]))
    assert picture.format == "WEBP" and max(picture.size) == THUMBNAIL_PX
    assert nightstand["thumbnail"] == b""
    assert shelf.matches == [item.key for item in library]
    assert library[0].thumbnail.size == (400, 300), "the library's own picture was made small"
    shelf.close()


def test_searching_is_the_library_s_and_survives_a_new_library(library: _Library) -> None:
    shelf = LibraryShelf(library)
    _send(shelf, type="search", text="lamp")
    assert (shelf.query, shelf.matches) == ("lamp", ["room/table lamp-0"])
    shelf.show(_Library(library[:1]))
    assert (shelf.query, shelf.matches, len(shelf.items)) == ("lamp", [], 1)
    _send(shelf, type="search", text=" ")
    assert shelf.matches == ["room/bed-0"]
    shelf.close()


def test_inserting_asks_for_the_key_and_other_spaces_are_refused(library: _Library) -> None:
    shelf, heard = LibraryShelf(library, "test-space"), []
    shelf.on_insert(heard.append)
    _send(shelf, type="insert", key="room/bed-0")
    assert heard == ["room/bed-0"]
    _send(shelf, type="insert", key="other/bed-0")
    assert heard == ["room/bed-0"] and "latent space 'another', the scene of 'test-space'" in shelf.problem
    _send(shelf, type="insert", key="gone")
    assert "no object 'gone'" in shelf.problem
    shelf.show(library)
    _send(shelf, type="insert", key="other/bed-0")
    assert heard[-1] == "other/bed-0" and shelf.problem == "", "no space was named, so none is foreign"
    shelf.close()


def test_bad_arguments_are_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="got list; expected an `anchorgen.Library`"):
        LibraryShelf([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected 120 to 1600 a side"):
        LibraryShelf(width_px=20)


def test_a_snapshot_shows_the_tiles_that_are_found(library: _Library) -> None:
    shelf = LibraryShelf(library, "test-space")
    pixels = np.asarray(shelf.snapshot(), int)
    assert pixels.shape[1] == 300
    assert pixels[36 + 42, 6 + 42] == pytest.approx([255, 0, 0], abs=12)
    _send(shelf, type="search", text="nothing of the kind")
    assert shelf.snapshot().height < pixels.shape[0]
    shelf.close()


@pytest.mark.parametrize("widget", [AnchorPanel, Inspector, LibraryShelf, PlanAccess])
def test_each_front_end_is_one_module_that_asks_no_network(widget: type) -> None:
    module = str(widget._esm)
    assert module.count("export default") == 1
    assert not re.search(r"^\s*import\s", module, re.MULTILINE)
    assert set(re.findall(r"https?://[^\s\"'`]+", module)) <= {"http://www.w3.org/2000/svg"}
    if widget is LibraryShelf:
        assert f'"{DRAG_TYPE}"' in module
