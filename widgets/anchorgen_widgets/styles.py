"""Style sheets of the widgets, joined from the files in `static`."""

from __future__ import annotations

from pathlib import Path

_STATIC = Path(__file__).parent / "static"


def joined_styles(names: tuple[str, ...]) -> str:
    """The CSS of one widget: what all panels share, then its own."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)
