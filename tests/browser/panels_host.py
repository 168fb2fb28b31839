"""Runs in the notebook's kernel: the small widgets around one scene, wired as an editor would, and what they asked for.

Everything that was asked for, and the scene that it led to, is written to a file after every event.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets
from fake_pipeline import draw_flat
from PIL import Image

from anchorgen.scene import ObjectView, SceneLatent
from anchorgen_widgets.anchor_panel import AnchorPanel
from anchorgen_widgets.anchor_rows import with_strength
from anchorgen_widgets.inspector import Inspector
from anchorgen_widgets.library_shelf import LibraryShelf
from anchorgen_widgets.plan_view import PlanView
from anchorgen_widgets.pose_numbers import edited, object_numbers


@dataclass(frozen=True)
class ShelfItem:
    key: str
    obj: ObjectView
    thumbnail: Image.Image | None
    source: str


class ShelfLibrary:
    """The objects of a few scenes."""

    def __init__(self, scenes: dict[str, SceneLatent]):
        self.items = [
            ShelfItem(f"{name}/{view.id}", view, draw_flat(scene.only(view.id), 96) if view.index % 3 else None, name)
            for name, scene in scenes.items()
            for view in scene.objects
        ]

    def __iter__(self) -> Iterator[ShelfItem]:
        return iter(self.items)

    def search(self, text: str) -> list[ShelfItem]:
        return [item for item in self.items if text.lower() in item.obj.label.lower()]


class PanelsHost:
    """One scene, and the widgets that show it and ask for its edits.

    Attributes:
        scene, selected: as edited so far.
        requests: what the widgets asked for, in order.
        box: the widgets, to put on the page.
    """

    def __init__(self, scene: SceneLatent, library: ShelfLibrary, state_file: str):
        self.scene, self.selected = scene, ""
        self.library = {item.key: item for item in library}
        self.state_file = Path(state_file)
        self.requests: list[list[Any]] = []
        self.panel, self.inspector = AnchorPanel(height_px=300), Inspector()
        self.plan, self.shelf = PlanView(), LibraryShelf(library, scene.latent_space)
        self._wire()
        left = ipywidgets.VBox([self.panel, self.inspector], layout={"flex": "0 0 auto"})
        self.box = ipywidgets.HBox(
            [left, self.plan, self.shelf], layout={"align_items": "flex-start", "flex_flow": "row wrap"}
        )
        self.show()

    def _wire(self) -> None:
        self.panel.on_strength(lambda *asked: self.edit("strength", asked, with_strength(self.scene, *asked)))
        self.panel.on_visible(lambda *asked: self.edit("visible", asked, self._with_visible(*asked)))
        self.inspector.on_edit(lambda *asked: self.edit("edit", asked, edited(self.scene, *asked)))
        self.plan.on_move(lambda *asked: self.edit("move", asked, self._moved(*asked)))
        self.shelf.on_insert(lambda key: self.edit("insert", (key,), self.scene.insert(self.library[key].obj)))
        for widget in (self.panel, self.plan):
            widget.on_select(self.select)

    def _with_visible(self, object_id: str, visible: bool) -> SceneLatent:
        return self.scene.restore([object_id]) if visible else self.scene.remove([object_id])

    def _moved(self, object_id: str, right_m: float, forward_m: float) -> SceneLatent:
        return self.scene.move([object_id], right=right_m, forward=forward_m)

    def edit(self, name: str, asked: tuple[Any, ...], scene: SceneLatent) -> None:
        self.requests.append([name, *asked])
        self.scene = scene
        self.show()

    def select(self, object_id: str) -> None:
        self.requests.append(["select", object_id])
        self.selected = object_id
        self.show()

    def show(self) -> None:
        for widget in (self.panel, self.inspector, self.plan):
            widget.show_scene(self.scene, self.selected)
        views = {view.id: view for view in self.scene.objects}
        state = {
            "requests": self.requests,
            "selected": self.selected,
            "numbers": {name: object_numbers(view) for name, view in views.items()},
            "strength": {row["id"]: row["strength"] for row in self.panel.rows},
            "shared": self.panel.shared,
            "zoom": self.plan._plan.zoom if self.plan._plan else 0.0,
            "places": {
                one.id: self.plan._plan.to_px(one.centre).tolist() for one in self.plan._plan.footprints
            } if self.plan._plan else {},
            "matches": self.shelf.matches,
        }  # fmt: skip
        draft = Path(f"{self.state_file}.part")
        draft.write_text(json.dumps(state))
        os.replace(draft, self.state_file)
