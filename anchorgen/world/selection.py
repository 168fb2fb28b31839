"""Naming objects of a room with the grammar of `scene.selection`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anchorgen.scene.errors import SelectionError
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import select_slots
from anchorgen.world.boxes import mesh_size
from anchorgen.world.camera import box_in_camera
from anchorgen.world.types import ObjectSpec, WorldScene

Names = str | Sequence[str]


def select(scene: WorldScene, id: Names) -> tuple[int, ...]:
    """Indices into `scene.objects` of what `id` names: an id, a label, a group, "label#2", or a list of these.

    Raises:
        KeyError: nothing matches; the message lists what is there.
        ValueError: a number: slots of a scene latent are not numbered as the objects of a room.
    """
    names: list = [id] if isinstance(id, str) else list(id) if isinstance(id, Sequence) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"id: got {id!r}; expected an id, a label or a list of them")
    ordered = any("#" in name for name in names)
    views = [_view(scene, index, spec, ordered) for index, spec in enumerate(scene.objects)]
    try:
        return select_slots(names, views)
    except SelectionError as error:
        raise KeyError(str(error)) from None


def select_one(scene: WorldScene, id: Names) -> int:
    """The index of the one object that `id` names. Raises KeyError if it names none, or several."""
    found = select(scene, id)
    if len(found) != 1:
        raise KeyError(f"{id!r} matches {len(found)} objects; expected one: an id of {[o.id for o in scene.objects]}")
    return found[0]


def _view(scene: WorldScene, index: int, spec: ObjectSpec, ordered: bool) -> ObjectView:
    """What the grammar looks at; centres, which need the mesh, only where it orders from left to right."""
    none = np.zeros(3, np.float32)
    centre = box_in_camera(spec, mesh_size(spec), scene.camera)[0] if ordered else none
    return ObjectView(
        index=index,
        id=spec.id,
        label=spec.category,
        translation=np.asarray(centre, np.float32),
        quat_wxyz=np.array([1, 0, 0, 0], np.float32),
        scale=none,
        appearance=np.zeros((0, 0), np.float32),
        present=True,
        latent_space="",
        up=none,
        floor=np.zeros((), np.float32),
    )
