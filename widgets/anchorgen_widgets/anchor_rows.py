"""What an `AnchorPanel` lists of a scene, and the selectors that its sliders stand for. Strength is 1 - alpha (Eq. 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.errors import SelectionError
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import everything, select_targets
from anchorgen_widgets.css_colors import object_colors
from anchorgen_widgets.names import display_names

SHARED_FACTORS = ("camera", "background", "empty", "everything")
Target = str | int


def anchor_rows(scene: SceneLatent, colors: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """One dict an object, present ones by slot, then removed ones.

    Returns:
        dicts of `id`, `name`, `color` (CSS), `present`, `locked` (every factor is kept) and `strength` by factor.
    """
    names, palette = display_names(scene), object_colors(scene, colors)
    rows = []
    for view in (*scene.objects, *scene.removed):
        strength = {factor: _strength(getattr(scene.anchors, factor)[view.index]) for factor in FACTORS}
        about = {"id": view.id, "name": names[view.id], "color": palette[view.id], "present": view.present}
        rows.append({**about, "locked": not any(strength.values()), "strength": strength})
    return rows


def shared_strengths(scene: SceneLatent) -> dict[str, float]:
    """Strength of the camera, the background and the presence of the slots that never held an object (the highest)."""
    empty = [_strength(scene.anchors.presence[slot]) for slot in unused_slots(scene)]
    camera, background = _strength(scene.anchors.focal), _strength(scene.anchors.background)
    return {"camera": camera, "background": background, "empty": max(empty, default=0.0)}


def unused_slots(scene: SceneLatent) -> list[int]:
    """Slots that never held an object; those of removed ones have rows of their own."""
    return [slot for slot in range(scene.num_slots) if not scene.ids[slot]]


def anchor_targets(scene: SceneLatent, object_id: str, factor: str) -> list[Target]:
    """Selectors for `scene.release` of what one slider or button of the panel stands for.

    Args:
        scene: the scene that is shown.
        object_id: of a present or removed object; "" for what all objects share.
        factor: "layout", "appearance", "presence" or "all" of an object; else "camera", "background", "empty" (slots
            by number, so with every factor: a sampled object needs a place and a look) or "everything".

    Raises:
        LookupError: no such object, or no selector names this factor of just this object.
        ValueError: no such factor, or no empty slot.
    """
    if not object_id:
        if factor not in SHARED_FACTORS:
            raise ValueError(f"factor is {factor!r}; expected one of: {', '.join(SHARED_FACTORS)}")
        empty: list[Target] = [*unused_slots(scene)]
        if factor == "empty" and not empty:
            raise ValueError("the scene has no empty slot: remove an object to make room")
        absent: list[Target] = [slot for slot in range(scene.num_slots) if not scene.presence[slot]]
        return {"empty": empty, "everything": [everything, "camera", "background", *absent]}.get(factor, [factor])
    if object_id not in scene.ids:
        raise LookupError(f"no object {object_id!r} in the scene; there are: {', '.join(filter(None, scene.ids))}")
    view = scene.view(scene.ids.index(object_id))
    if factor == "all":
        return [view.id if _means(scene, view.id) == {(name, view.index) for name in FACTORS} else view.index]
    if factor not in FACTORS:
        raise ValueError(f"factor is {factor!r}; expected one of: {', '.join((*FACTORS, 'all'))}")
    return [_factor_word(scene, view, factor)]


def with_strength(scene: SceneLatent, targets: Sequence[Target], strength: float) -> SceneLatent:
    """The scene with these targets released with a strength; 0 anchors them.

    Raises:
        LookupError: a target that matches nothing.
        ValueError: a strength outside [0, 1].
    """
    selector: Any = targets[0] if len(targets) == 1 else list(targets)
    if list(targets) == anchor_targets(scene, "", "everything"):
        selector = everything
    return scene.anchor(selector) if strength == 0 else scene.release(selector, strength=strength)


def _factor_word(scene: SceneLatent, view: ObjectView, factor: str) -> str:
    words = [f"{view.id}.{factor}", *(f"{view.label}#{k + 1}.{factor}" for k in range(scene.num_objects))]
    for word in words:
        if _means(scene, word) == {(factor, view.index)}:
            return word
    raise LookupError(
        f"{view.id!r} is also the label of another object, so that no selector names its {factor} alone; give it another id"
    )


def _means(scene: SceneLatent, word: str) -> set[tuple[str, int]]:
    """(factor, slot) that a word stands for; nothing if it is not understood."""
    try:
        targets = select_targets(word, scene.objects, [scene.view(slot) for slot in range(scene.num_slots)])
    except SelectionError:
        return set()
    shared = {("shared", -1)} if targets.focal or targets.background else set()
    return shared | {(factor, slot) for factor, slots in targets.slots.items() for slot in slots}


def _strength(alpha: Any) -> float:
    return round(1.0 - float(alpha), 4)
