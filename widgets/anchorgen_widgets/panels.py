"""`EditorPanels`: what stands beside the picture of a `SceneEditor`: lists, numbers, plan, library, variations, code."""

from __future__ import annotations

from collections.abc import Callable, Collection

import ipywidgets

from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.library import Library
from anchorgen_widgets.anchor_panel import AnchorPanel
from anchorgen_widgets.building import button, close_all, with_class
from anchorgen_widgets.export_panel import ExportPanel
from anchorgen_widgets.inspector import Inspector
from anchorgen_widgets.library_shelf import LibraryShelf
from anchorgen_widgets.plan_view import PlanView
from anchorgen_widgets.variations_panel import VariationsPanel

WIDTH_PX = 392
INSPECTOR_HEIGHT_PX = 190
_TITLES = ("Objects", "Plan", "Library", "Variations", "Code")


class EditorPanels:
    """Attributes:
    anchors: list of objects with the strengths of their factors.
    inspector: numbers of the selected one.
    plan: the room from above.
    shelf: objects to insert; collect, collect_all: put objects of the scene there.
    variations, exports: see there.
    tabs: the container to put on the page.
    """

    def __init__(self, height_px: int):
        inner = WIDTH_PX - 24
        self.anchors = AnchorPanel(width_px=inner, height_px=max(160, height_px - INSPECTOR_HEIGHT_PX))
        self.inspector = Inspector(width_px=inner)
        self.plan = PlanView(size_px=(inner, inner))
        self.shelf = LibraryShelf(width_px=inner, height_px=max(160, height_px - 116))
        self.collect = button("Add selected", "plus", "Put the selected object on the shelf")
        self.collect_all = button("Add all", "plus-square-o", "Put every object of the scene on the shelf")
        self.variations = VariationsPanel()
        self.exports = ExportPanel()
        collecting = with_class(ipywidgets.HBox([self.collect, self.collect_all]), "ag-toolbar")
        pages = [
            ipywidgets.VBox([self.anchors, self.inspector]),
            ipywidgets.VBox([self.plan]),
            ipywidgets.VBox([collecting, self.shelf]),
            self.variations.box,
            self.exports.box,
        ]
        self.tabs = with_class(ipywidgets.Tab(pages, titles=_TITLES), "ag-panel")
        self._code: Callable[[], str] = str
        self.tabs.observe(lambda change: self._show_code(), "selected_index")

    def show_scene(self, scene: SceneLatent, selected: str, problems: Collection[str], code: Callable[[], str]) -> None:
        """Takes over a scene, what is selected, the ids of objects with problems, and what tells the code that made it.

        The code is asked for and sent only while its page is open: it grows with every step.
        """
        self.anchors.show_scene(scene, selected)
        self.inspector.show_scene(scene, selected)
        self.plan.show_scene(scene, selected, problems=set(problems))
        self._code = code
        self._show_code()
        self.collect.disabled = not selected

    def _show_code(self) -> None:
        if self.tabs.selected_index == _TITLES.index("Code"):
            self.exports.code.code = self._code()

    def show_library(self, library: Library, latent_space: str) -> None:
        """What can be inserted; objects of another latent space are dimmed."""
        self.shelf.show(library, latent_space)

    def close(self) -> None:
        close_all(self.tabs)
