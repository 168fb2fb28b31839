"""A room of the world as a record of the data: what rendering jobs write and trainers read."""

from __future__ import annotations

from anchorgen.data.records import Record
from anchorgen.data.splits import split_of
from anchorgen.scene.truth import WORLD_VERSION
from anchorgen.world.rendering import render
from anchorgen.world.rooms import sample_scene
from anchorgen.world.truth import slot_instances, truth_slots, visible_pixels, world_truth


def render_record(seed: int, size: int, spp: int) -> Record:
    """The record of one seed."""
    scene = sample_scene(seed)
    picture = render(scene, size, spp, seed=seed % 2**31)
    truth = world_truth(scene, picture.instance, picture.depth)
    instance = slot_instances(picture.instance, truth_slots(scene, picture.instance))
    shown = visible_pixels(scene, picture.instance)  # of every object, also without a slot
    meta = {
        "scene": scene.to_json(),
        "seed": seed,
        "spp": spp,
        "size": size,
        "split": split_of(seed),
        "world": WORLD_VERSION,
        "objects": [
            {"id": o.id, "category": o.category, "visible_px": round(float(px))}
            for o, px in zip(scene.objects, shown, strict=True)
        ],
    }
    return Record(f"room-{seed:08d}", picture.image, instance, picture.depth, picture.normals, truth, meta)
