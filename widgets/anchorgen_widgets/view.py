"""`SceneView`: the picture of a scene, its boxes in 3D over it, and the overlay that moves them, stacked in one cell.

The picture is a plain image under a transparent 3D canvas, not a textured plane inside it: it then shows at once, also
where there is no WebGL, and a new one costs one small message.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any, cast

import ipywidgets
import numpy as np
import pythreejs
from PIL import Image, ImageDraw

from anchorgen.geometry import (
    BOX_EDGES,
    box_corners,
    floor_basis,
    opencv_to_three,
    project,
    quat_opencv_to_three_xyzw,
    quat_three_xyzw_to_opencv,
)
from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.names import display_names
from anchorgen_widgets.overlay import SceneOverlay

PALETTE = (
    "#5b9dff", "#ff8a3d", "#4cc38a", "#c77dff", "#f2545b", "#2fc6d0",
    "#e5c100", "#ff7eb6", "#9bd14b", "#b08968", "#8ea6ff", "#f5a97f",
)  # fmt: skip
PoseHandler = Callable[[str, list[float], list[float], list[float], str], None]


class SceneView(ipywidgets.GridBox):
    """Shows one scene; knows nothing of sessions or pipelines.

    Args:
        size_px: width and height of the picture on the page.

    Attributes:
        picture: the latest picture, or None.
        scene: the scene whose boxes are shown, or None.
        overlay: the part that takes mouse and keys.
    """

    def __init__(self, size_px: tuple[int, int] = (512, 512)):
        self.size_px = size_px
        self.picture: Image.Image | None = None
        self.scene: SceneLatent | None = None
        self.overlay = SceneOverlay(size_px=list(size_px))
        self._image = ipywidgets.Image(format="webp")
        self._boxes3d = _Boxes3D(size_px)
        self._colors: dict[str, str] = {}
        self._ended_gesture = ""
        for child in (self._image, self._boxes3d.renderer, self.overlay):
            child.layout = _cell_layout(size_px)
        width, height = (f"{side}px" for side in size_px)
        layout = {"width": width, "min_width": width, "height": height, "flex": "0 0 auto", "overflow": "hidden"}
        columns = {"grid_template_columns": width, "grid_template_rows": height, "grid_gap": "0"}
        super().__init__([self._image, self.overlay], layout=ipywidgets.Layout(**layout, **columns))
        self.add_class("ag-view")
        self.overlay.observe(self._use_webgl, "webgl")

    def show_picture(self, picture: Image.Image) -> None:
        """Replaces the picture; it is scaled to the size on the page."""
        self.picture = picture
        self._image.value = encoded_picture(picture, self.size_px)

    def show_scene(self, scene: SceneLatent, selected: str = "") -> None:
        """Takes over boxes, camera and selection, also where the front end has drawn something else meanwhile."""
        self.scene = scene
        names = display_names(scene)
        boxes = [self._drawing(view, names[view.id]) for view in scene.objects]
        self._boxes3d.show(boxes, scene.focal)
        with self.overlay.hold_sync():
            self.overlay.focal = [float(f) for f in scene.focal]
            self.overlay.floor_basis = opencv_to_three(floor_basis(scene.up)).tolist()
            self.overlay.mirror = self._boxes3d.references() if self.overlay.webgl else {}
            self.overlay.boxes = boxes
            self.overlay.selected = selected
            self.overlay.settled += 1

    def on_commit(self, handler: PoseHandler) -> None:
        """Calls `handler(id, translation, quat_wxyz, scale, kind)` at the end of each gesture."""

        def ended(message: dict[str, Any]) -> None:
            self._ended_gesture = message["gesture"]
            handler(*_pose_from(message))

        self.overlay.on_gesture("commit", ended)

    def on_preview(self, handler: PoseHandler) -> None:
        """Calls the handler with poses of a gesture under way, some twenty times a second at most."""

        def moved(change: dict[str, Any]) -> None:
            # The front end holds state updates back while the kernel is busy: one can come after its own commit.
            if change["new"]["gesture"] != self._ended_gesture:
                handler(*_pose_from(change["new"]))

        self.overlay.observe(moved, "live")

    def on_cancel(self, handler: Callable[[], None]) -> None:
        """Calls the handler when a gesture was given up."""

        def given_up(message: dict[str, Any]) -> None:
            self._ended_gesture = message["gesture"]
            handler()

        self.overlay.on_gesture("cancel", given_up)

    def on_command(self, handler: Callable[[str], None]) -> None:
        """Calls the handler with "remove", "duplicate", "undo" or "redo"."""
        self.overlay.on_gesture("command", lambda message: handler(message["name"]))

    def on_select(self, handler: Callable[[str], None]) -> None:
        """Calls the handler with the id of the box that was clicked, or ""."""
        self.overlay.observe(lambda change: handler(change["new"]), "selected")

    def snapshot(self) -> Image.Image:
        """The picture with its boxes drawn over it, as one sees it, without the handles."""
        canvas = Image.new("RGB", self.size_px, "#333")
        if self.picture is not None:
            canvas.paste(self.picture.convert("RGB").resize(self.size_px, Image.Resampling.LANCZOS))
        draw = ImageDraw.Draw(canvas)
        scene = self.scene
        for view in scene.objects if scene is not None else ():
            corners = box_corners(view.translation, view.quat_wxyz, view.scale)
            pixels = project(corners, cast(SceneLatent, scene).focal) * self.size_px
            for a, b in BOX_EDGES:
                draw.line([tuple(pixels[a]), tuple(pixels[b])], fill=self._color(view.label), width=2)
        return canvas

    def close(self) -> None:
        """Closes every widget it is made of."""
        for part in ("_boxes3d", "_image", "overlay"):
            if part in self.__dict__:  # Python also closes a widget whose __init__ has failed
                getattr(self, part).close()
        super().close()

    def _drawing(self, view: Any, name: str) -> dict[str, Any]:
        pose = {
            "t": opencv_to_three(view.translation).tolist(),
            "q": quat_opencv_to_three_xyzw(view.quat_wxyz).tolist(),
            "s": view.scale.astype(float).tolist(),
        }
        return {"id": view.id, "label": name, "color": self._color(view.label), **pose}

    def _color(self, label: str) -> str:
        return self._colors.setdefault(label, PALETTE[len(self._colors) % len(PALETTE)])

    def _use_webgl(self, change: dict[str, Any]) -> None:
        self.children = [self._image, *([self._boxes3d.renderer] if change["new"] else []), self.overlay]
        self.overlay.draws_edges = not change["new"]
        if self.scene is not None:
            self.show_scene(self.scene, self.overlay.selected)


class _Boxes3D:
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
        return {name: f"IPY_MODEL_{group.model_id}" for name, group in self._groups.items()}

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


def encoded_picture(picture: Image.Image, size_px: tuple[int, int]) -> bytes:
    """The picture as WebP at the size on the page: fast to make, small, and smoother than a browser's scaling."""
    buffer = io.BytesIO()
    picture.convert("RGB").resize(size_px, Image.Resampling.LANCZOS).save(buffer, "webp", quality=90, method=0)
    return buffer.getvalue()


def _close_group(group: pythreejs.Group) -> None:
    for part in group.children:
        part.material.close()
        part.close()
    group.close()


def _cell_layout(size_px: tuple[int, int]) -> ipywidgets.Layout:
    width, height = (f"{side}px" for side in size_px)
    return ipywidgets.Layout(width=width, height=height, grid_area="1 / 1", margin="0", padding="0", overflow="hidden")


def _pose_from(message: dict[str, Any]) -> tuple[str, list[float], list[float], list[float], str]:
    translation = opencv_to_three(np.array(message["t"], float)).tolist()
    quat = quat_three_xyzw_to_opencv(np.array(message["q"], float)).tolist()
    return message["id"], translation, quat, [float(side) for side in message["s"]], message["kind"]
