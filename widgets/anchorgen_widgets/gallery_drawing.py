"""What `VariationGallery.snapshot` draws: the grid as on the page, and the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw

from anchorgen_widgets.drawing import BRAND, FAINT, HOLLOW, INK, LINE, PAPER, cut, font, in_frame

_GAP_PX, _CAPTION_PX, _ROW_PX = 10, 22, 24
_TABLE_PX = 440
_COLUMNS_PX = (0, 130, 250, 345)
_HEADINGS = ("object", "present", "position", "appearance")


def gallery_snapshot(
    items: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, Image.Image],
    rows: Sequence[Mapping[str, Any]],
    taken: int | None,
    thumb_px: int,
    columns: int,
) -> Image.Image:
    """The gallery in light colours; the arguments are the widget's traits, with the pictures decoded."""
    across = max(1, min(columns, len(items)))
    down = -(-len(items) // columns)
    cell_w, cell_h = thumb_px + _GAP_PX, thumb_px + _CAPTION_PX + _GAP_PX
    grid_h = down * cell_h if items else _ROW_PX + _GAP_PX
    table_h = _ROW_PX * (len(rows) + 1) + _GAP_PX if rows else 0
    width = max(across * cell_w + _GAP_PX, _TABLE_PX + 2 * _GAP_PX if rows else 160)
    canvas = Image.new("RGB", (width, grid_h + table_h + _GAP_PX), PAPER)
    draw = ImageDraw.Draw(canvas)
    if not items:
        draw.text((_GAP_PX, _GAP_PX + _ROW_PX / 2), "no variations yet", fill=FAINT, font=font(), anchor="lm")
    for k, item in enumerate(items):
        at = (_GAP_PX + k % columns * cell_w, _GAP_PX + k // columns * cell_h)
        canvas.paste(in_frame(pictures.get(item["key"]), (thumb_px, thumb_px)), at)
        _draw_marks(draw, at, thumb_px, item, item["index"] == taken)
    if rows:
        _draw_table(draw, grid_h + _GAP_PX, rows)
    return canvas


def _draw_marks(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], side: int, item: Mapping[str, Any], taken: bool
) -> None:
    x, y = at
    outline, width = (BRAND, 3) if taken else (LINE, 1)
    draw.rectangle((x - width, y - width, x + side + width - 1, y + side + width - 1), outline=outline, width=width)
    if item["rank"]:
        draw.rounded_rectangle((x + 4, y + 4, x + 24, y + 22), 4, fill="#2b2b2b")
        draw.text((x + 14, y + 13), str(item["rank"]), fill="#ffffff", font=font(12), anchor="mm")
    if taken:
        draw.ellipse((x + side - 26, y + 4, x + side - 4, y + 26), fill=BRAND)
        draw.line([(x + side - 20, y + 15), (x + side - 16, y + 19), (x + side - 10, y + 11)], fill="#fff", width=2)
    caption = cut(item["caption"], side, 12)
    draw.text((x + side / 2, y + side + 13), caption, fill=INK, font=font(12), anchor="mm")


def _draw_table(draw: ImageDraw.ImageDraw, top: int, rows: Sequence[Mapping[str, Any]]) -> None:
    left = _GAP_PX
    for heading, x in zip(_HEADINGS, _COLUMNS_PX, strict=True):
        draw.text((left + x, top + _ROW_PX / 2), heading, fill=FAINT, font=font(12), anchor="lm")
    for k, row in enumerate(rows, 1):
        y = top + k * _ROW_PX
        draw.line((left, y, left + _TABLE_PX, y), fill=LINE)
        middle = y + _ROW_PX / 2
        spreads = (_number(row["position_spread_m"], " m"), _number(row["appearance_spread"], ""))
        texts = (cut(row["name"], _COLUMNS_PX[1] - 10, 12), f"{row['presence']:.0%}", *spreads)
        for text, x in zip(texts, (0, _COLUMNS_PX[1] + 68, *_COLUMNS_PX[2:]), strict=True):
            draw.text((left + x, middle), text, fill=INK, font=font(12), anchor="lm")
        bar = left + _COLUMNS_PX[1]
        draw.rectangle((bar, middle - 4, bar + 60, middle + 4), fill=HOLLOW)
        if row["presence"] > 0:
            draw.rectangle((bar, middle - 4, bar + round(60 * row["presence"]), middle + 4), fill=BRAND)


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.2f}{unit}"
