"""The verbs of `SceneLatent` on rooms: `apply_edit` does to a room what the method of that name does to its latents.

An edit is a mapping, `{"verb": "move", "id": "chair-0", "right": 0.5}`; `programs.py` reads and writes it as JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anchorgen.geometry import canonical_quat, quat_from_axis_angle, quat_multiply
from anchorgen.scene.counterparts import counterpart
from anchorgen.scene.edits import number, vector
from anchorgen.scene.validate import new_id
from anchorgen.world.arranging import align, place_on, snap_to_floor
from anchorgen.world.boxes import UP, Box, box_of, with_box
from anchorgen.world.camera import floor_axes, from_camera
from anchorgen.world.changes import check_ahead, checked, each
from anchorgen.world.grammar import LAMPS
from anchorgen.world.layout import MAX_LAMPS
from anchorgen.world.selection import Names, select, select_one
from anchorgen.world.types import ObjectSpec, WorldScene

BESIDE_GAP_M = 0.05  # as `scene.objects.duplicate`
_SHELL = ("width_m", "depth_m", "height_m", "windows", "block")

Edit = Mapping[str, Any]


def apply_edit(scene: WorldScene, edit: Edit) -> WorldScene:
    """A room after one edit. A lamp's light goes with it.

    Args:
        scene: the room.
        edit: `verb` and its arguments. What has an `id` takes an id, a label, a group ("lamp" is every kind of lamp),
            "label#2" or a list of these, and acts on all that match.
            move: right, up, forward (metres along the floor as the camera sees it), or to (box centre, camera frame).
            place_on: other (one object), right, forward (metres from over its centre). snap_to_floor.
            align: by ("left", "centre", "right", "front", "middle", "back", "bottom", "top" or "yaw"), to (one object; by
            default the first that `id` finds).
            rotate: yaw, pitch, roll (degrees). resize: factor, factors, or any of width, depth, height in metres.
            remove; only; duplicate: right, forward; lit: on (lamps; there is no such verb for latents).
            insert: object (an ObjectSpec in this room's world frame, see `brought`), at (right, up, forward in metres
            from the floor below the camera, or a box centre in the camera frame).
            restore: id of what was removed (all of it without one).
            swap, paint: object (an ObjectSpec). restyle: source (ObjectSpecs, or a WorldScene for all of its objects).
            with_focal: fx, fy. with_background: room (a WorldScene of this shell).

    Raises:
        KeyError: nothing matches `id`; the message lists what is there.
        ValueError: an unknown verb or argument, a number that is not finite, a side under 1 cm, another shell.
    """
    arguments = dict(edit)
    verb = arguments.pop("verb", None)
    if verb not in VERBS:
        raise ValueError(f"verb: got {verb!r}; expected one of {', '.join(VERBS)}")
    try:
        bound = _SIGNATURES[verb].bind(scene, **arguments)
    except TypeError as error:
        expected = ", ".join(list(_SIGNATURES[verb].parameters)[1:])
        raise ValueError(f"{verb} got {sorted(arguments)} ({error}); expected of {expected}") from None
    after = VERBS[verb](*bound.args, **bound.kwargs)
    lamps = sum(is_lamp(spec) for spec in after.objects)
    if lamps > MAX_LAMPS and lamps > sum(is_lamp(spec) for spec in scene.objects):
        raise ValueError(f"{verb} would make {lamps} lamps; expected at most {MAX_LAMPS} in a room: remove one first")
    return after


def apply_edits(scene: WorldScene, edits: Edit | Sequence[Edit]) -> WorldScene:
    """The room after one edit or several in order. Raises what `apply_edit` raises."""
    for edit in [edits] if isinstance(edits, Mapping) else edits:
        scene = apply_edit(scene, edit)
    return scene


def brought(scene: WorldScene, other: WorldScene, id: str) -> ObjectSpec:
    """An object of another room at the same place as seen from this room's camera along the floor: what `insert`
    without `at` takes, so that it agrees with `SceneLatent.insert`.

    Raises:
        KeyError: there is no such object, or several.
    """
    spec, here, there = other.objects[select_one(other, id)], scene.camera, other.camera
    turn = quat_from_axis_angle(UP, here.yaw_rad - there.yaw_rad)
    away = (np.asarray(spec.position) - np.asarray(there.position)) @ floor_axes(there).T
    position = np.asarray(here.position) + away @ floor_axes(here)
    position[2] = spec.position[2]
    quat = canonical_quat(quat_multiply(turn, np.asarray(spec.quat_wxyz, float)))
    return replace(spec, position=tuple(position.tolist()), quat_wxyz=tuple(quat.tolist()))


def move(scene: WorldScene, id: Names, right: Any = 0.0, up: Any = 0.0, forward: Any = 0.0, to: Any = None):
    offset = np.array([number("right", right), number("up", up), number("forward", forward)])
    if to is None:
        shift = offset @ floor_axes(scene.camera)
        return each(scene, select(scene, id), lambda spec, box: (spec, replace(box, centre=box.centre + shift)))
    if np.any(offset):
        raise ValueError("move got both `to` and an offset; expected one: `to` is a place, the others are a way")
    if len(select(scene, id)) > 1:
        raise ValueError(f"`to` is one place, but {id!r} matches several objects; name one, as in 'lamp#1'")
    place = from_camera(vector("to", to, 3), scene.camera)
    return each(scene, select(scene, id), lambda spec, box: (spec, replace(box, centre=place)))


def rotate(scene: WorldScene, id: Names, yaw: Any = 0.0, pitch: Any = 0.0, roll: Any = 0.0) -> WorldScene:
    turn = quat_from_axis_angle(UP, np.radians(number("yaw", yaw)))
    own_x = quat_from_axis_angle(np.array([1.0, 0, 0]), np.radians(number("pitch", pitch)))
    own_y = quat_from_axis_angle(np.array([0, 1.0, 0]), np.radians(number("roll", roll)))

    def turned(spec: ObjectSpec, box: Box) -> tuple[ObjectSpec, Box]:
        quat = quat_multiply(quat_multiply(turn, box.quat_wxyz), quat_multiply(own_x, own_y))
        return spec, replace(box, quat_wxyz=canonical_quat(quat))

    return each(scene, select(scene, id), turned)


def resize(
    scene: WorldScene,
    id: Names,
    factor: Any = None,
    width: Any = None,
    depth: Any = None,
    height: Any = None,
    factors: Any = None,
) -> WorldScene:
    sides = [None if x is None else number(n, x) for n, x in (("width", width), ("depth", depth), ("height", height))]
    if sum([factor is not None, factors is not None, any(side is not None for side in sides)]) != 1:
        raise ValueError("resize takes one of: factor, factors (x, y, z), or any of width, depth, height in metres")

    def resized(spec: ObjectSpec, box: Box) -> tuple[ObjectSpec, Box]:
        if factor is not None:
            return spec, _standing(box, box.extent * number("factor", factor))
        if factors is not None:
            return spec, _standing(box, box.extent * vector("factors", factors, 3))
        own = [now if side is None else side for side, now in zip(sides, box.extent, strict=True)]
        return spec, _standing(box, np.array(own))

    return each(scene, select(scene, id), resized)


def _standing(box: Box, extent: np.ndarray) -> Box:
    """The box with other sides, its lowest point at the same height."""
    grown = replace(box, extent=np.maximum(extent, 0.0)).height_m() - box.height_m()
    return replace(box, extent=extent, centre=box.centre + 0.5 * grown * UP)


def remove(scene: WorldScene, id: Names) -> WorldScene:
    return _without(scene, select(scene, id))


def only(scene: WorldScene, id: Names) -> WorldScene:
    kept = select(scene, id)
    return _without(scene, [index for index in range(len(scene.objects)) if index not in kept])


def _without(scene: WorldScene, gone: Sequence[int]) -> WorldScene:
    kept = tuple(spec for index, spec in enumerate(scene.objects) if index not in gone)
    return scene.replace(objects=kept, removed=(*scene.removed, *(scene.objects[index] for index in gone)))


def restore(scene: WorldScene, id: Names | None = None) -> WorldScene:
    there = scene.replace(objects=scene.removed)
    back = range(len(scene.removed)) if id is None else select(there, id)
    objects = (*scene.objects, *(scene.removed[index] for index in back))
    return scene.replace(objects=objects, removed=_without(there, list(back)).objects)


def duplicate(scene: WorldScene, id: Names, right: Any = None, forward: Any = 0.0) -> WorldScene:
    axes = floor_axes(scene.camera)
    for index in select(scene, id):
        spec = scene.objects[index]
        beside = float(np.ptp(box_of(spec).corners @ axes[0])) + BESIDE_GAP_M
        offset = np.array([beside if right is None else number("right", right), 0.0, number("forward", forward)])
        position = np.asarray(spec.position) + offset @ axes
        scene = _added(scene, replace(spec, position=tuple(position.tolist())))
    return scene


def insert(scene: WorldScene, object: ObjectSpec, at: Any = None) -> WorldScene:
    spec = checked(object)
    if at is None:
        return _added(scene, spec)
    box = box_of(spec)
    if not isinstance(at, Mapping):
        centre = from_camera(vector("at", at, 3), scene.camera)
        return _added(scene, with_box(spec, replace(box, centre=centre)))
    unknown = set(at) - {"right", "up", "forward"}
    if unknown or not at:
        raise ValueError(
            f"at has {sorted(at)}; expected right, forward (and up), metres from the floor below the camera"
        )
    right, up, forward = (number(f"at[{name!r}]", at.get(name, 0.0)) for name in ("right", "up", "forward"))
    below = np.array([*scene.camera.position[:2], 0.0])
    centre = below + np.array([right, up + box.height_m() / 2, forward]) @ floor_axes(scene.camera)
    return _added(scene, with_box(spec, replace(box, centre=centre)))


def _added(scene: WorldScene, spec: ObjectSpec) -> WorldScene:
    check_ahead(spec.id, box_of(spec), scene.camera)
    named = replace(spec, id=new_id(spec.category, [o.id for o in (*scene.objects, *scene.removed)]))
    return scene.replace(objects=(*scene.objects, named))


def swap(scene: WorldScene, id: Names, object: ObjectSpec) -> WorldScene:
    other = checked(object)
    extent = box_of(other).extent
    return each(scene, select(scene, id), lambda spec, box: (replace(other, id=spec.id), _standing(box, extent)))


def paint(scene: WorldScene, id: Names, object: ObjectSpec) -> WorldScene:
    """The box stays; the category is the other's, since the catalogue builds by it (a latent keeps its label)."""
    other = checked(object)
    return each(scene, select(scene, id), lambda spec, box: (replace(other, id=spec.id), box))


