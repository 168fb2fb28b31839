"""`SceneValues`: what a scene is made of and how it is looked at, without the verbs, files and reprs of `SceneLatent`.

The modules of this package that work on scenes are written in terms of it; `latent.py` puts them together.

Shape legend: N slots, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from anchorgen.scene.anchors import KEEP_ALL, Anchors
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector, select_one, select_slots
from anchorgen.scene.steps import Step
from anchorgen.scene.validate import checked_fields

ValuesT = TypeVar("ValuesT", bound="SceneValues")
# Wide, since people write `right=1` and pass numpy scalars; `edits.number` does the checking.
Number = float | int | np.number
Vector = Sequence[Any] | np.ndarray

LATENT_ARRAYS = ("translation", "quat_wxyz", "scale", "appearance", "presence", "focal", "background", "up", "floor")


@dataclass(frozen=True, eq=False, repr=False)
class SceneValues:
    """The fields of a `SceneLatent`, which says what each of them means; arrays are read-only."""

    translation: np.ndarray  # [N, 3]
    quat_wxyz: np.ndarray  # [N, 4]
    scale: np.ndarray  # [N, 3]
    appearance: np.ndarray  # [N, K, C]
    presence: np.ndarray  # [N] bool
    focal: np.ndarray  # [2]
    background: np.ndarray  # [Kb, C]
    labels: Sequence[str]  # [N]
    ids: Sequence[str]  # [N]
    up: np.ndarray  # [3]
    floor: np.ndarray | Number
    latent_space: str
    anchors: Anchors = KEEP_ALL
    history: tuple[Step, ...] = field(default=())
    origin: SceneValues | None = None
    previous: SceneValues | None = None
    following: SceneValues | None = None

    def __post_init__(self) -> None:
        for name, value in checked_fields(self).items():
            object.__setattr__(self, name, value)

    def replace(self: ValuesT, **changes: Any) -> ValuesT:
        """A copy with other values. It is a new start, with no history, since no verb says what was changed."""
        return dataclasses.replace(self, **{**_NO_HISTORY, **changes})

    def with_labels(self: ValuesT, labels: Mapping[int, str]) -> ValuesT:
        """Slots named anew, each with a fresh id: for objects that a prior has sampled. A new start, as `replace`."""
        ids = ["" if slot in labels else name for slot, name in enumerate(self.ids)]
        return self.replace(
            labels=tuple(labels.get(slot, name) for slot, name in enumerate(self.labels)), ids=tuple(ids)
        )

    # -- looking ------------------------------------------------------------------------------------------------------

    @property
    def num_slots(self) -> int:
        return len(self.presence)

    @property
    def num_objects(self) -> int:
        return int(self.presence.sum())

    def view(self, slot: int | np.integer) -> ObjectView:
        """Slot number `slot`, present or not."""
        slot = int(slot)
        arrays: Any = {name: getattr(self, name)[slot] for name in ("translation", "quat_wxyz", "scale", "appearance")}
        return ObjectView(
            index=slot,
            id=self.ids[slot],
            label=self.labels[slot],
            present=bool(self.presence[slot]),
            latent_space=self.latent_space,
            up=self.up,
            floor=np.asarray(self.floor),
            **arrays,
        )

    @property
    def objects(self) -> tuple[ObjectView, ...]:
        """The present objects, by slot."""
        return tuple(self.view(slot) for slot in np.flatnonzero(self.presence))

    @property
    def removed(self) -> tuple[ObjectView, ...]:
        """The removed objects, which `restore` can bring back."""
        return tuple(self.view(s) for s in range(self.num_slots) if self.ids[s] and not self.presence[s])

    def select(self, selector: Selector) -> tuple[int, ...]:
        """Slots of the present objects that match. Raises SelectionError if none does."""
        return select_slots(selector, self.objects, self.removed)

    def object(self, selector: Selector) -> ObjectView:
        """The one object that matches. Raises SelectionError if none does, or several."""
        return self.view(select_one(selector, self.objects, self.removed))

    def __getitem__(self, selector: Selector) -> ObjectView:
        return self.object(selector)

    def __contains__(self, selector: Selector) -> bool:
        try:
            return bool(self.select(selector))
        except LookupError:
            return False

    def __iter__(self) -> Iterator[ObjectView]:
        return iter(self.objects)

    def equals(self, other: SceneValues) -> bool:
        """Whether all but the history is the same, bit for bit."""
        same = all(np.array_equal(getattr(self, name), getattr(other, name)) for name in LATENT_ARRAYS)
        names = all(getattr(self, name) == getattr(other, name) for name in ("labels", "ids", "latent_space"))
        return same and names and self.anchors.equals(other.anchors)

    def __deepcopy__(self: ValuesT, memo: Any) -> ValuesT:
        return self  # immutable


_NO_HISTORY: dict[str, Any] = {"history": (), "origin": None, "previous": None, "following": None}
