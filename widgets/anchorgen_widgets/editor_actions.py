"""`EditorActions`: what the parts of a `SceneEditor` ask for, as calls of its session."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from anchorgen.scene.library import Library
from anchorgen.scene.selection import everything
from anchorgen_widgets.box_view import BoxView
from anchorgen_widgets.controls import EditorControls
from anchorgen_widgets.export import ExportKind, export
from anchorgen_widgets.gestures import unmistakable
from anchorgen_widgets.landing import landing_place
from anchorgen_widgets.overlay import AROUND_VIEW, CAMERA_VIEW
from anchorgen_widgets.panels import EditorPanels
from anchorgen_widgets.pose_numbers import edited
from anchorgen_widgets.session import EditorSession


class EditorActions:
    """A part of `SceneEditor`, which guards each of these."""

    session: EditorSession
    library: Library
    view: BoxView
    _controls: EditorControls
    _panels: EditorPanels
    _problems: dict[str, str]

    def _drop(self, key: str, origin: np.ndarray, direction: np.ndarray) -> None:
        obj = self.library[key].obj
        self.session.insert(obj, landing_place(self.session.scene, obj, origin, direction))

    def _command(self, name: str, object_id: str) -> None:
        if name in ("undo", "redo"):
            getattr(self.session, name)()
        elif self._is_present(object_id):  # else it went while the key was on its way
            getattr(self.session, name)(object_id)

    def _select_row(self, object_id: str) -> None:
        self.session.select(object_id if self._is_present(object_id) else "")
        self.view.overlay.selected = self.session.selected

    def _is_present(self, object_id: str) -> bool:
        return any(view.id == object_id for view in self.session.scene.objects)

    def _show_or_remove(self, object_id: str, visible: bool) -> None:
        if visible:
            self.session.restore(object_id)
        else:
            self.session.remove(object_id)

    def _edit_number(self, name: str, number: str, value: float) -> None:
        self.session.edit(f"{number} of {name or 'camera'}", lambda scene: edited(scene, name, number, value))

    def _move_in_plan(self, name: str, right: float, forward: float) -> None:
        word = unmistakable(self.session.scene, name)
        self.session.edit(f"move {name}", lambda scene: scene.move(word, right=right, forward=forward))

    def _resample(self) -> None:
        self.session.resample(**self._panels.variations.asked)

    def _choose(self) -> None:
        self.session.sample_variations(self._panels.variations.count.value, **self._panels.variations.asked)

    def _preview_variation(self, index: int | None) -> None:
        """Shows a variation with its boxes while the pointer is over it; None shows the scene again."""
        session, variations = self.session, self.session.variations
        one = variations[index] if index is not None and index < len(variations) else None
        picture = session.image if one is None else one.picture
        if picture is not None:
            self.view.show_picture(picture)
        if one is None:
            self.view.show_scene(session.scene, session.selected, self._problems)
        elif picture is not None:
            self.view.show_scene(one.scene, session.selected)  # the selection is the scene's own, and stays

    def _set_strength(self, targets: list[str | int], strength: float) -> None:
        self.session.set_strength(targets, strength)
        if strength > 0:  # what was just released is what one wants to resample
            self._panels.variations.target.value = "released"

    def _take_variation(self, index: int) -> None:
        try:
            self.session.take_variation(index)
        except Exception:
            taken = self.session.sampler.taken
            self._panels.variations.gallery.taken = taken if taken >= 0 else None
            raise

    def _collect(self, object_id: str) -> None:
        """Puts an object, or "" for all, into the library; without a thumbnail while its picture is being drawn."""
        scene = self.session.scene
        selector = unmistakable(scene, object_id) if object_id else everything
        self.library.add(scene, selector, self.session.picture_of(scene))
        self._panels.show_library(self.library, scene.latent_space)

    def _save(self, kind: ExportKind) -> None:
        self._panels.exports.saved.value = ""
        path: Path = export(self.session, kind, self._panels.exports.name.value)
        self._panels.exports.saved.value = f"saved <code>{escape(str(path))}</code>"

    def _look_around(self, on: bool) -> None:
        if on != (self.view.overlay.orbit != CAMERA_VIEW):
            self.view.look(*(AROUND_VIEW if on else CAMERA_VIEW))

    def _on_orbit(self, change: dict[str, Any]) -> None:
        self._controls.orbit.value = change["new"] != CAMERA_VIEW
