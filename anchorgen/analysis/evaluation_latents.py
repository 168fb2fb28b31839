"""True latents of the evaluation set: of each room before its edits, after each, and with each edit made in them.

All comes from boxes, meshes and stored pictures; nothing is rendered. Shape legend: H W picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView
from anchorgen.world.truth import slot_instances, truth_slots, world_truth
from anchorgen.world.types import ObjectSpec, WorldScene


@dataclass(frozen=True, eq=False)
class EvaluationLatents:
    """Attributes:
    before: true latents of the room.
    edited: by name of the edit, `before` with that edit made in it. What cannot be asked of latents is not there: the
        object shows too little for a slot (a lamp behind a bed), or no slot is free.
    after: for the same names, true latents of the edited room: its own boxes, voxels and background.
    """

    before: SceneLatent
    edited: dict[str, SceneLatent]
    after: dict[str, SceneLatent]


def evaluation_latents(
    pipe: AnchorgenPipeline, scene: EvaluationScene, names: Sequence[str] = EDITS
) -> EvaluationLatents:
    """All latents that measuring the edits `names` of a room takes."""
    before = true_latents(pipe, scene.world, scene.before, scene.instance)
    edited = {name: edited_latents(pipe, scene, name, before) for name in names if _can(scene, name, before)}
    after = {
        name: true_latents(pipe, scene.edited[name], scene.after[name], scene.after_instance[name]) for name in edited
    }
    return EvaluationLatents(before, edited, after)


def true_latents(pipe: AnchorgenPipeline, world: WorldScene, picture: np.ndarray, instance: np.ndarray) -> SceneLatent:
    """Latents of a room that the renderer drew.

    Args:
        pipe: whose pooling and background networks make them.
        world: the room.
        picture: `[H, W, 3]` uint8.
        instance: `[H, W]` index into `world.objects`, -1 for the room.
    """
    slots = slot_instances(instance, truth_slots(world, instance))
    return pipe.latents(world_truth(world, instance), picture, slots)


def edited_latents(pipe: AnchorgenPipeline, scene: EvaluationScene, name: str, before: SceneLatent) -> SceneLatent:
    """`before` with the edit of that name made in it.

    An inserted or swapped object is that of its own room: f is pooled from the object's voxels, which are the same in
    every room. The other background is that of the donor's picture.

    Raises:
        SelectionError: the object has no slot. EditError: no slot is free.
    """
    arguments = dict(scene.edits[name])
    verb, names = arguments.pop("verb"), [arguments.pop("id")] if "id" in arguments else []
    if "object" in arguments:
        arguments["obj"] = object_latent(pipe, scene, arguments.pop("object"))
    if "room" in arguments:
        donor = true_latents(pipe, arguments.pop("room"), scene.donor_picture, scene.donor_instance)
        arguments["other"] = donor.background
    return getattr(before, verb)(*names, **arguments)


def object_latent(pipe: AnchorgenPipeline, scene: EvaluationScene, spec: ObjectSpec) -> ObjectView:
    """An object of another room as `insert` and `swap` take it, in this room's world frame."""
    alone, everywhere = scene.world.replace(objects=(spec,)), np.zeros_like(scene.instance)
    return pipe.latents(world_truth(alone, everywhere), scene.before, everywhere).view(0)


def _can(scene: EvaluationScene, name: str, before: SceneLatent) -> bool:
    edit = scene.edits[name]
    if edit["verb"] == "insert":
        return before.num_objects < before.num_slots
    return "id" not in edit or edit["id"] in before.ids
