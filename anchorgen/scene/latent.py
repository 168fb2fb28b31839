"""`SceneLatent`: a picture as an immutable set of editable 3D object tokens (Eq. 1, 4, 5, 8, 9).

Shape legend: N slots, K appearance tokens, Kb background tokens, C channels.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.scene.anchors import Anchors
from anchorgen.scene.check_report import SceneCheck, check_scene
from anchorgen.scene.compare import SceneDiff, scene_diff
from anchorgen.scene.display import scene_html, scene_text
from anchorgen.scene.errors import EditError
from anchorgen.scene.exchange import SceneExchange
from anchorgen.scene.fluent import SceneVerbs
from anchorgen.scene.history import before_last, to_python
from anchorgen.scene.io import load_scene, save_scene
from anchorgen.scene.steps import Step
from anchorgen.scene.values import LATENT_ARRAYS, Number, Vector

__all__ = ["LATENT_ARRAYS", "Anchors", "SceneLatent", "Step", "Vector"]


@dataclass(frozen=True, eq=False, repr=False)
class SceneLatent(SceneVerbs, SceneExchange):
    """One scene. Every edit returns a new one; arrays are read-only.

    Attributes:
        translation: `[N, 3]` float32, box centres, metres, OpenCV camera frame.
        quat_wxyz: `[N, 4]` float32, object (z up, front -y) to camera; unit, w >= 0.
        scale: `[N, 3]` float32, full extents along the object's own axes, metres.
        appearance: `[N, K, C]` float32, pooled 3D-aware tokens (Eq. 7).
        presence: `[N]` bool, slot occupied. A removed object keeps its values, label and id, so it can be restored.
        focal: `[2]` float32, (fx, fy) over picture width / height.
        background: `[Kb, C]` float32.
        labels, ids: N strings each; "" for a slot that never held an object (a present slot without an id gets one).
            Not latents.
        up: `[3]` float32, unit, against gravity; `floor`: `[]` float32, the floor is {p: up . p = floor}. Not latents.
        anchors: alpha per variable; everything is kept unless said otherwise.
        latent_space: name of the pooling and background networks that made it.
        history: the verbs that made it, from `origin`.
        origin: the scene that `history` started from; None where there is no history.
        previous: the scene before the last verb, where it is still known; following: what `redo` returns.

    Raises:
        ValueError: wrong shapes, values that are not finite, quaternions that are not unit, boxes thinner than 0.01 m,
            present boxes with z < 0.05 m, ids that occur twice.
    """

    origin: SceneLatent | None = None
    previous: SceneLatent | None = None
    following: SceneLatent | None = None

    # -- making -------------------------------------------------------------------------------------------------------

    @staticmethod
    def blank(
        num_slots: int = 16,
        num_tokens: int = 4,
        num_channels: int = 64,
        num_background_tokens: int = 4,
        *,
        focal: Vector = (1.0, 1.0),
        up: Vector = (0.0, -1.0, 0.0),
        floor: Number = -1.4,
        latent_space: str = "",
    ) -> SceneLatent:
        """An empty scene with everything released: sampling it is unconditional generation.

        Args:
            num_slots: N of the latent space.
            num_tokens: K, appearance tokens an object.
            num_channels: C.
            num_background_tokens: Kb.
            focal: (fx, fy) over picture width / height.
            up: unit, against gravity, camera frame.
            floor: up . p of the floor, metres; the default is 1.4 m below the camera.
            latent_space: name of the pooling and background networks.
        """
        return SceneLatent.pack(
            num_slots,
            translation=np.zeros((0, 3)),
            quat_wxyz=np.zeros((0, 4)),
            scale=np.zeros((0, 3)),
            appearance=np.zeros((0, num_tokens, num_channels)),
            labels=(),
            ids=(),
            focal=np.asarray(focal),
            background=np.zeros((num_background_tokens, num_channels)),
            up=np.asarray(up),
            floor=floor,
            latent_space=latent_space,
            anchors=Anchors.free(num_slots),
        )

    @staticmethod
    def pack(num_slots: int, **objects: Any) -> SceneLatent:
        """A scene of M <= `num_slots` present objects; the rest of the slots are empty.

        Args:
            num_slots: N.
            **objects: the fields of SceneLatent with M in place of N, without `presence`.

        Raises:
            ValueError: more objects than slots, or what SceneLatent itself refuses.
        """
        num_objects = len(objects["translation"])
        free = num_slots - num_objects
        if free < 0:
            raise ValueError(f"{num_objects} objects do not fit into {num_slots} slots; keep the most visible ones")
        empty = {"translation": (0.0, 0.0, 1.0), "quat_wxyz": (1.0, 0.0, 0.0, 0.0), "scale": (1.0, 1.0, 1.0)}
        for name in ("translation", "quat_wxyz", "scale", "appearance"):
            array = np.asarray(objects[name], np.float32)
            rest = np.broadcast_to(np.float32(empty.get(name, 0.0)), (free, *array.shape[1:]))
            objects[name] = np.concatenate([array, rest])
        for name in ("labels", "ids"):
            objects[name] = (*objects[name], *[""] * free)
        return SceneLatent(**objects, presence=np.arange(num_slots) < num_objects)

    # -- history and files --------------------------------------------------------------------------------------------

    def undo(self) -> SceneLatent:
        """The scene before the last verb; `redo` on it leads back. Raises EditError if there is none."""
        return dataclasses.replace(before_last(self), following=self)

    def redo(self) -> SceneLatent:
        """What `undo` took back. Raises EditError if nothing was."""
        if self.following is None:
            raise EditError("nothing to redo: no verb was undone on the way to this scene")
        return self.following

    def to_python(self, name: str = "scene") -> str:
        """Code that makes this scene again from its `origin`, which it calls `name`."""
        return to_python(self, name)

    def diff(self, other: SceneLatent) -> SceneDiff:
        """What is different in `other`: slots are compared one by one."""
        return scene_diff(self, other)

    def check(self, walls: np.ndarray | None = None) -> SceneCheck:
        """What is wrong with the boxes before anything is drawn; false if nothing is.

        It finds what shares more than 5% of its box with another (rugs, and chairs at desks, apart), shows less than
        25% of its box in the picture, reaches behind the camera, or 2 cm below the floor or through a wall.

        Args:
            walls: `[W, 4]`, planes (n, d) with `n . p >= d` inside the room, camera frame, as `WorldTruth.walls`.

        Raises:
            ValueError: walls of another shape, or not finite.
        """
        return check_scene(self, walls)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one .safetensors, atomically: latents, names, anchors, history and where it started."""
        save_scene(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SceneLatent:
        """Reads what `save` wrote. Raises SceneFileError (a ValueError) for anything else."""
        return load_scene(path, SceneLatent)

    def __repr__(self) -> str:
        return scene_text(self)

    def _repr_html_(self) -> str:
        return scene_html(self)
