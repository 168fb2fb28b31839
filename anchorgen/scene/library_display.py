"""How a library shows itself: a table of text, and in notebooks a grid of pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anchorgen.scene.library import Library, LibraryItem

MAX_SHOWN = 60
_WIDTH_PX = 108  # wide enough for a size; the pictures are stretched a little

_TILE = (
    f"width:{_WIDTH_PX}px;padding:6px;border:1px solid rgba(128,128,128,.3);border-radius:6px;"
    "background:rgba(128,128,128,.08)"
)
_PICTURE = f"width:{_WIDTH_PX}px;height:{_WIDTH_PX}px;border-radius:4px;background:rgba(128,128,128,.16)"
_LINE = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap;line-height:15px;font-size:11px"


def library_text(library: Library) -> str:
    """A few lines of text: what is in the library."""
    items = list(library)[:MAX_SHOWN]
    rows = [("key", "label", "width x depth x height (m)", "picture", "source")]
    rows += [(i.key, i.label or "-", _size(i, " x "), "yes" if i.webp else "no", i.source or "-") for i in items]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([_title(library), *(table if items else []), *_more(library)])


def library_html(library: Library) -> str:
    """A grid of pictures with labels and sizes."""
    more = "".join(f'<div style="margin-top:6px;opacity:.75">{escape(line)}</div>' for line in _more(library))
    title = f'<div style="margin:2px 0 6px">{escape(_title(library))}</div>'
    return _frame(title + _grid(list(library)[:MAX_SHOWN]) + more)


def items_html(items: Sequence[LibraryItem]) -> str:
    """The grid alone."""
    return _frame(_grid(items))


def _frame(body: str) -> str:
    return (
        '<div class="anchorgen-library" style="color:var(--jp-content-font-color1, inherit);font-size:12px;'
        f'font-family:var(--jp-ui-font-family, sans-serif)">{body}</div>'
    )


def _grid(items: Sequence[LibraryItem]) -> str:
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(map(_tile, items))}</div>'


def _tile(item: LibraryItem) -> str:
    if item.webp:
        address = "data:image/webp;base64," + base64.b64encode(item.webp).decode()
        picture = f'<img src="{address}" alt="{escape(item.label)}" style="{_PICTURE};display:block;margin:0"/>'
    else:
        centred = "display:flex;align-items:center;justify-content:center"
        picture = f'<div style="{_PICTURE};{centred}"><span style="opacity:.6">no picture</span></div>'
    lines = [f'<div style="{_LINE};font-size:12px;font-weight:600;margin-top:5px">{escape(item.key)}</div>']
    lines += [f'<div style="{_LINE};font-variant-numeric:tabular-nums">{_size(item, "×")} m</div>']
    lines += [f'<div style="{_LINE};opacity:.7">{escape(item.source)}</div>'] if item.source else []
    return f'<div title="{escape(repr(item))}" style="{_TILE}">{picture}{"".join(lines)}</div>'


def _title(library: Library) -> str:
    spaces = sorted({item.latent_space for item in library})
    named = (
        f", latent space{'s' if len(spaces) > 1 else ''} {', '.join(name or '-' for name in spaces)}" if spaces else ""
    )
    return f"Library: {len(library)} object{'' if len(library) == 1 else 's'}{named}"


def _more(library: Library) -> list[str]:
    hidden = len(library) - MAX_SHOWN
    return [f"... and {hidden} more; search() finds them"] if hidden > 0 else []


def _size(item: LibraryItem, times: str) -> str:
    return times.join(f"{side:.2f}" for side in item.scale)
