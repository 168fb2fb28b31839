"""`EditorControls`: the buttons, lists and lines around the picture of a `SceneEditor`; they decide nothing."""

from __future__ import annotations

import html
from typing import TypeVar

import ipywidgets

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.names import display_names
from anchorgen_widgets.resampling import RESAMPLE_TARGETS

AnyWidget = TypeVar("AnyWidget", bound=ipywidgets.DOMWidget)
KEYS = (
    "drag: move · Shift+drag: lift · ring: turn · dots: size · Ctrl: snap · click again: the one behind · Tab: next · "
    "arrows, Q, E: nudge · D: duplicate · Delete: remove · Esc: cancel · Ctrl+Z: undo"
)


class EditorControls:
    """Everything around the picture.

    Attributes:
        undo, redo, duplicate, remove, render, restore, resample, dismiss: buttons.
        objects: list of ids by name, removed ones marked.
        target, strength, seed: what to resample, how much, and which draw.
        toolbar, panel, footer: the containers to put on the page.
    """

    def __init__(self) -> None:
        self.undo = _button("Undo", "undo")
        self.redo = _button("Redo", "repeat")
        self.duplicate = _button("Duplicate", "clone", "Copy the selected object (D)")
        self.remove = _button("Delete", "trash", "Remove the selected object (Delete)")
        self.render = _button("Render", "picture-o", "Draw the picture")
        buttons = (self.undo, self.redo, self.duplicate, self.remove, self.render)
        self.toolbar = _with_class(ipywidgets.HBox(buttons), "ag-toolbar")
        self.panel = self._build_panel()
        self.footer = self._build_footer()

    def _build_panel(self) -> ipywidgets.VBox:
        self.objects = ipywidgets.Select(layout={"width": "auto"})
        self.restore = _button("Restore", "history", "Bring the chosen removed object back")
        self.target = ipywidgets.Dropdown(options=RESAMPLE_TARGETS, layout=_filling())
        self.strength = ipywidgets.FloatSlider(value=1.0, min=0.0, max=1.0, step=0.05, layout=_filling())
        self.seed = ipywidgets.IntText(value=0, layout=_filling())
        self.resample = _button("Resample", "random", "Ask the prior for new values", style="primary")
        rows = [
            ipywidgets.HTML("<b>Objects</b>"),
            self.objects,
            self.restore,
            ipywidgets.HTML("<b>Resample</b>"),
            _field("what", self.target),
            _field("strength", self.strength),
            _field("seed", self.seed),
            self.resample,
        ]
        return _with_class(ipywidgets.VBox(rows), "ag-panel")

    def _build_footer(self) -> ipywidgets.VBox:
        self._progress = ipywidgets.IntProgress(min=0, max=1, layout={"width": "120px", "flex": "0 0 auto"})
        self._status = ipywidgets.HTML("starting")
        self._error = ipywidgets.HTML()
        self.dismiss = ipywidgets.Button(icon="times", tooltip="Dismiss", layout={"width": "32px", "flex": "0 0 auto"})
        status_row = _with_class(ipywidgets.HBox([self._progress, self._status]), "ag-status")
        self._error_row = _with_class(ipywidgets.HBox([self._error, self.dismiss]), "ag-error")
        self._error_row.layout.display = "none"
        keys = _with_class(ipywidgets.HTML(KEYS), "ag-keys")
        return ipywidgets.VBox([status_row, self._error_row, keys])

    def show_objects(self, scene: SceneLatent, selected: str) -> None:
        """Lists what is there and, marked, what was removed."""
        options = tuple(_named(scene))
        chosen = self.objects.value
        if options != tuple(self.objects.options):
            self.objects.options = options
        removed = {view.id for view in scene.removed}
        self.objects.value = selected or (chosen if chosen in removed else None)
        self.restore.disabled = self.objects.value not in removed

    def show_steps(self, undo_label: str, redo_label: str, has_selection: bool) -> None:
        """Enables the buttons that can do something now."""
        for button, name, label in ((self.undo, "Undo", undo_label), (self.redo, "Redo", redo_label)):
            button.disabled = not label
            button.tooltip = f"{name}: {label}" if label else f"Nothing to {name.lower()}"
        self.duplicate.disabled = self.remove.disabled = not has_selection

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
        for container in (self.toolbar, self.panel, self.footer):
            _close_all(container)


def _named(scene: SceneLatent) -> list[tuple[str, str]]:
    names = display_names(scene)
    views = [*scene.objects, *scene.removed]
    return [(names[view.id] + ("" if view.present else " (removed)"), view.id) for view in views]


def _button(text: str, icon: str, tooltip: str = "", style: str = "") -> ipywidgets.Button:
    width = {"width": "auto"}
    return ipywidgets.Button(description=text, icon=icon, tooltip=tooltip or text, button_style=style, layout=width)


def _field(name: str, control: ipywidgets.DOMWidget) -> ipywidgets.HBox:
    return ipywidgets.HBox([ipywidgets.Label(name, layout={"width": "60px", "flex": "0 0 auto"}), control])


def _filling() -> ipywidgets.Layout:
    return ipywidgets.Layout(width="auto", flex="1 1 auto", min_width="0")


def _with_class(box: AnyWidget, name: str) -> AnyWidget:
    box.add_class(name)
    return box


def _close_all(widget: ipywidgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close_all(child)
    widget.close()
