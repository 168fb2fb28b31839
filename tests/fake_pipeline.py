"""`FakePipeline`: the calls of `AnchorgenPipeline` that an editor makes, drawn with PIL, without weights."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from anchorgen.geometry import (
    box_corners,
    canonical_quat,
    matrix_to_quat,
    project,
    quat_from_axis_angle,
    quat_multiply,
)
from anchorgen.scene.anchors import Anchors
from anchorgen.scene.latent import SceneLatent

WALL, FLOOR = (206, 200, 190), (160, 138, 116)
_ROOM = (  # label, right and forward of the camera and height above the floor (m), yaw (degrees), size (m)
    ("bed", 0.3, 4.2, 0.0, 0.0, (1.6, 2.0, 0.8)),
    ("nightstand", -0.95, 4.9, 0.0, 0.0, (0.5, 0.4, 0.55)),
    ("table lamp", -0.95, 4.9, 0.55, 0.0, (0.25, 0.25, 0.45)),
    ("wardrobe", 1.85, 4.6, 0.0, -60.0, (1.2, 0.6, 2.0)),
    ("chair", -1.25, 3.4, 0.0, 50.0, (0.5, 0.5, 0.9)),
    ("rug", 0.2, 3.0, 0.0, 0.0, (2.0, 1.0, 0.02)),
)
HUES = ((96, 125, 160), (188, 143, 96), (120, 160, 110), (170, 110, 130), (150, 150, 90), (90, 150, 150))


class FakePipeline:
    """Draws every box as a flat shape whose colour comes from its appearance.

    Args:
        step_s: seconds that one denoising step takes.
        num_steps: of a final picture; a draft has one.
        fails: whether `render` and `sample` raise.

    Attributes:
        rendered: (scene, seed, draft) of every picture that was finished; kept: what each was to stay faithful to.
        started: how many were begun.
    """

    image_size = 128
    num_slots = 16
    latent_space = "test-space"

    def __init__(self, step_s: float = 0.0, num_steps: int = 4, fails: bool = False):
        self.step_s = step_s
        self.num_steps = num_steps
        self.fails = fails
        self.rendered: list[tuple[SceneLatent, int, bool]] = []
        self.kept: list[object] = []
        self.started = 0

    def render(
        self,
        scene: SceneLatent,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        draft: bool = False,
        callback: Callable[[int, int], None] | None = None,
        keep: object = None,
    ) -> Image.Image:
        self.started += 1
        if self.fails:
            raise RuntimeError("the decoder <broke>")
        total = steps or (1 if draft else self.num_steps)
        for step in range(total):
            time.sleep(self.step_s)
            if callback is not None:
                callback(step + 1, total)
        self.rendered.append((scene, seed, draft))
        self.kept.append(keep)
        return draw_flat(scene, self.image_size)

    def sample(
        self,
        scene: SceneLatent,
        n: int = 1,
        seed: int = 0,
        steps: int | None = None,
        callback: Callable[[int, int], None] | None = None,
    ) -> list[SceneLatent]:
        self.started += 1
        if self.fails:
            raise RuntimeError("the prior <broke>")
        total = steps or self.num_steps
        for step in range(total):
            time.sleep(self.step_s)
            if callback is not None:
                callback(step + 1, total)
        return [_resampled(scene, seed + k) for k in range(n)]


def make_room(latent_space: str = FakePipeline.latent_space) -> SceneLatent:
    """A bedroom seen from 1.5 m above its floor, looking slightly down: bed, nightstand, lamp, wardrobe, chair, rug."""
    pitch = 0.22
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    forward = np.array([0.0, -np.sin(pitch), np.cos(pitch)])
    right = np.array([1.0, 0.0, 0.0])
    rng = np.random.default_rng(0)
    quats, centres, sizes = [], [], []
    for _, along, ahead, height, yaw, size in _ROOM:
        turn = quat_from_axis_angle(up, np.radians(yaw))
        quats.append(quat_multiply(turn, matrix_to_quat(np.stack([right, forward, up], axis=1))))
        centres.append(along * right + ahead * forward + (height + size[2] / 2 - 1.5) * up)
        sizes.append(size)
    labels = tuple(item[0] for item in _ROOM)
    return SceneLatent.pack(
        FakePipeline.num_slots,
        translation=np.array(centres),
        quat_wxyz=canonical_quat(np.array(quats)),
        scale=np.array(sizes),
        appearance=rng.normal(size=(len(labels), 4, 64)),
        labels=labels,
        ids=tuple(f"{label}-0" for label in labels),
        focal=np.array([0.9, 0.9]),
        background=rng.normal(size=(4, 64)),
        up=up,
        floor=-1.5,
        latent_space=latent_space,
    )


def draw_flat(scene: SceneLatent, size: int) -> Image.Image:
    """The scene as flat shapes, far ones first."""
    picture = Image.new("RGB", (size, size), WALL)
    draw = ImageDraw.Draw(picture)
    draw.rectangle([0, int(size * 0.55), size, size], fill=FLOOR)
    for view in sorted(scene.objects, key=lambda view: -view.translation[2]):
        corners = project(box_corners(view.translation, view.quat_wxyz, view.scale), scene.focal) * size
        tint = np.array(HUES[view.index % len(HUES)]) + 40 * np.tanh(view.appearance.ravel()[:3])
        for shade, face in (
            (0.75, (0, 1, 5, 4)),
            (0.85, (1, 3, 7, 5)),
            (0.75, (2, 3, 7, 6)),
            (0.85, (0, 2, 6, 4)),
            (1.05, (4, 5, 7, 6)),
        ):
            color = tuple(int(c) for c in np.clip(tint * shade, 0, 255))
            draw.polygon([tuple(corners[k]) for k in face], fill=color)
    return picture


def _resampled(scene: SceneLatent, seed: int) -> SceneLatent:
    rng = np.random.default_rng(seed)
    free = 1.0 - np.asarray(scene.anchors.appearance)
    noise = rng.normal(size=scene.appearance.shape)
    shift = rng.normal(size=(scene.num_slots, 3)) * [0.2, 0.0, 0.2] * (1.0 - np.asarray(scene.anchors.layout))[:, None]
    appearance = scene.appearance + free[:, None, None] * noise
    return scene.replace(
        appearance=appearance.astype(np.float32),
        translation=(scene.translation + shift).astype(np.float32),
        anchors=Anchors.keep(scene.num_slots),
    )


def drawn(session, timeout_s: float = 20.0):
    """The session, once nothing is drawn or sampled any more."""
    assert session.worker.wait_until_idle(timeout_s)
    return session
