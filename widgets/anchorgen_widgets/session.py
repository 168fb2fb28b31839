"""`EditorSession`: all that an editor of a scene does, without a widget: edits, undo, selection, sampling, rendering.

A gesture becomes verbs of `SceneLatent`, so that what the mouse did reads as code afterwards. Poses are in the scene's
own frame (OpenCV camera, metres, wxyz). Every method may be called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from PIL import Image

from anchorgen.scene.latent import SceneLatent, Vector
from anchorgen_widgets.events import EventKind, SessionEvent
from anchorgen_widgets.gestures import GestureKind, scene_after_gesture, unmistakable
from anchorgen_widgets.resampling import ResampleTarget, released
from anchorgen_widgets.sampling import SceneSampler, Variation
from anchorgen_widgets.scene_drawer import SAMPLING, SceneDrawer
from anchorgen_widgets.scripting import joined_code, step_code
from anchorgen_widgets.session_verbs import SessionVerbs
from anchorgen_widgets.step_pictures import StepPictures
from anchorgen_widgets.undo_stack import EditState, UndoStack

_LOG = logging.getLogger(__name__)


class EditorSession(SessionVerbs):
    """The state behind an editor, or behind several that show the same.

    Attributes:
        pipe: renders and samples (an `AnchorgenPipeline`).
        steps: the states so far, with what can be redone.
        drawer: draws pictures on one thread and remembers them.
        sampler: asks the prior, and holds the variations it gave.
        lock: guards everything here and the render thread.

    Args:
        keep: the given picture that edits stay faithful to, `pipe.source(image, scene)`.
    """

    def __init__(self, pipe: Any, scene: SceneLatent, *, seed: int = 0, draws_drafts: bool = True, keep: Any = None):
        _check_scene(scene)
        if keep is not None and not isinstance(getattr(keep, "scene", None), SceneLatent):
            raise TypeError(f"keep is {type(keep).__name__}; expected a source: pipe.source(image, scene)")
        self.pipe = pipe
        self.lock = threading.RLock()
        self.steps = UndoStack(EditState(scene, "start"))
        self._selected = ""
        self._observers: list[Callable[[SessionEvent], None]] = []
        self._note = ""
        self._reason = ""  # why what the prior was at work on was dropped
        self.drawer = SceneDrawer(
            pipe, self.lock, self._tell, self._on_dropped, self._on_idle, seed, draws_drafts, keep
        )
        self.sampler = SceneSampler(self)
        self._thumbnails = StepPictures(self)
        self.worker = self.drawer.worker

    # -- state --------------------------------------------------------------------------------------------------------

    @property
    def scene(self) -> SceneLatent:
        return self.steps.present.scene

    @scene.setter
    def scene(self, scene: SceneLatent) -> None:
        self.commit(scene, "set in code")

    @property
    def seed(self) -> int:
        """Noise of the picture; the same for every edit, so that what was not edited stays still."""
        return self.drawer.seed

    @property
    def image(self) -> Image.Image | None:
        """The latest picture, draft or final; None before the first."""
        return self.drawer.image

    @property
    def image_is_draft(self) -> bool:
        return self.drawer.image_is_draft

    @property
    def selected(self) -> str:
        """Id of the selected object, or ""."""
        return self._selected

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; "" if nothing."""
        return self.steps.undo_label

    @property
    def redo_label(self) -> str:
        return self.steps.redo_label

    @property
    def variations(self) -> tuple[Variation, ...]:
        """What the last `sample_variations` gave."""
        return self.sampler.variations

    def observe(self, callback: Callable[[SessionEvent], None]) -> Callable[[], None]:
        """Calls `callback` on every event, lock held, until the returned function is called."""
        with self.lock:
            self._observers.append(callback)
        return lambda: self._observers.remove(callback) if callback in self._observers else None

    def select(self, object_id: str) -> None:
        """Selects a present object by id; "" selects nothing.

        Raises:
            LookupError: no such object is in the scene.
        """
        with self.lock:
            if object_id:
                unmistakable(self.scene, object_id)
            if object_id != self._selected:
                self._selected = object_id
                self._tell("selection")

    def picture_of(self, scene: SceneLatent) -> Image.Image | None:
        """The final picture of a scene, if it was drawn before."""
        return self.drawer.picture_of(scene)

    def draw_step(self, index: int) -> None:
        """Draws the picture of a step again, when nothing else is drawn: it may have been forgotten."""
        with self.lock:
            self.steps.states[index].pictured = False
            self._on_idle()

    def to_python(self) -> str:
        """Code that does all steps up to the present one again, from the start, called `scene`, and the same `pipe`."""
        with self.lock:
            return joined_code(self.steps.code)

    # -- edits, one undo step each ------------------------------------------------------------------------------------

    def edit(self, label: str, verbs: Callable[[SceneLatent], SceneLatent]) -> SceneLatent:
        """Applies any function of the scene as one undo step, and draws the result."""
        with self.lock:
            self.commit(verbs(self.scene), label)
            return self.scene

    def apply_pose(
        self, object_id: str, translation: Vector, quat_wxyz: Vector, scale: Vector, kind: GestureKind
    ) -> SceneLatent:
        """Ends a gesture that left the object in this pose.

        Args:
            object_id: id of a present object.
            translation, quat_wxyz, scale: `[3] [4] [3]`, metres, camera frame.
            kind: which of the pose's parts the gesture meant: "move", "lift", "rotate" or "resize".

        Raises:
            LookupError: no such object.
            ValueError: the pose cannot be (behind the camera, too thin, not finite) or the kind is unknown.
        """
        with self.lock:
            changed = scene_after_gesture(self.scene, object_id, translation, quat_wxyz, scale, kind)
            if changed is self.scene:
                self.render()
            else:
                self.commit(changed, f"{kind} {object_id}")
            return self.scene

    def preview_pose(
        self, object_id: str, translation: Vector, quat_wxyz: Vector, scale: Vector, kind: GestureKind
    ) -> None:
        """Draws a draft of a gesture still under way; the scene stays as it is. A pose that cannot be is skipped."""
        with self.lock:
            try:
                changed = scene_after_gesture(self.scene, object_id, translation, quat_wxyz, scale, kind)
            except (LookupError, ValueError):
                return
            self.drawer.preview(changed)

    def cancel_preview(self) -> None:
        """Goes back to the picture of the scene after a gesture that was given up."""
        self.render()

    def undo(self) -> SceneLatent:
        """Takes the last step back. Raises ValueError if there is none."""
        with self.lock:
            if not self.undo_label:
                raise ValueError("nothing to undo")
            return self._jump(self.steps.at - 1, f"undo: {self.undo_label}")

    def redo(self) -> SceneLatent:
        """Does again what `undo` took back. Raises ValueError if there is nothing."""
        with self.lock:
            if not self.redo_label:
                raise ValueError("nothing to redo")
            return self._jump(self.steps.at + 1, f"redo: {self.redo_label}")

    def jump(self, index: int) -> SceneLatent:
        """Goes to the state `index` of `steps.states` (0 is the start): several undos or redos at once."""
        with self.lock:
            if index == self.steps.at:
                return self.scene
            return self._jump(index, f"back to step {index}" if index < self.steps.at else f"on to step {index}")

    def commit(self, scene: SceneLatent, label: str, code: str | None = None, selected: str | None = None) -> None:
        """Makes `scene` the present one, as one undo step with this label, and draws it."""
        _check_scene(scene)
        with self.lock:
            code = step_code(self.scene, scene, label) if code is None else code
            self.steps.present.selected = self._selected
            self.steps.push(EditState(scene, label, code))
            self._arrive(label, self._selected if selected is None else selected)

    # -- sampling and rendering ---------------------------------------------------------------------------------------

    def resample(
        self, target: ResampleTarget = "appearance", *, strength: float = 1.0, seed: int = 0, object_id: str = ""
    ) -> None:
        """Asks the prior for new values, on the render thread.

        They arrive as one undo step, or not at all if the scene is edited before they do.

        Args:
            target: "appearance", "layout" or "both" of one object; "everything else": all but that object, the camera
                and the background (every object if none is selected); "more objects": the empty slots; "released":
                what the scene's anchors leave free.
            strength: 0 keeps, 1 starts from noise; not used by "released".
            seed: of the sample.
            object_id: default: the selected object.

        Raises:
            ValueError: nothing to resample, or a strength outside [0, 1].
        """
        with self.lock:
            free = released(self.scene, target, strength, object_id or self._selected)
            self.sampler.resample(self.scene, free, f"{target}, seed {seed}", seed)

    def sample_variations(
        self, n: int, target: ResampleTarget = "released", *, strength: float = 1.0, seed: int = 0, object_id: str = ""
    ) -> None:
        """Asks the prior for `n` scenes to choose from, and draws them; the scene stays as it is.

        Args:
            n, target, strength, seed, object_id: how many (the k-th is the sample of `seed + k`), and see `resample`.

        Raises:
            ValueError: nothing to resample, n < 1, or a strength outside [0, 1].
        """
        with self.lock:
            free = released(self.scene, target, strength, object_id or self._selected)
            self.sampler.sample_variations(self.scene, free, n, seed)

    def take_variation(self, index: int) -> SceneLatent:
        """Makes a variation the scene, as one undo step. Raises LookupError if there is none of this number."""
        with self.lock:
            self.sampler.take(index)
            return self.scene

    def render(self, again: bool = False) -> None:
        """Draws the scene on the render thread; one that was drawn before comes back at once, unless `again`.

        What the prior is at work on goes on; the picture is drawn after it.
        """
        with self.lock:
            self.drawer.draw(self.scene, again)

    def cancel(self) -> None:
        """Stops what is being drawn or sampled at its next step; the picture before it stays."""
        with self.lock:
            self.sampler.stop_drawing()
            self._thumbnails.stop_drawing()
            self._note = self._reason = "stopped"
            self.worker.cancel()
            self._on_idle()

    def close(self) -> None:
        """Stops rendering for good; the scene stays readable."""
        self.worker.close()
        self._observers.clear()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _tell(self, kind: EventKind, message: str = "", **details: Any) -> None:
        for callback in tuple(self._observers):
            try:
                callback(SessionEvent(kind, message, **details))
            except Exception:  # one that watches must not stop the others, nor end the render thread
                _LOG.exception("an observer of the editor failed on %r", kind)

    def _jump(self, index: int, message: str) -> SceneLatent:
        self.steps.present.selected = self._selected
        state = self.steps.jump(index)
        self._arrive(message, state.selected or self._selected)
        return self.scene

    def _arrive(self, message: str, selected: str) -> None:
        here = {view.id for view in self.scene.objects}
        selected = selected if selected in here else ""
        if selected != self._selected:
            self._selected = selected
            self._tell("selection")
        self._tell("scene", message)
        self._reason = "dropped, since the scene changed before it was done"
        if not self.worker.is_closed:
            self.drawer.draw(self.scene, changed=True)

    def _on_dropped(self, name: str) -> None:
        if name in SAMPLING:
            what = "the resampling" if name == "resample" else "sampling variations"
            self._note = self._reason if self._reason == "stopped" else f"{what} was {self._reason}"

    def _on_idle(self) -> None:
        free = not (self.worker.is_busy or self.worker.is_closed) and self.worker.last_error is None
        if free and self.drawer.put_off:
            return self.drawer.draw(self.scene)
        if free and (self.sampler.draw_next() or self._thumbnails.draw_next()):
            return
        note, self._note = self._note, ""
        self._tell("idle", note)


def _check_scene(scene: object) -> None:
    if not isinstance(scene, SceneLatent):
        raise TypeError(
            f"an editor needs a SceneLatent, got {type(scene).__name__}: encode the picture first, "
            "`scene = pipe.encode(picture)`"
        )
