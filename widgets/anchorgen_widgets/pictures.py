"""Pictures on their way to the page: checked, scaled, and encoded as WebP, which is fast to make and small."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

Size = tuple[int, int]
MIN_SIDE_PX, MAX_SIDE_PX = 32, 4096


def checked_picture(value: Any, what: str) -> Image.Image:
    """`value` as an RGB picture.

    Raises:
        TypeError: it is no PIL picture.
    """
    if not isinstance(value, Image.Image):
        raise TypeError(
            f"{what} is {type(value).__name__}; expected a PIL picture: what `pipe.render` gives, or "
            "PIL.Image.fromarray(array)"
        )
    return value.convert("RGB")


def checked_size(size_px: Any) -> Size:
    """`size_px` as width and height.

    Raises:
        ValueError: not two whole numbers that fit a page.
    """
    try:
        width, height = (int(side) for side in size_px)
    except (TypeError, ValueError):
        width = height = 0
    if not (MIN_SIDE_PX <= width <= MAX_SIDE_PX and MIN_SIDE_PX <= height <= MAX_SIDE_PX):
        raise ValueError(
            f"size_px is {size_px!r}; expected (width, height) of {MIN_SIDE_PX} to {MAX_SIDE_PX} px, e.g. (512, 512)"
        )
    return width, height


def fitted(picture: Image.Image, size_px: Size) -> Image.Image:
    """The whole picture, as large as goes into the size; PIL's scaling is smoother than a browser's."""
    scale = min(size_px[0] / picture.width, size_px[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def thumbnail(picture: Image.Image, side_px: int) -> Image.Image:
    """The picture with sides of twice `side_px` at most, for screens with two pixels to a CSS pixel; never enlarged."""
    small = picture.copy()
    small.thumbnail((2 * side_px, 2 * side_px), Image.Resampling.LANCZOS)
    return small


def webp(picture: Image.Image) -> bytes:
    """The picture, encoded."""
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=90, method=0)
    return buffer.getvalue()


def decoded(encoded: bytes) -> Image.Image:
    """What `webp` encoded."""
    return Image.open(io.BytesIO(encoded)).convert("RGB")
