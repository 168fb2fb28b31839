"""The bundled networks behind the editor: a drag, a resample and a removal by hand, each with its new picture."""

from __future__ import annotations

import numpy as np
import pytest
from editor_page import EditorPage, check_that_a_drag_brings_a_new_picture

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pipeline_name() -> str:
    return "bundled"


def test_dragging_a_box_draws_a_new_picture(editor_page: EditorPage) -> None:
    check_that_a_drag_brings_a_new_picture(editor_page)


def test_resampling_by_its_button_changes_the_scene_and_the_picture(editor_page: EditorPage) -> None:
    editor = editor_page
    before, picture = editor.state(), np.asarray(editor.picture(), int)
    editor.page.get_by_role("tab", name="Variations").click()
    editor.page.get_by_role("button", name="Resample").click()
    after = editor.wait_for(lambda s: s["steps"] > before["steps"], "a resampled scene", 60.0)
    assert after["undo"].startswith("resample")
    editor.wait_for(lambda s: s["final_pictures"] > before["final_pictures"], "its picture", 60.0)
    editor.page.wait_for_timeout(500)
    assert np.abs(np.asarray(editor.picture(), int) - picture).mean() > 1
    assert editor.page.locator(".ag-error [role=alert]").count() == 0
    assert editor.errors == []


def test_deleting_the_lamp_darkens_the_picture(editor_page: EditorPage) -> None:
    editor = editor_page
    editor.overlay.focus()
    for _ in range(2):
        editor.page.keyboard.press("Control+z")
    editor.wait_for(lambda s: s["undo"] == "", "everything undone")
    editor.page.wait_for_timeout(300)
    lamp = next(name for name in editor.state()["objects"] if name.startswith("table lamp"))
    editor.page.get_by_role("button", name="Render").click()
    count = editor.state()["final_pictures"]
    lit = editor.wait_for(lambda s: s["final_pictures"] > count, "the room as it was", 60.0)
    bright = np.asarray(editor.picture(), int)
    editor.select(lamp)
    editor.page.keyboard.press("Delete")
    editor.wait_for(lambda s: lamp not in s["objects"], "the lamp removed")
    editor.wait_for(lambda s: s["final_pictures"] > lit["final_pictures"], "the room without it", 60.0)
    editor.page.wait_for_timeout(500)
    assert np.asarray(editor.picture(), int).mean() < bright.mean()
    assert editor.errors == []
