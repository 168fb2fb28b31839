"""Where things of a scene lie on its floor plan, in metres and in pixels: what `PlanView` draws and clicks hit.

Plan metres are (right, forward) from the point below the camera; plan pixels are (right, down) from the top left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from anchorgen.geometry import BOX_CORNER_SIGNS, box_corners, floor_basis, polygon_area
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.object_view import ObjectView
from anchorgen_widgets.css_colors import RGB, rgb_of
from anchorgen_widgets.names import display_names

MAX_REACH_M = 15.0
HIT_SLOP_PX = 4.0


@dataclass(frozen=True, eq=False)
class Footprint:
    """What one object covers of the floor.

    Attributes:
        id, name, color: of the object.
        outline: `[P, 2]` convex, counter-clockwise, plan metres.
        front: `[2]`, the middle of its front; centre: `[2]`.
        area: square metres.
        height: metres of its centre above the camera; what is lower is drawn first.
        is_free: whether sampling may move it.
    """

    id: str
    name: str
    color: RGB
    outline: np.ndarray
    front: np.ndarray
    centre: np.ndarray
    area: float
    height: float
    is_free: bool


@dataclass(frozen=True, eq=False)
class PlanLayout:
    """A scene from above, laid out on a drawing.

    Attributes:
        size_px: width and height of the drawing.
        footprints: of the present objects, in drawing order.
        low: `[2]` plan metres of the bottom left corner; zoom: pixels a metre.
        half_width: of the field of view, metres at one metre.
    """

    size_px: tuple[int, int]
    footprints: tuple[Footprint, ...]
    low: np.ndarray
    zoom: float
    half_width: float

    @property
    def high(self) -> np.ndarray:
        """`[2]` plan metres of the top right corner."""
        return self.low + np.array(self.size_px) / self.zoom

    def to_px(self, metres: np.ndarray) -> np.ndarray:
        """Pixels `[..., 2]` of plan metres `[..., 2]`."""
        return (np.asarray(metres, float) - self.low) * [self.zoom, -self.zoom] + [0.0, self.size_px[1]]

    def to_metres(self, pixels: np.ndarray) -> np.ndarray:
        """Inverse of `to_px`."""
        return (np.asarray(pixels, float) - [0.0, self.size_px[1]]) / [self.zoom, -self.zoom] + self.low

    def under(self, pixel: np.ndarray) -> list[str]:
        """Ids of the footprints under a pixel, the smallest first."""
        place, slop = self.to_metres(pixel), HIT_SLOP_PX / self.zoom
        hit = [one for one in self.footprints if _distance_outside(place, one.outline) <= slop]
        return [one.id for one in sorted(hit, key=lambda one: one.area)]

    def footprint(self, object_id: str) -> Footprint | None:
        """That of one object, if it is present."""
        return next((one for one in self.footprints if one.id == object_id), None)


def plan_layout(scene: SceneLatent, size_px: tuple[int, int], colors: Mapping[str, str]) -> PlanLayout:
    """Lays the present objects and the camera out, so that all of them fit.

    Args:
        scene: what to lay out.
        size_px: width and height of the drawing.
        colors: CSS colour by id.

    Raises:
        ValueError: the camera looks straight up or down, so that forward means nothing.
    """
    basis, names = floor_basis(scene.up), display_names(scene)
    prints = [_footprint(scene, view, basis, names[view.id], rgb_of(colors[view.id])) for view in scene.objects]
    prints.sort(key=lambda one: (one.height, one.area))
    points = np.concatenate([np.zeros((1, 2)), *(one.outline for one in prints)])
    # In steps of half a metre, so that a nudge does not shift the whole drawing.
    low = np.clip(np.floor((points.min(0) - 0.1) * 2) / 2, -MAX_REACH_M, [-1.5, -0.5])
    high = np.clip(np.ceil((points.max(0) + 0.1) * 2) / 2, [1.5, 3.0], MAX_REACH_M)
    size = np.array(size_px, float)
    zoom = float((size / (high - low)).min())
    middle = (low[0] + high[0]) / 2
    corner = np.array([middle - size[0] / zoom / 2, low[1]])
    return PlanLayout(size_px, tuple(prints), corner, zoom, 0.5 / float(scene.focal[0]))


def _footprint(scene: SceneLatent, view: ObjectView, basis: np.ndarray, name: str, color: RGB) -> Footprint:
    corners = box_corners(view.translation, view.quat_wxyz, view.scale)
    flat = corners @ basis[[0, 2]].T
    outline = flat[ConvexHull(flat).vertices]
    front = flat[BOX_CORNER_SIGNS[:, 1] < 0].mean(0)
    height = float(basis[1] @ view.translation.astype(float))
    is_free = bool(scene.anchors.layout[view.index] < 1)
    area = polygon_area(outline)
    return Footprint(view.id, name, color, outline, front, flat.mean(0), area, height, is_free)


def _distance_outside(point: np.ndarray, outline: np.ndarray) -> float:
    """Metres from a point to a convex, counter-clockwise polygon; 0 inside."""
    edges = np.roll(outline, -1, axis=0) - outline
    to_point = point - outline
    if np.all(edges[:, 0] * to_point[:, 1] - edges[:, 1] * to_point[:, 0] >= 0):
        return 0.0
    along = np.clip(np.sum(to_point * edges, -1) / np.maximum(np.sum(edges * edges, -1), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(to_point - along[:, None] * edges, axis=-1).min())
