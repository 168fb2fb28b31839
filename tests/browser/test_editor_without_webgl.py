"""The same editor where the browser has no WebGL: the overlay draws the boxes over the plain picture."""

from __future__ import annotations

import pytest
from editor_page import EditorPage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def extra_browser_arguments() -> tuple[str, ...]:
    return ("--disable-3d-apis",)


def test_boxes_are_drawn_and_dragged(editor_page: EditorPage) -> None:
    editor = editor_page
    assert editor.page.locator(".ag-view canvas").count() == 0
    name = next(iter(editor.state()["objects"]))
    before = editor.state()
    edges = editor.overlay.locator("path[d^=M]")
    assert edges.count() == len(before["objects"])
    editor.drag(editor.centre_of(f"box-{name}"), 40, 0)
    after = editor.wait_for(lambda s: s["final_pictures"] > before["final_pictures"], "a new picture", 60.0)
    assert [step["verb"] for step in after["verbs"]] == ["move"]
    assert editor.errors == []
