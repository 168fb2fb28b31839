"""Notebooks as they are committed: run in order, with pictures for who has no kernel, and small. nbmake runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_BYTES = 2_500_000


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def pictures_of(notebook: Any) -> int:
    kinds = ("image/png", "image/jpeg", "text/html")
    return sum(any(kind in output.get("data", {}) for kind in kinds) for output in outputs_of(notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_valid_small_and_for_any_kernel_of_python(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < MAX_BYTES
    assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert [cell.id for cell in notebook.cells] == [f"cell-{k:02d}" for k in range(len(notebook.cells))]
    said = [o.get("text", "") + o.get("data", {}).get("text/plain", "") for o in outputs_of(notebook)]
    assert not [text for text in said if "/home/" in text or "/tmp/" in text], "a path of one machine"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_was_run_from_top_to_bottom_without_an_error_or_a_warning(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for output in outputs_of(notebook) if output.output_type == "error"]
    assert not [output for output in outputs_of(notebook) if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_reads_without_a_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    assert pictures_of(notebook) >= 5
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) >= 6


@pytest.mark.parametrize("name", ["02_editing", "03_anchored_generation"])
def test_what_needs_a_page_with_widgets_is_not_kept(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    assert "widgets" not in notebook.metadata
    assert not [o for o in outputs_of(notebook) if "application/vnd.jupyter.widget-view+json" in o.get("data", {})]
    assert any(".snapshot()" in cell.source for cell in notebook.cells)
