"""`CodeView`: code to read and to copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

_STATIC = Path(__file__).parent / "static"


class CodeView(anywidget.AnyWidget):
    """Shows code with a button that copies it.

    Attributes:
        code: what is shown and copied.
        title: a line above it.
        empty: what stands there while there is no code.
    """

    _esm = (_STATIC / "code_view.js").read_text(encoding="utf-8")
    _css = (_STATIC / "code_view.css").read_text(encoding="utf-8")

    code = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("Python").tag(sync=True)
    empty = traitlets.Unicode("nothing yet").tag(sync=True)

    def __init__(self, code: str = "", **values: Any):
        super().__init__(code=code, **values)
