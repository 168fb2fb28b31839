"""Runs in the notebook's kernel beside an editor, and writes a line for each thing it hears, with its time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from anchorgen_widgets.editor import SceneEditor
from anchorgen_widgets.events import SessionEvent


def watch(editor: SceneEditor, path: str | Path) -> None:
    """Appends JSON lines to `path`: "commit" (heard from the browser), "scene" and "image" with `ms` of the clock."""
    session = editor.session
    Path(path).write_text("")

    def write(kind: str, **more: Any) -> None:
        line = {"kind": kind, "ms": time.time() * 1000, **more}
        with open(path, "a") as stream:
            stream.write(json.dumps(line) + "\n")

    def heard(_widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if content.get("type") == "commit":
            write("commit", sent_ms=content["sent_ms"], id=content["id"], t=content["t"])

    def happened(event: SessionEvent) -> None:
        if event.kind == "scene":
            poses = {view.id: view.translation.tolist() for view in session.scene.objects}
            write("scene", step=session.steps.at, objects=poses)
        elif event.kind == "image":
            shown = session.drawer.shown
            current = shown is session.scene
            write("image", draft=session.image_is_draft, of_scene=current)
        elif event.kind == "idle":
            write("idle")

    editor.view.overlay.on_msg(heard)
    session.observe(happened)
    write("ready")
