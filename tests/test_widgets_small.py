"""`CompareSlider` and `SweepPlayer` without a browser, and what all small widgets share: guarded handlers, files."""

from __future__ import annotations

import io
import math
import re

import ipywidgets
import numpy as np
import pytest
import traitlets
from fake_pipeline import FakePipeline, make_room
from ipywidgets.widgets.widget import _instances
from PIL import Image

from anchorgen.analysis.sweeps import Sweep
from anchorgen_widgets.compare_slider import CompareSlider
from anchorgen_widgets.guard import GuardedWidget
from anchorgen_widgets.history_strip import HistoryStrip
from anchorgen_widgets.sweep_player import SweepPlayer, value_label
from anchorgen_widgets.variation_gallery import VariationGallery

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 30)


def plain(color: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, color)


def assert_color(picture: Image.Image, at: tuple[int, int], color: tuple[int, int, int]) -> None:
    assert np.abs(np.subtract(picture.getpixel(at), color)).max() < 12, f"{picture.getpixel(at)} at {at}"


def player_of_three(**options) -> SweepPlayer:
    pictures = [plain(color) for color in (RED, GREEN, BLUE)]
    return SweepPlayer(images=pictures, values=[-0.25, 0, 0.25], unit="m", name="bed.right", **options)


# -- CompareSlider ----------------------------------------------------------------------------------------------------


def test_a_compare_slider_draws_before_left_of_the_divider_and_after_right_of_it() -> None:
    slider = CompareSlider(plain(RED), plain(BLUE), (200, 100), labels=("true", "drawn"))
    slider.position = 0.25
    snapshot = slider.snapshot()
    assert snapshot.size == (200, 100)
    assert_color(snapshot, (20, 90), (238, 238, 238))  # the square picture stands in the middle of the wide frame
    assert_color(snapshot, (140, 90), BLUE)
    assert_color(snapshot, (50, 95), (255, 255, 255))
    slider.position = 1.0
    assert_color(slider.snapshot(), (140, 90), RED)


def test_labels_of_a_snapshot_show_where_their_picture_has_room() -> None:
    slider = CompareSlider(plain(RED), plain(BLUE), (200, 200))

    def has_chip(at: tuple[int, int]) -> bool:
        return max(slider.snapshot().getpixel(at)) < 60

    assert has_chip((11, 11)) and has_chip((188, 11))
    slider.position = 0.1
    assert not has_chip((11, 11)) and has_chip((188, 11))
    slider.position = 0.95
    assert has_chip((11, 11)) and not has_chip((188, 11))


def test_new_pictures_keep_the_divider_and_are_small_webp() -> None:
    slider = CompareSlider(plain(RED), plain(BLUE))
    slider.position = 0.3
    slider.show(plain(GREEN, (320, 160)), plain(BLUE))
    assert slider.position == 0.3
    encoded = Image.open(io.BytesIO(slider.before_webp))
    assert encoded.format == "WEBP" and encoded.size == (512, 256)


def test_an_empty_compare_slider_says_so() -> None:
    slider = CompareSlider()
    assert slider.before_webp == b"" and slider.get_state()["after_webp"] == b""
    assert min(slider.snapshot().convert("L").tobytes()) < 150, "no text on the empty frame"
    slider.show(plain(RED), plain(BLUE))
    assert_color(slider.snapshot(), (100, 400), RED)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"before": np.zeros((8, 8, 3), np.uint8), "after": plain(RED)},
            TypeError,
            "before is ndarray; expected a PIL",
        ),
        ({"before": plain(RED), "after": "room.png"}, TypeError, "after is str; expected a PIL picture"),
        ({"before": plain(RED)}, ValueError, "after is None, the other is a picture"),
        ({"size_px": (512, 0)}, ValueError, r"size_px is \(512, 0\); expected \(width, height\) of 32"),
        ({"size_px": 512}, ValueError, "size_px is 512; expected"),
        ({"labels": ("one",)}, ValueError, "expected two texts"),
        ({"labels": "ab"}, ValueError, "expected two texts"),
    ],
)
def test_a_compare_slider_refuses_what_it_cannot_show(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        CompareSlider(**arguments)


@pytest.mark.parametrize("position", [-0.1, 1.5, math.nan])
def test_a_divider_cannot_leave_the_picture(position: float) -> None:
    slider = CompareSlider(plain(RED), plain(BLUE))
    with pytest.raises(traitlets.TraitError, match="expected 0"):
        slider.position = position
    assert slider.position == 0.5


# -- SweepPlayer ------------------------------------------------------------------------------------------------------


def test_a_player_takes_a_sweep_with_its_values_and_unit() -> None:
    scenes = [make_room().move("bed", right=value) for value in (-0.5, 0.0, 0.5)]
    reference, *images = [FakePipeline().render(scene) for scene in (make_room(), *scenes)]
    result = Sweep("bed.right", (-0.5, 0.0, 0.5), "m", tuple(scenes), tuple(images), reference)
    player = SweepPlayer(result)
    assert player.name == "bed.right"
    assert player.captions == ["-0.5 m", "+0 m", "+0.5 m"]
    assert len(player.pictures_webp) == 3 and len(set(player.pictures_webp)) == 3
    player.index = 2
    shown = np.asarray(player.snapshot().crop((0, 0, 384, 384)), int)
    expected = np.asarray(result.images[2].convert("RGB").resize((384, 384), Image.Resampling.LANCZOS), int)
    assert np.abs(shown - expected).max() == 0


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.1 + 0.2, "m", "+0.3 m"), (-30, "°", "-30 °"), (1.2, "x", "1.2x"), (1, "", "1"), ("lamp on", "m", "lamp on")],
)
def test_values_read_as_in_the_figure_of_a_sweep(value: float | str, unit: str, text: str) -> None:
    assert value_label(value, unit) == text


