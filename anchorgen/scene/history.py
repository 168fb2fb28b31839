"""What made a scene: recording verbs, running them again, taking them back, printing them as code."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from typing import Any, cast

from anchorgen.scene import arranging, edits, objects
from anchorgen.scene.errors import EditError
from anchorgen.scene.selection import plain_selector
from anchorgen.scene.steps import Step, decode_argument, encode_argument
from anchorgen.scene.values import SceneValues, ValuesT

_EDITS = ("move", "rotate", "resize", "remove", "restore", "only", "anchor", "release", "complete")
VERBS: dict[str, Callable[..., SceneValues]] = {
    **{name: getattr(edits, name) for name in (*_EDITS, "with_focal", "with_background")},
    **{name: getattr(objects, name) for name in ("duplicate", "insert", "swap", "paint", "restyle")},
    **{name: getattr(arranging, name) for name in ("place_on", "snap_to_floor", "align")},
}
_SELECTORS = {"place_on": ("selector", "other"), "align": ("selector", "to")}  # of other verbs: `selector` alone
_SIGNATURES = {name: inspect.signature(verb) for name, verb in VERBS.items()}


def apply_verb(scene: ValuesT, verb: str, arguments: dict[str, Any]) -> ValuesT:
    """The scene after one verb, with the verb in its history. Raises what the verb raises; `scene` never changes."""
    arguments = _self_contained(scene, verb, arguments)
    after = cast(ValuesT, VERBS[verb](scene, **arguments))  # verbs make their scene by `replace`: it stays of its kind
    step = Step(
        verb, {name: _recorded(value) for name, value in arguments.items() if not _is_default(verb, name, value)}
    )
    origin = scene.origin if scene.history else _without_history(scene)
    return dataclasses.replace(after, history=(*scene.history, step), origin=origin, previous=scene, following=None)


def _self_contained(scene: SceneValues, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments without anything that a history cannot keep: predicates become ids, a scene its objects."""
    candidates = scene.removed if verb == "restore" else scene.objects
    plain = dict(arguments)
    for name in _SELECTORS.get(verb, ("selector",)):
        if (name == "selector" and name in plain) or plain.get(name) is not None:
            plain[name] = plain_selector(plain[name], candidates)
    if verb == "restyle":
        plain["source"] = objects.used_counterparts(scene, **plain)
    return plain


def replay(scene: ValuesT, steps: Iterable[Step]) -> ValuesT:
    """The scene after `steps`. Raises EditError for a step that is not a verb, and what the verbs raise."""
    for step in steps:
        check_step(step)
        try:
            arguments = {name: decode_argument(value) for name, value in step.arguments.items()}
            scene = apply_verb(scene, step.verb, arguments)
        except (TypeError, OverflowError, RecursionError) as error:  # a history that no verb has written
            raise EditError(f"{step.verb} of the history cannot run again: {error!r}") from None
    return scene


def check_step(step: Step) -> None:
    """Raises EditError unless `step` is a call of a verb with arguments of that verb."""
    if step.verb not in VERBS:
        raise EditError(f"unknown verb {step.verb!r} in a history; expected one of {', '.join(sorted(VERBS))}")
    try:
        _SIGNATURES[step.verb].bind(None, **step.arguments)
    except TypeError as error:
        raise EditError(f"{step.verb} in a history does not fit its verb: {error}") from None


def before_last(scene: ValuesT) -> ValuesT:
    """The scene before its last verb: remembered, or made again from its origin if it was loaded from a file.

    Raises:
        EditError: nothing was done to it, or nobody knows from where.
    """
    if scene.previous is not None:
        return cast(ValuesT, scene.previous)
    if not scene.history or scene.origin is None:
        raise EditError("nothing to undo: no verb was applied to this scene")
    return cast(ValuesT, replay(scene.origin, scene.history[:-1]))


def to_python(scene: SceneValues, name: str) -> str:
    """Code that makes `scene` from its origin, called `name` (an identifier)."""
    if not name.isidentifier():
        raise EditError(f"{name!r} is not a name; expected a Python identifier")
    lines = [f"{name} = {name}{_call(step)}" for step in scene.history]
    needs_import = any(_is_whole(value) for step in scene.history for value in step.arguments.values())
    return "\n".join(["from anchorgen.scene import decode_argument", *lines] if needs_import else lines) + "\n"


def _call(step: Step) -> str:
    arguments = [_argument(name, value) for name, value in step.arguments.items()]
    return f".{step.verb}({', '.join(arguments)})"


def _argument(name: str, value: Any) -> str:
    code = f"decode_argument({value!r})" if _is_whole(value) else repr(value)
    return code if name in ("selector", "factor") else f"{name}={code}"


def _is_whole(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_whole, value))
    return isinstance(value, dict) and set(value) in ({"object"}, {"array"})


def _recorded(value: Any) -> Any:
    return encode_argument(value.background if isinstance(value, SceneValues) else value)


def _is_default(verb: str, name: str, value: Any) -> bool:
    default = _SIGNATURES[verb].parameters[name].default
    return default is value or (
        isinstance(value, (int, float, str)) and type(default) is type(value) and default == value
    )


def _without_history(scene: ValuesT) -> ValuesT:
    return scene.replace() if scene.previous or scene.following or scene.origin else scene
