"""The docs: code in them runs, pictures and files that they name are there, lines fit a page of source."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from fake_pipeline import FakePipeline, make_room

import anchorgen as ag

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
MAX_LINE = 130


class ListPipeline(FakePipeline):
    def render(self, scene, *args, **options):
        draw = super().render
        return [draw(s, *args, **options) for s in scene] if isinstance(scene, list) else draw(scene, *args, **options)


def test_code_of_the_editor_page_runs():
    scene = make_room()
    library = ag.Library()
    library.add(scene)
    names = {"ag": ag, "pipe": ListPipeline(), "scene": scene, "library": library}
    text = (REPOSITORY / "docs" / "editor.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 4
    with contextlib.redirect_stdout(io.StringIO()):
        for number, block in enumerate(blocks):
            exec(compile(block, f"editor.md, block {number}", "exec"), names)
    assert names["editor"].scene.history[-1].verb == "move"
    assert len(names["session"].variations) == 4
    assert names["panel"].snapshot().size[0] == 300
    names["editor"].close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_in_backticks_that_look_like_files_are_there(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:notebooks|docs|anchorgen|widgets|tests)/[\w/.-]+)`", text)
    assert not [name for name in named if not (REPOSITORY / name).exists()]


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "world"], ids=lambda page: page.stem)
def test_lines_fit(page):
    text = re.sub(r"<!-- figures -->.*?<!-- /figures -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = [line for line in text.splitlines() if not line.startswith("|")]
    assert not [line for line in prose if len(line) > MAX_LINE]


def test_code_of_the_sam3d_page_names_what_is_there():
    """It needs weights to run: it is compiled, and what it imports is there."""
    text = (REPOSITORY / "docs" / "sam3d.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        compile(block, f"sam3d.md, block {number}", "exec")
        imports = [line for line in block.splitlines() if line.startswith(("import ", "from "))]
        exec("\n".join(imports), {})
