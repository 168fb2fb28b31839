"""`SceneOverlay`: the SVG over the picture that takes mouse and keys, and what it sends. Frame: three.js's camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from anchorgen_widgets.front_end import joined_files

_FILES = ("box_math.js", "gestures.js", "orbit.js", "overlay.js", "overlay_state.js", "overlay_input.js")

KEPT_GESTURES = 16  # more than can be on their way

CAMERA_VIEW = [0.0, 0.0, 1.0]
AROUND_VIEW = [28.0, 24.0, 1.5]  # as the key O begins to look around (orbit.js)


class SceneOverlay(anywidget.AnyWidget):
    """Boxes to pick and drag.

    Attributes:
        size_px: width and height of the picture on the page.
        focal: (fx, fy) over picture width / height.
        floor_basis: rows right, up, forward of the floor.
        floor_m: the floor is {p: up . p = floor_m}.
        orbit: where one looks from: degrees about the room's up and about the eye's right, and distance over that of
            the camera; [0, 0, 1] is through the camera.
        boxes: dicts of `id`, `label`, `color`, centre `t`, rotation `q` (xyzw), full extents `s` and, where something is
            wrong with it, `problem` in words.
        selected: id of the selected box, or "".
        settled: counts answers of Python to gestures; a change makes the front end take `boxes` over as they are.
        answered: names of the last gestures that `boxes` is the answer to. A box whose gesture is not among them stays
            where the front end has put it: an answer to an earlier one, still on its way, must not throw it back.
        mirror: for each id the pythreejs model that shows the same box; "/camera" and "/root" for what they are.
        draws_edges: whether the SVG draws the edges (where pythreejs does not).
        snap: steps of keys and of Ctrl: move_m, angle_deg, size_m, nudge_m, nudge_deg.
        max_depth_m: boxes cannot be dragged further away.
        live: pose under way, sent now and then by the front end.
        webgl: whether the browser has WebGL, found out by the front end.
    """

    _esm = joined_files(*_FILES)
    _css = joined_files("overlay.css")

    size_px = traitlets.List([512, 512]).tag(sync=True)
    focal = traitlets.List([1.0, 1.0]).tag(sync=True)
    floor_basis = traitlets.List([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]).tag(sync=True)
    floor_m = traitlets.Float(-1.4).tag(sync=True)
    orbit = traitlets.List(traitlets.Float(), CAMERA_VIEW).tag(sync=True)
    boxes = traitlets.List().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    settled = traitlets.Int(0).tag(sync=True)
    answered = traitlets.List(traitlets.Unicode()).tag(sync=True)
    mirror = traitlets.Dict().tag(sync=True)
    draws_edges = traitlets.Bool(True).tag(sync=True)
    snap = traitlets.Dict({"move_m": 0.25, "angle_deg": 15.0, "size_m": 0.05, "nudge_m": 0.05, "nudge_deg": 5.0}).tag(
        sync=True
    )
    max_depth_m = traitlets.Float(30.0).tag(sync=True)
    live = traitlets.Dict().tag(sync=True, echo_update=False)
    webgl = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **values: Any):
        super().__init__(**values)
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._ended: deque[str] = deque(maxlen=KEPT_GESTURES)
        self.on_msg(self._dispatch)

    def on_gesture(self, message_type: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Calls `handler(message)` for "commit" (a gesture ended), "cancel" (it was given up), "command" (a key)
        or "drop" (an object of a library)."""
        self._handlers[message_type] = handler

    def settle(self) -> None:
        """Makes the front end take `boxes` over; they are the answer to all gestures that have ended."""
        self.answered = list(self._ended)
        self.settled += 1

    def has_ended(self, gesture: str) -> bool:
        """Whether a gesture of this name has ended: what comes of it now comes late."""
        return gesture in self._ended

    def _dispatch(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        gesture = content.get("gesture")
        if gesture:
            self._ended.append(gesture)
        try:
            handler = self._handlers.get(content.get("type", ""))
            if handler is not None:
                handler(content)
        finally:
            if gesture and gesture not in self.answered:
                with self.hold_sync():
                    self.settle()
