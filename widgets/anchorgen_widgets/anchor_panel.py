"""`AnchorPanel`: the objects of a scene with a slider per factor: how far the prior may change each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets
from PIL import Image

from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.anchor_rows import Target, anchor_rows, anchor_targets, shared_strengths, unused_slots
from anchorgen_widgets.css_colors import rgb_of
from anchorgen_widgets.front_end import joined_files
from anchorgen_widgets.panel_widget import PanelWidget, check_scene
from anchorgen_widgets.sheet import BRAND, FAINT, INK, LINE, Sheet

ROW_PX, BAR_PX, GAP_PX = 24, 46, 4
SHARED_ROWS = (("camera", "camera"), ("background", "background"), ("empty", "empty slots"))


class AnchorPanel(PanelWidget):
    """One row an object: colour, name, eye (present), lock (every factor is kept) and three sliders of strength.

    Rows for the camera, the background and the empty slots come below; buttons keep or release everything.

    Args:
        scene: what to show, or None for nothing yet.
        width_px: width on the page.
        height_px: height on the page, beyond which the rows scroll; 0: as high as its rows.

    Attributes:
        rows: dicts as `anchor_rows` makes them.
        shared: strength of "camera", "background" and "empty".
        num_empty: how many slots never held an object.
        selected: id of the selected row, present or removed; "" for none.
        scene: the scene that is shown, or None.
    """

    _esm = joined_files("panel.js", "anchor_panel.js")
    _css = joined_files("panel.css", "anchor_panel.css")

    rows = traitlets.List().tag(sync=True)
    shared = traitlets.Dict({"camera": 0.0, "background": 0.0, "empty": 0.0}).tag(sync=True)
    num_empty = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    width_px = traitlets.Int(300).tag(sync=True)
    height_px = traitlets.Int(0).tag(sync=True)

    def __init__(self, scene: SceneLatent | None = None, width_px: int = 300, height_px: int = 0):
        if not 240 <= width_px <= 1600:
            raise ValueError(f"width_px is {width_px}; expected 240 to 1600, the width of the panel on the page")
        if height_px and height_px < 160:
            raise ValueError(f"height_px is {height_px}; expected at least 160, or 0 for as high as its rows")
        super().__init__(width_px=width_px, height_px=height_px)
        self.scene: SceneLatent | None = None
        self._showing = False
        self.observe(self._on_selected, "selected")
        if scene is not None:
            self.show_scene(scene)

    def show_scene(self, scene: SceneLatent, selected: str = "", colors: Mapping[str, str] | None = None) -> None:
        """Takes over rows and selection, also where the front end has moved a slider meanwhile.

        Args:
            scene: what to show.
            selected: id of an object, present or removed, or "".
            colors: CSS colour by id, in place of `slot_color`.

        Raises:
            TypeError: not a SceneLatent.
            ValueError: a colour that cannot be read.
        """
        check_scene(scene, "AnchorPanel")
        rows, shared = anchor_rows(scene, colors), shared_strengths(scene)
        self._showing = True
        try:
            with self.hold_sync():
                self.scene = scene
                self.rows, self.shared, self.num_empty = rows, shared, len(unused_slots(scene))
                self.selected = selected if any(row["id"] == selected for row in rows) else ""
                self._settle()
        finally:
            self._showing = False

    def on_strength(self, handler: Callable[[list[Target], float], None]) -> None:
        """Calls `handler(targets, strength)` when a slider was let go, or a lock or header button clicked.

        `targets` are selectors that `scene.release` takes; `with_strength` does it, and anchors where it is 0.
        """
        self._listen("strength", handler)

    def on_visible(self, handler: Callable[[str, bool], None]) -> None:
        """Calls `handler(id, visible)`: False asks to remove the object, True to restore it."""
        self._listen("visible", handler)

    def on_select(self, handler: Callable[[str], None]) -> None:
        """Calls `handler(id)` when a person selects a row, which may be of a removed object; "" for none."""
        self._listen("select", handler)

    def snapshot(self) -> Image.Image:
        """The panel as one sees it on a light page, every row of it."""
        return _drawn(self)

    def _take(self, message: dict[str, Any]) -> None:
        if self.scene is None:
            return
        if message["type"] == "strength":
            strength = float(message["value"])
            if not 0.0 <= strength <= 1.0:
                raise ValueError(f"strength is {strength:g}; expected 0 (keep) to 1 (resample)")
            self._tell("strength", anchor_targets(self.scene, message["id"], message["factor"]), strength)
        elif message["type"] == "visible":
            if message["id"] not in self.scene.ids:
                raise LookupError(f"no object {message['id']!r} in the scene any more")
            self._tell("visible", message["id"], bool(message["visible"]))

    def _on_selected(self, change: dict[str, Any]) -> None:
        if not self._showing:
            self._answer({}, lambda: self._tell("select", change["new"]))


def _drawn(panel: AnchorPanel) -> Image.Image:
    width = panel.width_px
    sheet = Sheet((width, 30 + ROW_PX * (len(panel.rows) + 1 + len(SHARED_ROWS)) + 8))
    for k, title in enumerate(("keep all", "release all")):
        sheet.box(6 + 84 * k, 4, 78, 22, outline=LINE, radius=3)
        sheet.text((45 + 84 * k, 15), title, anchor="mm", size=11)
    bars = [width - 8 - (3 - k) * (BAR_PX + GAP_PX) for k in range(3)]
    for left, factor in zip(bars, FACTORS, strict=True):
        sheet.text((left + BAR_PX / 2, 42), factor, size=9, color=FAINT, anchor="mm")
    top = 30 + ROW_PX
    for row in panel.rows:
        middle, ink = top + ROW_PX / 2, INK if row["present"] else FAINT
        if row["id"] == panel.selected:
            sheet.box(2, top, width - 4, ROW_PX, fill="#dcebfb", radius=2)
        sheet.box(8, middle - 5, 10, 10, fill=rgb_of(row["color"]) if row["present"] else LINE, radius=2)
        sheet.text((24, middle), row["name"], color=ink, limit_px=bars[0] - 24 - 48)
        _draw_eye(sheet, bars[0] - 36, middle, row["present"])
        _draw_lock(sheet, bars[0] - 14, middle, row["locked"])
        for left, factor in zip(bars, FACTORS, strict=True):
            _draw_bar(sheet, left, top, BAR_PX, row["strength"][factor])
        top += ROW_PX
    sheet.line([(4, top + 1), (width - 4, top + 1)], LINE)
    for name, title in SHARED_ROWS:
        shown = f"{panel.num_empty} {title}" if name == "empty" else title
        sheet.text((24, top + ROW_PX / 2 + 3), shown, limit_px=bars[0] - 30)
        _draw_bar(sheet, bars[0], top + 3, 3 * BAR_PX + 2 * GAP_PX, panel.shared[name])
        top += ROW_PX
    return sheet.picture()


def _draw_bar(sheet: Sheet, left: float, top: float, width: float, strength: float) -> None:
    sheet.box(left, top + 3, width, ROW_PX - 6, fill="#f2f2f2", outline=LINE, radius=2)
    sheet.box(left, top + 3, width * strength, ROW_PX - 6, fill="#a6d3f8", outline=BRAND, radius=2)
    sheet.text((left + width / 2, top + ROW_PX / 2), f"{strength:.2f}".rstrip("0").rstrip("."), size=11, anchor="mm")


def _draw_eye(sheet: Sheet, x: float, y: float, is_open: bool) -> None:
    lids = [(x - 7, y), (x - 3, y - 4), (x + 3, y - 4), (x + 7, y), (x + 3, y + 4), (x - 3, y + 4)]
    sheet.line(lids, INK if is_open else FAINT, 1.2, closed=True)
    if is_open:
        sheet.dot((x, y), 2.2, INK)
    else:
        sheet.line([(x - 6, y + 5), (x + 6, y - 5)], FAINT, 1.2)


def _draw_lock(sheet: Sheet, x: float, y: float, is_closed: bool) -> None:
    ink = INK if is_closed else FAINT
    sheet.box(x - 5, y - 1, 10, 7, fill=ink, radius=1)
    arm = [(x - 3, y - 1), (x - 3, y - 5), (x + 3, y - 5), (x + 3, y - 1 if is_closed else y - 3)]
    sheet.line(arm, ink, 1.4)
