"""One scene in several editors, a page that is loaded again, a kernel that is started again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from editor_page import EditorPage
from notebook_page import editor_cell, opened_notebook, show_editor, take_screenshot, wait_until_kernel_is_idle

pytestmark = pytest.mark.browser

SHOW_CELL, OTHER_EDITOR_CELL, AGAIN_CELL = range(3)


@pytest.fixture(scope="module")
def editor(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EditorPage]:
    """An editor; a second one of its session, and the same one once more, are in the cells below."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    cells = [editor_cell(), "SceneEditor(editor.session)", "editor"]
    with opened_notebook(browser_path, folder, cells) as editor:
        show_editor(editor, folder / "no_editor.png")
        yield editor


def _save(editor: EditorPage) -> None:
    notebook = editor.state_file.with_name("room.ipynb")
    saved = notebook.stat().st_mtime_ns
    editor.page.keyboard.press("Control+s")
    for _ in range(100):
        if notebook.stat().st_mtime_ns != saved:
            return
        editor.page.wait_for_timeout(100)
    raise AssertionError("Control+S did not save the notebook")


def _agree(editors: list[EditorPage]) -> None:
    """All show the same boxes, picture, selection and steps."""
    editors[0].quiet()
    editors[0].page.wait_for_timeout(500)
    shown = [
        (
            one.root.locator("polygon").evaluate_all(
                "nodes => nodes.map((node) => node.dataset.testid + ' ' + node.getAttribute('points')).sort()"
            ),
            one.root.locator("[data-testid^=handle-]").count(),
            one.root.locator(".ag-label.ag-chosen").all_text_contents(),
            one.root.locator(".ag-row[aria-selected=true] .ag-name").all_inner_texts(),
            one.root.locator("[data-testid^=number-]").evaluate_all("nodes => nodes.map((node) => node.value)"),
            one.root.locator(".ag-history [role=option]").count(),
            np.asarray(one.picture()).tolist(),
        )
        for one in editors
    ]
    for number, other in enumerate(shown[1:], 1):
        assert other == shown[0], f"editor {number} shows something else than the first"


def _drag_in(editor: EditorPage, right: float) -> None:
    before = editor.state()
    editor.overlay.scroll_into_view_if_needed()
    editor.page.wait_for_timeout(300)
    editor.drag(editor.centre_of("box-chair-0"), right, 0)
    assert editor.after_step(before, "a drag")["undo"] == "move chair-0"


def test_editors_of_one_scene_agree_whichever_is_used(editor: EditorPage) -> None:
    editor.run_cell(OTHER_EDITOR_CELL)
    editor.run_cell(AGAIN_CELL)
    editors = [editor.on_page(number) for number in range(3)]
    for one in editors:
        one.overlay.wait_for()
    editor.page.wait_for_timeout(1500)
    _agree(editors)
    for number, right in enumerate((40, -30, 25)):
        _drag_in(editors[number], right)
        _agree(editors)
    editor.page.keyboard.press("Control+z")  # in the last one
    editor.wait_for(lambda s: s["redo"] == "move chair-0", "undone")
    editors[1].overlay.scroll_into_view_if_needed()
    editors[1].page.mouse.click(*editors[1].centre_of("box-bed-0"))
    editor.wait_for(lambda s: s["selected"] == "bed-0", "the bed selected")
    _agree(editors)
    assert editor.errors == []


def test_a_loaded_page_has_the_editor_as_it_was_and_goes_on(editor: EditorPage) -> None:
    first = editor.on_page(0)
    first.overlay.scroll_into_view_if_needed()
    first.overlay.focus()
    editor.page.keyboard.press("o")
    editor.wait_for(lambda s: s["orbit"] != [0, 0, 1], "looking around")
    editor.page.wait_for_timeout(300)
    editor.page.mouse.click(*first.centre_of("box-bed-0"))
    editor.wait_for(lambda s: s["selected"] == "bed-0", "the bed selected")
    before = editor.quiet()
    _save(editor)
    editor.page.reload()
    wait_until_kernel_is_idle(editor.page)
    first.overlay.wait_for(timeout=30_000)
    editor.page.wait_for_timeout(2000)
    image = first.root.locator(".ag-view img")
    assert image.evaluate("node => getComputedStyle(node).visibility") == "hidden", "the picture lies under the orbit"
    first.overlay.focus()
    editor.page.keyboard.press("Home")
    editor.wait_for(lambda s: s["orbit"] == [0, 0, 1], "through the camera again")
    editor.page.wait_for_timeout(300)
    take_screenshot(editor, "editor_after_reload")
    state = editor.state()
    for part in ("objects", "selected", "at", "labels", "rendered"):
        assert state[part] == before[part], f"loading the page has changed: {part}"
    assert first.root.locator(".ag-label.ag-chosen").all_text_contents() == ["bed"]
    assert first.root.locator(".ag-view canvas").count() == 1
    assert first.root.locator(".ag-history img:visible").count() == len(before["labels"])
    _agree([editor.on_page(number) for number in range(3)])
    _drag_in(first, 20)
    _agree([editor.on_page(number) for number in range(3)])
    assert editor.errors == []


def test_after_a_kernel_restart_the_page_says_so_and_the_cell_works_again(editor: EditorPage) -> None:
    page, first = editor.page, editor.on_page(0)
    first.overlay.scroll_into_view_if_needed()
    place = first.overlay.bounding_box()
    page.locator("jp-button[data-command='notebook:restart-kernel'], [title^='Restart the kernel']").first.click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator(".ag-editor.jupyter-widgets-disconnected").first.wait_for()
    wait_until_kernel_is_idle(page)
    page.wait_for_timeout(500)
    take_screenshot(editor, "editor_without_kernel")
    words = first.root.evaluate("node => getComputedStyle(node, '::after').content")
    assert "The kernel is gone" in words and "Run the cell again" in words
    height = first.root.evaluate("node => parseFloat(getComputedStyle(node, '::after').height)")
    assert height > 10, "the words have no room"
    icons = first.root.locator(".jupyter-widgets-disconnected").evaluate_all(
        "nodes => nodes.map((node) => getComputedStyle(node, '::before').content)"
    )
    assert set(icons) == {"none"}, "broken links stand before the buttons"
    shift = first.overlay.bounding_box()["x"] - place["x"]
    assert abs(shift) < 1, "the boxes have moved off the picture"
    editor.run_cell(SHOW_CELL)
    page.locator(".ag-editor:not(.jupyter-widgets-disconnected)").first.wait_for()
    editor.wait_for(lambda s: s["at"] == 0 and s["final_pictures"] == 1, "a new editor with its picture")
    page.wait_for_timeout(1000)
    _drag_in(first, 40)
    editor.quiet()
    assert editor.errors == []
