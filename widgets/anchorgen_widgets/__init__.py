"""Widgets for JupyterLab and Notebook to look at and edit `anchorgen` scenes.

Names are looked up when they are used: `EditorSession` needs no widget library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anchorgen_widgets.anchor_panel import AnchorPanel as AnchorPanel
    from anchorgen_widgets.box_view import BoxView as BoxView
    from anchorgen_widgets.compare_slider import CompareSlider as CompareSlider
    from anchorgen_widgets.editor import SceneEditor as SceneEditor
    from anchorgen_widgets.history_strip import HistoryStrip as HistoryStrip
    from anchorgen_widgets.inspector import Inspector as Inspector
    from anchorgen_widgets.library_shelf import LibraryShelf as LibraryShelf
    from anchorgen_widgets.plan_view import PlanView as PlanView
    from anchorgen_widgets.session import EditorSession as EditorSession
    from anchorgen_widgets.slot_rows import SlotRow as SlotRow
    from anchorgen_widgets.sweep_player import SweepPlayer as SweepPlayer
    from anchorgen_widgets.variation_gallery import VariationGallery as VariationGallery

_HOMES = {
    "AnchorPanel": "anchor_panel",
    "BoxView": "box_view",
    "CompareSlider": "compare_slider",
    "EditorSession": "session",
    "HistoryStrip": "history_strip",
    "Inspector": "inspector",
    "LibraryShelf": "library_shelf",
    "PlanView": "plan_view",
    "SceneEditor": "editor",
    "SlotRow": "slot_rows",
    "SweepPlayer": "sweep_player",
    "VariationGallery": "variation_gallery",
}
__all__ = [
    "AnchorPanel",
    "BoxView",
    "CompareSlider",
    "EditorSession",
    "HistoryStrip",
    "Inspector",
    "LibraryShelf",
    "PlanView",
    "SceneEditor",
    "SlotRow",
    "SweepPlayer",
    "VariationGallery",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(__name__):
            raise
        raise ModuleNotFoundError(
            f"{name} needs {error.name}, which is not installed: pip install 'anchorgen[widgets]'", name=error.name
        ) from error


def __dir__() -> list[str]:
    return __all__
