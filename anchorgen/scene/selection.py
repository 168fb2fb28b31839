"""Selectors: how a person names objects, and the factors of objects.

"bed"            every object with this label, or of this group ("lamp" is also "table lamp" and "floor lamp")
"lamp#2"         the second of them from the left in the picture
"nightstand-1"   an id;   3   a slot number;   scene["bed-1"]   an object itself
["bed", 3]       all of them;   lambda obj: obj.scale[2] > 1   a predicate;   everything
"bed.layout"     one factor of what is left of the dot: layout, appearance or presence (`anchor` and `release` only)
"camera", "background"                                                            (`anchor` and `release` only)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.errors import SelectionError
from anchorgen.scene.object_view import ObjectView

everything: Final = "everything"
Selector = str | int | np.integer | ObjectView | Callable[[ObjectView], Any] | Sequence[Any] | np.ndarray


@dataclass
class Targets:
    """What `anchor` and `release` act on: slots of every factor, the camera, the background."""

    slots: dict[str, list[int]] = field(default_factory=lambda: {factor: [] for factor in FACTORS})
    focal: bool = False
    background: bool = False

    def add(self, slots: Iterable[int], factors: Iterable[str]) -> None:
        for factor in factors:
            self.slots[factor] += [slot for slot in slots if slot not in self.slots[factor]]


def plain_selector(selector: Selector, candidates: Sequence[ObjectView]) -> Any:
    """The selector as JSON values: predicates and objects become ids (or slots, where an id could be misread)."""
    if isinstance(selector, str):
        return str(selector)
    if isinstance(selector, (int, np.integer)) and not isinstance(selector, bool):
        return int(selector)
    if isinstance(selector, ObjectView):
        here = [view for view in candidates if view.id and view.id == selector.id]
        return _unmistakable(here[0], candidates) if here else selector.id or selector.index
    if callable(selector):
        return [_unmistakable(view, candidates) for view in candidates if selector(view)]
    if isinstance(selector, np.ndarray) and selector.ndim == 0:
        return plain_selector(selector.item(), candidates)
    if isinstance(selector, (Sequence, np.ndarray, set, frozenset)):
        return [plain_selector(item, candidates) for item in selector]
    raise SelectionError(
        f"cannot select by {selector!r}; expected a label, id, slot, list of these, predicate, object or `everything`"
    )


def select_slots(
    selector: Selector, candidates: Sequence[ObjectView], absent: Sequence[ObjectView] = ()
) -> tuple[int, ...]:
    """Slots of the `candidates` that match, each once, in the order of the selector.

    Args:
        selector: see the module.
        candidates: what can match.
        absent: what cannot, but helps to explain why nothing does.

    Raises:
        SelectionError: nothing matches, or a factor, the camera or the background is named.
    """
    targets = _resolve(plain_selector(selector, candidates), candidates, candidates, absent)
    partial = any(targets.slots[factor] != targets.slots["layout"] for factor in FACTORS)
    if targets.focal or targets.background or partial:
        raise SelectionError(
            f"{selector!r} names a factor, the camera or the background: only `anchor` and `release` take these; "
            "expected objects here (the camera is set by `with_focal`, the background by `with_background`)"
        )
    return tuple(targets.slots["layout"])


def select_one(selector: Selector, candidates: Sequence[ObjectView], absent: Sequence[ObjectView] = ()) -> int:
    """The one slot that matches. Raises SelectionError if none does, or several."""
    slots = select_slots(selector, candidates, absent)
    if len(slots) == 1:
        return slots[0]
    names = ", ".join(view.name for view in candidates if view.index in slots)
    raise SelectionError(
        f"{selector!r} matches {len(slots)} objects ({names}); expected one: an id, or 'label#1' for the leftmost"
    )


def select_targets(selector: Selector, candidates: Sequence[ObjectView], slots: Sequence[ObjectView]) -> Targets:
    """What `anchor` and `release` act on.

    Args:
        selector: see the module. An id or a slot number also finds a removed object or an empty slot.
        candidates: the present objects.
        slots: all of them.

    Raises:
        SelectionError: nothing matches.
    """
    plain = plain_selector(selector, candidates)
    if plain == everything:
        targets = Targets(focal=True, background=True)
        targets.add([view.index for view in slots], FACTORS)
        return targets
    return _resolve(plain, candidates, slots, [view for view in slots if view.id and not view.present])


def _resolve(
    plain: Any, candidates: Sequence[ObjectView], named: Sequence[ObjectView], absent: Sequence[ObjectView]
) -> Targets:
    targets = Targets()
    for item in plain if isinstance(plain, list) else [plain]:
        if isinstance(item, list):
            part = _resolve(item, candidates, named, absent)
            targets.focal |= part.focal
            targets.background |= part.background
            for factor in FACTORS:
                targets.add(part.slots[factor], [factor])
        elif item == "camera":
            targets.focal = True
        elif item == "background":
            targets.background = True
        else:
            slots, factors = _match(item, candidates, named)
            if not slots:
                raise _nothing(item, candidates, absent)
            targets.add(slots, factors)
    if not (targets.focal or targets.background or any(targets.slots.values())):
        raise _nothing(plain, candidates, absent)
    return targets


def _match(
    item: str | int, candidates: Sequence[ObjectView], named: Sequence[ObjectView]
) -> tuple[list[int], Sequence[str]]:
    """Slots and factors that one word or number means; no slots if it means nothing."""
    if isinstance(item, int):
        return [view.index for view in named if view.index == item], FACTORS
    slots = _match_objects(item, candidates, named)
    stem, dot, factor = item.rpartition(".")
    if slots or not dot:
        return slots, FACTORS
    if factor not in FACTORS:
        raise SelectionError(f"unknown factor {factor!r} in {item!r}; expected one of {', '.join(FACTORS)}")
    slots = _match_objects(stem, candidates, named)
    return slots, (factor,)


def _match_objects(word: str, candidates: Sequence[ObjectView], named: Sequence[ObjectView]) -> list[int]:
    if word == everything:
        return [view.index for view in candidates]
    found = [view.index for view in candidates if _is_of(view.label, word)]
    found = found or [view.index for view in named if view.id and view.id == word]
    ordinal = re.fullmatch(r"(.+)#(\d{1,6})", word)
    if found or not ordinal:
        return found
    group = [view for view in candidates if _is_of(view.label, ordinal[1])]
    group.sort(key=lambda view: float(view.translation[0]) / max(float(view.translation[2]), 1e-6))
    number = int(ordinal[2])
    return [group[number - 1].index] if 1 <= number <= len(group) else []


def _is_of(label: str, word: str) -> bool:
    label, word = label.casefold(), word.strip().casefold()
    return bool(word) and (label == word or label.endswith(" " + word))


def _unmistakable(view: ObjectView, candidates: Sequence[ObjectView]) -> str | int:
    return view.id if view.id and _match(view.id, candidates, candidates)[0] == [view.index] else view.index


def _nothing(item: Any, candidates: Sequence[ObjectView], absent: Sequence[ObjectView]) -> SelectionError:
    def listed(views: Sequence[ObjectView]) -> str:
        shown = [f"{view.name} ({view.label})" if view.label else view.name for view in views[:24]]
        return ", ".join(shown) + (", ..." if len(views) > 24 else "")

    there = f"there are: {listed(candidates)}" if candidates else "there is nothing to select"
    gone = f"; not in the scene now: {listed(absent)}" if absent else ""
    return SelectionError(f"no object matches {item!r}; {there}{gone}")
