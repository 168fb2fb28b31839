"""What an `EditorSession` tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EventKind = Literal[
    "scene",
    "selection",
    "image",
    "progress",
    "idle",
    "status",
    "sampled",
    "variations",
    "variation",
    "step",
    "error",
]


@dataclass(frozen=True)
class SessionEvent:
    """What observers are told.

    Attributes:
        kind: what changed; read the new value from the session.
        message: words for people.
        step, total: of a "progress" event; `step` is also the number of the variation or of the state that a "variation"
            or "step" event has the picture of.
        error: of an "error" event.
    """

    kind: EventKind
    message: str = ""
    step: int = 0
    total: int = 0
    error: Exception | None = None
