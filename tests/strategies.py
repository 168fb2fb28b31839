"""Scenes for tests: one plain room, and hypothesis strategies."""

from __future__ import annotations

import contextlib
import os

import numpy as np
from hypothesis import strategies as st

from anchorgen.geometry import canonical_quat, matrix_to_quat, quat_from_axis_angle, quat_multiply
from anchorgen.scene import EditError, SceneLatent, SelectionError
from anchorgen.scene.arranging import EDGES

# Examples of each property test; the full check of the scene asks for 1000.
NUM_EXAMPLES = int(os.environ.get("ANCHORGEN_EXAMPLES", "50"))

LABELS = ("bed", "nightstand", "table lamp", "wardrobe", "chair", "rug", "painting", "floor lamp", "nightstand")
SIZES_M = (
    (1.6, 2.0, 0.9),
    (0.5, 0.4, 0.55),
    (0.25, 0.25, 0.5),
    (1.2, 0.6, 2.0),
    (0.5, 0.5, 0.9),
    (2.0, 1.4, 0.02),
    (0.8, 0.04, 0.6),
    (0.4, 0.4, 1.6),
    (0.5, 0.4, 0.55),
)


def make_scene(
    num_objects: int = 4,
    *,
    num_slots: int = 16,
    num_tokens: int = 4,
    num_channels: int = 64,
    num_background_tokens: int = 4,
    seed: int = 0,
    pitch_rad: float = 0.2,
    camera_height_m: float = 1.5,
    latent_space: str = "test-space",
) -> SceneLatent:
    """A room of a bed, a nightstand, a table lamp, a wardrobe, ... seen by a camera looking down."""
    rng = np.random.default_rng(seed)
    up = np.array([0.0, -np.cos(pitch_rad), -np.sin(pitch_rad)])
    forward = np.array([0.0, -np.sin(pitch_rad), np.cos(pitch_rad)])
    upright = matrix_to_quat(np.stack([np.array([1.0, 0.0, 0.0]), forward, up], axis=1))
    labels = [LABELS[i % len(LABELS)] for i in range(num_objects)]
    size = np.array([SIZES_M[i % len(SIZES_M)] for i in range(num_objects)]).reshape(-1, 3)
    floor_xz = np.stack([np.linspace(-1.2, 1.2, num_objects), rng.uniform(2.5, 4.5, num_objects)], 1)
    height = (
        -camera_height_m + size[:, 2] / 2 + np.array([{"table lamp": 0.55, "painting": 1.4}.get(n, 0) for n in labels])
    )
    centre = floor_xz[:, :1] * [1.0, 0.0, 0.0] + floor_xz[:, 1:] * forward + height[:, None] * up
    yaws = rng.uniform(-np.pi, np.pi, num_objects)
    quat = np.array([quat_multiply(quat_from_axis_angle(up, yaw), upright) for yaw in yaws]).reshape(-1, 4)
    return SceneLatent.pack(
        num_slots,
        translation=centre,
        quat_wxyz=canonical_quat(quat),
        scale=size,
        appearance=rng.normal(size=(num_objects, num_tokens, num_channels)),
        labels=tuple(labels),
        ids=("",) * num_objects,
        focal=np.array([0.9, 0.9]),
        background=rng.normal(size=(num_background_tokens, num_channels)),
        up=up,
        floor=-camera_height_m,
        latent_space=latent_space,
    )


