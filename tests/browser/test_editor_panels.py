"""The panels beside the picture of the editor, with real mouse and keys: objects, plan, library, code and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from editor_page import EditorPage
from PIL import Image

from anchorgen import SceneLatent

pytestmark = pytest.mark.browser

LATE_SELECTION_CELL = 6  # of conftest


@pytest.fixture
def editor(editor_page: EditorPage) -> EditorPage:
    """The editor with the scene at the start and its list of objects open."""
    editor_page.start_over()
    _open_tab(editor_page, "Objects")
    return editor_page


def _open_tab(editor: EditorPage, name: str) -> None:
    editor.page.get_by_role("tab", name=name, exact=True).click()


def _on_picture(editor: EditorPage, right: float, down: float) -> tuple[float, float]:
    frame = editor.overlay.bounding_box()
    return frame["x"] + right, frame["y"] + down


def test_a_slider_is_one_step_and_draws_nothing(editor: EditorPage) -> None:
    before = editor.quiet()
    slider = editor.page.get_by_test_id("strength-chair-0-appearance").bounding_box()
    editor.drag((slider["x"] + 2, slider["y"] + slider["height"] / 2), slider["width"] * 0.6, 3)
    after = editor.after_step(before, "a slider")
    strength = after["strengths"]["chair-0"]["appearance"]
    assert strength == pytest.approx(0.6, abs=0.08)
    assert after["undo"] == f"release chair-0.appearance {strength:.2f}" and after["selected"] == "chair-0"
    assert editor.quiet()["rendered"] == before["rendered"], "anchors do not show, but a picture was drawn"
    editor.overlay.focus()
    editor.page.keyboard.press("Control+z")
    editor.wait_for(lambda s: s["strengths"] == before["strengths"], "undone")
    editor.page.wait_for_function("document.querySelector('[data-testid=strength-chair-0-appearance]').value == 0")


def test_the_eye_removes_and_restores(editor: EditorPage) -> None:
    before = editor.state()
    eye = editor.page.get_by_test_id("visible-table lamp-0")
    eye.click()
    gone = editor.after_step(before, "the eye")
    assert gone["undo"] == "remove table lamp-0" and set(before["objects"]) - set(gone["objects"]) == {"table lamp-0"}
    editor.page.get_by_test_id("box-table lamp-0").wait_for(state="detached")
    eye.click()
    back = editor.after_step(gone, "the eye again")
    assert back["undo"] == "restore table lamp-0" and back["selected"] == "table lamp-0"
    assert back["objects"] == before["objects"]
    editor.page.get_by_test_id("box-table lamp-0").wait_for(state="attached")


def test_locks_and_the_buttons_for_all(editor: EditorPage) -> None:
    page, before = editor.page, editor.state()
    page.get_by_test_id("lock-bed-0").click()
    free = editor.after_step(before, "the lock")
    assert set(free["strengths"]["bed-0"].values()) == {1.0} and set(free["strengths"]["rug-0"].values()) == {0.0}
    page.get_by_test_id("lock-bed-0").click()
    assert editor.after_step(free, "the lock again")["strengths"] == before["strengths"]
    page.get_by_test_id("release-all").click()
    every = editor.wait_for(lambda s: set(s["strengths"]["rug-0"].values()) == {1.0}, "everything released")
    assert all(set(factors.values()) == {1.0} for factors in every["strengths"].values())
    page.get_by_test_id("keep-all").click()
    editor.wait_for(lambda s: s["strengths"] == before["strengths"], "everything kept")
    assert editor.state()["at"] == 4


def test_a_row_selects_and_arrow_keys_go_on_in_the_list(editor: EditorPage) -> None:
    editor.page.get_by_test_id("anchor-row-wardrobe-0").locator(".ag-name").click()
    editor.wait_for(lambda s: s["selected"] == s["overlay_selected"] == "wardrobe-0", "the wardrobe selected")
    editor.page.keyboard.press("ArrowDown")
    editor.wait_for(lambda s: s["selected"] == s["overlay_selected"] == "chair-0", "the chair selected")
    assert editor.page.locator("[data-testid^=handle-]").count() > 0


def test_a_number_typed_moves_the_box_in_the_picture(editor: EditorPage) -> None:
    editor.select("chair-0")
    before, place = editor.state(), editor.centre_of("box-chair-0")
    field = editor.page.get_by_test_id("number-right")
    field.fill("-0.5")
    field.press("Enter")
    after = editor.after_step(before, "a number")
    assert after["numbers"]["chair-0"]["right"] == pytest.approx(-0.5, abs=1e-4)
    assert after["undo"] == "right of chair-0"
    editor.page.wait_for_timeout(200)
    assert editor.centre_of("box-chair-0")[0] > place[0] + 40
    field.fill("wide")
    field.press("Enter")
    problem = editor.page.get_by_test_id("inspector-problem")
    problem.wait_for(state="visible")
    assert "not a number" in problem.inner_text()
    assert editor.state()["steps"] == after["steps"]
    field.press("Escape")
    problem.wait_for(state="hidden")
    editor.overlay.focus()
    editor.page.keyboard.press("Escape")
    editor.wait_for(lambda s: not s["selected"], "nothing selected")
    editor.page.get_by_test_id("number-across").click()  # only read: JupyterLab would take the keys for its own
    editor.page.keyboard.press("Control+a")
    assert editor.page.locator(".jp-Cell.jp-mod-multiSelected").count() == 0, "Control+A has selected cells"
    focal = editor.page.get_by_test_id("number-fx")
    focal.fill("1.1")
    focal.press("Enter")
    camera = editor.after_step(editor.state() | {"steps": after["steps"]}, "a number of the camera")
    assert camera["focal"][0] == pytest.approx(1.1) and camera["undo"] == "fx of camera"


def test_a_number_half_typed_stays_with_its_object_when_another_is_selected(editor: EditorPage) -> None:
    editor.run_cell(LATE_SELECTION_CELL)
    editor.overlay.scroll_into_view_if_needed()
    editor.select("chair-0")
    before = editor.state()
    editor.page.get_by_test_id("number-right").click()
    editor.page.keyboard.press("Control+a")
    editor.page.keyboard.type("-0.")
    editor.wait_for(lambda s: s["selected"] == "bed-0", "the bed selected by code")
    editor.page.wait_for_timeout(300)
    assert editor.page.get_by_test_id("inspector-name").inner_text() == "chair"
    editor.page.keyboard.type("75")
    editor.page.keyboard.press("Enter")
    after = editor.after_step(before, "a number typed while another was selected")
    assert after["numbers"]["chair-0"]["right"] == pytest.approx(-0.75, abs=1e-4)
    assert after["objects"]["bed-0"] == before["objects"]["bed-0"]
    editor.page.wait_for_function("document.querySelector('[data-testid=inspector-name]').innerText === 'bed'")
    assert editor.page.get_by_test_id("number-right").input_value() == "0.3"


def test_a_drag_on_the_plan_moves_along_the_floor(editor: EditorPage) -> None:
    _open_tab(editor, "Plan")
    before = editor.state()
    canvas = editor.page.get_by_test_id("plan-view").bounding_box()
    scale = canvas["width"] / 368  # the plan shrinks with its panel
    right, down = np.array(before["plan_places"]["chair-0"]) * scale
    editor.drag((canvas["x"] + right, canvas["y"] + down), 33, 20)
    after = editor.after_step(before, "a drag on the plan")
    assert after["undo"] == "move chair-0" and after["selected"] == "chair-0"
    new, old = (state["numbers"]["chair-0"] for state in (after, before))
    metres = before["plan_zoom"] * scale
    assert new["right"] - old["right"] == pytest.approx(33 / metres, abs=0.03)
    assert new["forward"] - old["forward"] == pytest.approx(-20 / metres, abs=0.03)
    assert new["bottom"] == pytest.approx(old["bottom"], abs=1e-3)


def _with_library(editor: EditorPage) -> dict[str, Any]:
    _open_tab(editor, "Library")
    item = editor.page.get_by_test_id("library-item-chair-1")
    if not item.count():
        editor.page.get_by_role("button", name="Add all").click()
    item.wait_for()
    return editor.state()


def test_a_library_takes_objects_in_and_a_click_inserts_one(editor: EditorPage) -> None:
    before = _with_library(editor)
    assert editor.page.locator("[data-testid^=library-item-] img").count() == len(before["objects"])
    editor.page.get_by_test_id("library-item-chair-1").click()
    after = editor.after_step(before, "a click on a library object")
    (new,) = set(after["objects"]) - set(before["objects"])
    assert after["undo"] == "insert chair" and after["selected"] == new
    assert after["objects"][new]["scale"] == before["objects"]["chair-0"]["scale"]
    assert after["library"] == ["bed-1", "nightstand-1", "table-lamp-1", "wardrobe-1", "chair-1", "rug-1"]


@pytest.mark.parametrize(
    ("key", "pixel", "bottom"),
    [
        pytest.param("chair-1", (200, 470), 0.0, id="on the floor"),
        pytest.param("table-lamp-1", (171, 244), 0.55, id="on the nightstand"),
    ],
)
def test_an_object_dropped_on_the_picture_stands_where_it_was_dropped(
    editor: EditorPage, key: str, pixel: tuple[float, float], bottom: float
) -> None:
    before, mouse = _with_library(editor), editor.page.mouse
    mouse.move(*editor.centre_of(f"library-item-{key}"))
    mouse.down()
    for k in range(1, 9):
        start, end = np.array(editor.centre_of(f"library-item-{key}")), np.array(_on_picture(editor, *pixel))
        mouse.move(*(start + (end - start) * k / 8))
    mouse.up()
    after = editor.after_step(before, "a drop")
    (new,) = set(after["objects"]) - set(before["objects"])
    assert after["selected"] == new and after["undo"].startswith("insert")
    assert after["numbers"][new]["bottom"] == pytest.approx(bottom, abs=5e-3)
    pose = after["objects"][new]
    foot = np.array(pose["translation"]) - np.array(after["up"]) * pose["scale"][2] / 2
    seen = (foot[:2] / foot[2] * after["focal"] + 0.5) * 512
    assert seen == pytest.approx(pixel, abs=2), "its foot is not where it was dropped"


def test_the_code_tab_shows_code_that_makes_the_scene(editor: EditorPage) -> None:
    editor.select("chair-0")
    for key in ("ArrowRight", "q", "d", "Delete"):
        steps = editor.state()["steps"]
        editor.page.keyboard.press(key)
        editor.wait_for(lambda s, steps=steps: s["steps"] > steps, key)
        editor.page.wait_for_timeout(100)
    state = editor.state()
    _open_tab(editor, "Code")
    editor.page.wait_for_function(
        "code => document.querySelector('[data-testid=code]').textContent === code", arg=state["code"]
    )
    assert "scene = scene.move('chair-0', right=0.05)" in state["code"]
    from fake_pipeline import make_room

    values = {"scene": make_room()}
    exec(state["code"], values)
    assert values["scene"].translation[values["scene"].presence].tolist() == [
        pose["translation"] for pose in state["objects"].values()
    ]
    editor.page.get_by_test_id("copy-code").click()
    editor.page.wait_for_function("/Copied|Press/.test(document.querySelector('[data-testid=copy-code]').textContent)")


def test_buttons_save_files_beside_the_notebook_and_never_over_others(editor: EditorPage) -> None:
    folder = editor.state_file.parent
    editor.quiet()
    _open_tab(editor, "Code")
    name = editor.page.get_by_placeholder("name or folder/name")
    name.fill("bed room")
    name.press("Tab")
    for button in ("Picture", "Scene", "Page", "Picture"):
        saved = editor.page.locator(".ag-export code")
        before = saved.inner_text() if saved.count() else ""
        _export_button(editor, button).click()
        editor.page.wait_for_function(
            "before => (document.querySelector('.ag-export code')?.innerText ?? '') !== before", arg=before
        )
    assert sorted(path.name for path in folder.glob("bed room*")) == [
        "bed room-2.png",
        "bed room.html",
        "bed room.png",
        "bed room.safetensors",
    ]
    assert Image.open(folder / "bed room.png").size == (128, 128)
    poses = [pose["translation"] for pose in editor.state()["objects"].values()]
    assert _translations(folder / "bed room.safetensors") == poses
    assert "6 objects, 0 steps" in (folder / "bed room.html").read_text()
    name.fill("no/such/folder/room")
    name.press("Tab")
    _export_button(editor, "Picture").click()
    alert = editor.page.locator(".ag-error [role=alert]")
    alert.wait_for()
    assert "FileNotFoundError" in alert.inner_text()
    editor.page.locator(".ag-error button").click()
    alert.wait_for(state="hidden")
    assert editor.errors == []


def _export_button(editor: EditorPage, text: str) -> Any:
    return editor.page.locator(".ag-export button", has_text=text)


def _translations(path: Path) -> list[list[float]]:
    return [view.translation.tolist() for view in SceneLatent.load(path).objects]
