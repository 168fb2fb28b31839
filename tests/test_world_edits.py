"""A verb does the same to a room as to its scene latent, so that the true picture of an edit is of that edit."""

from __future__ import annotations

import numpy as np
import pytest

from anchorgen.geometry import quat_to_matrix
from anchorgen.scene import SceneLatent
from anchorgen.world.camera import box_in_camera, world_to_camera
from anchorgen.world.catalogue import build_furniture, size_of
from anchorgen.world.counterfactual import apply_edit
from anchorgen.world.rooms import sample_scene
from anchorgen.world.types import WorldScene

SEED = 9


def boxes(scene: WorldScene) -> list[np.ndarray]:
    sizes = [size_of(build_furniture(o.category, o.params)) for o in scene.objects]
    found = [box_in_camera(o, size, scene.camera) for o, size in zip(scene.objects, sizes, strict=True)]
    return [np.stack([box[k] for box in found]) for k in range(3)]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("move", {"right": 0.3, "up": 0.2, "forward": -0.4}),
        ("rotate", {"yaw": 35.0}),
        ("resize", {"factor": 1.3}),
        ("resize", {"factors": (1.2, 0.7, 1.1)}),
        ("resize", {"width": 0.9}),
        ("resize", {"depth": 0.5, "height": 1.4}),
    ],
)
def test_a_verb_moves_a_box_alike_in_both(verb, arguments):
    room = sample_scene(SEED)
    translation, quat, scale = boxes(room)
    count = len(room.objects)
    scene = SceneLatent(
        translation=translation,
        quat_wxyz=quat,
        scale=scale,
        appearance=np.zeros((count, 2, 4)),
        presence=np.ones(count, bool),
        focal=np.array(room.camera.focal),
        background=np.zeros((2, 4)),
        labels=tuple(o.category for o in room.objects),
        ids=tuple(o.id for o in room.objects),
        up=world_to_camera(room.camera) @ [0, 0, 1.0],
        floor=-room.camera.position[2],
        latent_space="test",
    )
    for index, spec in enumerate(room.objects):
        after = [rows[index] for rows in boxes(apply_edit(room, {"verb": verb, "id": spec.id, **arguments}))]
        view = getattr(scene, verb)(index, **arguments)
        np.testing.assert_allclose(view.translation[index], after[0], atol=2e-5)
        np.testing.assert_allclose(quat_to_matrix(view.quat_wxyz[index]), quat_to_matrix(after[1]), atol=2e-5)
        np.testing.assert_allclose(view.scale[index], after[2], rtol=1e-5)


def test_sizes_are_said_in_one_way():
    room = sample_scene(SEED)
    for arguments in ({}, {"factor": 1.1, "width": 1.0}, {"factors": (1, 1, 1), "factor": 1}):
        with pytest.raises(ValueError, match="one of"):
            apply_edit(room, {"verb": "resize", "id": room.objects[0].id, **arguments})
