"""Edits of rooms as JSON values, and out of the history of a scene latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from anchorgen.scene.steps import Step
from anchorgen.world.edits import Edit
from anchorgen.world.types import ObjectSpec, WorldScene

_PROGRAM_VERBS = ("move", "rotate", "resize", "remove", "restore", "only", "duplicate", "with_focal")


def edit_to_json(edit: Edit) -> dict[str, Any]:
    """An edit as JSON values: an object or a room becomes a dict of its fields."""
    return {key: _plain(value) for key, value in edit.items()}


def edit_from_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of `edit_to_json`."""
    edit = dict(value)
    if isinstance(edit.get("object"), Mapping):
        edit["object"] = ObjectSpec.from_json(edit["object"], "object")
    if isinstance(edit.get("room"), Mapping):
        edit["room"] = WorldScene.from_json(edit["room"])
    return edit


def program(history: Sequence[Step]) -> list[dict[str, Any]]:
    """The edits that do to a room what a `SceneLatent.history` did to its latents.

    `anchor`, `release` and `complete` change no picture and are left out.

    Raises:
        ValueError: a step that holds latents (insert, swap, paint, with_background), or names a slot by its number; the
            message says which.
    """
    edits = []
    for count, step in enumerate(history, 1):
        if step.verb in ("anchor", "release", "complete"):
            continue
        if step.verb not in _PROGRAM_VERBS:
            raise ValueError(f"step {count} is {step.verb}, which has no room to take from; expected {_PROGRAM_VERBS}")
        arguments = dict(step.arguments)
        id = arguments.pop("selector", None)
        names = id if isinstance(id, list) else [id]
        if step.verb != "with_focal" and not all(isinstance(name, str) for name in names):
            raise ValueError(f"step {count}, {step.verb}, selects {id!r}; expected ids or labels, not slot numbers")
        edits.append({"verb": step.verb, **({} if id is None else {"id": id}), **arguments})
    return edits


def _plain(value: Any) -> Any:
    if isinstance(value, WorldScene):
        return _plain(value.to_json())
    if isinstance(value, ObjectSpec):
        return asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
