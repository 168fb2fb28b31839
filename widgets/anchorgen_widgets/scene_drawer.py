"""`SceneDrawer`: pictures of a session's scene, drawn one at a time: a draft, then the final one, each remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PIL import Image

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.picture_cache import PictureCache
from anchorgen_widgets.rendering import RenderCancelled, RenderJob, RenderWorker, Ticket

SAMPLING = ("resample", "variations")


class SceneDrawer:
    """Draws for an `EditorSession`; every method is called with the session's lock held.

    Attributes:
        worker: the thread, shared with sampling.
        seed: noise of the pictures.
        draws_drafts: whether a quick draft comes before the final picture.
        image: the latest picture; None before the first.
        image_is_draft: whether it is a draft.
        shown: the scene that `image` is of.
        put_off: whether a picture that was asked for waits until the prior has done its work.
    """

    def __init__(
        self,
        pipe: Any,
        lock: threading.RLock,
        tell: Callable[..., None],
        on_dropped: Callable[[str], None],
        on_idle: Callable[[], None],
        seed: int,
        draws_drafts: bool,
        keep: Any,
    ):
        self._pipe = pipe
        self._options = {} if keep is None else {"keep": keep}
        self._tell = tell
        self._on_idle = on_idle
        self._pictures = PictureCache()
        self.seed = seed
        self.draws_drafts = draws_drafts
        self.image: Image.Image | None = None
        self.image_is_draft = False
        self.shown: SceneLatent | None = None
        self.put_off = False
        self.worker = RenderWorker(
            lock=lock,
            on_progress=lambda name, step, total: tell("progress", name, step=step, total=total),
            on_error=lambda error: tell("error", str(error), error=error),
            on_dropped=on_dropped,
            on_idle=on_idle,
        )

    def picture_of(self, scene: SceneLatent) -> Image.Image | None:
        """The final picture of a scene, if it was drawn before."""
        return self._pictures.get(scene, self.seed)

    @property
    def is_sampling(self) -> bool:
        """Whether the prior is at work: a scene that did not change must not stop it."""
        return any(name in SAMPLING for name in self.worker.job_names)

    @property
    def finished(self) -> Image.Image | None:
        """The latest picture, if it is a final one."""
        return None if self.image_is_draft else self.image

    def draw(self, scene: SceneLatent, again: bool = False, changed: bool = False) -> None:
        """Asks for the pictures of `scene`; a final one that is there comes at once, unless `again`.

        Args:
            scene: what to draw.
            again: draws it anew.
            changed: whether the scene is another one than before, so that what the prior is at work on is stale.
        """
        seed = self.seed
        ready = None if again else self._pictures.get(scene, seed)
        waits = self.is_sampling and not changed
        self.put_off = waits and ready is None
        if ready is None and not waits:
            self.worker.request(RenderJob(lambda ticket: self._draw_stages(ticket, scene, seed)))
        if ready is None:
            return
        if not waits:
            self.worker.cancel()
        self._show(ready, scene, False)
        self._on_idle()

    def preview(self, scene: SceneLatent) -> None:
        """Asks for a draft of a scene that is not the session's yet; not while the prior is at work."""
        if self.is_sampling:
            return
        seed = self.seed
        draft = RenderJob(lambda ticket: self._draw(ticket, scene, seed, True), "draft", preview=True)
        self.worker.request(draft)

    def draw_behind(self, scene: SceneLatent, settle: Callable[[Image.Image | Exception], None]) -> None:
        """Asks for the final picture of a scene that is not shown: a step or a variation. Anything newer stops it.

        Args:
            scene: what to draw.
            settle: called with the picture, or with what drawing it failed with.
        """
        seed = self.seed

        def run(ticket: Ticket) -> None:
            try:
                picture = self._pipe.render(scene, seed=seed, callback=lambda *_: ticket.check(), **self._options)
            except RenderCancelled:
                raise
            except Exception as error:
                return ticket.publish(settle, error)
            ticket.publish(self._pictures.put, scene, seed, picture)
            ticket.publish(settle, picture)

        self.worker.request(RenderJob(run, "thumbnail"))

    def _draw_stages(self, ticket: Ticket, scene: SceneLatent, seed: int) -> None:
        if self.draws_drafts:
            self._draw(ticket, scene, seed, True)
        self._draw(ticket, scene, seed, False)

    def _draw(self, ticket: Ticket, scene: SceneLatent, seed: int, draft: bool) -> None:
        ticket.check()
        image = self._pipe.render(scene, seed=seed, draft=draft, callback=ticket.progress, **self._options)
        ticket.publish(self._keep, image, scene, seed, draft)

    def _keep(self, image: Image.Image, scene: SceneLatent, seed: int, draft: bool) -> None:
        if not draft:
            self._pictures.put(scene, seed, image)
        self._show(image, scene, draft)

    def _show(self, image: Image.Image, scene: SceneLatent, draft: bool) -> None:
        self.image, self.image_is_draft, self.shown = image, draft, scene
        self._tell("image", "draft" if draft else "final")
