"""The editor in a real JupyterLab in a real Chromium, with real mouse and key events, asserted on the Python side."""

from __future__ import annotations

import pytest
from editor_page import EditorPage, check_that_a_drag_brings_a_new_picture

pytestmark = pytest.mark.browser

OTHER_PIPELINES = "needs the room and the failures of the fake pipeline"


def test_dragging_a_box_moves_the_object_and_brings_a_new_picture(editor_page: EditorPage) -> None:
    check_that_a_drag_brings_a_new_picture(editor_page)


def test_undo_and_redo_by_keys_are_exact(editor_page: EditorPage) -> None:
    editor = editor_page
    editor.overlay.focus()
    moved = editor.wait_for(lambda s: bool(s["undo"]), "something to undo")
    editor.page.keyboard.press("Control+z")
    back = editor.wait_for(lambda s: s["undo"] == "", "everything undone")
    assert back["objects"] != moved["objects"]
    editor.page.keyboard.press("Control+Shift+z")
    assert editor.wait_for(lambda s: s["redo"] == "", "redone")["objects"] == moved["objects"]
    editor.page.keyboard.press("Control+z")
    editor.wait_for(lambda s: s["undo"] == "", "everything undone")


def test_escape_gives_a_drag_up(editor_page: EditorPage) -> None:
    editor = editor_page
    name, before = editor.movable(), editor.state()
    editor.drag(editor.centre_of(f"box-{name}"), 50, 0, release=False)
    editor.page.keyboard.press("Escape")
    editor.page.mouse.up()
    editor.wait_for(lambda s: s["final_pictures"] > before["final_pictures"], "the old picture again")
    assert editor.state()["objects"] == before["objects"]
    assert editor.state()["undo"] == ""


@pytest.mark.parametrize(
    ("gesture", "verbs"),
    [
        ("lift", ["move"]),
        ("turn", ["rotate"]),
        ("size", ["resize", "move"]),
        ("nudge", ["move"]),
        ("turn by key", ["rotate"]),
        ("duplicate", ["duplicate"]),
        ("remove", ["remove"]),
    ],
)
def test_every_gesture_is_one_undo_step(editor_page: EditorPage, gesture: str, verbs: list[str]) -> None:
    editor = editor_page
    keyboard = editor.page.keyboard
    name = editor.movable()
    editor.select(name)
    before = editor.state()
    if gesture == "lift":
        keyboard.down("Shift")
        editor.drag(editor.centre_of(f"box-{name}"), 0, -30)
        keyboard.up("Shift")
    elif gesture == "turn":
        editor.drag(editor.centre_of("handle-yaw"), -40, 10)
    elif gesture == "size":
        editor.drag(editor.centre_of(editor.handle("size-")), 12, -12)
    elif gesture == "nudge":
        for _ in range(3):
            keyboard.down("ArrowRight")
        keyboard.up("ArrowRight")
    else:
        keyboard.press({"turn by key": "q", "duplicate": "d", "remove": "Delete"}[gesture])
    after = editor.wait_for(lambda s: s["steps"] == before["steps"] + 1, f"{gesture} of {name}")
    done = [step["verb"] for step in after["verbs"][len(before["verbs"]) :]]
    assert done in (verbs, verbs[:1])
    editor.overlay.focus()
    keyboard.press("Control+z")
    assert editor.wait_for(lambda s: s["steps"] == before["steps"] + 2, "undone")["objects"] == before["objects"]


def test_handles_do_not_lie_on_one_another(editor_page: EditorPage) -> None:
    editor = editor_page
    for name in editor.state()["objects"]:
        editor.select(name)
        editor.page.wait_for_timeout(100)
        shown = editor.page.locator("[data-testid^=handle-]")
        places = [box["x"] + 1j * box["y"] for box in (shown.nth(k).bounding_box() for k in range(shown.count()))]
        gaps = [abs(a - b) for k, a in enumerate(places) for b in places[:k]]
        assert all(gap > 14 for gap in gaps), f"handles of {name} are {min(gaps):.0f} px apart"


def test_saving_by_keys_still_works_in_the_picture(editor_page: EditorPage) -> None:
    editor = editor_page
    notebook = editor.state_file.with_name("room.ipynb")
    saved = notebook.stat().st_mtime_ns
    editor.overlay.focus()
    editor.page.keyboard.press("Control+s")
    for _ in range(100):
        if notebook.stat().st_mtime_ns != saved:
            break
        editor.page.wait_for_timeout(100)
    assert notebook.stat().st_mtime_ns != saved, "Control+S did not save the notebook"
    cells = editor.page.locator(".jp-CodeCell").count()
    editor.overlay.focus()
    editor.page.keyboard.press("b")
    editor.page.wait_for_timeout(300)
    assert editor.page.locator(".jp-CodeCell").count() == cells, "a letter reached JupyterLab's shortcuts"


def test_a_scene_set_in_code_shows_in_the_editor(editor_page: EditorPage, pipeline_name: str) -> None:
    if pipeline_name != "fake":
        pytest.skip(OTHER_PIPELINES)
    editor = editor_page
    before = editor.centre_of("box-chair-0")
    editor.run_cell(3)
    editor.wait_for(lambda s: s["undo"] == "set in code", "the scene from code")
    editor.page.wait_for_timeout(500)
    assert editor.centre_of("box-chair-0")[0] > before[0] + 10


def test_an_error_of_the_renderer_is_shown_and_goes_away(editor_page: EditorPage, pipeline_name: str) -> None:
    if pipeline_name != "fake":
        pytest.skip(OTHER_PIPELINES)
    editor = editor_page
    editor.run_cell(1)
    editor.select("bed-0")
    editor.page.keyboard.press("ArrowUp")
    alert = editor.page.locator(".ag-error [role=alert]")
    alert.wait_for(timeout=20_000)
    assert alert.inner_text() == "RuntimeError: the decoder <broke>"
    editor.run_cell(2)
    editor.page.get_by_role("button", name="Render").click()
    alert.wait_for(state="hidden", timeout=20_000)
