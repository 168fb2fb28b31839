"""The boxes of a scene as pythreejs objects."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pythreejs


class Boxes3D:
    """The boxes as pythreejs objects: one unit cube and its edges, shared, in a group per object."""

    def __init__(self, size_px: tuple[int, int]):
        self._cube = pythreejs.BoxBufferGeometry(1, 1, 1)
        self._edges = pythreejs.EdgesGeometry(self._cube)
        self._groups: dict[str, pythreejs.Group] = {}
        self._root = pythreejs.Group()
        self._camera = pythreejs.PerspectiveCamera(near=0.05, far=200)
        self._scene = pythreejs.Scene(children=[self._root], background=None)
        width, height = size_px
        options = {"antialias": True, "alpha": True, "clearOpacity": 0.0, "controls": []}
        self.renderer = pythreejs.Renderer(
            camera=self._camera, scene=self._scene, width=width, height=height, **options
        )

    def show(self, boxes: list[dict[str, Any]], focal: np.ndarray) -> None:
        fx, fy = (float(f) for f in focal)
        self._camera.fov, self._camera.aspect = math.degrees(2 * math.atan(1 / (2 * fy))), fy / fx
        shown = {}
        for box in boxes:
            pose = {"position": tuple(box["t"]), "quaternion": tuple(box["q"]), "scale": tuple(box["s"])}
            group = self._groups.pop(box["id"], None) or self._new_group(box["color"])
            with group.hold_sync():
                group.set_trait("position", pose["position"])
                group.set_trait("quaternion", pose["quaternion"])
                group.set_trait("scale", pose["scale"])
            shown[box["id"]] = group
        gone, self._groups = self._groups, shown
        self._root.children = tuple(shown.values())
        for group in gone.values():
            _close_group(group)

    def references(self) -> dict[str, str]:
        """What the overlay moves in the browser, by name: the groups, the camera, and what holds the groups."""
        parts = {**self._groups, "/camera": self._camera, "/root": self._root}
        return {name: f"IPY_MODEL_{part.model_id}" for name, part in parts.items()}

    def close(self) -> None:
        for group in self._groups.values():
            _close_group(group)
        shared = (self._scene, self._root, self._camera, self._edges, self._cube)
        for part in (self.renderer.shadowMap, self.renderer, *shared):
            cast(Any, part).close()

    def _new_group(self, color: str) -> pythreejs.Group:
        glass = pythreejs.MeshBasicMaterial(color=color, transparent=True, opacity=0.1, depthWrite=False)
        line = pythreejs.LineBasicMaterial(color=color)
        return pythreejs.Group(children=[pythreejs.Mesh(self._cube, glass), pythreejs.LineSegments(self._edges, line)])


def _close_group(group: pythreejs.Group) -> None:
    for part in group.children:
        part.material.close()
        part.close()
    group.close()
