"""`SceneEditor`: a person edits a scene with the mouse, and each edit draws the new picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import ipywidgets
from PIL import Image

from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.library import Library
from anchorgen_widgets.box_view import BoxView
from anchorgen_widgets.compare_slider import CompareSlider
from anchorgen_widgets.controls import EditorControls
from anchorgen_widgets.editor_actions import EditorActions
from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.export import ExportKind, session_html
from anchorgen_widgets.history_strip import HistoryStrip
from anchorgen_widgets.panels import WIDTH_PX, EditorPanels
from anchorgen_widgets.session import EditorSession

MIN_SIZE_PX, MAX_SIZE_PX = 192, 1600


class SceneEditor(ipywidgets.VBox, EditorActions):
    """Boxes over the picture to drag, lists and dials beside it, undo; errors are shown under the picture.

    Args:
        pipe: what samples and draws, `ag.load(...)`; or the `session` of another editor, to show the same scene twice.
        scene: where to start, `pipe.encode(picture)`; none with a session.
        size: of the picture on the page, pixels a side.
        seed: noise of the picture, the same through all edits; 0 by default.
        live: whether drafts are drawn while something is dragged.
        library: objects to insert, an `ag.Library`; an empty one by default.
        keep: the picture that was encoded, `pipe.source(image, scene)`: what edits leave alone stays as it is there.

    Attributes:
        session: what the editor does, without widgets.
        view: the picture with its boxes.
        library: objects to insert.

    Raises:
        TypeError: `scene` is not a SceneLatent.
        ValueError: a size that does not fit a page.
    """

    def __init__(
        self,
        pipe: Any,
        scene: SceneLatent | None = None,
        size: int = 512,
        *,
        seed: int | None = None,
        live: bool = True,
        library: Library | None = None,
        keep: Any = None,
    ):
        if not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
            raise ValueError(
                f"size is {size}; expected {MIN_SIZE_PX} to {MAX_SIZE_PX} px, the picture's side on the page"
            )
        self.session, self._owns_session = _session_of(pipe, scene, seed, keep)
        self.library = Library() if library is None else library
        self.view = BoxView(size_px=(size, size))
        self._compare = CompareSlider(size_px=(size, size), labels=("start", "now"))
        self._controls = EditorControls()
        self._panels = EditorPanels(size)
        self._strip = HistoryStrip()
        self._body = ipywidgets.HBox([self.view, self._panels.tabs])
        self._body.add_class("ag-body")
        super().__init__([self._controls.toolbar, self._body, self._strip, self._controls.footer])
        self.add_class("ag-editor")
        self.layout.width, self.layout.max_width = f"{size + WIDTH_PX + 16}px", "100%"
        self._problems: dict[str, str] = {}
        self._connect_controls()
        self._connect_view(live)
        self._connect_panels()
        self._stop_listening = self.session.observe(self._on_event)
        self._show_scene()
        self._panels.show_library(self.library, self.scene.latent_space)
        self._panels.variations.show(self.session.sampler)
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

    def to_python(self) -> str:
        """Code that does all that was done here again."""
        return self.session.to_python()

    def to_html(self) -> str:
        """A page with the picture, the boxes, the steps and their code, which needs nothing but a browser."""
        return session_html(self.session)

    def wait(self, timeout_s: float = 60.0) -> SceneEditor:
        """Returns the editor once the picture of the scene as it now is has been drawn: `editor.wait().snapshot()`.

        Raises:
            TimeoutError: it is still drawing after `timeout_s` seconds.
            Exception: what drawing failed with.
        """
        if not self.session.worker.wait_until_idle(timeout_s, self._only_draws_behind):
            raise TimeoutError(f"the picture is still being drawn after {timeout_s:g} s; wait longer, or see .session")
        if (error := self.session.worker.last_error) is not None:
            raise error
        return self

    def _only_draws_behind(self) -> bool:
        """Whether the picture is there, and what is still drawn are variations or steps."""
        session = self.session
        drawn = session.drawer.shown is session.scene and not session.image_is_draft
        return drawn and set(session.worker.job_names) <= {"thumbnail"}

    def close(self) -> None:
        """Stops rendering and removes the editor from the page; `.scene` and `.image` stay."""
        if "_stop_listening" in self.__dict__:
            self._stop_listening()
        if self.__dict__.get("_owns_session"):
            self.session.close()
        for part in ("view", "_compare", "_controls", "_panels", "_strip", "_body"):
            if part in self.__dict__:  # Python also closes a widget whose __init__ has failed
                getattr(self, part).close()
        super().close()

    # -- what people do -----------------------------------------------------------------------------------------------

    def _connect_controls(self) -> None:
        controls, session = self._controls, self.session
        actions: dict[ipywidgets.Button, Callable[[], Any]] = {
            controls.undo: session.undo,
            controls.redo: session.redo,
            controls.duplicate: session.duplicate,
            controls.remove: session.remove,
            controls.render: lambda: session.render(again=True),
            controls.stop: session.cancel,
            controls.dismiss: lambda: None,
        }
        self._connect_buttons(actions)
        controls.compare.observe(self._guarded(lambda change: self._show_comparison(change["new"])), "value")
        controls.orbit.observe(self._guarded(lambda change: self._look_around(change["new"])), "value")
        self._strip.on_jump(self._guarded(session.jump, settles=True))

    def _connect_view(self, live: bool) -> None:
        session = self.session
        self.view.on_commit(self._guarded(session.apply_pose, settles=True))
        self.view.on_cancel(self._guarded(session.cancel_preview))
        self.view.on_command(self._guarded(self._command))
        self.view.on_select(self._guarded(self._select_row))
        self.view.on_drop(self._guarded(self._drop))
        self.view.overlay.observe(self._guarded(self._on_orbit, clears=False), "orbit")
        if live:
            self.view.on_preview(self._guarded(session.preview_pose, clears=False))

    def _connect_panels(self) -> None:
        panels, session = self._panels, self.session
        panels.anchors.on_strength(self._guarded(self._set_strength, settles=True))
        panels.anchors.on_visible(self._guarded(self._show_or_remove, settles=True))
        panels.anchors.on_select(self._guarded(self._select_row))
        panels.inspector.on_edit(self._guarded(self._edit_number, settles=True))
        panels.plan.on_select(self._guarded(session.select))
        panels.plan.on_move(self._guarded(self._move_in_plan, settles=True))
        panels.shelf.on_insert(self._guarded(lambda key: session.insert(self.library[key].obj)))
        panels.variations.gallery.on_take(self._guarded(self._take_variation))
        panels.variations.gallery.on_preview(self._guarded(self._preview_variation, clears=False))
        exports = panels.exports
        kinds: dict[ipywidgets.Button, ExportKind] = {
            exports.picture: "picture",
            exports.scene: "scene",
            exports.page: "page",
        }
        actions: dict[ipywidgets.Button, Callable[[], Any]] = {
            panels.collect: lambda: self._collect(session.selected),
            panels.collect_all: lambda: self._collect(""),
            panels.variations.resample: self._resample,
            panels.variations.choose: self._choose,
            **{button: (lambda kind=kind: self._save(kind)) for button, kind in kinds.items()},
        }
        self._connect_buttons(actions)

    def _connect_buttons(self, actions: dict[ipywidgets.Button, Callable[[], Any]]) -> None:
        for button, action in actions.items():
            button.on_click(self._guarded(lambda _button, action=action: action()))

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
            with self.session.lock:
                try:
                    action(*args)
                except Exception as error:
                    self._controls.show_error(error)
                    if settles:
                        self._show_scene()
                else:
                    if clears:
                        self._controls.clear_error()

        return run

    # -- what they see ------------------------------------------------------------------------------------------------

    def _on_event(self, event: SessionEvent) -> None:
        if event.kind == "scene":
            self._show_scene()
        elif event.kind == "selection":
            self.view.overlay.selected = self.session.selected
            self._show_choices()
        elif event.kind == "image" and self.session.image is not None:
            self._show_image(self.session.image)
        elif event.kind == "sampled":
            self._panels.variations.seed.value += 1  # the next click asks for another sample
        elif event.kind == "variations":
            self._panels.variations.show(self.session.sampler)
        elif event.kind == "variation":
            self._panels.variations.gallery.set_picture(event.step, self.session.variations[event.step].picture)
        elif event.kind == "step":
            self._show_thumbnails()
        elif event.kind == "error" and event.error is not None:
            self._controls.show_error(event.error)
        self._controls.show_progress(event)

    def _show_image(self, image: Image.Image) -> None:
        self.view.show_picture(image)
        if not self.session.image_is_draft:
            self._show_thumbnails()
            if self._controls.compare.value:
                self._show_comparison(True)

    def _show_scene(self) -> None:
        session = self.session
        states = session.steps.states
        self._strip.show([s.label for s in states], session.steps.at, [str(s.key) for s in states])
        self._show_thumbnails()
        findings = [finding for finding in session.scene.check() if finding.kind != "out of view"]
        self._problems = {name: finding.text for finding in findings for name in finding.ids}
        self._controls.show_problems([finding.text for finding in findings])
        self.view.show_scene(session.scene, session.selected, self._problems)
        self._show_choices()

    def _show_thumbnails(self) -> None:
        for state in self.session.steps.states:
            if not self._strip.has_thumbnail(str(state.key)):
                picture = self.session.picture_of(state.scene)
                if picture is not None:
                    self._strip.set_thumbnail(str(state.key), picture)

    def _show_choices(self) -> None:
        session = self.session
        self._panels.show_scene(session.scene, session.selected, self._problems, session.to_python)
        self._controls.show_steps(session.undo_label, session.redo_label, bool(session.selected))

    def _show_comparison(self, on: bool) -> None:
        start = self.session.picture_of(self.session.steps.states[0].scene)
        now = self.session.picture_of(self.scene) or self.image
        if on and (start is None or now is None):
            self._controls.compare.value = False
            self.session.draw_step(0)
            raise ValueError("there are no two pictures to compare yet; they are being drawn, try again in a moment")
        if on:
            self._compare.show(start, now)
        self._body.children = (self._compare if on else self.view, self._panels.tabs)


def _session_of(pipe: Any, scene: SceneLatent | None, seed: int | None, keep: Any) -> tuple[EditorSession, bool]:
    """The session to show, and whether it is this editor's own."""
    if not isinstance(pipe, EditorSession):
        return EditorSession(pipe, cast(SceneLatent, scene), seed=seed or 0, keep=keep), True
    given = [name for name, value in (("scene", scene), ("seed", seed), ("keep", keep)) if value is not None]
    if given:
        raise TypeError(
            f"got a session and {', '.join(given)}, which the session has already; expected SceneEditor(pipe, scene) or "
            "SceneEditor(session)"
        )
    return pipe, False
