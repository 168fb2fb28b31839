"""Widgets for JupyterLab and Notebook to look at and edit `anchorgen` scenes.

Names are looked up when they are used: `EditorSession` needs no widget library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anchorgen_widgets.editor import SceneEditor as SceneEditor
    from anchorgen_widgets.session import EditorSession as EditorSession
    from anchorgen_widgets.view import SceneView as SceneView

_HOMES = {"SceneEditor": "editor", "EditorSession": "session", "SceneView": "view"}
__all__ = ["EditorSession", "SceneEditor", "SceneView"]


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
