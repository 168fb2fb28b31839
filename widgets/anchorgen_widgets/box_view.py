"""`BoxView`: the picture of a scene, its boxes in 3D over it, and the overlay that moves them, stacked in one cell.

The picture is a plain image under a transparent 3D canvas, not a textured plane inside it: it then shows at once, also
where there is no WebGL, and a new one costs one small message.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, cast

import ipywidgets
import numpy as np
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
from anchorgen.scene.object_view import ObjectView
from anchorgen_widgets.boxes3d import Boxes3D
from anchorgen_widgets.css_colors import slot_hex
from anchorgen_widgets.names import display_names
from anchorgen_widgets.overlay import SceneOverlay

PoseHandler = Callable[[str, list[float], list[float], list[float], str], None]


class BoxView(ipywidgets.GridBox):
    """Shows one scene, through its camera or from anywhere around; knows nothing of sessions or pipelines.

    Args:
        scene: whose boxes to show at first.
        picture: to show under them.
        size_px: width and height of the picture on the page.

    Attributes:
        picture: the latest picture, or None.
        scene: the scene whose boxes are shown, or None.
        overlay: the part that takes mouse and keys; its trait `orbit` is where one looks from.
    """

    def __init__(
        self,
        scene: SceneLatent | None = None,
        picture: Image.Image | None = None,
        size_px: tuple[int, int] = (512, 512),
    ):
        self.size_px = size_px
        self.picture: Image.Image | None = None
        self.scene: SceneLatent | None = None
        self.overlay = SceneOverlay(size_px=list(size_px))
        self._image = ipywidgets.Image(format="webp")
        self._problems: dict[str, str] = {}
        self._boxes3d = Boxes3D(size_px)
        for child in (self._image, self._boxes3d.renderer, self.overlay):
            child.layout = _cell_layout(size_px)
        width, height = (f"{side}px" for side in size_px)
        layout = {"width": width, "min_width": width, "height": height, "flex": "0 0 auto", "overflow": "hidden"}
        columns = {"grid_template_columns": width, "grid_template_rows": height, "grid_gap": "0"}
        super().__init__([self._image, self.overlay], layout=ipywidgets.Layout(**layout, **columns))
        self.add_class("ag-view")
        self.overlay.observe(self._use_webgl, "webgl")
        if picture is not None:
            self.show_picture(picture)
        if scene is not None:
            self.show_scene(scene)

    def show_picture(self, picture: Image.Image) -> None:
        """Replaces the picture; it is scaled to the size on the page."""
        self.picture = picture
        self._image.value = encoded_picture(picture, self.size_px)

    def show_scene(self, scene: SceneLatent, selected: str = "", problems: Mapping[str, str] | None = None) -> None:
        """Takes over boxes, camera and selection, also where the front end has drawn something else meanwhile.

        Args:
            scene: whose boxes.
            selected: id of an object, or "".
            problems: what is wrong with an object, by id: it is drawn dashed and red.
        """
        self.scene = scene
        self._problems = dict(problems or {})
        names = display_names(scene)
        wrong = self._problems
        boxes = [_drawing(view, names[view.id], wrong.get(view.id, "")) for view in scene.objects]
        self._boxes3d.show(boxes, scene.focal)
        with self.overlay.hold_sync():
            self.overlay.focal = [float(f) for f in scene.focal]
            self.overlay.floor_basis = opencv_to_three(floor_basis(scene.up)).tolist()
            self.overlay.floor_m = float(scene.floor)
            self.overlay.mirror = self._boxes3d.references() if self.overlay.webgl else {}
            self.overlay.boxes = boxes
            self.overlay.selected = selected
            self.overlay.settle()

    def on_commit(self, handler: PoseHandler) -> None:
        """Calls `handler(id, translation, quat_wxyz, scale, kind)` at the end of each gesture."""
        self.overlay.on_gesture("commit", lambda message: handler(*_pose_from(message)))

    def on_preview(self, handler: PoseHandler) -> None:
        """Calls the handler with poses of a gesture under way, some twenty times a second at most."""

        def moved(change: dict[str, Any]) -> None:
            # The front end holds state updates back while the kernel is busy: one can come after its own commit, and
            # after those of later gestures.
            if not self.overlay.has_ended(change["new"]["gesture"]):
                handler(*_pose_from(change["new"]))

        self.overlay.observe(moved, "live")

    def on_cancel(self, handler: Callable[[], None]) -> None:
        """Calls the handler when a gesture was given up."""
        self.overlay.on_gesture("cancel", lambda message: handler())

    def on_command(self, handler: Callable[[str, str], None]) -> None:
        """Calls the handler with "remove", "duplicate", "undo" or "redo", and the id of the selected object or "".

        The id is what was selected when the key was pressed; `on_select` may not have been called with it yet, since
        selections wait while the kernel is busy and keys do not.
        """
        self.overlay.on_gesture("command", lambda message: handler(message["name"], message["id"]))

    def on_select(self, handler: Callable[[str], None]) -> None:
        """Calls the handler with the id of the box that was clicked, or ""."""
        self.overlay.observe(lambda change: handler(change["new"]), "selected")

    def on_drop(self, handler: Callable[[str, np.ndarray, np.ndarray], None]) -> None:
        """Calls `handler(key, origin, direction)` for an object of a library dropped on the picture: `[3]` each, the
        ray under the pointer in the scene's camera frame (`landing.landing_place` says where it meets something)."""

        def dropped(message: dict[str, Any]) -> None:
            origin, direction = (opencv_to_three(np.array(message[name], float)) for name in ("origin", "direction"))
            handler(str(message["key"]), origin, direction)

        self.overlay.on_gesture("drop", dropped)

    def look(self, yaw: float = 0.0, pitch: float = 0.0, zoom: float = 1.0) -> None:
        """Looks at the boxes from elsewhere: degrees about the room's up and from above, and distance over that of the
        camera. Without arguments, through the camera again."""
        self.overlay.orbit = [yaw, pitch, zoom]

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
                draw.line([tuple(pixels[a]), tuple(pixels[b])], fill=slot_hex(view.index), width=2)
        return canvas

    def close(self) -> None:
        """Closes every widget it is made of."""
        for part in ("_boxes3d", "_image", "overlay"):
            if part in self.__dict__:  # Python also closes a widget whose __init__ has failed
                getattr(self, part).close()
        super().close()

    def _use_webgl(self, change: dict[str, Any]) -> None:
        self.children = [self._image, *([self._boxes3d.renderer] if change["new"] else []), self.overlay]
        self.overlay.draws_edges = not change["new"]
        if self.scene is not None:
            self.show_scene(self.scene, self.overlay.selected, self._problems)


