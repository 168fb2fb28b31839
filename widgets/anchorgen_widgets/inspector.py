"""`Inspector`: the numbers of the selected object, or of the camera, to read and to type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets
from PIL import Image

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.css_colors import object_colors, rgb_of
from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.names import display_names
from anchorgen_widgets.panel_widget import PanelWidget, check_scene
from anchorgen_widgets.pose_numbers import OBJECT_NUMBERS, camera_numbers, edited, object_numbers
from anchorgen_widgets.sheet import ERROR, FAINT, LINE, Sheet

ROW_PX = 28
_MEANINGS = {
    "right": "metres to the right of the camera, along the floor",
    "forward": "metres in front of the camera, along the floor",
    "bottom": "metres of its lowest point above the floor",
    "yaw": "degrees from facing the camera, counter-clockwise seen from above",
    "width": "metres along its own side",
    "depth": "metres from its front to its back",
    "height": "metres along its own upright axis",
    "fx": "focal length over the picture's width",
    "fy": "focal length over the picture's height",
    "across": "field of view across, degrees",
    "down": "field of view down, degrees",
}


class Inspector(PanelWidget):
    """Numbers of the selected object: its place on the floor, yaw and size; with nothing selected, the camera's.

    What a person types is checked against the scene that is shown before a handler hears of it. A number that cannot
    be stays in its field, marked, with the reason below.

    Args:
        scene: what to show, or None for nothing yet.
        width_px: width on the page.

    Attributes:
        subject: `id`, `name`, `color` and `editable` of what the numbers belong to; the id of the camera is "".
        numbers: dicts of `name`, `value`, `unit`, `step` (of the arrow keys), `meaning` and `editable`.
        refused: `id`, `name` and `text` of a number that was refused, until it is mended or given up.
        scene: the scene that is shown, or None.
    """

    _esm = joined_files("panel.js", "inspector.js")
    _css = joined_files("panel.css", "inspector.css")

    subject = traitlets.Dict().tag(sync=True)
    numbers = traitlets.List().tag(sync=True)
    refused = traitlets.Dict().tag(sync=True)
    width_px = traitlets.Int(300).tag(sync=True)

    def __init__(self, scene: SceneLatent | None = None, width_px: int = 300):
        if not 220 <= width_px <= 1600:
            raise ValueError(f"width_px is {width_px}; expected 220 to 1600, the width of the inspector on the page")
        super().__init__(width_px=width_px)
        self.scene: SceneLatent | None = None
        if scene is not None:
            self.show_scene(scene)

    def show_scene(self, scene: SceneLatent, selected: str = "", colors: Mapping[str, str] | None = None) -> None:
        """Shows the numbers of an object, present or removed (then they are read-only), or of the camera.

        Args:
            scene: what to show.
            selected: id of an object; "", or what is not in the scene, shows the camera.
            colors: CSS colour by id, in place of `slot_color`.

        Raises:
            TypeError: not a SceneLatent.
            ValueError: a colour that cannot be read.
        """
        check_scene(scene, "Inspector")
        subject, numbers = _shown(scene, selected, object_colors(scene, colors))
        with self.hold_sync():
            self.scene = scene
            if subject.get("id") != self.refused.get("id"):
                self.refused, self.problem = {}, ""
            self.subject, self.numbers = subject, numbers
            self._settle()

    def on_edit(self, handler: Callable[[str, str, float], None]) -> None:
        """Calls `handler(id, name, value)` for a number that the scene takes; `pose_numbers.edited` makes the edit."""
        self._listen("edit", handler)

    def snapshot(self) -> Image.Image:
        """The numbers as one sees them on a light page."""
        return _drawn(self)

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "edit" and self.scene is not None:
            value = _number(message["text"])
            if edited(self.scene, message["id"], message["name"], value) is not self.scene:
                self._tell("edit", message["id"], message["name"], value)
        self.refused = {}
        self._settle()

    def _refuse(self, message: dict[str, Any], error: Exception) -> None:
        self.refused = {key: str(message.get(key, "")) for key in ("id", "name", "text")}
        super()._refuse(message, error)


def _number(text: str) -> float:
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    try:
        return float(plain.replace(",", ".") if "." not in plain else plain)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; expected one such as 0.25") from None


def _shown(
    scene: SceneLatent, selected: str, palette: Mapping[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    view = next((view for view in (*scene.objects, *scene.removed) if view.id == selected), None)
    if view is None:
        values = camera_numbers(scene)
        numbers = [_field(name, values[name], "", 0.05) for name in ("fx", "fy")]
        numbers += [_field(name, values[name], "°", 0.0) for name in ("across", "down")]
        return {"id": "", "name": "camera", "color": "", "editable": True}, numbers
    values = object_numbers(view)
    units = {name: ("°", 5.0) if name == "yaw" else ("m", 0.05) for name in OBJECT_NUMBERS}
    numbers = [_field(name, values[name], *units[name], editable=view.present) for name in OBJECT_NUMBERS]
    name = display_names(scene)[view.id]
    return {"id": view.id, "name": name, "color": palette[view.id], "editable": view.present}, numbers


def _field(name: str, value: float, unit: str, step: float, editable: bool = True) -> dict[str, Any]:
    about = {"unit": unit, "step": step, "meaning": _MEANINGS[name], "editable": editable and step > 0}
    return {"name": name, "value": value, **about}


def _drawn(inspector: Inspector) -> Image.Image:
    numbers, width = inspector.numbers, inspector.width_px
    rows = (len(numbers) + 1) // 2
    sheet = Sheet((width, 36 + ROW_PX * rows + (30 if inspector.problem else 4)))
    subject = inspector.subject
    if subject.get("color"):
        sheet.box(8, 11, 10, 10, fill=rgb_of(subject["color"]), radius=2)
    removed = "" if subject.get("editable", True) else " (removed)"
    sheet.text((24 if subject.get("color") else 8, 16), subject.get("name", "") + removed, size=13)
    column = width // 2
    for k, number in enumerate(numbers):
        left, top = 8 + column * (k // rows), 34 + ROW_PX * (k % rows)
        refused = inspector.refused.get("name") == number["name"]
        text = inspector.refused["text"] if refused else f"{number['value']:.4f}".rstrip("0").rstrip(".")
        sheet.text((left, top + 12), number["name"], color=FAINT)
        fill = "#fdecea" if refused else "#ffffff" if number["editable"] else "#f2f2f2"
        sheet.box(left + 50, top, column - 76, 24, fill=fill, outline=ERROR if refused else LINE, radius=2)
        sheet.text((left + 56, top + 12), text.replace("-0", "0") if text == "-0" else text, limit_px=column - 88)
        sheet.text((left + column - 22, top + 12), number["unit"], color=FAINT)
    if inspector.problem:
        sheet.text((8, 50 + ROW_PX * rows), inspector.problem, color=ERROR, size=11, limit_px=width - 16)
    return sheet.picture()
