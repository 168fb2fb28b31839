"""`CodeView`: code to read and to copy."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from anchorgen_widgets.front_end import joined_files


class CodeView(anywidget.AnyWidget):
    """Shows code with a button that copies it.

    Attributes:
        code: what is shown and copied.
        title: a line above it.
        empty: what stands there while there is no code.
    """

    _esm = joined_files("code_view.js")
    _css = joined_files("code_view.css")

    code = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("Python").tag(sync=True)
    empty = traitlets.Unicode("nothing yet").tag(sync=True)

    def __init__(self, code: str = "", **values: Any):
        super().__init__(code=code, **values)
