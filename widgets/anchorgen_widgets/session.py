"""`EditorSession`: all that an editor of a scene does, without a widget: edits, undo, selection, sampling, rendering.

A gesture becomes verbs of `SceneLatent`, so that what the mouse did reads as code afterwards. Poses are in the scene's
own frame (OpenCV camera, metres, wxyz). Every method may be called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from anchorgen.scene.anchors import Anchors
from anchorgen.scene.latent import SceneLatent, Vector
from anchorgen_widgets.events import EventKind, SessionEvent
from anchorgen_widgets.gestures import GestureKind, scene_after_gesture, unmistakable
from anchorgen_widgets.rendering import RenderJob, RenderWorker, Ticket
from anchorgen_widgets.resampling import ResampleTarget, released

_LOG = logging.getLogger(__name__)
MAX_UNDO_STEPS = 200
MAX_KEPT_PICTURES = 32


@dataclass(frozen=True)
class _UndoStep:
    scene: SceneLatent
    label: str


class EditorSession:
    """The state behind an editor.

    Attributes:
        pipe: renders and samples (an `AnchorgenPipeline`).
        seed: noise of the picture; the same for every edit, so that what was not edited stays still.
        strength: of `resample`, 1 - alpha.
        draws_drafts: whether a quick draft comes before the final picture.
        lock: guards everything here and the render thread.
    """

    def __init__(self, pipe: Any, scene: SceneLatent, *, seed: int = 0, draws_drafts: bool = True):
        _check_scene(scene)
        self.pipe = pipe
        self.seed = seed
        self.draws_drafts = draws_drafts
        self.lock = threading.RLock()
        self._scene = scene
        self._past: list[_UndoStep] = []
        self._future: list[_UndoStep] = []
        self._selected = ""
        self._image: Image.Image | None = None
        self._image_is_draft = False
        self._pictures: OrderedDict[tuple[SceneLatent, int], Image.Image] = OrderedDict()
        self._observers: list[Callable[[SessionEvent], None]] = []
        self._note = ""
        self.worker = RenderWorker(
            lock=self.lock,
            on_progress=lambda name, step, total: self._tell("progress", name, step=step, total=total),
            on_error=lambda error: self._tell("error", str(error), error=error),
            on_dropped=self._on_dropped,
            on_idle=self._on_idle,
        )

    # -- state --------------------------------------------------------------------------------------------------------

    @property
    def scene(self) -> SceneLatent:
        return self._scene

    @scene.setter
    def scene(self, scene: SceneLatent) -> None:
        self._commit(scene, "set in code")

    @property
    def image(self) -> Image.Image | None:
        """The latest picture, draft or final; None before the first."""
        return self._image

    @property
    def image_is_draft(self) -> bool:
        return self._image_is_draft

    @property
    def selected(self) -> str:
        """Id of the selected object, or ""."""
        return self._selected

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; "" if nothing."""
        return self._past[-1].label if self._past else ""

    @property
    def redo_label(self) -> str:
        return self._future[-1].label if self._future else ""

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
                unmistakable(self._scene, object_id)
            if object_id != self._selected:
                self._selected = object_id
                self._tell("selection")

    # -- edits, one undo step each ------------------------------------------------------------------------------------

    def edit(self, label: str, verbs: Callable[[SceneLatent], SceneLatent]) -> SceneLatent:
        """Applies any function of the scene as one undo step, and draws the result."""
        with self.lock:
            self._commit(verbs(self._scene), label)
            return self._scene

    def apply_pose(
        self,
        object_id: str,
        translation: Vector,
        quat_wxyz: Vector,
        scale: Vector,
        kind: GestureKind,
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
            changed = scene_after_gesture(self._scene, object_id, translation, quat_wxyz, scale, kind)
            if changed is self._scene:
                self.render()
            else:
                self._commit(changed, f"{kind} {object_id}")
            return self._scene

    def preview_pose(
        self, object_id: str, translation: Vector, quat_wxyz: Vector, scale: Vector, kind: GestureKind
    ) -> None:
        """Draws a draft of a gesture still under way; the scene stays as it is. A pose that cannot be is skipped."""
        with self.lock:
            try:
                changed = scene_after_gesture(self._scene, object_id, translation, quat_wxyz, scale, kind)
            except (LookupError, ValueError):
                return
            seed = self.seed
            self.worker.request(
                RenderJob(lambda ticket: self._draw(ticket, changed, seed, True), "draft", preview=True)
            )

    def cancel_preview(self) -> None:
        """Goes back to the picture of the scene after a gesture that was given up."""
        self.render()

    def remove(self, object_id: str = "") -> SceneLatent:
        """Removes an object, by default the selected one."""
        with self.lock:
            name, word = self._target(object_id, "remove")
            return self.edit(f"remove {name}", lambda scene: scene.remove(word))

    def restore(self, object_id: str) -> SceneLatent:
        """Brings a removed object back and selects it."""
        with self.lock:
            scene = self.edit(f"restore {object_id}", lambda scene: scene.restore([object_id]))
            self.select(object_id)
            return scene

    def duplicate(self, object_id: str = "") -> SceneLatent:
        """Copies an object, by default the selected one, and selects the copy."""
        with self.lock:
            name, word = self._target(object_id, "duplicate")
            before = self._present_ids()
            scene = self.edit(f"duplicate {name}", lambda scene: scene.duplicate(word))
            self.select(next(one for one in self._present_ids() if one not in before))
            return scene

    def undo(self) -> SceneLatent:
        """Takes the last step back. Raises ValueError if there is none."""
        return self._step_through(self._past, self._future, "undo")

    def redo(self) -> SceneLatent:
        """Does again what `undo` took back. Raises ValueError if there is nothing."""
        return self._step_through(self._future, self._past, "redo")

    # -- sampling and rendering ---------------------------------------------------------------------------------------

    def resample(
        self, target: ResampleTarget = "appearance", *, strength: float = 1.0, seed: int = 0, object_id: str = ""
    ) -> None:
        """Asks the prior for new values, on the render thread.

        They arrive as one undo step, or not at all if the scene is edited before they do.

        Args:
            target: "appearance", "layout" or "both" of one object; "everything else": all but that object, the camera
                and the background (every object if none is selected); "released": what the scene's anchors leave free.
            strength: 0 keeps, 1 starts from noise; not used by "released".
            seed: of the sample.
            object_id: default: the selected object.

        Raises:
            ValueError: nothing to resample, or a strength outside [0, 1].
        """
        with self.lock:
            base = self._scene
            free = released(base, target, strength, object_id or self._selected)
            job = RenderJob(
                lambda ticket: self._sample(ticket, free, base.anchors, f"{target}, seed {seed}", seed), "resample"
            )
            self.worker.request(job)
            self._tell("status", f"resampling {target}, seed {seed}")

    def render(self, again: bool = False) -> None:
        """Draws the scene on the render thread; one that was drawn before comes back at once, unless `again`."""
        with self.lock:
            scene, seed = self._scene, self.seed
            ready = None if again else self._pictures.get((scene, seed))
            if ready is not None:
                self.worker.cancel()
                self._show(ready, False)
                self._on_idle()
                return
            self.worker.request(RenderJob(lambda ticket: self._draw_stages(ticket, scene, seed)))

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

    def _present_ids(self) -> list[str]:
        return [view.id for view in self._scene.objects]

    def _target(self, object_id: str, verb: str) -> tuple[str, str | int]:
        object_id = object_id or self._selected
        if not object_id:
            raise ValueError(f"nothing is selected to {verb}; click an object first, or give its id")
        return object_id, unmistakable(self._scene, object_id)

    def _commit(self, scene: SceneLatent, label: str) -> None:
        _check_scene(scene)
        with self.lock:
            self._past = [*self._past, _UndoStep(self._scene, label)][-MAX_UNDO_STEPS:]
            self._future.clear()
            self._replace_scene(scene, label)
            self.render()

    def _step_through(self, source: list[_UndoStep], target: list[_UndoStep], verb: str) -> SceneLatent:
        with self.lock:
            if not source:
                raise ValueError(f"nothing to {verb}")
            step = source.pop()
            target.append(_UndoStep(self._scene, step.label))
            self._replace_scene(step.scene, f"{verb}: {step.label}")
            self.render()
            return self._scene

    def _replace_scene(self, scene: SceneLatent, message: str) -> None:
        self._scene = scene
        if self._selected and self._selected not in self._present_ids():
            self._selected = ""
            self._tell("selection")
        self._tell("scene", message)

    def _sample(self, ticket: Ticket, free: SceneLatent, anchors: Anchors, what: str, seed: int) -> None:
        sampled = self.pipe.sample(free, n=1, seed=seed, callback=ticket.progress)[0]
        # A sample comes back anchored; what the user had released stays released, to be sampled again.
        ticket.publish(self._take_sample, sampled.replace(anchors=anchors), what)

    def _take_sample(self, sampled: SceneLatent, what: str) -> None:
        self._tell("sampled", what)
        if self._selected:  # stays selected, also where it became another kind and has an id of that
            slot = self._scene.ids.index(self._selected)
            self._selected = sampled.ids[slot] if sampled.presence[slot] else ""
        self._commit(sampled, f"resample {what}")

    def _draw_stages(self, ticket: Ticket, scene: SceneLatent, seed: int) -> None:
        if self.draws_drafts:
            self._draw(ticket, scene, seed, True)
        self._draw(ticket, scene, seed, False)

    def _draw(self, ticket: Ticket, scene: SceneLatent, seed: int, draft: bool) -> None:
        ticket.check()
        image = self.pipe.render(scene, seed=seed, draft=draft, callback=ticket.progress)
        ticket.publish(self._keep, image, scene, seed, draft)

    def _keep(self, image: Image.Image, scene: SceneLatent, seed: int, draft: bool) -> None:
        if not draft:
            self._pictures[scene, seed] = image
            while len(self._pictures) > MAX_KEPT_PICTURES:
                self._pictures.popitem(last=False)
        self._show(image, draft)

    def _show(self, image: Image.Image, draft: bool) -> None:
        self._image, self._image_is_draft = image, draft
        self._tell("image", "draft" if draft else "final")

    def _on_dropped(self, name: str) -> None:
        if name == "resample":
            self._note = "the resampling was dropped, since the scene changed before it was done"

    def _on_idle(self) -> None:
        note, self._note = self._note, ""
        self._tell("idle", note)


def _check_scene(scene: object) -> None:
    if not isinstance(scene, SceneLatent):
        raise TypeError(
            f"an editor needs a SceneLatent, got {type(scene).__name__}: encode the picture first, "
            "`scene = pipe.encode(picture)`"
        )
