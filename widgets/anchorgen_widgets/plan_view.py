"""`PlanView`: the floor plan of a scene from above, to look at, click and drag on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import ipycanvas
import ipywidgets
import numpy as np
from PIL import Image

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.css_colors import object_colors
from anchorgen_widgets.gestures import LENGTH_DIGITS
from anchorgen_widgets.names import display_names
from anchorgen_widgets.panel_widget import check_scene
from anchorgen_widgets.plan_access import PlanAccess
from anchorgen_widgets.plan_layout import PlanLayout, plan_layout
from anchorgen_widgets.plan_shapes import draw_on_canvas, draw_on_sheet, ghost_shapes, plan_shapes
from anchorgen_widgets.sheet import Sheet

CANVAS_ZOOM = 2  # canvas pixels a pixel of the page: crisp on dense screens
CLICK_SLOP_PX = 3.0
GHOST_INTERVAL_S = 0.03
NUDGE_M, SNAP_M = 0.05, 0.25
WAYS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1)}
HELP = "drag or arrow keys move, page up and down select, Escape gives up"
_DRAWING = threading.Lock()  # all canvases of ipycanvas share one queue


@dataclass
class _Drag:
    id: str
    start: np.ndarray
    shift_m: np.ndarray
    next_if_clicked: str
    has_moved: bool = False
    drawn_at_s: float = 0.0


class PlanView(ipywidgets.Box):
    """The camera at the bottom with its field of view, a grid of 1 m, a footprint with a mark in front per object.

    A click selects the smallest footprint under the pointer, a click on the selected one that behind it. A drag shows
    the outline where it would go. Nothing here changes the scene.

    Args:
        scene: what to show, or None for nothing yet.
        size_px: width and height on the page.

    Attributes:
        scene: the scene that is shown, or None.
        selected: id of the highlighted object, or "".
        problems: ids of the objects that are drawn in red.
    """

    def __init__(self, scene: SceneLatent | None = None, size_px: tuple[int, int] = (300, 300)):
        if not all(120 <= side <= 2000 for side in size_px):
            raise ValueError(f"size_px is {size_px}; expected 120 to 2000 px a side, the size of the plan on the page")
        self.size_px = size_px
        self.scene: SceneLatent | None = None
        self.selected = ""
        self.problems: frozenset[str] = frozenset()
        self._plan: PlanLayout | None = None
        self._drag: _Drag | None = None
        self._handlers: dict[str, list[Callable[..., None]]] = {"select": [], "move": []}
        self._access = PlanAccess()
        width, height = (f"{side}px" for side in size_px)
        layout = ipywidgets.Layout(width=width, height=height, flex="0 0 auto", margin="0")
        canvas_px = {"width": size_px[0] * CANVAS_ZOOM, "height": size_px[1] * CANVAS_ZOOM}
        self._canvas = ipycanvas.MultiCanvas(2, layout=layout, **canvas_px)
        box = ipywidgets.Layout(width=width, flex="0 0 auto", flex_flow="column", overflow="hidden")
        super().__init__([self._canvas, self._access], layout=box)
        self.add_class("ag-plan")
        self._connect()
        if scene is not None:
            self.show_scene(scene)

    def show_scene(
        self,
        scene: SceneLatent,
        selected: str = "",
        colors: Mapping[str, str] | None = None,
        problems: Collection[str] = (),
    ) -> None:
        """Draws a scene; a drag under way is given up where it is another than before.

        Args:
            scene: what to show.
            selected: id to highlight, or "".
            colors: CSS colour by id, in place of `slot_color`.
            problems: ids to draw in red, such as those that `scene.check()` names.

        Raises:
            TypeError: not a SceneLatent.
            ValueError: a colour that cannot be read, or a camera that looks straight up or down.
        """
        check_scene(scene, "PlanView")
        self._plan = plan_layout(scene, self.size_px, object_colors(scene, colors))
        if scene is not self.scene:  # the answer to a selection leaves the drag that it began
            self._drag = None
        self.scene, self.problems = scene, frozenset(problems)
        self.selected = selected if self._plan.footprint(selected) else ""
        names = ", ".join(one.name for one in self._plan.footprints) or "no objects"
        self._access.description = f"floor plan from above: {names}; {HELP}"
        self.redraw()

    def on_select(self, handler: Callable[[str], None]) -> None:
        """Calls `handler(id)` when a person selects an object; "" for none."""
        self._handlers["select"].append(handler)

    def on_move(self, handler: Callable[[str, float, float], None]) -> None:
        """Calls `handler(id, right_m, forward_m)` at the end of a drag, or for an arrow key: metres along the floor."""
        self._handlers["move"].append(handler)

    def redraw(self) -> None:
        """Draws the plan anew; done by itself when a page opens or is loaded again."""
        if self._plan is not None:
            shapes = plan_shapes(self._plan, self.selected, self.problems)
            with _DRAWING, ipycanvas.hold_canvas():
                draw_on_canvas(self._canvas[0], shapes, CANVAS_ZOOM)
                draw_on_canvas(self._canvas[1], self._ghost(), CANVAS_ZOOM)

    def snapshot(self) -> Image.Image:
        """The plan as one sees it on a light page."""
        sheet = Sheet(self.size_px)
        if self._plan is not None:
            draw_on_sheet(sheet, plan_shapes(self._plan, self.selected, self.problems) + self._ghost())
        return sheet.picture()

    def close(self) -> None:
        """Closes every widget it is made of."""
        if "_canvas" in self.__dict__:  # Python also closes a widget whose __init__ has failed
            for part in (self._canvas[0], self._canvas[1], self._canvas, self._access):
                part.close()
        super().close()

    # -- what the page sends ------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        canvas = self._canvas
        canvas.on_client_ready(self.redraw)
        canvas.on_mouse_down(self._guarded(self._press))
        canvas.on_mouse_move(self._guarded(self._move))
        canvas.on_mouse_up(self._guarded(self._release))
        canvas.on_mouse_out(self._guarded(lambda _x, _y: self._give_up()))
        canvas.on_touch_start(self._guarded(lambda touches: touches and self._press(*touches[0])))
        canvas.on_touch_move(self._guarded(lambda touches: touches and self._move(*touches[0])))
        canvas.on_touch_end(self._guarded(lambda _touches: self._finish()))
        canvas.on_touch_cancel(self._guarded(lambda _touches: self._give_up()))
        canvas.on_key_down(self._guarded(self._press_key))

    def _guarded(self, action: Callable[..., Any]) -> Callable[..., None]:
        """`action`, with what it raises shown under the plan: what a callback raises is otherwise invisible."""

        def run(*args: Any) -> None:
            try:
                if self._plan is not None:
                    action(*args)
            except Exception as error:
                self._access.problem = str(error) or type(error).__name__
                self._give_up()

        return run

    def _press(self, x: float, y: float) -> None:
        pixel = np.array([x, y]) / CANVAS_ZOOM
        hits = self._plan.under(pixel) if self._plan else []
        if not hits:
            self._select("")
            return
        taken = self.selected if self.selected in hits else hits[0]
        behind = hits[(hits.index(taken) + 1) % len(hits)] if taken == self.selected else taken
        self._drag = _Drag(taken, pixel, np.zeros(2), behind)
        self._select(taken)

    def _move(self, x: float, y: float) -> None:
        drag = self._drag
        if drag is None or self._plan is None:
            return
        way = np.array([x, y]) / CANVAS_ZOOM - drag.start
        drag.has_moved = drag.has_moved or bool(np.linalg.norm(way) > CLICK_SLOP_PX)
        drag.shift_m = way / [self._plan.zoom, -self._plan.zoom]
        # Events do not coalesce: those that came in while the last outline was drawn are left out.
        if drag.has_moved and time.monotonic() - drag.drawn_at_s > GHOST_INTERVAL_S:
            self._draw_ghost()
            drag.drawn_at_s = time.monotonic()

    def _release(self, x: float, y: float) -> None:
        self._move(x, y)
        self._finish()

    def _finish(self) -> None:
        drag, self._drag = self._drag, None
        if drag is None:
            return
        self._draw_ghost()
        if not drag.has_moved:
            self._select(drag.next_if_clicked)
            return
        self._ask_to_move(drag.id, *drag.shift_m)

    def _give_up(self) -> None:
        if self._drag is not None:
            self._drag = None
            self._draw_ghost()

    def _press_key(self, key: str, shift: bool, control: bool, meta: bool) -> None:
        if key == "Escape":
            if self._drag is not None:
                self._give_up()
            else:
                self._select("")
        elif key in ("PageDown", "PageUp") and self._plan is not None:
            ids = [view.id for view in self.scene.objects] if self.scene else []
            at = ids.index(self.selected) + (1 if key == "PageDown" else -1) if self.selected in ids else 0
            self._select(ids[at % len(ids)] if ids else "")
        elif key in WAYS and self.selected and self._drag is None:
            step = SNAP_M if control or meta else NUDGE_M
            self._ask_to_move(self.selected, *(step * way for way in WAYS[key]))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _select(self, object_id: str) -> None:
        if object_id == self.selected:
            return
        self.selected = object_id
        name = display_names(self.scene).get(object_id, "nothing") if self.scene is not None else "nothing"
        self._access.spoken = f"{name} selected"
        self.redraw()
        for handler in self._handlers["select"]:
            handler(object_id)
        self._access.problem = ""

    def _ask_to_move(self, object_id: str, right_m: float, forward_m: float) -> None:
        for handler in self._handlers["move"]:
            handler(object_id, round(float(right_m), LENGTH_DIGITS), round(float(forward_m), LENGTH_DIGITS))
        self._access.problem = ""

    def _ghost(self) -> list[Any]:
        if self._drag is None or self._plan is None or not self._drag.has_moved:
            return []
        return ghost_shapes(self._plan, self._drag.id, self._drag.shift_m)

    def _draw_ghost(self) -> None:
        with _DRAWING, ipycanvas.hold_canvas():
            draw_on_canvas(self._canvas[1], self._ghost(), CANVAS_ZOOM)
