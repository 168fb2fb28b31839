"""A notebook in JupyterLab or Notebook 7, in a Chromium, as tests open it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from editor_page import EditorPage
from jupyter_lab import BROWSER_ARGUMENTS, running_jupyter_lab, write_notebook

Application = Literal["jupyterlab", "notebook"]
VIEWPORT = {"width": 1280, "height": 900}
PATHS = {"jupyterlab": "lab/tree/room.ipynb", "notebook": "notebooks/room.ipynb"}
FAKE_CELL = (
    "from fake_pipeline import FakePipeline, make_room\npipe, scene = FakePipeline(step_s={step_s}), make_room()"
)
EDITOR_CELL = """
from anchorgen_widgets import SceneEditor
from report_state import report_state
editor = SceneEditor(pipe, scene)
report_state(editor, "state.json")
editor"""


def editor_cell(step_s: float = 0.02) -> str:
    """A cell that shows an editor of the fake pipeline, whose denoising steps take `step_s` seconds."""
    return FAKE_CELL.format(step_s=step_s) + EDITOR_CELL


@contextlib.contextmanager
def opened_notebook(
    browser_path: str,
    folder: Path,
    cells: list[str],
    *,
    application: Application = "jupyterlab",
    theme: str = "JupyterLab Light",
    viewport: dict[str, int] = VIEWPORT,
    browser_arguments: Sequence[str] = (),
) -> Iterator[EditorPage]:
    """The page of a notebook with these cells, none of which has run; its kernel is idle.

    Args:
        browser_path: Chromium.
        folder: of the server; `room.ipynb` and `state.json` lie in its `notebooks`.
        cells: sources.
        application: the server, and with it the page.
        theme: of the page.
        viewport: width and height of the page.
        browser_arguments: more switches for Chromium.
    """
    from playwright import sync_api as playwright

    with running_jupyter_lab(folder, theme, application) as lab, playwright.sync_playwright() as driver:
        write_notebook(lab.folder / "room.ipynb", cells)
        browser = driver.chromium.launch(executable_path=browser_path, args=[*BROWSER_ARGUMENTS, *browser_arguments])
        try:
            page = browser.new_page(viewport=viewport)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(lab.url(PATHS[application]), timeout=90_000)  # a busy machine
            wait_until_kernel_is_idle(page)
            yield EditorPage(page, lab.folder / "state.json", errors)
        finally:
            browser.close()


def wait_until_kernel_is_idle(page) -> None:
    """What a page that has just been loaded needs before its cells can run."""
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=90_000)


def show_editor(editor: EditorPage, screenshot: Path, cell: int = 0, attempts: int = 3) -> None:
    """Runs the cell with the editor, again where a page that is still loading its widgets has lost the output, and
    waits for its first picture."""
    from playwright import sync_api as playwright

    for attempt in range(attempts):
        editor.run_cell(cell)
        try:
            editor.overlay.first.wait_for(timeout=30_000)
            break
        except playwright.TimeoutError:
            editor.page.screenshot(path=screenshot)
            if attempt + 1 == attempts:
                raise
    editor.wait_for(lambda state: state["final_pictures"] >= 1, "a first picture", 120.0)
    editor.page.wait_for_timeout(1000)


def take_screenshot(editor: EditorPage, name: str) -> None:
    """Saves a picture of the page where ANCHORGEN_SCREENSHOTS names a folder for it."""
    if folder := os.environ.get("ANCHORGEN_SCREENSHOTS"):
        editor.page.wait_for_timeout(300)
        editor.page.screenshot(path=str(Path(folder) / f"{name}.png"))
