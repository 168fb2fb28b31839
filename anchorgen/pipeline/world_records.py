"""A room of the world as a record of the data: what rendering jobs write and trainers read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anchorgen.data.records import Record
from anchorgen.data.splits import split_of
from anchorgen.scene.truth import WORLD_VERSION
from anchorgen.world.rendering import render
from anchorgen.world.rooms import sample_scene
from anchorgen.world.truth import slot_instances, truth_slots, world_truth


def render_record(seed: int, size: int, spp: int) -> Record:
    """The record of one seed."""
    scene = sample_scene(seed)
    picture = render(scene, size, spp, seed=seed % 2**31)
    truth = world_truth(scene, picture.instance, picture.depth)
    instance = slot_instances(picture.instance, truth_slots(scene, picture.instance))
    meta = {
        "scene": scene.to_json(),
        "seed": seed,
        "spp": spp,
        "size": size,
        "split": split_of(seed),
        "world": WORLD_VERSION,
        "objects": _all_objects(scene.objects, picture.instance),
    }
    return Record(f"room-{seed:08d}", picture.image, instance, picture.depth, picture.normals, truth, meta)


def _all_objects(objects: Sequence[Any], instance: np.ndarray) -> list[dict[str, Any]]:
    """Every object of the room, also without a slot; `visible_px` as at 128 px."""
    shown = np.bincount(instance[instance >= 0].ravel(), minlength=len(objects)) * (128 / len(instance)) ** 2
    return [
        {"id": o.id, "category": o.category, "visible_px": round(float(px))}
        for o, px in zip(objects, shown, strict=True)
    ]
