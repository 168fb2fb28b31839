"""How snapshots draw what the page shows: the light theme's colours, text that is cut where it does not fit, chips."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from anchorgen_widgets.pictures import Size, fitted

PAPER, INK, FAINT, LINE, HOLLOW, BRAND = "#ffffff", "#212121", "#616161", "#d0d0d0", "#eeeeee", "#1976d2"
Box = tuple[int, int, int, int]


def font(size_px: int = 13) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """PIL's own font: the same on every machine."""
    return ImageFont.load_default(size_px)


def cut(text: str, width_px: float, size_px: int = 13) -> str:
    """The text, with an ellipsis where it is wider than it may be."""
    face = font(size_px)
    if face.getlength(text) <= width_px:
        return text
    kept = text
    while kept and face.getlength(f"{kept}…") > width_px:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def in_frame(picture: Image.Image | None, size_px: Size, fill: str = HOLLOW) -> Image.Image:
    """The whole picture in the middle of a frame; without one, the empty frame."""
    frame = Image.new("RGB", size_px, fill)
    if picture is not None:
        small = fitted(picture, size_px)
        frame.paste(small, ((size_px[0] - small.width) // 2, (size_px[1] - small.height) // 2))
    return frame


def chip(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, from_right: bool = False) -> Box:
    """A label on a picture: white on a dark plate. Returns where it is."""
    width = round(font().getlength(text)) + 16
    left = at[0] - width if from_right else at[0]
    box = (left, at[1], left + width, at[1] + 24)
    draw.rounded_rectangle(box, 4, fill="#2b2b2b")
    draw.text((left + 8, at[1] + 12), text, fill="#ffffff", font=font(), anchor="lm")
    return box
