"""Gestures in the picture of the editor beyond the plain ones: snaps, nudges, selecting, sizing about the middle."""

from __future__ import annotations

from typing import Any

import pytest
from editor_page import EditorPage

pytestmark = pytest.mark.browser


@pytest.fixture
def editor(editor_page: EditorPage) -> EditorPage:
    """The editor with the scene at the start."""
    editor_page.start_over()
    return editor_page


def _numbers(state: dict[str, Any], name: str = "chair-0") -> dict[str, float]:
    return state["numbers"][name]


def _is_multiple(value: float, step: float) -> bool:
    return abs(value / step - round(value / step)) < 0.01


def test_control_snaps_a_move_to_a_quarter_of_a_metre(editor: EditorPage) -> None:
    before = editor.state()
    editor.page.keyboard.down("Control")
    editor.drag(editor.centre_of("box-chair-0"), 47, 13)
    editor.page.keyboard.up("Control")
    after = editor.after_step(before, "a snapped move")
    assert after["undo"] == "move chair-0"
    place = _numbers(after)
    assert _is_multiple(place["right"], 0.25) and _is_multiple(place["forward"], 0.25), place
    assert place["right"] > _numbers(before)["right"] and place["bottom"] == pytest.approx(0, abs=1e-3)


def test_control_snaps_a_turn_to_fifteen_degrees(editor: EditorPage) -> None:
    editor.select("chair-0")
    before = editor.state()
    editor.page.keyboard.down("Control")
    editor.drag(editor.centre_of("handle-yaw"), -37, 6)
    editor.page.keyboard.up("Control")
    after = editor.after_step(before, "a snapped turn")
    turned = _numbers(after)["yaw"] - _numbers(before)["yaw"]
    assert abs(turned) > 10 and _is_multiple(turned, 15), f"turned by {turned} degrees"


def test_control_snaps_a_side_to_five_centimetres_and_a_lift_to_a_quarter(editor: EditorPage) -> None:
    editor.select("chair-0")
    before = editor.state()
    editor.page.keyboard.down("Control")
    editor.drag(editor.centre_of("handle-size-2+"), 0, -33)
    editor.page.keyboard.up("Control")
    sized = editor.after_step(before, "a snapped size")
    height = _numbers(sized)["height"]
    assert height > 0.95 and _is_multiple(height, 0.05), height
    assert _numbers(sized)["bottom"] == pytest.approx(0, abs=1e-3), "the opposite face has moved"
    for key in ("Shift", "Control"):
        editor.page.keyboard.down(key)
    editor.drag(editor.centre_of("box-chair-0"), 0, -40)
    for key in ("Shift", "Control"):
        editor.page.keyboard.up(key)
    lifted = _numbers(editor.after_step(sized, "a snapped lift"))
    assert lifted["bottom"] > 0.2 and _is_multiple(lifted["bottom"], 0.25), lifted


def test_alt_sizes_about_the_middle(editor: EditorPage) -> None:
    editor.select("chair-0")
    before = editor.state()
    editor.page.keyboard.down("Alt")
    editor.drag(editor.centre_of("handle-size-2+"), 0, -30)
    editor.page.keyboard.up("Alt")
    after = editor.after_step(before, "a size about the middle")
    old, new = (state["objects"]["chair-0"] for state in (before, after))
    assert new["scale"][2] > old["scale"][2] + 0.1
    assert new["translation"] == pytest.approx(old["translation"], abs=1e-4)


@pytest.mark.parametrize(
    ("keys", "number", "change"),
    [
        ("ArrowLeft", "right", -0.05),
        ("ArrowRight", "right", 0.05),
        ("ArrowUp", "forward", 0.05),
        ("ArrowDown", "forward", -0.05),
        ("Control+ArrowRight", "right", 0.25),
        ("Shift+ArrowUp", "bottom", 0.05),
        ("Shift+ArrowDown", "bottom", -0.05),
        ("q", "yaw", 5.0),
        ("e", "yaw", -5.0),
    ],
)
def test_a_key_nudges_by_one_step(editor: EditorPage, keys: str, number: str, change: float) -> None:
    editor.select("chair-0")
    before = editor.state()
    editor.page.keyboard.press(keys)
    after = editor.after_step(before, keys)
    new, old = _numbers(after), _numbers(before)
    assert new[number] - old[number] == pytest.approx(change, abs=0.006 if number == "yaw" else 1e-4)
    others = [name for name in new if name != number]
    assert [new[name] for name in others] == pytest.approx([old[name] for name in others], abs=1e-3)


