"""`SceneEditor`: a person edits a scene with the mouse, and each edit draws the new picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import ipywidgets
from PIL import Image

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.controls import EditorControls
from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.resampling import ResampleTarget
from anchorgen_widgets.session import EditorSession
from anchorgen_widgets.view import SceneView

MIN_SIZE_PX, MAX_SIZE_PX = 192, 1600
PANEL_WIDTH_PX = 256


class SceneEditor(ipywidgets.VBox):
    """Boxes over the picture to drag, buttons to resample and render, undo; errors are shown under the picture.

    Args:
        pipe: what samples and draws, `ag.load(...)`.
        scene: where to start, `pipe.encode(picture)`.
        size: of the picture on the page, pixels a side.
        seed: noise of the picture, the same through all edits.
        live: whether drafts are drawn while something is dragged.

    Attributes:
        session: what the editor does, without widgets.
        view: the picture with its boxes.

    Raises:
        TypeError: `scene` is not a SceneLatent.
        ValueError: a size that does not fit a page.
    """

    def __init__(self, pipe: Any, scene: SceneLatent, size: int = 512, *, seed: int = 0, live: bool = True):
        if not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
            raise ValueError(
                f"size is {size}; expected {MIN_SIZE_PX} to {MAX_SIZE_PX} px, the picture's side on the page"
            )
        self.session = EditorSession(pipe, scene, seed=seed)
        self.view = SceneView((size, size))
        self._controls = EditorControls()
        self._body = ipywidgets.HBox([self.view, self._controls.panel])
        self._body.add_class("ag-body")
        super().__init__([self._controls.toolbar, self._body, self._controls.footer])
        self.add_class("ag-editor")
        self.layout.width, self.layout.max_width = f"{size + PANEL_WIDTH_PX}px", "100%"
        self._listening = True
        self._connect_controls()
        self._connect_view(live)
        self.session.observe(self._on_event)
        self._show_scene()
        self.session.render()

    def __repr__(self) -> str:
        return f"SceneEditor of {self.scene.num_objects} objects" if "session" in self.__dict__ else "SceneEditor"

    @property
    def scene(self) -> SceneLatent:
        """The scene as edited so far. Setting it is one undo step."""
        return self.session.scene

    @scene.setter
    def scene(self, scene: SceneLatent) -> None:
        self.session.scene = scene

    @property
    def image(self) -> Image.Image | None:
        """The latest picture; None before the first."""
        return self.session.image

    def snapshot(self) -> Image.Image:
        """The picture with the boxes drawn over it."""
        with self.session.lock:
            return self.view.snapshot()

    def wait(self, timeout_s: float = 60.0) -> SceneEditor:
        """Returns the editor once the picture of the scene as it now is has been drawn: `editor.wait().snapshot()`.

        Raises:
            TimeoutError: it is still drawing after `timeout_s` seconds.
            Exception: what drawing failed with.
        """
        if not self.session.worker.wait_until_idle(timeout_s):
            raise TimeoutError(f"the picture is still being drawn after {timeout_s:g} s; wait longer, or see .session")
        if (error := self.session.worker.last_error) is not None:
            raise error
        return self

    def close(self) -> None:
        """Stops rendering and removes the editor from the page; `.scene` and `.image` stay."""
        for part in ("session", "view", "_controls", "_body"):
            if part in self.__dict__:  # Python also closes a widget whose __init__ has failed
                getattr(self, part).close()
        super().close()

    # -- wiring -------------------------------------------------------------------------------------------------------

    def _connect_controls(self) -> None:
        controls, session = self._controls, self.session
        actions: dict[ipywidgets.Button, Callable[[], Any]] = {
            controls.undo: session.undo,
            controls.redo: session.redo,
            controls.duplicate: session.duplicate,
            controls.remove: session.remove,
            controls.render: lambda: session.render(again=True),
            controls.resample: self._resample,
            controls.restore: lambda: session.restore(str(controls.objects.value)),
            controls.dismiss: lambda: None,
        }
        for button, action in actions.items():
            button.on_click(self._guarded(lambda _button, action=action: action()))
        controls.objects.observe(self._guarded(self._on_object_chosen), "value")

    def _connect_view(self, live: bool) -> None:
        session = self.session
        commands = {name: getattr(session, name) for name in ("remove", "duplicate", "undo", "redo")}
        self.view.on_commit(self._guarded(session.apply_pose, settles=True))
        self.view.on_cancel(self._guarded(session.cancel_preview))
        self.view.on_command(self._guarded(lambda name: commands[name]()))
        self.view.on_select(self._guarded(session.select))
        if live:
            self.view.on_preview(self._guarded(session.preview_pose, clears=False))

    def _guarded(
        self, action: Callable[..., Any], *, settles: bool = False, clears: bool = True
    ) -> Callable[..., None]:
        """`action`, with what it raises shown under the picture: what a widget callback raises is otherwise invisible.

        Args:
            action: what to call.
            settles: whether to show the scene again if it fails, since the front end has drawn something else.
            clears: whether a success takes an older error away.
        """

        def run(*args: Any) -> None:
            try:
                with self.session.lock:
                    action(*args)
            except Exception as error:
                self._controls.show_error(error)
                if settles:
                    self._show_scene()
            else:
                if clears:
                    self._controls.clear_error()

        return run

    def _resample(self) -> None:
        controls = self._controls
        target = cast(ResampleTarget, controls.target.value)
        self.session.resample(target, strength=controls.strength.value, seed=controls.seed.value)

    def _on_object_chosen(self, change: dict[str, Any]) -> None:
        if not self._listening:
            return
        present = {view.id for view in self.session.scene.objects}
        self.session.select(change["new"] if change["new"] in present else "")
        self._controls.restore.disabled = change["new"] is None or change["new"] in present

    def _on_event(self, event: SessionEvent) -> None:
        if event.kind == "scene":
            self._show_scene()
        elif event.kind == "selection":
            self.view.overlay.selected = self.session.selected
            self._show_choices()
        elif event.kind == "image" and self.session.image is not None:
            self.view.show_picture(self.session.image)
        elif event.kind == "sampled":
            self._controls.seed.value += 1  # the next click asks for another sample
        elif event.kind == "error" and event.error is not None:
            self._controls.show_error(event.error)
        self._controls.show_progress(event)

    def _show_scene(self) -> None:
        self.view.show_scene(self.session.scene, self.session.selected)
        self._show_choices()

    def _show_choices(self) -> None:
        session = self.session
        self._listening = False
        try:
            self._controls.show_objects(session.scene, session.selected)
        finally:
            self._listening = True
        self._controls.show_steps(session.undo_label, session.redo_label, bool(session.selected))
