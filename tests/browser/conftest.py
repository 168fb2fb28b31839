"""Fixtures of the tests that need a browser: one JupyterLab, one notebook with an editor, one page."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
from editor_page import EditorPage
from jupyter_lab import find_browser
from notebook_page import EDITOR_CELL, FAKE_CELL, opened_notebook, show_editor

PIPELINE_CELLS = {
    "fake": FAKE_CELL.format(step_s=0.02),
    "bundled": "import anchorgen as ag\npipe, scene = ag.load(), ag.examples()[0].scene",
}
BREAK_CELL = "editor.session.pipe.fails = True"
REPAIR_CELL = "editor.session.pipe.fails = False"
CODE_EDIT_CELL = "editor.scene = editor.scene.move('chair', right=0.25)"
SLOW_CELL = "pipe.step_s = 0.16"
FAST_CELL = "pipe.step_s = 0.02"
LATE_SELECTION_CELL = "import threading; threading.Timer(2.5, editor.session.select, ['bed-0']).start()"


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


@pytest.fixture(scope="module")
def editor_page(
    browser_path: str,
    pipeline_name: str,
    extra_browser_arguments: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EditorPage]:
    """An editor that has drawn its first picture, in JupyterLab."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    show = PIPELINE_CELLS[pipeline_name] + EDITOR_CELL
    cells = [show, BREAK_CELL, REPAIR_CELL, CODE_EDIT_CELL, SLOW_CELL, FAST_CELL, LATE_SELECTION_CELL]
    with opened_notebook(browser_path, folder, cells, browser_arguments=extra_browser_arguments) as editor:
        show_editor(editor, folder / "no_editor.png")
        yield editor
