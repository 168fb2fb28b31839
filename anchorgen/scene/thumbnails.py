"""Small pictures of single objects, cut out of the picture of a room."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from anchorgen.geometry import box_corners, project
from anchorgen.scene.errors import EditError, SceneFileError
from anchorgen.scene.object_view import ObjectView

THUMBNAIL_PX = 96
MARGIN = 0.12  # of the box's own size, on every side
MAX_THUMBNAIL_BYTES = 64 << 10


def object_thumbnail(picture: Image.Image, obj: ObjectView, focal: np.ndarray) -> Image.Image | None:
    """The square of `picture` around the box of `obj`, 96 px; None where the box is out of the picture.

    A box that is longer than the picture's short side is shown whole, between transparent bars.
    """
    size = np.array(picture.size, float)
    corners = box_corners(obj.translation, obj.quat_wxyz, obj.scale)
    places = np.clip(project(corners, focal), 0.0, 1.0) * size
    low, high = places.min(0), places.max(0)
    if np.any(high - low < 1.0):
        return None
    middle, side = (low + high) / 2, float((high - low).max()) * (1 + 2 * MARGIN)
    sides = np.minimum(side, size)
    start = np.clip(middle - sides / 2, 0.0, size - sides)
    window = (*start, *(start + sides))
    shape = np.maximum(np.round(sides / sides.max() * THUMBNAIL_PX), 1).astype(int)
    part = picture.convert("RGB").resize(tuple(shape.tolist()), Image.Resampling.LANCZOS, box=window)
    if part.size == (THUMBNAIL_PX, THUMBNAIL_PX):
        return part
    return ImageOps.pad(part.convert("RGBA"), (THUMBNAIL_PX, THUMBNAIL_PX), color=(0, 0, 0, 0))


def as_picture(image: Image.Image | np.ndarray) -> Image.Image:
    """A PIL image, or an array `[H, W, 3]` of bytes as one. Raises EditError for anything else."""
    if isinstance(image, Image.Image):
        return image
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise EditError(f"the picture is {array.dtype} {list(array.shape)}; expected a PIL image or uint8 [H, W, 3]")
    return Image.fromarray(array)


def encoded(thumbnail: Image.Image) -> bytes:
    """WebP, a few kilobytes."""
    buffer = io.BytesIO()
    thumbnail.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Inverse of `encoded`. Raises SceneFileError for bytes that are no WebP of at most 96 px, before decoding them."""
    try:
        image = Image.open(io.BytesIO(data), formats=("WEBP",))
        if max(image.size) > THUMBNAIL_PX or getattr(image, "n_frames", 1) != 1:
            raise SceneFileError(f"a thumbnail is {image.size} px; expected one picture of at most {THUMBNAIL_PX} px")
        return image.convert(image.mode)  # decoded, and free of the file
    except SceneFileError:
        raise
    except Exception as error:  # whatever a decoder thinks of damaged bytes
        raise SceneFileError(f"a thumbnail cannot be decoded ({error}); the file is damaged") from None
