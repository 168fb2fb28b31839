"""Looking around the boxes of the editor, and dragging them from there, with real mouse and keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from editor_page import EditorPage
from notebook_page import take_screenshot
from scipy.spatial.transform import Rotation

pytestmark = pytest.mark.browser

HOME = [0, 0, 1]
SIDE_PX = 512


@pytest.fixture
def editor(editor_page: EditorPage) -> EditorPage:
    """The editor with the scene at the start, seen through the camera."""
    editor_page.start_over()
    return editor_page


def _three(vector: Any) -> np.ndarray:
    return np.asarray(vector, float) * [1, -1, -1]


def _look(editor: EditorPage) -> dict[str, Any]:
    editor.page.keyboard.press("o")
    state = editor.wait_for(lambda s: s["orbit"] != HOME, "looking around")
    editor.page.wait_for_timeout(200)
    return state


def _pixel(state: dict[str, Any], pivot: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Where the eye sees a point of the scene (three.js's frame): it circles the pivot, looking at it."""
    yaw, pitch, zoom = state["orbit"]
    about_up = Rotation.from_rotvec(np.radians(yaw) * _three(state["up"]))
    turn = Rotation.from_euler("x", pitch, degrees=True) * about_up
    x, y, z = turn.apply(point - pivot) + pivot * zoom
    focal = np.array(state["focal"]) * SIDE_PX
    return np.array([focal[0] * x / -z, focal[1] * y / z]) + SIDE_PX / 2


def _foot(state: dict[str, Any], name: str) -> np.ndarray:
    """The point of the floor under an upright object."""
    pose = state["objects"][name]
    return _three(pose["translation"]) - _three(state["up"]) * pose["scale"][2] / 2


def test_o_looks_around_and_back(editor: EditorPage) -> None:
    picture = editor.page.locator(".ag-view img")
    before = editor.picture()
    button = editor.page.get_by_role("button", name="Look around")
    _look(editor)
    take_screenshot(editor, "editor_orbit")
    assert picture.evaluate("image => getComputedStyle(image).visibility") == "hidden"
    assert editor.page.get_by_test_id("frustum").count() == 1
    assert "mod-active" in button.get_attribute("class")
    editor.page.keyboard.press("o")
    editor.wait_for(lambda s: s["orbit"] == HOME, "through the camera again")
    editor.page.wait_for_timeout(200)
    assert picture.evaluate("image => getComputedStyle(image).visibility") == "visible"
    assert editor.page.get_by_test_id("frustum").count() == 0
    assert "mod-active" not in button.get_attribute("class")
    assert np.array_equal(np.asarray(editor.picture()), np.asarray(before)) and editor.state()["at"] == 0


def test_the_button_looks_around_and_back(editor: EditorPage) -> None:
    button = editor.page.get_by_role("button", name="Look around")
    button.click()
    editor.wait_for(lambda s: s["orbit"] != HOME, "looking around")
    button.click()
    editor.wait_for(lambda s: s["orbit"] == HOME, "through the camera again")


def test_a_right_drag_turns_the_wheel_comes_closer_and_home_goes_back(editor: EditorPage) -> None:
    mouse, frame = editor.page.mouse, editor.overlay.bounding_box()
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    editor.select("chair-0")
    mouse.move(*middle)
    mouse.down(button="right")
    for k in range(1, 6):
        mouse.move(middle[0] + 20 * k, middle[1] + 10 * k)
    mouse.up(button="right")
    turned = editor.wait_for(lambda s: s["orbit"][0] == pytest.approx(40), "a turn of 0.4 degrees a pixel")
    assert turned["orbit"] == pytest.approx([40, 20, 1])
    editor.page.wait_for_timeout(300)
    assert editor.page.locator(".lm-Menu").count() == 0, "the right button opens JupyterLab's menu"
    top = editor.overlay.bounding_box()["y"]
    mouse.wheel(0, 300)
    away = editor.wait_for(lambda s: s["orbit"][2] > 1, "further away")
    assert away["orbit"] == pytest.approx([40, 20, np.exp(0.3)])
    mouse.wheel(0, -500)
    editor.wait_for(lambda s: s["orbit"][2] == pytest.approx(np.exp(-0.2)), "closer")
    assert editor.overlay.bounding_box()["y"] == top, "the page has scrolled"
    mouse.move(frame["x"] + 8, frame["y"] + 8)
    mouse.down()  # beside everything, the left button turns, too
    mouse.move(frame["x"] + 33, frame["y"] + 8, steps=3)
    mouse.up()
    editor.wait_for(lambda s: s["orbit"][0] == pytest.approx(50), "a turn with the left button")
    editor.page.keyboard.press("Home")
    back = editor.wait_for(lambda s: s["orbit"] == HOME, "through the camera again")
    assert back["selected"] == "chair-0" and back["at"] == 0, "looking around is no edit"


def test_the_wheel_scrolls_the_page_where_one_looks_through_the_camera(editor: EditorPage) -> None:
    frame = editor.overlay.bounding_box()
    editor.page.mouse.move(frame["x"] + 100, frame["y"] + 100)
    editor.page.mouse.wheel(0, 80)
    editor.page.wait_for_timeout(500)
    assert editor.overlay.bounding_box()["y"] < frame["y"] - 20
    assert editor.state()["orbit"] == HOME
    editor.page.mouse.wheel(0, -80)
    editor.page.wait_for_timeout(500)


def test_a_box_dragged_from_elsewhere_follows_the_pointer_on_the_floor_in_one_step(editor: EditorPage) -> None:
    pivot = np.mean([_three(pose["translation"]) for pose in editor.state()["objects"].values()], 0)
    before = _look(editor)
    start = editor.centre_of("box-chair-0")
    editor.drag(start, -70, 45)
    after = editor.after_step(before, "a drag from elsewhere")
    assert after["undo"] == "move chair-0" and after["orbit"] == before["orbit"]
    assert after["numbers"]["chair-0"]["bottom"] == pytest.approx(0, abs=1e-3)
    seen = [_pixel(before, pivot, _foot(state, "chair-0")) for state in (before, after)]
    assert seen[1] - seen[0] == pytest.approx([-70, 45], abs=1.0), "its foot is not where the pointer has dragged it"
    editor.quiet()
    end = editor.centre_of("box-chair-0")
    assert np.subtract(end, start) == pytest.approx([-70, 45], abs=25), "the box on the page is elsewhere"
    editor.page.keyboard.press("Control+z")
    undone = editor.wait_for(lambda s: s["at"] == 0, "undone")
    assert undone["objects"] == before["objects"]


@pytest.mark.parametrize("keys", ["ArrowRight", "q"])
def test_keys_move_along_the_room_wherever_one_looks_from(editor: EditorPage, keys: str) -> None:
    editor.select("chair-0")
    before = _look(editor)
    editor.page.keyboard.press(keys)
    after = editor.after_step(before, keys)
    name, change = {"ArrowRight": ("right", 0.05), "q": ("yaw", 5.0)}[keys]
    new, old = (state["numbers"]["chair-0"] for state in (after, before))
    assert new[name] - old[name] == pytest.approx(change, abs=0.01 * change)
    others = [key for key in new if key != name]
    assert [new[key] for key in others] == pytest.approx([old[key] for key in others], abs=1e-3)
    assert editor.errors == []