def test_a_player_s_snapshot_is_the_present_picture_over_its_value() -> None:
    player = player_of_three(size_px=(100, 100))
    for index, color in enumerate((RED, GREEN, BLUE)):
        player.index = index
        snapshot = player.snapshot()
        assert snapshot.size[0] == 100 and snapshot.size[1] > 130
        assert_color(snapshot, (50, 50), color)
        knob = 10 + 40 * index
        assert_color(snapshot, (knob, 134), (25, 118, 210))


def test_without_values_the_pictures_are_numbered() -> None:
    assert SweepPlayer(images=[plain(RED), plain(BLUE)]).captions == ["1", "2"]


def test_a_change_is_told_and_new_pictures_start_at_the_first() -> None:
    player, told = player_of_three(), []
    player.on_change(told.append)
    player.set_state({"index": 2})
    player.show(images=[plain(RED)], values=["one"])
    assert told == [2, 0]
    assert player.captions == ["one"] and player.index == 0 and player.name == ""


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "neither of a sweep and images="),
        ({"images": []}, ValueError, "no pictures to play"),
        ({"images": [plain(RED)], "values": [1, 2]}, ValueError, "1 pictures and 2 values"),
        ({"images": [plain(RED), None]}, TypeError, "picture 1 is NoneType; expected a PIL picture"),
        ({"sweep": [plain(RED)]}, TypeError, r"sweep is list; expected what `anchorgen.analysis.sweep"),
        ({"images": [plain(RED)], "interval_ms": 0}, traitlets.TraitError, "interval_ms is 0; expected 20"),
    ],
)
def test_a_player_refuses_what_it_cannot_play(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        SweepPlayer(**arguments)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_without_a_picture_is_refused(index: int) -> None:
    player = player_of_three()
    with pytest.raises(traitlets.TraitError, match=f"index is {index}; expected 0 to 2: there are 3 pictures"):
        player.index = index
    with pytest.raises(traitlets.TraitError, match="ping-pong"):
        player.mode = "once"


# -- what all share ---------------------------------------------------------------------------------------------------


def test_what_a_handler_raises_is_shown_until_one_works() -> None:
    slider, told = CompareSlider(plain(RED), plain(BLUE)), []

    def fails_on_the_left(position: float) -> None:
        if position < 0.5:
            raise RuntimeError("no <b>left</b> half")

    slider.on_move(fails_on_the_left)
    slider.on_move(told.append)
    slider.set_state({"position": 0.2})
    assert slider.error == "RuntimeError: no <b>left</b> half"
    assert isinstance(slider.last_error, RuntimeError)
    slider.set_state({"position": 0.8})
    assert slider.error == "" and slider.last_error is None
    assert told == [0.2, 0.8], "a handler that fails stopped the next one"


def test_a_handler_must_be_a_function() -> None:
    with pytest.raises(TypeError, match="on_move was given str; expected a function"):
        CompareSlider().on_move("print")  # pyright: ignore[reportArgumentType]


def test_a_message_that_makes_no_sense_is_shown_and_breaks_nothing() -> None:
    gallery = VariationGallery()
    gallery._handle_custom_msg({"type": "want"}, [])
    assert gallery.error.startswith("KeyError")
    gallery._handle_custom_msg({"type": "something of tomorrow"}, [])


def test_a_closed_widget_leaves_nothing_open() -> None:
    def open_widgets() -> set[str]:
        return {key for key, widget in _instances.items() if not isinstance(widget, ipywidgets.Layout)}

    before = open_widgets()
    for widget in (CompareSlider(plain(RED), plain(BLUE)), player_of_three(), VariationGallery(), HistoryStrip()):
        widget.close()
        widget.close()
    assert open_widgets() == before


@pytest.mark.parametrize("kind", [CompareSlider, SweepPlayer, VariationGallery, HistoryStrip])
def test_each_front_end_is_one_module_that_asks_no_network(kind: type[GuardedWidget]) -> None:
    module = str(kind._esm)
    assert module.count("export default { render }") == 1
    assert not re.search(r"^\s*import\s", module, re.MULTILINE)
    assert set(re.findall(r"https?://[^\s\"'`]+", module)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in str(kind._css)
    declared = re.findall(r"^(?:const|let|class|function|async function) (\w+)", module, re.MULTILINE)
    assert len(declared) == len(set(declared)), "two files of one module declare the same name"
