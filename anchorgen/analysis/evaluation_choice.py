"""Which nine edits of a room the fixed evaluation set holds: drawn by the room's seed, possible, in view, and not small.

Only boxes are looked at, so choosing takes no rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from anchorgen.analysis.box_rays import box_entry, camera_rays
from anchorgen.data.splits import FIRST_SEED
from anchorgen.world.boxes import box_of, mesh_size
from anchorgen.world.checks import HANGING, impossibilities
from anchorgen.world.edits import Edit, apply_edit, brought, is_lamp
from anchorgen.world.layout import in_view
from anchorgen.world.rooms import refurnish, sample_scene
from anchorgen.world.types import ObjectSpec, WorldScene

EDITS = (
    "move", "rotate", "resize", "remove", "remove_lit_lamp", "insert", "swap", "with_focal", "with_background",
)  # fmt: skip
FIRST_EVALUATION_SEED = FIRST_SEED["test"] + 2_000_000
_FIRST_GUEST_SEED = FIRST_SEED["test"] + 3_000_000  # rooms that inserted and swapped objects come from
_NUM_GUEST_ROOMS = 64
_DONOR_SEED_STEP = 1_000_000
_TRIES = 80
_ELBOW_M = 0.8  # nearer to the camera, an object would fill the picture
_ROUND = ("plant", "ottoman")  # turned, they look the same
_SMALLEST_PX = 150  # at 128 px, of the box
_SMALLEST_LAMP_PX = 40


def chosen_edits(scene: WorldScene) -> dict[str, Edit] | None:
    """Nine edits by name, or None for a room in which one of them cannot be made.

    What is edited stays in view and adds nothing to `impossibilities`, but for curtains and window sills: where it touches
    one of these, `EvaluationScene.warnings` says so. Names are those of the verbs, and
    "remove_lit_lamp". A move is of 0.3 to 0.8 m, a turn of 30 to 180 degrees, a side grows or shrinks by 10 to 30%, a
    focal length by 8 to 25%.
    """
    chooser = _Chooser(scene)
    edits: dict[str, Edit] = {}
    for name, choose in _CHOICES.items():
        edit = choose(chooser)
        if edit is None:
            return None
        edits[name] = edit
    return {name: edits[name] for name in EDITS}


def shown_px(scene: WorldScene, size: int = 64) -> np.ndarray:
    """`[M]`: pixels at 128 px in which the box of each object is the nearest."""
    if not scene.objects:
        return np.zeros(0)
    rays, origin = camera_rays(scene.camera, size), np.asarray(scene.camera.position)
    depth = np.stack([box_entry(box_of(spec), origin, rays) for spec in scene.objects])
    owner = np.where(np.isfinite(depth.min(0)), depth.argmin(0), -1)
    return np.bincount(owner[owner >= 0], minlength=len(scene.objects)) * (128 / size) ** 2


class _Chooser:
    """Draws until an edit is fit. One generator an edit, so that they do not depend on one another."""

    def __init__(self, scene: WorldScene):
        self.scene = scene
        self.known = set(impossibilities(scene, fittings=False))
        shown = shown_px(scene)
        self.shown = {spec.id: float(px) for spec, px in zip(scene.objects, shown, strict=True)}
        self.standing = [o for o in scene.objects if _is_standing(o) and self.shown[o.id] >= _SMALLEST_PX]

    def move(self) -> Edit | None:
        def draw(rng: np.random.Generator) -> Edit:
            distance, angle = rng.uniform(0.3, 0.8), rng.uniform(0, 2 * np.pi)
            right, forward = (round(float(distance * f(angle)), 3) for f in (np.cos, np.sin))
            return {"verb": "move", "id": _one(rng, self.standing).id, "right": right, "forward": forward}

        return self._first(0, draw, self.standing)

    def rotate(self) -> Edit | None:
        faced = [o for o in self.standing if o.category not in _ROUND]

        def draw(rng: np.random.Generator) -> Edit:
            yaw = round(float(rng.uniform(30, 180) * rng.choice([-1, 1])), 1)
            return {"verb": "rotate", "id": _one(rng, faced).id, "yaw": yaw}

        return self._first(1, draw, faced)

    def resize(self) -> Edit | None:
        def draw(rng: np.random.Generator) -> Edit:
            spec, factor = _one(rng, self.standing), _factor(rng, 0.75, 0.9, 1.1, 1.3)
            if rng.random() < 0.5:
                return {"verb": "resize", "id": spec.id, "factor": factor}
            axis = int(rng.integers(3))
            side = round(float(box_of(spec).extent[axis]) * factor, 3)
            return {"verb": "resize", "id": spec.id, ("width", "depth", "height")[axis]: side}

        return self._first(2, draw, self.standing)

    def remove(self) -> Edit | None:
        return self._first(3, lambda rng: {"verb": "remove", "id": _one(rng, self.standing).id}, self.standing)

    def remove_lit_lamp(self) -> Edit | None:
        lamps = [o for o in self.scene.objects if is_lamp(o) and o.lit and self.shown[o.id] >= _SMALLEST_LAMP_PX]
        return self._first(4, lambda rng: {"verb": "remove", "id": _one(rng, lamps).id}, lamps)

    def insert(self) -> Edit | None:
        def draw(rng: np.random.Generator) -> Edit | None:
            room = _guest_room(int(rng.integers(_NUM_GUEST_ROOMS)))
            guests = [o for o in room.objects if _is_standing(o) and o.category != "bed"]
            if not guests:
                return None
            guest = brought(self.scene, room, _one(rng, guests).id)
            at = {"right": round(float(rng.uniform(-1.8, 1.8)), 3), "forward": round(float(rng.uniform(1.3, 4.4)), 3)}
            return {"verb": "insert", "object": guest, "at": at}

        return self._first(5, draw, (True,), tries=4 * _TRIES)

    def swap(self) -> Edit | None:
        def draw(rng: np.random.Generator) -> Edit | None:
            spec, room = _one(rng, self.standing), _guest_room(int(rng.integers(_NUM_GUEST_ROOMS)))
            same = [o for o in room.objects if o.category == spec.category]
            other = _one(rng, same) if same else None
            if other is None or np.abs(np.log(box_of(other).extent / box_of(spec).extent)).max() < 0.1:
                return None
            return {"verb": "swap", "id": spec.id, "object": other}

        return self._first(6, draw, self.standing, tries=4 * _TRIES)

    def with_focal(self) -> Edit | None:
        factor = _factor(self._rng(7), 0.8, 0.92, 1.08, 1.25)
        fx, fy = (round(side * factor, 6) for side in self.scene.camera.focal)
        return {"verb": "with_focal", "fx": fx, "fy": fy}

    def with_background(self) -> Edit | None:
        """A donor of like daylight, since the exposure stays that of this room."""
        for k in range(1, 20):
            donor = refurnish(self.scene, self.scene.seed + k * _DONOR_SEED_STEP)
            if 0.5 <= donor.daylight / self.scene.daylight <= 2 and len(donor.objects) >= 3:
                return {"verb": "with_background", "room": donor}
        return None

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.scene.seed, number])

    def _first(
        self,
        number: int,
        draw: Callable[[np.random.Generator], Edit | None],
        choices: Sequence[object],
        tries: int = _TRIES,
    ) -> Edit | None:
        """The first edit drawn that is fit; None if none of `tries` is, or there is nothing to choose from."""
        rng = self._rng(number)
        for _ in range(tries if choices else 0):
            edit = draw(rng)
            if edit is not None and self._is_fit(edit):
                return edit
        return None

    def _is_fit(self, edit: Edit) -> bool:
        try:
            edited = apply_edit(self.scene, edit)
        except ValueError:  # one lamp too many
            return False
        names = [o.id for o in edited.objects]
        if edit["verb"] != "remove":
            index = names.index(edit["id"]) if "id" in edit else len(names) - 1
            spec = edited.objects[index]
            reach = np.linalg.norm(box_of(spec).corners[:, :2] - edited.camera.position[:2], axis=1).min()
            if reach < _ELBOW_M or not in_view(spec, mesh_size(spec), edited.camera):
                return False
            if shown_px(edited)[index] < _SMALLEST_PX:
                return False
        return set(impossibilities(edited, fittings=False)) <= self.known


_CHOICES: dict[str, Callable[[_Chooser], Edit | None]] = {
    "remove_lit_lamp": _Chooser.remove_lit_lamp,  # first, since most rooms that fail fail by it
    "move": _Chooser.move,
    "rotate": _Chooser.rotate,
    "resize": _Chooser.resize,
    "remove": _Chooser.remove,
    "insert": _Chooser.insert,
    "swap": _Chooser.swap,
    "with_focal": _Chooser.with_focal,
    "with_background": _Chooser.with_background,
}


@lru_cache(maxsize=_NUM_GUEST_ROOMS)
def _guest_room(index: int) -> WorldScene:
    return sample_scene(_FIRST_GUEST_SEED + index)


def _is_standing(spec: ObjectSpec) -> bool:
    return not is_lamp(spec) and spec.category not in (*HANGING, "rug")


def _one(rng: np.random.Generator, choices: Sequence[ObjectSpec]) -> ObjectSpec:
    return choices[int(rng.integers(len(choices)))]


def _factor(rng: np.random.Generator, least: float, below: float, above: float, most: float) -> float:
    """A factor well below or well above 1."""
    low, high = (least, below) if rng.random() < 0.5 else (above, most)
    return round(float(rng.uniform(low, high)), 3)
