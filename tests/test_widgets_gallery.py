"""`VariationGallery` without a browser: what the front end would send goes in, what it would get comes out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anchorgen_widgets.slot_rows import SlotRow
from anchorgen_widgets.variation_gallery import VariationGallery

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 30)
ROWS = [SlotRow("bed", 1.0, 0.12, 0.4), SlotRow("lamp", 0.375, None, None)]


def plain(color: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (64, 64), color)


@pytest.fixture
def gallery() -> VariationGallery:
    gallery = VariationGallery(thumb_px=64, columns=2)
    gallery.show([plain(RED), None, plain(BLUE)], ["a", "b", "c"], order=[2, 0, 1], details=["first", "", "third"])
    return gallery


@pytest.fixture
def sent(gallery: VariationGallery, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict, list[bytes]]]:
    """Every message to the page: state updates and thumbnails."""
    messages: list[tuple[dict, list[bytes]]] = []

    def take_note(message: dict[str, Any], buffers: Any = None) -> None:
        messages.append((message, list(buffers or [])))

    monkeypatch.setattr(gallery, "_send", take_note)
    return messages


def key_of(gallery: VariationGallery, index: int) -> str:
    return next(item["key"] for item in gallery.items if item["index"] == index)


def send(gallery: VariationGallery, kind: str, index: int | None) -> None:
    gallery._handle_custom_msg({"type": kind, "key": None if index is None else key_of(gallery, index)}, [])


def test_ranked_pictures_come_best_first(gallery: VariationGallery) -> None:
    assert [(item["index"], item["rank"], item["caption"]) for item in gallery.items] == [
        (2, 1, "c"),
        (0, 2, "a"),
        (1, 3, "b"),
    ]
    gallery.rank(None)
    assert [(item["index"], item["rank"], item["detail"]) for item in gallery.items] == [
        (0, 0, "first"),
        (1, 0, ""),
        (2, 0, "third"),
    ]
    assert set(gallery.thumbnails) == {key_of(gallery, 0), key_of(gallery, 2)}


def test_a_picture_that_arrives_is_sent_alone(gallery: VariationGallery, sent: list) -> None:
    gallery.set_picture(1, plain(GREEN))
    [(message, buffers)] = sent
    assert message == {"method": "custom", "content": {"type": "thumbnails", "keys": [key_of(gallery, 1)]}}
    arrived = Image.open(io.BytesIO(buffers[0]))
    assert arrived.format == "WEBP" and np.abs(np.subtract(arrived.getpixel((9, 9)), GREEN)).max() < 12


def test_a_page_that_loads_anew_gets_all_of_it(gallery: VariationGallery) -> None:
    gallery.set_picture(1, plain(GREEN))
    gallery.take(1)
    gallery.show_slots(ROWS)
    state = gallery.get_state()
    assert set(state["thumbnails"]) == {key_of(gallery, index) for index in range(3)}
    assert state["taken"] == 1
    assert state["rows"][1] == {"name": "lamp", "presence": 0.375, "position_spread_m": None, "appearance_spread": None}
    state["thumbnails"].clear()
    assert len(gallery.thumbnails) == 3, "the page was handed the dict that a render thread fills"


def test_a_view_that_missed_messages_gets_what_it_asks_for(gallery: VariationGallery, sent: list) -> None:
    gallery._handle_custom_msg({"type": "want", "keys": [key_of(gallery, 2), key_of(gallery, 1), "gone"]}, [])
    [(message, buffers)] = sent
    assert message["content"]["keys"] == [key_of(gallery, 2)] and len(buffers) == 1


def test_a_click_takes_also_what_is_taken(gallery: VariationGallery) -> None:
    told: list[int] = []
    gallery.on_take(told.append)
    for index in (2, 0, 0):
        send(gallery, "take", index)
    assert told == [2, 0, 0] and gallery.taken == 0


def test_a_take_that_fails_leaves_the_mark(gallery: VariationGallery) -> None:
    send(gallery, "take", 2)

    def fails(index: int | None) -> None:
        raise ValueError(f"sample {index} is gone")

    gallery.on_take(fails)
    send(gallery, "take", 0)
    assert gallery.taken == 2 and gallery.error == "ValueError: sample 0 is gone"
    send(gallery, "preview", 1)
    send(gallery, "preview", None)
    assert gallery.error == "ValueError: sample 0 is gone", "a preview that works took the error of the click away"
    gallery.set_state({"error": ""})  # dismissed on the page
    assert gallery.last_error is None
    gallery.on_preview(fails)
    send(gallery, "preview", 1)
    assert gallery.error == "ValueError: sample 1 is gone", "what was dismissed came back"
    send(gallery, "take", 0)
    assert gallery.error == "ValueError: sample 1 is gone\nValueError: sample 0 is gone"


def test_previews_are_told_once_and_end_with_their_pictures(gallery: VariationGallery) -> None:
    told: list[int | None] = []
    gallery.on_preview(told.append)
    for index in (1, 1, None, 2):
        send(gallery, "preview", index)
    gallery.clear()
    assert told == [1, None, 2, None]


def test_a_click_on_a_picture_that_went_meanwhile_does_nothing(gallery: VariationGallery) -> None:
    told: list[int] = []
    gallery.on_take(told.append)
    old = key_of(gallery, 0)
    gallery.show([plain(GREEN)], ["d"])
    gallery._handle_custom_msg({"type": "take", "key": old}, [])
    assert told == [] and gallery.taken is None and gallery.error == ""
    assert list(gallery.thumbnails) == [key_of(gallery, 0)] != [old]


def test_clear_leaves_nothing(gallery: VariationGallery) -> None:
    gallery.show_slots(ROWS)
    gallery.take(0)
    gallery.clear()
    assert (gallery.items, gallery.rows, gallery.thumbnails, gallery.taken) == ([], [], {}, None)


def test_a_snapshot_draws_the_grid_in_rank_order_and_the_table(gallery: VariationGallery) -> None:
    gallery.take(0)
    plain_grid = gallery.snapshot()
    centres = [(42, 42), (42 + 74, 42), (42, 42 + 96)]
    for centre, color in zip(centres, (BLUE, RED, (238, 238, 238)), strict=True):
        assert np.abs(np.subtract(plain_grid.getpixel(centre), color)).max() < 12
    assert plain_grid.getpixel((84 - 2, 42)) == (25, 118, 210), "the taken one is not framed"
    gallery.show_slots(ROWS)
    with_table = gallery.snapshot()
    assert with_table.height > plain_grid.height + 60
    table = np.asarray(with_table)[plain_grid.height :]
    bars = [int((row == (25, 118, 210)).all(-1).sum()) for row in table]
    assert {61, 61 * 3 // 8 + 1} <= set(bars), f"bars of 100% and 37.5% of 60 px, got {sorted(set(bars))}"


def test_an_empty_gallery_has_a_snapshot() -> None:
    assert min(VariationGallery().snapshot().convert("L").tobytes()) < 150


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([plain(RED)], []), ValueError, r"got 1 pictures and captions \[\]; expected a text a picture"),
        (([plain(RED)], "a"), ValueError, "captions 'a'"),
        (([plain(RED)], ["a"], [1]), ValueError, r"order is \[1\]; expected each of 0 to 0 once"),
        (([plain(RED)], ["a"], None, ["x", "y"]), ValueError, "details"),
        ((["a.png"], ["a"]), TypeError, "picture 0 is str; expected a PIL picture"),
    ],
)
def test_wrong_input_is_refused_and_changes_nothing(
    gallery: VariationGallery, arguments: tuple, error: type, message: str
) -> None:
    before = gallery.items
    with pytest.raises(error, match=message):
        gallery.show(*arguments)
    assert gallery.items == before and len(gallery.thumbnails) == 2


def test_indices_without_a_picture_are_refused(gallery: VariationGallery) -> None:
    for call in (lambda: gallery.set_picture(3, plain(RED)), lambda: gallery.take(-1)):
        with pytest.raises(IndexError, match="does not exist; expected 0 to 2"):
            call()
    with pytest.raises(IndexError, match="picture 7"):
        gallery.taken = 7
    with pytest.raises(IndexError, match="call `show` first"):
        VariationGallery().set_picture(0, plain(RED))


@pytest.mark.parametrize("options", [{"thumb_px": 10}, {"columns": 0}])
def test_sizes_that_fit_no_page_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        VariationGallery(**options)


def test_slot_rows_check_themselves(gallery: VariationGallery) -> None:
    row = SlotRow("bed", np.float32(0.5), np.float64(0.1))  # pyright: ignore[reportArgumentType]
    assert type(row.presence) is float and type(row.position_spread_m) is float
    with pytest.raises(ValueError, match=r"presence of bed is 1.5; expected a share"):
        SlotRow("bed", 1.5)
    with pytest.raises(ValueError, match="position_spread_m of bed is -1; expected 0 or more"):
        SlotRow("bed", 0.5, -1)
    with pytest.raises(ValueError, match="appearance_spread of bed is nan"):
        SlotRow("bed", 0.5, None, float("nan"))
    with pytest.raises(TypeError, match="a row is dict; expected SlotRow"):
        gallery.show_slots([{"name": "bed"}])  # pyright: ignore[reportArgumentType]
