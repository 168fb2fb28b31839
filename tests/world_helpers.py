"""Rooms for tests, and scene latents of their boxes to compare verbs with."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import quat_to_matrix
from anchorgen.scene import SceneLatent
from anchorgen.world.boxes import mesh_size
from anchorgen.world.camera import box_in_camera, world_to_camera
from anchorgen.world.edits import is_lamp
from anchorgen.world.rooms import sample_scene
from anchorgen.world.types import WorldScene


def room_with(*wanted: str, start: int = 0) -> WorldScene:
    """The first room with these labels."""
    return next(
        r for r in map(sample_scene, range(start, start + 200)) if set(wanted) <= {o.category for o in r.objects}
    )


def lamps_of(room: WorldScene) -> list[str]:
    """Ids of all that can be lit ("lamp" does not mean pendants)."""
    return [spec.id for spec in room.objects if is_lamp(spec)]


def latents(room: WorldScene) -> SceneLatent:
    """The room's boxes as a scene of 16 slots, slot i object i; the appearance of each is its own."""
    boxes = [box_in_camera(o, mesh_size(o), room.camera) for o in room.objects]
    count = len(room.objects)
    tokens = np.random.default_rng(room.seed).normal(size=(count, 2, 4))
    return SceneLatent.pack(
        16,
        translation=np.stack([b[0] for b in boxes]),
        quat_wxyz=np.stack([b[1] for b in boxes]),
        scale=np.stack([b[2] for b in boxes]),
        appearance=tokens,
        focal=np.array(room.camera.focal),
        background=np.zeros((2, 4)),
        labels=tuple(o.category for o in room.objects),
        ids=tuple(o.id for o in room.objects),
        up=world_to_camera(room.camera) @ [0, 0, 1.0],
        floor=-room.camera.position[2],
        latent_space="test",
    )


def assert_alike(scene: SceneLatent, room: WorldScene) -> None:
    """The same objects by id, in the same boxes."""
    assert sorted(view.id for view in scene) == sorted(spec.id for spec in room.objects)
    for spec in room.objects:
        translation, quat, scale = box_in_camera(spec, mesh_size(spec), room.camera)
        view = next(v for v in scene if v.id == spec.id)
        np.testing.assert_allclose(view.translation, translation, atol=2e-5)
        np.testing.assert_allclose(quat_to_matrix(view.quat_wxyz), quat_to_matrix(quat), atol=2e-5)
        np.testing.assert_allclose(view.scale, scale, atol=2e-5)
    np.testing.assert_allclose(scene.focal, room.camera.focal, rtol=1e-6)