@st.composite
def scenes(draw: st.DrawFn, min_objects: int = 1, max_objects: int = 6, num_slots: int = 8) -> SceneLatent:
    """Small scenes: any camera pitch and height, some objects turned over, some removed, some variables released."""
    count = draw(st.integers(min_objects, max_objects))
    scene = make_scene(
        count,
        num_slots=num_slots,
        num_tokens=2,
        num_channels=3,
        num_background_tokens=1,
        seed=draw(st.integers(0, 2**16)),
        pitch_rad=draw(st.floats(-0.5, 1.0)),
        camera_height_m=draw(st.floats(0.5, 2.5)),
    )
    tilt = draw(st.floats(-80.0, 80.0))
    scene = scene.rotate(draw(st.integers(0, count - 1)), pitch=tilt, roll=tilt / 2)
    for slot in draw(st.sets(st.integers(0, count - 1), max_size=count - min_objects)):
        scene = scene.remove(slot)
    for slot in draw(st.sets(st.integers(0, num_slots - 1), max_size=2)):
        scene = scene.release(slot, strength=draw(st.floats(0.0, 1.0)))
    return scene.replace()


def metres(limit: float) -> st.SearchStrategy[float]:
    return st.floats(-limit, limit, allow_nan=False)


def degrees() -> st.SearchStrategy[float]:
    return st.floats(-180.0, 180.0, allow_nan=False)


SELECTORS = st.sampled_from(
    ["bed", "nightstand", "lamp", "lamp#1", "nightstand#2", "bed-1", "rug-1", 0, 2, 3, ["bed", 1], "everything"]
)
TARGETS = SELECTORS | st.sampled_from(
    ["bed.layout", "lamp.appearance", "everything.presence", "camera", ["background", 5]]
)
_SIDES = st.floats(0.02, 3.0)


def verbs() -> st.SearchStrategy[tuple[str, dict]]:
    """One verb and its arguments; a given scene may refuse it."""

    def call(verb: str, **arguments: st.SearchStrategy) -> st.SearchStrategy[tuple[str, dict]]:
        return st.tuples(st.just(verb), st.fixed_dictionaries(arguments))

    obj = st.integers(0, 100).map(lambda seed: make_scene(2, num_tokens=2, num_channels=3, seed=seed).objects[seed % 2])
    source = st.builds(
        make_scene, st.integers(1, 9), num_tokens=st.just(2), num_channels=st.just(3), seed=st.integers(0, 9)
    )
    return st.one_of(
        call("move", selector=SELECTORS, right=metres(1.0), up=metres(0.5), forward=metres(1.0)),
        call("move", selector=SELECTORS, to=st.tuples(metres(2.0), metres(2.0), st.floats(0.1, 6.0))),
        call("rotate", selector=SELECTORS, yaw=degrees(), pitch=degrees(), roll=degrees()),
        call("resize", selector=SELECTORS, factor=st.floats(0.3, 2.0)),
        call("resize", selector=SELECTORS, width=_SIDES, height=_SIDES),
        call("remove", selector=SELECTORS),
        call("restore", selector=SELECTORS),
        call("duplicate", selector=SELECTORS, forward=metres(0.5)),
        call(
            "insert", obj=obj, at=st.none() | st.fixed_dictionaries({"right": metres(2.0), "forward": st.floats(1, 5)})
        ),
        call("swap", selector=SELECTORS, obj=obj),
        call("paint", selector=SELECTORS, obj=obj),
        call("restyle", selector=SELECTORS, source=source | source.map(lambda scene: list(scene.objects))),
        call("place_on", selector=SELECTORS, other=SELECTORS, right=metres(0.3), forward=metres(0.3)),
        call("snap_to_floor", selector=SELECTORS),
        call("align", selector=SELECTORS, to=st.none() | SELECTORS, by=st.sampled_from(EDGES)),
        call("with_focal", fx=st.floats(0.3, 3.0), fy=st.floats(0.3, 3.0)),
        call("anchor", selector=TARGETS),
        call("release", selector=TARGETS, strength=st.floats(0.0, 1.0)),
        call("complete", max_objects=st.none() | st.integers(0, 10)),
        call("only", selector=SELECTORS),
    )


def run_program(scene: SceneLatent, program: list[tuple[str, dict]]) -> SceneLatent:
    """The scene after a program; verbs that it refuses are left out."""
    for verb, arguments in program:
        with contextlib.suppress(SelectionError, EditError):
            scene = getattr(scene, verb)(**arguments)
    return scene
