"""A page with the small widgets around one scene, as tests open and read it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from editor_page import EditorPage
from notebook_page import Application, opened_notebook

CELL = """
from fake_pipeline import make_room
from panels_host import PanelsHost, ShelfLibrary
library = ShelfLibrary({"room 1": make_room(), "elsewhere": make_room("another-space").only("chair")})
host = PanelsHost(make_room(), library, "state.json")
host.box"""
VIEWPORT = {"width": 1280, "height": 1200}


@contextlib.contextmanager
def opened_panels(browser_path: str, folder: Path, theme: str, application: Application) -> Iterator[EditorPage]:
    """A notebook with the four widgets around one scene."""
    with opened_notebook(
        browser_path, folder, [CELL], application=application, theme=theme, viewport=VIEWPORT
    ) as panels:
        show_widgets(panels)
        yield panels


def show_widgets(panels: EditorPage, attempts: int = 3) -> None:
    """Runs the cell; again where a page that is still loading its widgets has lost the output."""
    from playwright import sync_api as playwright

    for attempt in range(attempts):
        panels.run_cell(0)
        try:
            for test_id in ("anchor-panel", "inspector", "plan-view", "library-shelf"):
                panels.page.get_by_test_id(test_id).wait_for(timeout=20_000)
            return
        except playwright.TimeoutError:
            if attempt + 1 == attempts:
                raise


def num_requests(state: dict[str, Any], name: str) -> int:
    """How many requests of a kind the widgets have made."""
    return sum(request[0] == name for request in state["requests"])


def place_on_plan(panels: EditorPage, object_id: str) -> tuple[float, float]:
    """Where the middle of an object is on the page."""
    plan = panels.page.get_by_test_id("plan-view").bounding_box()
    right, down = panels.state()["places"][object_id]
    return plan["x"] + right, plan["y"] + down
