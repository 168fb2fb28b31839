"""The server of `anchorgen_widgets.lab_in_browser`, with what kernels of tests import."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from anchorgen_widgets.lab_in_browser import (
    BROWSER_ARGUMENTS,
    JupyterServer,
    find_browser,
    running_jupyter,
    write_notebook,
)

__all__ = ["BROWSER_ARGUMENTS", "REPOSITORY", "find_browser", "running_jupyter_lab", "write_notebook"]

REPOSITORY = Path(__file__).parents[2]


@contextlib.contextmanager
def running_jupyter_lab(
    folder: Path, theme: str = "JupyterLab Light", application: str = "jupyterlab"
) -> Iterator[JupyterServer]:
    """A server whose kernels import this checkout."""
    paths = [REPOSITORY / name for name in ("tests/browser", "tests", "widgets", ".")]
    with running_jupyter(folder, theme, application, paths) as server:
        yield server
