"""`SceneSampler`: asks the prior for one scene, or for several to choose from, which are drawn when nothing else is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from anchorgen.scene.anchors import Anchors
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.variations import Variations
from anchorgen_widgets.rendering import RenderJob, Ticket
from anchorgen_widgets.scripting import from_the_start, sampling_code

if TYPE_CHECKING:
    from anchorgen_widgets.session import EditorSession

MAX_VARIATIONS = 64


@dataclass(frozen=True)
class Variation:
    """One of the scenes to choose from.

    Attributes:
        scene: the sample, with the anchors of the scene it was sampled from.
        code: Python that samples it again.
        picture: its final picture, None until it is drawn.
    """

    scene: SceneLatent
    code: str
    picture: Image.Image | None = None


class SceneSampler:
    """Samples for an `EditorSession`; every method is called with the session's lock held.

    Attributes:
        variations: what the last `sample_variations` gave.
        summary: presence, spread and ranking over them; None before the first.
        first_seed: the k-th of them is the sample of `first_seed + k`.
        taken: number of the one that was made the scene, -1 for none.
    """

    def __init__(self, session: EditorSession):
        self._session = session
        self._undrawn: list[int] = []
        self.variations: tuple[Variation, ...] = ()
        self.summary: Variations | None = None
        self.first_seed = 0
        self.taken = -1
        self._base: SceneLatent | None = None
        self._program = ""  # from the start to where the variations were sampled from

    def resample(self, base: SceneLatent, free: SceneLatent, what: str, seed: int) -> None:
        """Samples once; the sample becomes the scene."""
        code = sampling_code(base, free, seed)

        def run(ticket: Ticket) -> None:
            sampled = self._session.pipe.sample(free, n=1, seed=seed, callback=ticket.progress)[0]
            ticket.publish(self._take_sample, _with_anchors(sampled, base.anchors), what, code)

        self._session.worker.request(RenderJob(run, "resample"))
        self._session._tell("status", f"resampling {what}")

    def sample_variations(self, base: SceneLatent, free: SceneLatent, n: int, seed: int) -> None:
        """Samples `n` times; the pictures follow one by one."""
        if not 1 <= n <= MAX_VARIATIONS:
            raise ValueError(f"n is {n}; expected 1 to {MAX_VARIATIONS} variations")
        codes = [sampling_code(base, free, seed, k) for k in range(n)]
        program = self._session.to_python()

        def run(ticket: Ticket) -> None:
            samples = self._session.pipe.sample(free, n=n, seed=seed, callback=ticket.progress)
            scenes = [_with_anchors(sampled, base.anchors) for sampled in samples]
            found = [Variation(scene, code) for scene, code in zip(scenes, codes, strict=True)]
            ticket.publish(self._arrived, base, found, seed, program)

        self._session.worker.request(RenderJob(run, "variations"))
        self._session._tell("status", f"sampling {n} variations")

    def take(self, index: int) -> None:
        """Makes a variation the scene.

        Raises:
            LookupError: there is none of this number.
            ValueError: it is of another model than the scene that was set meanwhile.
        """
        if not 0 <= index < len(self.variations):
            there = f"0 to {len(self.variations) - 1}" if self.variations else "none; sample some first"
            raise LookupError(f"no variation {index}; there are {there}")
        variation = self.variations[index]
        present, found = self._session.scene, variation.scene
        if present.appearance.shape != found.appearance.shape or present.latent_space != found.latent_space:
            raise ValueError("the variations are of another model than the scene now; sample again")
        at_base = present is self._base
        code = variation.code if at_base else from_the_start(self._program, variation.code)
        self._commit(found, f"take seed {self.first_seed + index}", code)
        self.taken = index
        self._session._tell("variations", "taken")

    def stop_drawing(self) -> None:
        """Leaves the variations that have no picture yet without one."""
        self._undrawn.clear()

    def draw_next(self) -> bool:
        """Asks for the picture of the next variation without one; False if there is none."""
        while self._undrawn:
            index, drawer = self._undrawn[0], self._session.drawer
            scene = self.variations[index].scene
            ready = drawer.picture_of(scene)
            if ready is None:
                drawer.draw_behind(scene, lambda got, index=index: self._settle(index, got))
                return True
            self._settle(index, ready)
        return False

    def _settle(self, index: int, got: Image.Image | Exception) -> None:
        self._undrawn.remove(index)
        if isinstance(got, Exception):
            return self._session._tell("error", str(got), error=got)
        one = dataclasses.replace(self.variations[index], picture=got)
        self.variations = (*self.variations[:index], one, *self.variations[index + 1 :])
        self._session._tell("variation", step=index)

    def _arrived(self, base: SceneLatent, variations: list[Variation], seed: int, program: str) -> None:
        self.variations, self.first_seed = tuple(variations), seed
        self._base, self._program = base, program
        self.summary = Variations(base, [one.scene for one in variations])
        self.taken = -1
        self._undrawn = [int(k) for k in self.summary.order]
        self._session._tell("variations", f"{len(variations)} variations")

    def _take_sample(self, sampled: SceneLatent, what: str, code: str) -> None:
        self._session._tell("sampled", what)
        self._commit(sampled, f"resample {what}", code)

    def _commit(self, sampled: SceneLatent, label: str, code: str) -> None:
        session = self._session
        selected = session.selected
        if selected:  # stays selected, also where it became another kind and has an id of that
            slot = session.scene.ids.index(selected)
            selected = sampled.ids[slot] if slot < sampled.num_slots and sampled.presence[slot] else ""
        session.commit(sampled, label, code, selected)


def _with_anchors(sampled: SceneLatent, anchors: Anchors) -> SceneLatent:
    """A sample comes back anchored; what the user had released stays released, to be sampled again."""
    return sampled.replace(anchors=anchors)
