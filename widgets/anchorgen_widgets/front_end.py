"""The JavaScript and CSS of the widgets, each joined from a few files that share one scope: nothing to bundle."""

from __future__ import annotations

from pathlib import Path

_STATIC = Path(__file__).parent / "static"


def joined_files(*names: str) -> str:
    """The text of files of `static`, one after the other."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)
