"""`Library`: what goes in comes out, by key, by word, from a file, and into a scene."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from damaged_files import ROOM, make_library, make_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from strategies import LABELS, NUM_EXAMPLES, make_scene, scenes

import anchorgen
from anchorgen.geometry import box_corners, project
from anchorgen.scene import EditError, LatentSpaceError, Library, LibraryItem, ObjectView, SelectionError, everything
from anchorgen.scene import library as library_module

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(
    max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

GOLDEN = """\
Library: 7 objects, latent spaces other, test-space
  key           label       width x depth x height (m)  picture  source
  bed-1         bed         1.60 x 2.00 x 0.90          yes      first room
  nightstand-1  nightstand  0.50 x 0.40 x 0.55          yes      first room
  table-lamp-1  table lamp  0.25 x 0.25 x 0.50          yes      first room
  wardrobe-1    wardrobe    1.20 x 0.60 x 2.00          yes      first room
  bed-2         bed         1.60 x 2.00 x 0.90          no       second room
  nightstand-2  nightstand  0.50 x 0.40 x 0.55          no       second room
  table-lamp-2  table lamp  0.25 x 0.25 x 0.50          no       second room"""

values = [field.name for field in dataclasses.fields(LibraryItem)]


def assert_same(item: LibraryItem, other: LibraryItem) -> None:
    for name in values:
        mine, theirs = getattr(item, name), getattr(other, name)
        if isinstance(mine, np.ndarray):
            assert mine.tobytes() == theirs.tobytes()
            assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
            assert not theirs.flags.writeable
        else:
            assert mine == theirs, name


def test_it_is_a_part_of_anchorgen():
    assert anchorgen.Library is Library


def test_items_are_objects_with_keys():
    library = make_library()
    lamp = library["table-lamp-1"]
    assert isinstance(lamp, ObjectView)
    assert (lamp.key, lamp.label, lamp.source, lamp.id) == ("table-lamp-1", "table lamp", "first room", "table-lamp-1")
    assert type(lamp.obj) is ObjectView
    np.testing.assert_array_equal(lamp.obj.appearance, ROOM["lamp"].appearance)
    assert lamp is library["table lamp-1"]  # a space is as good as a hyphen
    assert len(library) == 7
    assert [item.key for item in library][-1] == "table-lamp-2"
    assert "bed-2" in library
    assert lamp in library
    assert "bed-3" not in library
    assert 3 not in library
    assert repr(lamp) == "LibraryItem 'table-lamp-1' (table lamp): 0.25 x 0.25 x 0.50 m, from 'first room'"


def test_items_hold_no_scene():
    (item,) = Library().add(ROOM, "bed")
    assert item.appearance.base is None
    assert item.webp == b""
    assert item.thumbnail is None


def test_selected_objects_are_added():
    library, scene = Library(), ROOM.remove("nightstand")
    assert [item.key for item in library.add(scene, ["lamp", "bed"])] == ["table-lamp-1", "bed-1"]
    assert [item.key for item in library.add(scene, everything)] == ["bed-2", "table-lamp-2", "wardrobe-1"]
    with pytest.raises(SelectionError, match="no object matches 'nightstand'"):
        library.add(scene, "nightstand")
    assert [item.key for item in library.add(ROOM.replace(labels=("",) * 6), 0)] == ["object-1"]


def test_removed_items_are_gone():
    library = make_library()
    library.remove("bed-1")
    assert "bed-1" not in library
    assert len(library) == 6
    with pytest.raises(SelectionError, match="no item has the key 'bed-1'; there are: nightstand-1, table-lamp-1"):
        library.remove("bed-1")
    with pytest.raises(LookupError, match="the library is empty"):
        Library()["bed-1"]


def test_a_library_has_an_end(monkeypatch):
    monkeypatch.setattr(library_module, "MAX_ITEMS", 5)
    library = Library()
    library.add(ROOM)
    with pytest.raises(EditError, match="at most 5 objects; this one has 4"):
        library.add(ROOM, ["bed", "lamp"])
    assert len(library) == 4


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("lamp", ["table-lamp-1", "table-lamp-2"]),
        ("TABLE lamp", ["table-lamp-1", "table-lamp-2"]),
        ("ward", ["wardrobe-1"]),
        ("second bed", ["bed-2"]),
        ("bed-2", ["bed-2"]),
        ("room", None),
        ("", None),
        ("ed", []),
        ("sofa", []),
        ("#!", []),
    ],
)
def test_search(text, keys):
    library = make_library()
    keys = [item.key for item in library] if keys is None else keys
    assert [item.key for item in library.search(text)] == keys


def test_search_puts_the_group_first():
    library = Library()
    library.add(ROOM, "bed", source="the lamp shop")
    library.add(ROOM, "lamp")
    assert [item.key for item in library.search("lamp")] == ["table-lamp-1", "bed-1"]


def test_odd_labels_are_found():
    library = Library()
    library.add(ROOM.replace(labels=("C++", "床", *ROOM.labels[2:])), [0, 1])
    assert [item.label for item in library.search("c++")] == ["C++"]
    assert [item.label for item in library.search("床")] == ["床"]


def test_items_go_into_scenes_of_their_latent_space():
    library = make_library()
    assert [item.key for item in library.items_of("other")] == ["bed-2", "nightstand-2", "table-lamp-2"]
    for obj in (library["wardrobe-1"], library["wardrobe-1"].obj):
        scene = ROOM.insert(obj, at={"right": 0.5, "forward": 3.0})
        np.testing.assert_array_equal(scene["wardrobe-2"].appearance, ROOM["wardrobe"].appearance)
        names = {"scene": ROOM}
        exec(scene.to_python(), names)
        assert names["scene"].equals(scene)
    assert ROOM.swap("bed", library["wardrobe-1"])[0].label == "wardrobe"
    np.testing.assert_array_equal(ROOM.paint("bed", library["wardrobe-1"])[0].appearance, ROOM["wardrobe"].appearance)
    with pytest.raises(LatentSpaceError, match="'other'"):
        ROOM.insert(library["bed-2"])


@examples
@given(data=st.data())
def test_save_and_load_is_exact(tmp_path, data):
    library = Library()
    for number in range(data.draw(st.integers(0, 3))):
        scene = data.draw(scenes()).replace(latent_space=data.draw(st.sampled_from(["a", "b", ""])))
        picture = make_picture(number, data.draw(st.sampled_from([(128, 128), (200, 90)])))
        image = data.draw(st.sampled_from([None, picture]))
        library.add(scene, image=image, source=data.draw(st.text(max_size=9)))
    for item in data.draw(st.lists(st.sampled_from(list(library)), unique=True, max_size=2)) if len(library) else []:
        library.remove(item.key)
    library.save(tmp_path / "library.safetensors")
    loaded = Library.load(tmp_path / "library.safetensors")
    assert [item.key for item in loaded] == [item.key for item in library]
    for item, other in zip(library, loaded, strict=True):
        assert_same(item, other)
        assert scene_of(item).insert(other).equals(scene_of(item).insert(item))
    added = loaded.add(ROOM)
    assert len({item.key for item in loaded}) == len(library) + len(added)


def scene_of(item: LibraryItem):
    num_tokens, num_channels = item.appearance.shape
    return make_scene(2, num_tokens=num_tokens, num_channels=num_channels, latent_space=item.latent_space)


def test_thumbnails_show_the_object():
    """A picture in which every object is a filled rectangle of its own colour."""
    scene = make_scene(4)
    picture, colors = np.zeros((120, 160, 3), np.uint8), {}
    for view in scene:
        corners = project(box_corners(view.translation, view.quat_wxyz, view.scale), scene.focal) * [160, 120]
        (left, top), (right, bottom) = corners.min(0).astype(int), corners.max(0).astype(int) + 1
        colors[view.id] = (view.index * 60 + 50, 255 - view.index * 60, 100)
        picture[max(top, 0) : bottom, max(left, 0) : right] = colors[view.id]
    for view in scene:
        alone = np.where((picture == colors[view.id]).all(-1)[..., None], picture, 0)
        (item,) = Library().add(scene, view.id, image=alone)
        thumbnail = item.thumbnail
        assert thumbnail is not None
        assert thumbnail.size == (96, 96)
        filled = np.abs(np.asarray(thumbnail.convert("RGB")).astype(int) - colors[view.id]).max(-1) < 40
        assert filled.mean() > 0.1
        rows, columns = np.flatnonzero(filled.any(1)), np.flatnonzero(filled.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) > 50  # it fills the square, but for the margin


def test_pictures_of_other_shapes():
    wide = make_picture(size=(640, 100))
    library = Library()
    library.add(make_scene(1).replace(focal=np.array([0.3, 1.9])), image=wide)
    thumbnail = library["bed-1"].thumbnail
    assert thumbnail is not None
    assert (thumbnail.size, thumbnail.mode) == ((96, 96), "RGBA")
    assert np.asarray(thumbnail)[0, :, 3].max() == 0
    assert np.asarray(thumbnail)[48, :, 3].min() == 255


def test_objects_out_of_the_picture_have_no_thumbnail():
    scene = ROOM.move("bed", to=(30.0, 0.0, 3.0)).move("lamp", to=(0.0, 0.0, 9000.0))
    library = Library()
    library.add(scene, image=np.zeros((64, 64, 3), np.uint8))
    assert [item.key for item in library if item.thumbnail] == ["nightstand-1", "wardrobe-1"]


def test_what_is_no_picture_is_refused():
    for image in (np.zeros((64, 64)), np.zeros((64, 64, 3)), np.zeros((0, 0, 3), np.uint8)):
        with pytest.raises(EditError, match=r"expected a PIL image or uint8 \[H, W, 3\]"):
            Library().add(ROOM, image=image)
    library = Library()
    library.add(ROOM, "bed", image=Image.new("L", (32, 32), 200))
    assert np.asarray(library["bed-1"].thumbnail)[48, 48] == pytest.approx([200] * 3, abs=2)


def test_text_is_golden():
    assert repr(make_library()) == GOLDEN
    assert repr(Library()) == "Library: 0 objects"


def test_html_is_well_formed_escaped_and_bounded():
    root = ElementTree.fromstring(make_library()._repr_html_())
    assert len(list(root.iter("img"))) == 4
    assert all(image.get("src", "").startswith("data:image/webp;base64,") for image in root.iter("img"))
    assert "1.20×0.60×2.00 m" in "".join(root.itertext())
    library, evil = Library(), "<script>alert(1)</script>\"'&"
    for number in range(8):
        library.add(make_scene(9, seed=number).replace(labels=(evil,) * 16), source=evil)
    html = library._repr_html_()
    assert "<script>" not in html
    shown = ElementTree.fromstring(html)
    assert len([part for part in shown.iter("div") if part.get("title")]) == 60
    assert "and 12 more" in html
    assert "<script>" not in library[next(iter(library)).key]._repr_html_()
    assert len(LABELS) == 9
