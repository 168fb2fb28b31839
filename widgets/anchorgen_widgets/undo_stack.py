"""The states an editor has been in, one per undo step."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from anchorgen.scene.latent import SceneLatent

MAX_UNDO_STEPS = 200
_KEYS = itertools.count(1)


@dataclass
class EditState:
    """A scene on the way, and how it came about.

    Attributes:
        scene: what it was.
        label: the step that led here, in words.
        code: the step as Python, from a `scene` to a `scene`.
        selected: id of what was selected when the state was left; undoing comes back to it.
        pictured: whether its picture was drawn, or cannot be.
        key: number of the state, never used again.
    """

    scene: SceneLatent
    label: str
    code: str = ""
    selected: str = ""
    pictured: bool = False
    key: int = field(default_factory=lambda: next(_KEYS))


class UndoStack:
    """A line of states, and where on it one is.

    Attributes:
        states: oldest first; those after `at` can be redone.
        at: index of the present one.
        forgotten: code of the states that were dropped, oldest first.
    """

    def __init__(self, start: EditState):
        self.states = [start]
        self.at = 0
        self.forgotten: list[str] = []

    @property
    def code(self) -> list[str]:
        """From the start, also where that was dropped, to the present state; one text a step."""
        return [*self.forgotten, *(state.code for state in self.states[: self.at + 1])]

    @property
    def present(self) -> EditState:
        return self.states[self.at]

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; "" if nothing."""
        return self.present.label if self.at else ""

    @property
    def redo_label(self) -> str:
        return self.states[self.at + 1].label if self.at + 1 < len(self.states) else ""

    def push(self, state: EditState) -> None:
        """Makes `state` the present one; what could be redone is gone, and the oldest one past 200 steps."""
        states = [*self.states[: self.at + 1], state]
        self.forgotten += [old.code for old in states[: -MAX_UNDO_STEPS - 1]]
        self.states = states[-MAX_UNDO_STEPS - 1 :]
        if len(states) > len(self.states):  # or the oldest would hold on to all that were before it
            object.__setattr__(self.states[0].scene, "previous", None)
        self.at = len(self.states) - 1

    def jump(self, index: int) -> EditState:
        """Goes to another state. Raises LookupError if there is none of this number."""
        if not 0 <= index < len(self.states):
            raise LookupError(f"no step {index}; there are 0 (the start) to {len(self.states) - 1}")
        self.at = index
        return self.present
