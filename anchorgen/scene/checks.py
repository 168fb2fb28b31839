"""What is wrong with the boxes of a scene before it is drawn: things in one another, out of view, under the floor.

Shape legend: W walls, P points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial import ConvexHull

from anchorgen.geometry import (
    MIN_DEPTH_M,
    box_corners,
    box_penetration,
    box_planes,
    clip_convex,
    polygon_area,
    project,
    quat_to_matrix,
    shared_volume,
)
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.values import SceneValues

KINDS = ("collision", "out of view", "behind camera", "below floor", "out of room")
MAX_SHARED = 0.05  # of the smaller box: less is within what is known of sizes and places
MIN_IN_VIEW = 0.25  # of the projected box: of what shows less, the picture says little
TOLERANCE_M = 0.02  # what stands sinks in that much, on carpets and by rounding
FLAT_M = 0.04  # what is thinner, a rug, lies under things
_TUCKED = {"chair", "desk"}
_PICTURE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: one of `KINDS`.
        ids: of the object, or of both that collide, the smaller first.
        amount: "collision": shared volume over that of the smaller box; "out of view": share of the projected box that
            is in the picture; "behind camera", "below floor", "out of room": metres beyond.
        text: a sentence, with units.
    """

    kind: str
    ids: tuple[str, ...]
    amount: float
    text: str


@dataclass(frozen=True)
class Boxed:
    """An object and the geometry of its box, camera frame.

    Attributes:
        view: the object.
        axes: `[3, 3]`, its own axes in columns.
        corners: `[8, 3]` metres.
        volume: cubic metres.
        height_m: extent along `up`.
    """

    view: ObjectView
    axes: np.ndarray
    corners: np.ndarray
    volume: float
    height_m: float

    @staticmethod
    def of(view: ObjectView) -> Boxed:
        corners = box_corners(view.translation, view.quat_wxyz, view.scale)
        height = float(np.ptp(corners @ view.up.astype(float)))
        volume = float(np.prod(view.scale.astype(float)))
        return Boxed(view, quat_to_matrix(view.quat_wxyz), corners, volume, height)


def findings(scene: SceneValues, walls: np.ndarray | None = None) -> Iterator[Finding]:
    """What is wrong, object by object, then what collides.

    Args:
        scene: only its present objects count.
        walls: `[W, 4]`, planes (n, d) with `n . p >= d` inside the room, camera frame, n unit; None where not known.

    Raises:
        ValueError: walls of another shape, or not finite.
    """
    planes = _checked_walls(walls)
    boxes = [Boxed.of(view) for view in scene.objects]
    for box in boxes:
        yield from _place_findings(scene, box, planes)
    for one, other in combinations(boxes, 2):
        yield from _collision(*sorted((one, other), key=lambda box: box.volume))


def _place_findings(scene: SceneValues, box: Boxed, walls: np.ndarray) -> Iterator[Finding]:
    name = box.view.id
    behind = MIN_DEPTH_M - float(box.corners[:, 2].min())
    if behind > 1e-6:  # float32 of a box that touches the plane
        yield Finding("behind camera", (name,), behind, f"{name} reaches {behind:.2f} m behind the camera's near plane")
    elif (share := share_in_view(box.corners, scene.focal)) < MIN_IN_VIEW:
        text = f"{name} shows {100 * share:.0f}% of its box in the picture" if share > 0 else f"{name} is out of view"
        yield Finding("out of view", (name,), share, text)
    below = float(scene.floor) - float((box.corners @ scene.up.astype(float)).min())
    if below > TOLERANCE_M:
        yield Finding("below floor", (name,), below, f"{name} reaches {below:.2f} m below the floor")
    beyond = max((float(d - (box.corners @ normal).min()) for *normal, d in walls), default=0.0)
    if beyond > TOLERANCE_M:
        yield Finding("out of room", (name,), beyond, f"{name} reaches {beyond:.2f} m through a wall")


def _collision(small: Boxed, large: Boxed) -> Iterator[Finding]:
    if _may_overlap(small, large) or box_penetration(small.axes, small.corners, large.axes, large.corners) <= 0:
        return
    planes = [box_planes(box.view.translation, box.view.quat_wxyz, box.view.scale) for box in (small, large)]
    share = min(1.0, shared_volume(*planes) / small.volume)
    if share > MAX_SHARED:
        ids = (small.view.id, large.view.id)
        yield Finding("collision", ids, share, f"{ids[0]} has {100 * share:.0f}% of its box inside {ids[1]}")


def _may_overlap(one: Boxed, other: Boxed) -> bool:
    """A rug and anything, a chair and a desk; quickly also boxes that are far apart."""
    reach = sum(np.linalg.norm(box.view.scale.astype(float)) for box in (one, other)) / 2
    if np.linalg.norm(one.view.translation.astype(float) - other.view.translation) >= reach:
        return True
    groups = {box.view.label.casefold().rpartition(" ")[2] for box in (one, other)}
    return min(one.height_m, other.height_m) < FLAT_M or groups == _TUCKED


def share_in_view(corners: np.ndarray, focal: np.ndarray) -> float:
    """Share of the outline of a box `[8, 3]` before the camera that is in the picture, once projected."""
    points = project(corners, focal)
    outline = points[ConvexHull(points).vertices]
    return polygon_area(clip_convex(outline, _PICTURE)) / polygon_area(outline)


def _checked_walls(walls: np.ndarray | None) -> np.ndarray:
    planes = np.zeros((0, 4)) if walls is None else np.asarray(walls, float)
    if planes.ndim != 2 or planes.shape[1] != 4 or not np.all(np.isfinite(planes)):
        raise ValueError(
            f"walls have shape {list(planes.shape)}; expected finite [W, 4]: planes (n, d) with n . p >= d inside, in "
            "the camera frame, as `WorldTruth.walls`"
        )
    return planes
