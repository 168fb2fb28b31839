"""A page with the small widgets around one scene, as tests open and read it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from editor_page import EditorPage
from jupyter_lab import BROWSER_ARGUMENTS, running_jupyter_lab, write_notebook

CELL = """
from fake_pipeline import make_room
from panels_host import PanelsHost, ShelfLibrary
library = ShelfLibrary({"room 1": make_room(), "elsewhere": make_room("another-space").only("chair")})
host = PanelsHost(make_room(), library, "state.json")
host.box"""
VIEWPORT = {"width": 1280, "height": 1200}


@contextlib.contextmanager
def opened_panels(browser_path: str, folder: Path, theme: str, app: str) -> Iterator[EditorPage]:
    """A notebook with the four widgets around one scene, in JupyterLab ("lab/tree") or Notebook 7 ("notebooks")."""
    from playwright import sync_api as playwright

    with running_jupyter_lab(folder, theme) as lab, playwright.sync_playwright() as driver:
        write_notebook(lab.folder / "room.ipynb", [CELL])
        browser = driver.chromium.launch(executable_path=browser_path, args=[*BROWSER_ARGUMENTS])
        try:
            page = browser.new_page(viewport=VIEWPORT)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(lab.url(f"{app}/room.ipynb"), timeout=90_000)  # a busy machine
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=90_000)
            panels = EditorPage(page, lab.folder / "state.json", errors)
            show_widgets(panels)
            yield panels
        finally:
            browser.close()


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


def take_screenshot(panels: EditorPage, name: str) -> None:
    """Saves a picture of the page where ANCHORGEN_SCREENSHOTS names a folder for it."""
    if folder := os.environ.get("ANCHORGEN_SCREENSHOTS"):
        panels.page.wait_for_timeout(300)
        panels.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def place_on_plan(panels: EditorPage, object_id: str) -> tuple[float, float]:
    """Where the middle of an object is on the page."""
    plan = panels.page.get_by_test_id("plan-view").bounding_box()
    right, down = panels.state()["places"][object_id]
    return plan["x"] + right, plan["y"] + down
