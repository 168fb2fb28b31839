"""Runs in the notebook's kernel: writes what the Python side of an editor knows to a file, on every event."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from anchorgen_widgets import SceneEditor
from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.pose_numbers import object_numbers


def report_state(editor: SceneEditor, path: str | Path) -> None:
    """Keeps the file up to date: objects, verbs, selection, undo step, pictures, errors, and what the widgets show."""
    counts = {"final_pictures": 0, "draft_pictures": 0, "errors": 0, "steps": 0}
    session = editor.session
    pictures: list[tuple[int, bool]] = []  # step shown, -1 for what is none; whether as a draft

    def write(event: SessionEvent) -> None:
        if event.kind == "image":
            counts["draft_pictures" if session.image_is_draft else "final_pictures"] += 1
            shown = [k for k, state in enumerate(session.steps.states) if state.scene is session.drawer.shown]
            pictures.append((max(shown, default=-1), session.image_is_draft))
        counts["errors"] += event.kind == "error"
        counts["steps"] += event.kind == "scene"
        state = {
            **counts,
            "pictures": pictures[-200:],
            **_scene_state(editor),
            **_session_state(editor),
            **_widget_state(editor),
        }
        draft = Path(f"{path}.part")
        draft.write_text(json.dumps(state))
        os.replace(draft, path)

    def heard(_change: Any) -> None:
        with session.lock:
            write(SessionEvent("status"))

    session.observe(write)
    editor.view.overlay.observe(heard, ["orbit", "webgl"])
    with session.lock:
        write(SessionEvent("idle"))


def _scene_state(editor: SceneEditor) -> dict[str, Any]:
    scene = editor.session.scene
    objects = {
        view.id: {
            "translation": view.translation.tolist(),
            "quat_wxyz": view.quat_wxyz.tolist(),
            "scale": view.scale.tolist(),
        }
        for view in scene.objects
    }
    views = {view.id: view for view in (*scene.objects, *scene.removed)}
    strengths = {
        name: {
            factor: round(1.0 - float(getattr(scene.anchors, factor)[view.index]), 3)
            for factor in ("layout", "appearance", "presence")
        }
        for name, view in views.items()
    }
    return {
        "objects": objects,
        "numbers": {view.id: object_numbers(view) for view in scene.objects},
        "verbs": [{"verb": step.verb, **step.arguments} for step in scene.history],
        "strengths": strengths,
        "focal": scene.focal.tolist(),
        "up": scene.up.tolist(),
    }


def _session_state(editor: SceneEditor) -> dict[str, Any]:
    session = editor.session
    return {
        "selected": session.selected,
        "undo": session.undo_label,
        "redo": session.redo_label,
        "at": session.steps.at,
        "labels": [state.label for state in session.steps.states],
        "code": session.to_python(),
        "busy": session.worker.is_busy,
        "rendered": len(getattr(session.pipe, "rendered", ())),
        "picture_is_of_scene": session.drawer.shown is session.scene and not session.image_is_draft,
        "variations": [variation.picture is not None for variation in session.variations],
        "threads": [thread.name for thread in threading.enumerate()],
    }


def _widget_state(editor: SceneEditor) -> dict[str, Any]:
    overlay, plan = editor.view.overlay, editor._panels.plan._plan
    places = {one.id: plan.to_px(one.centre).tolist() for one in plan.footprints} if plan is not None else {}
    return {
        "boxes": {box["id"]: [*box["t"], *box["q"], *box["s"]] for box in overlay.boxes},
        "overlay_selected": overlay.selected,
        "orbit": list(overlay.orbit),
        "webgl": overlay.webgl,
        "plan_places": places,
        "plan_zoom": plan.zoom if plan is not None else 0.0,
        "library": [item.key for item in editor.library],
        "shown_picture": None if editor.view.picture is None else _mean_color(editor.view.picture),
    }


def _mean_color(picture: Any) -> list[float]:
    return np.asarray(picture.convert("RGB"), float).mean((0, 1)).tolist()
