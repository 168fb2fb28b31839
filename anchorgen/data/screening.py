"""Which pictures of a source are encoded, and the bytes that are kept of them."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

_KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


class LeftOut(ValueError):
    """A picture that can be read and is not wanted; the message says why."""


@dataclass(frozen=True)
class Screening:
    """Attributes:
    min_side_px: a shorter side below this is left out.
    max_aspect: longer over shorter side; the central square of what is longer shows too little of the room.
    max_side_px: a picture with a longer side is kept at this size, as WebP; every other file is kept as it is.
    min_objects: scenes in which the encoder finds fewer are left out.
    """

    min_side_px: int = 256
    max_aspect: float = 2.0
    max_side_px: int = 1024
    min_objects: int = 1

    def __post_init__(self) -> None:
        if self.min_side_px < 8 or self.max_aspect < 1 or self.max_side_px < self.min_side_px:
            raise ValueError(f"got {self}; expected min_side_px >= 8, max_aspect >= 1, and max_side_px >= min_side_px")


def screened(data: bytes, screening: Screening) -> tuple[str, bytes, tuple[int, int]]:
    """A picture file as it will be kept: its ending, its bytes, and the width and height of the source.

    Raises:
        LeftOut: it is not wanted. OSError, ValueError, SyntaxError, PIL's DecompressionBombError: it cannot be read.
    """
    picture = Image.open(io.BytesIO(data))
    kind, (width, height) = picture.format or "", picture.size
    if kind not in _KINDS:
        raise LeftOut(f"a {kind} file; expected JPEG, PNG or WebP")
    if min(width, height) < screening.min_side_px:
        raise LeftOut(f"shorter side {min(width, height)} px < {screening.min_side_px}")
    if max(width, height) > screening.max_aspect * min(width, height):
        raise LeftOut(f"aspect {max(width, height) / min(width, height):.2f} > {screening.max_aspect:g}")
    picture.load()  # files that are cut off show only here
    if max(width, height) <= screening.max_side_px:
        return _KINDS[kind], data, (width, height)
    picture.thumbnail((screening.max_side_px,) * 2, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "WEBP", quality=95, method=4, exif=picture.getexif().tobytes())
    return "webp", stream.getvalue(), (width, height)
