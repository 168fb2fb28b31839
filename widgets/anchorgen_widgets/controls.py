"""`EditorControls`: the buttons above the picture of a `SceneEditor` and the lines below it; they decide nothing."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets

from anchorgen_widgets.building import button, close_all, with_class
from anchorgen_widgets.events import SessionEvent

MAX_PROBLEMS = 3
KEYS = (
    "drag: move · Shift+drag: lift · ring: turn · dots: size · Ctrl: snap · click again: the one behind · Tab: next · "
    "arrows, Q, E: nudge · D: duplicate · Delete: remove · Esc: cancel · Ctrl+Z: undo · O or right drag: look around · "
    "Home: through the camera"
)


class EditorControls:
    """What is above and below.

    Attributes:
        undo, redo, duplicate, remove, render, stop: buttons.
        compare, orbit: toggles.
        toolbar, footer: the containers to put on the page.
        dismiss: takes an error away.
    """

    def __init__(self) -> None:
        self.undo = button("Undo", "undo")
        self.redo = button("Redo", "repeat")
        self.duplicate = button("Duplicate", "clone", "Copy the selected object (D)")
        self.remove = button("Delete", "trash", "Remove the selected object (Delete)")
        self.render = button("Render", "picture-o", "Draw the picture")
        self.stop = button("Stop", "stop", "Stop drawing or sampling")
        self.compare = _toggle("Compare", "columns", "The picture at the start beside the one now")
        self.orbit = _toggle(
            "Look around", "cube", "See the boxes from anywhere (O); drag to turn, wheel to come closer"
        )
        edits = (self.undo, self.redo, self.duplicate, self.remove)
        views = (self.render, self.stop, self.compare, self.orbit)
        self.toolbar = with_class(ipywidgets.HBox((*edits, *views)), "ag-toolbar")
        self.footer = self._build_footer()

    def _build_footer(self) -> ipywidgets.VBox:
        self._progress = ipywidgets.IntProgress(min=0, max=1, layout={"width": "120px", "flex": "0 0 auto"})
        self._status = ipywidgets.HTML("starting")
        self._error = ipywidgets.HTML()
        self.dismiss = ipywidgets.Button(icon="times", tooltip="Dismiss", layout={"width": "32px", "flex": "0 0 auto"})
        status_row = with_class(ipywidgets.HBox([self._progress, self._status]), "ag-status")
        self._error_row = with_class(ipywidgets.HBox([self._error, self.dismiss]), "ag-error")
        self._error_row.layout.display = "none"
        self._problems = with_class(ipywidgets.HTML(), "ag-problems")
        self._problems.layout.display = "none"
        keys = with_class(ipywidgets.HTML(KEYS.replace(" · ", "&nbsp;· ")), "ag-keys")
        return ipywidgets.VBox([status_row, self._error_row, self._problems, keys])

    def show_steps(self, undo_label: str, redo_label: str, has_selection: bool) -> None:
        """Enables the buttons that can do something now."""
        for control, name, label in ((self.undo, "Undo", undo_label), (self.redo, "Redo", redo_label)):
            control.disabled = not label
            control.tooltip = f"{name}: {label}" if label else f"Nothing to {name.lower()}"
        self.duplicate.disabled = self.remove.disabled = not has_selection

    def show_problems(self, texts: Sequence[str]) -> None:
        """What is wrong with the scene, in words; the picture is drawn all the same."""
        more = f" … and {len(texts) - MAX_PROBLEMS} more" if len(texts) > MAX_PROBLEMS else ""
        self._problems.value = "⚠ " + html.escape(" · ".join(texts[:MAX_PROBLEMS]) + more) if texts else ""
        self._problems.layout.display = "" if texts else "none"

    def show_progress(self, event: SessionEvent) -> None:
        """Moves the bar and says what goes on."""
        if event.kind == "progress":
            self._progress.max, self._progress.value = max(event.total, 1), event.step
            self._status.value = f"{html.escape(event.message)}: step {event.step} of {event.total}"
        elif event.kind == "idle":
            self._progress.value = 0
            self._status.value = html.escape(event.message) or "ready"
        elif event.kind == "status":
            self._status.value = html.escape(event.message)
        if event.kind in ("idle", "progress", "status", "scene"):  # the others come while nothing is drawn, too
            self.stop.disabled = event.kind == "idle"

    def show_error(self, error: Exception) -> None:
        """Shows an exception where a person sees it, until the next action works or it is dismissed."""
        what = html.escape(str(error) or "no details were given")
        self._error.value = f'<div role="alert"><b>{type(error).__name__}</b>: {what}</div>'
        self._error_row.layout.display = "flex"

    def clear_error(self) -> None:
        self._error_row.layout.display = "none"
        self._error.value = ""

    @property
    def error_text(self) -> str:
        """The error that is shown, as HTML; "" if none is."""
        return self._error.value

    def close(self) -> None:
        for container in (self.toolbar, self.footer):
            close_all(container)


def _toggle(text: str, icon: str, tooltip: str) -> ipywidgets.ToggleButton:
    return ipywidgets.ToggleButton(description=text, icon=icon, tooltip=tooltip, layout={"width": "auto"})