def encoded_picture(picture: Image.Image, size_px: tuple[int, int]) -> bytes:
    """The picture as WebP at the size on the page: fast to make, small, and smoother than a browser's scaling."""
    buffer = io.BytesIO()
    picture.convert("RGB").resize(size_px, Image.Resampling.LANCZOS).save(buffer, "webp", quality=90, method=0)
    return buffer.getvalue()


def _cell_layout(size_px: tuple[int, int]) -> ipywidgets.Layout:
    width, height = (f"{side}px" for side in size_px)
    return ipywidgets.Layout(width=width, height=height, grid_area="1 / 1", margin="0", padding="0", overflow="hidden")


def _pose_from(message: dict[str, Any]) -> tuple[str, list[float], list[float], list[float], str]:
    translation = opencv_to_three(np.array(message["t"], float)).tolist()
    quat = quat_three_xyzw_to_opencv(np.array(message["q"], float)).tolist()
    return message["id"], translation, quat, [float(side) for side in message["s"]], message["kind"]


def _drawing(view: ObjectView, name: str, problem: str) -> dict[str, Any]:
    pose = {
        "t": opencv_to_three(view.translation).tolist(),
        "q": quat_opencv_to_three_xyzw(view.quat_wxyz).tolist(),
        "s": view.scale.astype(float).tolist(),
    }
    return {"id": view.id, "label": name, "color": slot_hex(view.index), "problem": problem, **pose}
