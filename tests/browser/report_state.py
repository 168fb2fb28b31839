"""Runs in the notebook's kernel: writes what the Python side of an editor knows to a file, on every event."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from anchorgen_widgets import SceneEditor
from anchorgen_widgets.events import SessionEvent


def report_state(editor: SceneEditor, path: str | Path) -> None:
    """Keeps the file up to date: objects, verbs, selection, undo step, pictures and errors."""
    counts = {"final_pictures": 0, "draft_pictures": 0, "errors": 0, "steps": 0}

    def write(event: SessionEvent) -> None:
        session = editor.session
        if event.kind == "image":
            counts["draft_pictures" if session.image_is_draft else "final_pictures"] += 1
        counts["errors"] += event.kind == "error"
        counts["steps"] += event.kind == "scene"
        objects = {
            view.id: {
                "translation": view.translation.tolist(),
                "quat_wxyz": view.quat_wxyz.tolist(),
                "scale": view.scale.tolist(),
            }
            for view in session.scene.objects
        }
        verbs = [{"verb": step.verb, **step.arguments} for step in session.scene.history]
        state = {
            **counts,
            "objects": objects,
            "verbs": verbs,
            "selected": session.selected,
            "undo": session.undo_label,
            "redo": session.redo_label,
            "threads": [thread.name for thread in threading.enumerate()],
        }
        draft = Path(f"{path}.part")
        draft.write_text(json.dumps(state))
        os.replace(draft, path)

    editor.session.observe(write)
    write(SessionEvent("idle"))
