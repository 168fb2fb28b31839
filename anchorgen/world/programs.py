"""Edits of rooms as JSON values, and out of the history of a scene latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from anchorgen.scene.steps import Step
from anchorgen.world.edits import Edit
from anchorgen.world.types import ObjectSpec, WorldScene

_PROGRAM_VERBS = (
    "move", "place_on", "snap_to_floor", "align", "rotate", "resize", "remove", "restore", "only", "duplicate",
    "with_focal",
)  # fmt: skip
_NAMES = {"place_on": ("id", "other"), "align": ("id", "to"), "with_focal": ()}  # of other verbs: `id` alone


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
    source = edit.get("source")
    if isinstance(source, Mapping):
        edit["source"] = WorldScene.from_json(source)
    if isinstance(source, list):
        edit["source"] = [
            ObjectSpec.from_json(item, f"source[{i}]") if isinstance(item, Mapping) else item
            for i, item in enumerate(source)
        ]
    return edit


def program(history: Sequence[Step]) -> list[dict[str, Any]]:
    """The edits that do to a room what a `SceneLatent.history` did to its latents.

    `anchor`, `release` and `complete` change no picture and are left out.

    Raises:
        ValueError: a step that holds latents (insert, swap, paint, restyle, with_background), or names a slot by its
            number, or aligns with whatever comes first after a `restore`; the message says which.
    """
    edits, restored = [], False
    for count, step in enumerate(history, 1):
        if step.verb in ("anchor", "release", "complete"):
            continue
        if step.verb not in _PROGRAM_VERBS:
            raise ValueError(f"step {count} is {step.verb}, which has no room to take from; expected {_PROGRAM_VERBS}")
        arguments = {"id" if name == "selector" else name: value for name, value in step.arguments.items()}
        for name in _NAMES.get(step.verb, ("id",)):
            _check_names(f"step {count}, {step.verb},", arguments.get(name))
        # A slot comes back at its place, an object of a room at the end: which of them is the first may differ.
        if step.verb == "align" and restored and arguments.get("to") is None:
            raise ValueError(f"step {count}, align, goes by the first object in order after a restore; expected `to`")
        restored |= step.verb == "restore"
        edits.append({"verb": step.verb, **arguments})
    return edits


def _check_names(what: str, id: Any) -> None:
    if id is not None and not all(isinstance(name, str) for name in (id if isinstance(id, list) else [id])):
        raise ValueError(f"{what} selects {id!r}; expected ids or labels, not slot numbers")


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
