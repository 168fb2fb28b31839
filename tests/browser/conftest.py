"""Fixtures of the tests that need a browser: one JupyterLab, one notebook with an editor, one page."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from editor_page import EditorPage
from jupyter_lab import BROWSER_ARGUMENTS, find_browser, running_jupyter_lab, write_notebook

VIEWPORT = {"width": 1280, "height": 900}
PIPELINE_CELLS = {
    "fake": "from fake_pipeline import FakePipeline, make_room\npipe, scene = FakePipeline(step_s=0.02), make_room()",
    "bundled": "import anchorgen as ag\npipe, scene = ag.load(), ag.examples()[0].scene",
}
EDITOR_CELL = """
from anchorgen_widgets import SceneEditor
from report_state import report_state
editor = SceneEditor(pipe, scene)
report_state(editor, "state.json")
editor"""
BREAK_CELL = "editor.session.pipe.fails = True"
REPAIR_CELL = "editor.session.pipe.fails = False"
CODE_EDIT_CELL = "editor.scene = editor.scene.move('chair', right=0.25)"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: needs a Chromium; deselect with -m 'not browser'")


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Chromium; without it, or without playwright to drive it, tests are skipped, but fail in CI."""
    path = find_browser()
    missing = "" if path else "no Chromium on the PATH (Debian: apt-get install chromium)"
    if importlib.util.find_spec("playwright") is None:
        missing = "playwright is not installed (pip install 'anchorgen[dev]')"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"{missing}; CI must have it")
    if missing:
        pytest.skip(missing)
    return path or ""


@pytest.fixture(scope="session")
def pipeline_name() -> str:
    """ "fake" unless ANCHORGEN_BROWSER_PIPELINE=bundled asks for the real networks."""
    return os.environ.get("ANCHORGEN_BROWSER_PIPELINE", "fake")


@pytest.fixture(scope="module")
def extra_browser_arguments() -> tuple[str, ...]:
    """More switches for Chromium; a module may override it."""
    return ()


def _show_editor(editor: EditorPage, screenshot: Path, attempts: int = 3) -> None:
    """Runs the cell with the editor; again where a page that is still loading its widgets has lost the output."""
    from playwright import sync_api as playwright

    for attempt in range(attempts):
        editor.run_cell(0)
        try:
            editor.overlay.wait_for(timeout=30_000)
            return
        except playwright.TimeoutError:
            editor.page.screenshot(path=screenshot)
            if attempt + 1 == attempts:
                raise


@pytest.fixture(scope="module")
def editor_page(
    browser_path: str,
    pipeline_name: str,
    extra_browser_arguments: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EditorPage]:
    """An editor that has drawn its first picture, in JupyterLab."""
    from playwright import sync_api as playwright

    folder = tmp_path_factory.mktemp("jupyterlab")
    with running_jupyter_lab(folder) as lab, playwright.sync_playwright() as driver:
        cells = [PIPELINE_CELLS[pipeline_name] + EDITOR_CELL, BREAK_CELL, REPAIR_CELL, CODE_EDIT_CELL]
        write_notebook(lab.folder / "room.ipynb", cells)
        browser = driver.chromium.launch(
            executable_path=browser_path, args=[*BROWSER_ARGUMENTS, *extra_browser_arguments]
        )
        try:
            page = browser.new_page(viewport=VIEWPORT)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(lab.url("lab/tree/room.ipynb"))
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=90_000)
            editor = EditorPage(page, lab.folder / "state.json", errors)
            _show_editor(editor, folder / "no_editor.png")
            editor.wait_for(lambda state: state["final_pictures"] >= 1, "a first picture", 120.0)
            page.wait_for_timeout(1000)
            yield editor
        finally:
            browser.close()