def restyle(scene: WorldScene, id: Names, source: WorldScene | Sequence[ObjectSpec]) -> WorldScene:
    """Paints each with its counterpart, see `scene.objects.restyle`."""
    if not isinstance(source, (WorldScene, list, tuple)):
        raise ValueError(f"source: got {type(source).__name__}; expected a WorldScene, or a list of ObjectSpecs")
    others = [checked(other) for other in (source.objects if isinstance(source, WorldScene) else source)]
    return each(scene, select(scene, id), lambda spec, box: (replace(_counterpart(spec, box, others), id=spec.id), box))


def _counterpart(spec: ObjectSpec, box: Box, others: Sequence[ObjectSpec]) -> ObjectSpec:
    sizes = [box_of(other).extent for other in others]
    index = counterpart(spec.category, box.extent, [other.category for other in others], sizes)
    if index is None:
        there = ", ".join(sorted({other.category for other in others})) or "no object"
        raise ValueError(
            f"{spec.id} ({spec.category}) has no counterpart in the source, which has {there}; expected one of the same "
            "category or group: leave it out, or `paint` it"
        )
    return others[index]


def lit(scene: WorldScene, id: Names, on: bool) -> WorldScene:
    if not isinstance(on, (bool, np.bool_)):
        raise ValueError(f"on: got {on!r}; expected True or False")
    objects = list(scene.objects)
    for index in select(scene, id):
        if not is_lamp(objects[index]):
            raise ValueError(f"lit got {objects[index].id!r}, which has no light; expected lamps, such as 'lamp'")
        objects[index] = replace(objects[index], lit=bool(on))
    return scene.replace(objects=tuple(objects))


