"""Fixtures that several files share."""

from __future__ import annotations

import sys

import pytest
from fake_pipeline import FakePipeline, make_room


@pytest.fixture(autouse=True)
def _fresh_accelerator():
    """Accelerate remembers the first precision of a process, and the next test may want another."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def session():
    """An `EditorSession` on the fake pipeline. It is imported here, so that tests of the core need no widgets."""
    from anchorgen_widgets.session import EditorSession

    return EditorSession(FakePipeline(), make_room())


@pytest.fixture
def editor():
    """A `SceneEditor` on the fake pipeline that has drawn its first picture."""
    from anchorgen_widgets import SceneEditor

    editor = SceneEditor(FakePipeline(), make_room())
    assert editor.session.worker.wait_until_idle(20.0)
    yield editor
    editor.close()
