"""`HistoryStrip` without a browser: marks, jumps, and thumbnails that are sent once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from anchorgen_widgets.history_strip import HistoryStrip

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 30)


def plain(color: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (96, 64), color)


def photo(seed: int) -> Image.Image:
    """As large, encoded, as a picture of a room: smooth, with some detail."""
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)
    return Image.fromarray(coarse).resize((512, 512), Image.Resampling.BICUBIC)


@pytest.fixture
def strip() -> HistoryStrip:
    strip = HistoryStrip()
    strip.show(["start", "move bed", "turn chair"], 1)
    return strip


class Wire:
    """What goes to the page."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.num_bytes = 0

    def send(self, message: dict[str, Any], buffers: Any = None) -> None:
        self.messages.append(message)
        self.num_bytes += len(str(message)) + sum(len(part) for part in buffers or ())


def test_steps_keep_their_thumbnails_up_to_the_first_that_differs(strip: HistoryStrip) -> None:
    for index in range(3):
        strip.set_thumbnail(index, plain(RED))
    keys = [step["key"] for step in strip.steps]
    strip.show(["start", "move bed", "remove lamp", "turn chair"], 2)
    now = [step["key"] for step in strip.steps]
    assert now[:2] == keys[:2] and not set(now[2:]) & set(keys)
    assert [strip.has_thumbnail(index) for index in range(4)] == [True, True, False, False]
    assert set(strip.thumbnails) == set(keys[:2])


def test_ids_keep_thumbnails_when_the_oldest_step_goes() -> None:
    strip = HistoryStrip()
    strip.show(["move bed"] * 3, 2, ids=["1", "2", "3"])
    for step, color in (("1", RED), ("2", GREEN), ("3", BLUE)):
        strip.set_thumbnail(step, plain(color))
    second = strip.thumbnails["2"]
    strip.show(["move bed"] * 3, 2, ids=["2", "3", "4"])
    assert strip.thumbnails["2"] is second and set(strip.thumbnails) == {"2", "3"}
    assert not strip.has_thumbnail("4")


def test_two_hundred_steps_send_each_thumbnail_once(monkeypatch: pytest.MonkeyPatch) -> None:
    strip, wire = HistoryStrip(), Wire()
    labels = [f"step {k}" for k in range(200)]
    for k in range(200):
        strip.show(labels[: k + 1], k)
        strip.set_thumbnail(k, photo(k))
    all_bytes = sum(map(len, strip.thumbnails.values()))
    monkeypatch.setattr(strip, "_send", wire.send)
    strip.show([*labels, "one more"], 200)
    strip.set_thumbnail(200, photo(200))
    assert wire.num_bytes < 20_000 < all_bytes / 10, f"{wire.num_bytes} bytes for a step, {all_bytes} are all"
    assert [message["method"] for message in wire.messages] == ["update", "custom"]
    wire.num_bytes = 0
    strip.show([*labels, "one more"], 150)
    assert wire.num_bytes < 200, "undo sends more than where it is now"
    assert len(strip.get_state()["thumbnails"]) == 201


def test_thumbnails_are_small(strip: HistoryStrip) -> None:
    strip.set_thumbnail(0, photo(0))
    assert len(strip.thumbnails[strip.steps[0]["key"]]) < 8_000


def test_a_click_jumps(strip: HistoryStrip) -> None:
    told: list[int] = []
    strip.on_jump(told.append)
    strip._handle_custom_msg({"type": "jump", "key": strip.steps[2]["key"]}, [])
    strip._handle_custom_msg({"type": "jump", "key": "gone"}, [])
    assert told == [2] and strip.current == 2 and strip.error == ""


def test_a_jump_that_fails_leaves_the_mark(strip: HistoryStrip) -> None:
    def fails(index: int) -> None:
        raise ValueError(f"nothing to undo to {index}")

    strip.on_jump(fails)
    strip._handle_custom_msg({"type": "jump", "key": strip.steps[0]["key"]}, [])
    assert strip.current == 1 and strip.error == "ValueError: nothing to undo to 0"


def test_a_handler_may_show_other_steps(strip: HistoryStrip) -> None:
    strip.on_jump(lambda index: strip.show(["start"], 0))
    strip.jump(2)
    assert strip.current == 0 and len(strip.steps) == 1


def test_a_snapshot_marks_the_present_and_dims_what_comes_later(strip: HistoryStrip) -> None:
    for index in range(3):
        strip.set_thumbnail(index, plain(RED))
    snapshot = strip.snapshot()
    assert snapshot.size == (3 * 84, 108)
    before, present, later = (np.array(snapshot.getpixel((84 * k + 42, 42)), int) for k in range(3))
    assert np.abs(before - RED).max() < 12 and np.abs(present - RED).max() < 12
    assert later.min() > 100, "what was undone is not dimmed"
    frames = [snapshot.getpixel((84 * k + 5, 42)) for k in range(3)]
    assert frames[1] == (25, 118, 210) and (25, 118, 210) not in (frames[0], frames[2])


def test_a_snapshot_of_many_steps_shows_those_around_the_present() -> None:
    strip = HistoryStrip()
    strip.show([f"step {k}" for k in range(200)], 150)
    strip.set_thumbnail(150, plain(GREEN))
    snapshot = strip.snapshot()
    assert snapshot.width == 12 * 84
    assert np.abs(np.subtract(snapshot.getpixel((6 * 84 + 42, 42)), GREEN)).max() < 12
    strip.show([], -1)
    assert strip.snapshot().width == 84 and strip.thumbnails == {}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a", "b"], 2), ValueError, "current is 2; expected 0 to 1: there are 2 steps"),
        ((["a", "b"], -1), ValueError, "current is -1; expected 0 to 1"),
        (([], 0), ValueError, "current is 0; expected -1: there are 0 steps"),
        (("ab", 0), TypeError, "labels is 'ab'; expected a list of texts"),
        (([1], 0), TypeError, r"labels is \[1\]"),
        ((["a", "b"], 0, ["x", "x"]), ValueError, "got 1 different ids for 2 steps"),
        ((["a"], 0, [7]), TypeError, r"ids is \[7\]"),
    ],
)
def test_wrong_input_is_refused_and_changes_nothing(
    strip: HistoryStrip, arguments: tuple, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        strip.show(*arguments)
    assert len(strip.steps) == 3 and strip.current == 1


def test_steps_that_do_not_exist_are_refused(strip: HistoryStrip) -> None:
    for step in (3, -1, "nothing", 1.5):
        with pytest.raises(LookupError, match="does not exist; expected 0 to 2"):
            strip.set_thumbnail(step, plain(RED))  # pyright: ignore[reportArgumentType]
    with pytest.raises(LookupError, match="call `show` first"):
        HistoryStrip().jump(0)
    with pytest.raises(ValueError, match="current is 3"):
        strip.current = 3
    with pytest.raises(TypeError, match="picture is bytes; expected a PIL"):
        strip.set_thumbnail(0, b"")  # pyright: ignore[reportArgumentType]