def is_lamp(spec: ObjectSpec) -> bool:
    """Whether the object can be lit."""
    return spec.category in LAMPS


def with_focal(scene: WorldScene, fx: Any, fy: Any) -> WorldScene:
    focal = (number("fx", fx), number("fy", fy))
    if not all(0.05 <= side <= 50.0 for side in focal):
        raise ValueError(f"focal {focal} is not a camera; expected 0.05 to 50, over picture width and height")
    return scene.replace(camera=replace(scene.camera, focal=focal))


def with_background(scene: WorldScene, room: WorldScene) -> WorldScene:
    if not isinstance(room, WorldScene):
        raise ValueError(f"room: got {type(room).__name__}; expected a WorldScene (`edit_from_json` reads one back)")
    mine, other = scene.room, room.room
    differ = [
        f"{n} {getattr(other, n)} (here {getattr(mine, n)})" for n in _SHELL if getattr(mine, n) != getattr(other, n)
    ]
    differ += [
        f"camera {n} {getattr(room.camera, n)} (here {getattr(scene.camera, n)})"
        for n in ("position", "yaw_rad", "pitch_rad")
        if getattr(room.camera, n) != getattr(scene.camera, n)
    ]
    if differ:
        raise ValueError(
            f"with_background got a room of another shell or view: {'; '.join(differ)}; expected the same walls, windows "
            "and camera, such as a room refurnished"
        )
    return scene.replace(room=replace(mine, params=other.params), daylight=room.daylight, style=room.style)


VERBS: dict[str, Callable[..., WorldScene]] = {
    verb.__name__: verb
    for verb in (
        move, place_on, snap_to_floor, align, rotate, resize, remove, restore, only, duplicate, insert, swap, paint,
        restyle, lit, with_focal, with_background,
    )
}  # fmt: skip
_SIGNATURES = {name: inspect.signature(verb) for name, verb in VERBS.items()}
