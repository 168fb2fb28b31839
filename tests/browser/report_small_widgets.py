"""Runs in the notebook's kernel: the four small widgets, and a file that says what their Python side knows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ipywidgets
from fake_pipeline import FakePipeline, make_room

from anchorgen.analysis.sweeps import Sweep
from anchorgen_widgets.compare_slider import CompareSlider
from anchorgen_widgets.history_strip import HistoryStrip
from anchorgen_widgets.slot_rows import SlotRow
from anchorgen_widgets.sweep_player import SweepPlayer
from anchorgen_widgets.variation_gallery import VariationGallery

NUM_STEPS = 200
VALUES = (-0.5, -0.25, 0.0, 0.25, 0.5)


class SmallWidgets:
    """All four with pictures in them.

    Attributes:
        compare, player, gallery, history: the widgets.
        calls: what their handlers were called with, by name.
        fails: whether the handlers raise.
    """

    def __init__(self, path: str | Path):
        pipe, room = FakePipeline(), make_room()
        scenes = tuple(room.move("bed", right=value) for value in VALUES)
        self.images = tuple(pipe.render(scene) for scene in scenes)
        self.path = path
        self.fails = False
        self.calls: dict[str, list[Any]] = {"move": [], "change": [], "take": [], "preview": [], "jump": []}
        self.compare = CompareSlider(self.images[0], self.images[-1], (320, 240))
        sweep = Sweep("bed.right", VALUES, "m", scenes, self.images, pipe.render(room))
        self.player = SweepPlayer(sweep, (256, 256), 250)
        self.gallery = VariationGallery(thumb_px=96, columns=4)
        self.gallery.show([*self.images, None], [f"sample {k}" for k in range(6)], order=[3, 1, 0, 2, 4, 5])
        self.gallery.show_slots([SlotRow("bed", 1.0, 0.12, 0.4), SlotRow("lamp", 0.375, 0.8), SlotRow("rug", 0.0)])
        self.history = HistoryStrip()
        self.history.show(["start", *(f"move bed, the {k}th time" for k in range(1, NUM_STEPS))], 120)
        for k in range(NUM_STEPS - 1):  # before the page can hear of it
            self.history.set_thumbnail(k, self.images[k % len(self.images)])
        self._listen()
        self.report()

    def layout(self) -> ipywidgets.Widget:
        """All of them, as on the page."""
        return ipywidgets.VBox([ipywidgets.HBox([self.compare, self.player]), self.gallery, self.history])

    def report(self, *_: Any) -> None:
        """Writes the file."""
        state = {
            "position": self.compare.position,
            "index": self.player.index,
            "playing": self.player.playing,
            "mode": self.player.mode,
            "taken": self.gallery.taken,
            "current": self.history.current,
            "errors": [widget.error for widget in (self.compare, self.player, self.gallery, self.history)],
            "calls": self.calls,
        }
        draft = Path(f"{self.path}.part")
        draft.write_text(json.dumps(state))
        os.replace(draft, self.path)

    def _listen(self) -> None:
        for widget in (self.compare, self.player, self.gallery, self.history):
            widget.observe(self.report)
        self.compare.on_move(self._noting("move"))
        self.player.on_change(self._noting("change"))
        self.gallery.on_take(self._noting("take"))
        self.gallery.on_preview(self._noting("preview"))
        self.history.on_jump(self._noting("jump"))

    def _noting(self, name: str) -> Any:
        def handler(value: Any) -> None:
            self.calls[name].append(value)
            self.report()
            if self.fails:
                raise RuntimeError(f"the handler of {name} <broke>")

        return handler