def test_a_held_key_is_one_step_also_where_another_is_pressed_meanwhile(editor: EditorPage) -> None:
    editor.select("chair-0")
    before, keyboard = editor.state(), editor.page.keyboard
    for _ in range(4):
        keyboard.down("ArrowRight")
    keyboard.press("ArrowUp")  # ends it, as letting the first key go would
    keyboard.up("ArrowRight")
    after = editor.after_step(before, "a held arrow key")
    assert _numbers(after)["right"] - _numbers(before)["right"] == pytest.approx(0.2, abs=1e-3)


def test_tab_goes_from_left_to_right_and_back_and_leaves_at_the_ends(editor: EditorPage) -> None:
    keyboard, objects = editor.page.keyboard, editor.state()["objects"]
    ordered = sorted(objects, key=lambda name: objects[name]["translation"][0])
    for name in ordered:
        keyboard.press("Tab")
        editor.wait_for(lambda s, name=name: s["selected"] == name, f"Tab to {name}")
    keyboard.press("Shift+Tab")
    editor.wait_for(lambda s: s["selected"] == ordered[-2], "Shift+Tab back")
    assert editor.overlay.evaluate("svg => svg === document.activeElement")
    for _ in range(2):
        keyboard.press("Tab")
    editor.wait_for(lambda s: not s["selected"], "nothing selected past the last one")
    assert not editor.overlay.evaluate("svg => svg === document.activeElement"), "Tab is caught in the picture"


def test_a_small_box_comes_before_a_large_one_and_a_click_again_takes_that_behind(editor: EditorPage) -> None:
    rug, bed = (editor.page.get_by_test_id(f"box-{name}").bounding_box() for name in ("rug-0", "bed-0"))
    both = bed["x"] + bed["width"] / 2, (rug["y"] + bed["y"] + bed["height"]) / 2
    assert rug["y"] < both[1] < bed["y"] + bed["height"], "the rug and the bed do not overlap any more"
    for name in ("rug-0", "bed-0", "rug-0"):
        editor.page.mouse.click(*both)
        editor.wait_for(lambda s, name=name: s["selected"] == name, f"a click on {name}")
    assert editor.state()["at"] == 0, "a click is a step"
    editor.select("nightstand-0")
    for _ in range(6):
        editor.page.keyboard.press("Control+ArrowRight")
    editor.wait_for(lambda s: _numbers(s, "nightstand-0")["right"] == pytest.approx(0.55, abs=1e-3), "behind the bed")
    editor.page.wait_for_timeout(200)
    behind = editor.centre_of("box-nightstand-0")
    editor.page.keyboard.press("Escape")
    editor.page.mouse.click(*behind)
    editor.wait_for(lambda s: s["selected"] == "nightstand-0", "the small one behind the large one")


def test_what_was_chosen_on_purpose_is_what_a_drag_takes(editor: EditorPage) -> None:
    rug, bed = (editor.page.get_by_test_id(f"box-{name}").bounding_box() for name in ("rug-0", "bed-0"))
    both = bed["x"] + bed["width"] / 2, (rug["y"] + bed["y"] + bed["height"]) / 2
    editor.select("bed-0")
    before = editor.state()
    editor.drag(both, 30, 0)
    after = editor.after_step(before, "a drag of the bed by a place where the rug is in front")
    assert after["undo"] == "move bed-0" and after["selected"] == "bed-0"


def test_escape_and_a_click_beside_everything_deselect(editor: EditorPage) -> None:
    editor.select("chair-0")
    editor.page.keyboard.press("Escape")
    editor.wait_for(lambda s: not s["selected"], "Escape deselects")
    assert editor.overlay.evaluate("svg => svg === document.activeElement")
    editor.page.mouse.click(*editor.centre_of("box-chair-0"))
    editor.wait_for(lambda s: s["selected"] == "chair-0", "the chair selected")
    frame = editor.overlay.bounding_box()
    editor.page.mouse.click(frame["x"] + 60, frame["y"] + 30)
    editor.wait_for(lambda s: not s["selected"], "a click on the wall deselects")
    assert editor.state()["at"] == 0 and editor.page.locator("[data-testid^=handle-]").count() == 0


def test_keys_act_on_what_was_just_clicked_while_the_kernel_is_busy(editor: EditorPage) -> None:
    editor.select("bed-0")
    editor.page.keyboard.press("ArrowRight")  # drawing it keeps the kernel busy: state arrives late, messages do not
    editor.page.mouse.click(*editor.centre_of("box-chair-0"))
    editor.page.keyboard.press("Delete")
    after = editor.wait_for(lambda s: "remove" in s["undo"], "something removed")
    assert after["undo"] == "remove chair-0" and "bed-0" in after["objects"]
    editor.page.wait_for_timeout(500)
    assert editor.state()["selected"] == ""
    assert editor.page.locator(".ag-error [role=alert]").count() == 0
    assert editor.errors == []
