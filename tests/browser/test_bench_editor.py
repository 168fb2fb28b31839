"""`python -m anchorgen bench editor`: its figures are there, with a fake pipeline in place of the bundled model."""

from __future__ import annotations

import os

import pytest
from jupyter_lab import REPOSITORY
from notebook_page import FAKE_CELL

from anchorgen_widgets import bench_editor

pytestmark = pytest.mark.browser

CELL = """
from anchorgen_widgets import SceneEditor
from anchorgen_widgets.bench_probe import watch
editor = SceneEditor(pipe, scene)
watch(editor, "heard.jsonl")
editor"""
TIMES = (
    "handler_ms_p95",
    "handler_ms_p50",
    "frame_ms_p95",
    "commit_ms_p50",
    "commit_ms_max",
    "edit_to_draft_seconds_p50",
)


@pytest.mark.usefixtures("browser_path")
def test_all_figures_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(REPOSITORY / name) for name in ("tests", "widgets", ".")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setattr(bench_editor, "_CELL", FAKE_CELL.format(step_s=0.01) + CELL)
    monkeypatch.setattr(bench_editor, "DRAG_S", 1.0)
    figures = bench_editor.run(quick=True)
    assert figures["drags"] == 3 and 1.0 <= figures["drag_seconds"] < 10 and figures["moves_per_second"] > 5
    assert figures["lost_final_poses"] == 0
    assert figures["moves"] > 0.9 * 3 * 60
    assert all(0 < figures[name] < 10_000 for name in TIMES), figures
    assert figures["live_pictures_per_second"] > 1
