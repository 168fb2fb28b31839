"""Verbs that bring objects in: from another scene, or a copy of one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anchorgen.geometry import box_extent, canonical_quat, matrix_to_quat, quat_multiply
from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.counterparts import counterpart
from anchorgen.scene.edits import (
    check_space,
    edited,
    empty_slots,
    floor_axes,
    number,
    present,
    standing,
    vector,
    with_boxes,
)
from anchorgen.scene.errors import EditError
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector
from anchorgen.scene.validate import new_id
from anchorgen.scene.values import Number, SceneValues, Vector

BESIDE_GAP_M = 0.05


def insert(scene: SceneValues, obj: ObjectView, at: Vector | Mapping[str, Any] | None = None) -> SceneValues:
    _check_object(scene, obj, "insert")
    quat, own_place = _as_seen_here(scene, obj)
    if at is None:
        place = own_place
    elif isinstance(at, Mapping):
        place = _place_on_floor(scene, quat, obj.scale, at)
    else:
        place = vector("at", at, 3)
    values = {"translation": place, "quat_wxyz": quat, "scale": obj.scale, "appearance": obj.appearance}
    return _fill_slot(scene, obj.label, values)


def duplicate(
    scene: SceneValues, selector: Selector, right: Number | None = None, forward: Number = 0.0
) -> SceneValues:
    slots, axes = present(scene, selector), floor_axes(scene.up)
    for slot in slots:
        view = scene.view(slot)
        beside = float(box_extent(axes[0], view.quat_wxyz, view.scale)) + BESIDE_GAP_M
        offset = np.array([beside if right is None else number("right", right), 0.0, number("forward", forward)])
        values = {name: getattr(view, name) for name in ("quat_wxyz", "scale", "appearance")}
        scene = _fill_slot(scene, view.label, {**values, "translation": view.translation + offset @ axes})
    return scene


def swap(scene: SceneValues, selector: Selector, obj: ObjectView) -> SceneValues:
    _check_object(scene, obj, "swap")
    slots = present(scene, selector)
    scale = np.tile(obj.scale.astype(float), (len(slots), 1))
    scene = with_boxes(scene, slots, scale=scale, translation=standing(scene, slots, scale))
    labels = [obj.label or label if slot in slots else label for slot, label in enumerate(scene.labels)]
    return edited(_with_appearance(scene, slots, obj), labels=tuple(labels))


def paint(scene: SceneValues, selector: Selector, obj: ObjectView) -> SceneValues:
    _check_object(scene, obj, "paint")
    return _with_appearance(scene, present(scene, selector), obj)


def restyle(scene: SceneValues, selector: Selector, source: SceneValues | Sequence[ObjectView]) -> SceneValues:
    for slot in present(scene, selector):
        scene = _with_appearance(scene, [slot], _counterpart(scene, slot, _objects_of(source)))
    return scene


def used_counterparts(
    scene: SceneValues, selector: Selector, source: SceneValues | Sequence[ObjectView]
) -> list[ObjectView]:
    """The objects of `source` whose appearance `restyle` takes: all that a history needs to do it again."""
    views = _objects_of(source)
    used = {id(_counterpart(scene, slot, views)) for slot in present(scene, selector)}
    return [view for view in views if id(view) in used]


def _objects_of(source: SceneValues | Sequence[ObjectView]) -> list[ObjectView]:
    if isinstance(source, SceneValues):
        return list(source.objects)
    if not isinstance(source, Sequence):
        raise EditError(f"restyle got {type(source).__name__}; expected a scene, or a list of objects of scenes")
    return list(source)


def _counterpart(scene: SceneValues, slot: int, source: Sequence[ObjectView]) -> ObjectView:
    """The object of `source` that takes the part of `slot` there (`counterparts.counterpart`).

    Raises:
        EditError: there is none, or the source is of another latent space.
    """
    for view in source:
        _check_object(scene, view, "restyle")
    labels, sizes = [view.label for view in source], [view.scale for view in source]
    index = counterpart(scene.labels[slot], scene.scale[slot], labels, sizes)
    if index is None:
        there = ", ".join(sorted({view.label or view.name for view in source})) or "no object"
        raise EditError(
            f"{scene.ids[slot]} ({scene.labels[slot] or 'no label'}) has no counterpart in the source, which has "
            f"{there}; expected one of the same label or group: leave it out of the selection, or `paint` it"
        )
    return source[index]


def _with_appearance(scene: SceneValues, slots: list[int], obj: ObjectView) -> SceneValues:
    appearance = scene.appearance.copy()
    appearance[slots] = obj.appearance
    return edited(scene, appearance=appearance)


def _check_object(scene: SceneValues, obj: Any, verb: str) -> None:
    if not isinstance(obj, ObjectView):
        raise EditError(f"{verb} got {type(obj).__name__}; expected an object of a scene, such as other['lamp']")
    check_space(scene, obj.latent_space, obj.name)
    if obj.appearance.shape != scene.appearance.shape[1:]:
        got, want = list(obj.appearance.shape), list(scene.appearance.shape[1:])
        raise EditError(f"{obj.name} has appearance tokens {got}; expected {want}: encode both with the same pipeline")


def _as_seen_here(scene: SceneValues, obj: ObjectView) -> tuple[np.ndarray, np.ndarray]:
    """Quaternion and centre of `obj` at the same place of this scene's floor: cameras hang and pitch differently."""
    if np.array_equal(obj.up, scene.up) and np.array_equal(obj.floor, scene.floor):
        return obj.quat_wxyz, obj.translation
    here, there = floor_axes(scene.up), floor_axes(obj.up)
    turn = here.T @ there
    raised = (float(scene.floor) - float(obj.floor)) * here[1]
    quat = canonical_quat(quat_multiply(matrix_to_quat(turn), obj.quat_wxyz))
    return quat, turn @ obj.translation.astype(float) + raised


def _place_on_floor(scene: SceneValues, quat: np.ndarray, scale: np.ndarray, at: Mapping[str, Any]) -> np.ndarray:
    unknown = set(at) - {"right", "up", "forward"}
    if unknown or not at:
        raise EditError(
            f"at has {sorted(at)}; expected right, forward (and up), metres from the floor below the camera"
        )
    right, up, forward = (number(f"at[{name!r}]", at.get(name, 0.0)) for name in ("right", "up", "forward"))
    axes = floor_axes(scene.up)
    centre_height = float(scene.floor) + up + 0.5 * float(box_extent(axes[1], quat, scale))
    return np.array([right, centre_height, forward]) @ axes


def _fill_slot(scene: SceneValues, label: str, values: Mapping[str, np.ndarray]) -> SceneValues:
    """A new, anchored object in an empty slot; `values` are its row of every array."""
    free = empty_slots(scene)
    if not free:
        raise EditError(f"all {scene.num_slots} slots of the scene hold an object; remove one first")
    slot = free[0]
    changes: dict[str, Any] = {name: getattr(scene, name).copy() for name in (*values, "presence")}
    with np.errstate(over="ignore"):
        for name, row in {**values, "presence": np.True_}.items():
            changes[name][slot] = row
    labels, ids = list(scene.labels), list(scene.ids)
    labels[slot], ids[slot] = label, new_id(label, scene.ids)
    anchors = scene.anchors.with_alpha(1.0, slots={factor: [slot] for factor in FACTORS})
    return edited(scene, **changes, labels=tuple(labels), ids=tuple(ids), anchors=anchors)
