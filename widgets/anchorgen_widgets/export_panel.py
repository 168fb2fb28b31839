"""`ExportPanel`: what was done as code, and buttons that save it."""

from __future__ import annotations

import ipywidgets

from anchorgen_widgets.building import button, close_all, field, filling, with_class
from anchorgen_widgets.code_view import CodeView


class ExportPanel:
    """Attributes:
    name: files are called this, with an ending of their own.
    picture, scene, page: buttons that save a PNG, a scene file or HTML.
    saved: says what was written.
    code: the steps as Python.
    box: the container to put on the page.
    """

    def __init__(self) -> None:
        self.name = ipywidgets.Text(value="room", placeholder="name or folder/name", layout=filling())
        self.picture = button("Picture", "picture-o", "Save the picture as PNG")
        self.scene = button("Scene", "cubes", "Save the scene; SceneLatent.load reads it")
        self.page = button("Page", "file-text-o", "Save a page of HTML with picture, boxes, steps and code")
        self.saved = ipywidgets.HTML()
        self.code = CodeView(title="The steps in Python", empty="# edit something: it appears here as code")
        buttons = with_class(ipywidgets.HBox([self.picture, self.scene, self.page]), "ag-toolbar")
        rows = [field("save as", self.name), buttons, self.saved, self.code]
        self.box = with_class(ipywidgets.VBox(rows), "ag-export")

    def close(self) -> None:
        close_all(self.box)
