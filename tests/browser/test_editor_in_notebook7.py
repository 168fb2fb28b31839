"""The editor in Notebook 7: it shows, and what hands do to it arrives."""

from __future__ import annotations

from pathlib import Path

import pytest
from editor_page import check_that_a_drag_brings_a_new_picture
from notebook_page import editor_cell, opened_notebook, show_editor, take_screenshot

pytestmark = pytest.mark.browser


def test_the_editor_works_in_notebook_7(browser_path: str, tmp_path: Path) -> None:
    with opened_notebook(browser_path, tmp_path, [editor_cell()], application="notebook") as editor:
        show_editor(editor, tmp_path / "no_editor.png")
        editor.errors.clear()  # Notebook throws one of its own while it loads
        assert editor.root.locator(".jp-NotebookPanel").count() == 1
        assert editor.root.locator(".ag-view canvas").count() == 1
        check_that_a_drag_brings_a_new_picture(editor)
        before, cells = editor.state(), editor.page.locator(".jp-CodeCell").count()
        editor.select("chair-0")
        editor.page.keyboard.press("d")
        copied = editor.after_step(before, "a key")
        assert copied["undo"] == "duplicate chair-0"
        assert editor.page.locator(".jp-CodeCell").count() == cells, "a letter reached the notebook's shortcuts"
        editor.page.keyboard.press("Control+z")
        editor.wait_for(lambda s: s["objects"] == before["objects"], "undone")
        slider = editor.page.get_by_test_id("strength-bed-0-layout")
        slider.focus()
        editor.page.keyboard.press("End")
        editor.wait_for(lambda s: s["strengths"]["bed-0"]["layout"] == 1, "the layout released")
        take_screenshot(editor, "editor_in_notebook_7")
        panel, body = (editor.page.locator(name).first.bounding_box() for name in (".ag-panel", ".ag-editor"))
        assert panel["x"] + panel["width"] <= body["x"] + body["width"] + 1, "the panel is cut"
        assert editor.errors == []
