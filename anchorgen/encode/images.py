"""Anything that may be a picture, as 8-bit RGB of the encoder's size; anything else, a clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MIN_SIDE_PX = 8
_ADVICE = "expected a path, a PIL picture, or an array [H, W], [H, W, 1|3|4] (uint8, uint16, or floats in [0, 1])"


class ImageError(ValueError):
    """What was given is not a picture that can be encoded."""


def to_picture(image: Any, size: int = 128) -> np.ndarray:
    """The central square of a picture, `[size, size, 3]` uint8 RGB.

    Transparent pictures are laid on white; EXIF rotation is applied; 16-bit values are scaled. A focal length that is
    found in the result belongs to the central square, not to the whole picture.

    Args:
        image: path, PIL picture of any mode, numpy array, or torch tensor (`[H, W, C]` or `[C, H, W]`).
        size: pixels a side.

    Raises:
        ImageError: not a picture, values that are not finite or out of range, or a side below 8 px.
    """
    picture = _open(image, size)
    picture = ImageOps.exif_transpose(picture)
    if min(picture.size) < MIN_SIDE_PX:
        raise ImageError(
            f"the picture measures {picture.width} x {picture.height} px; expected at least {MIN_SIDE_PX} a side"
        )
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    rgb = _to_rgb(picture.crop(box) if picture.size != (side, side) else picture)
    return np.asarray(
        rgb.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0) if side != size else rgb
    ).copy()


def _open(image: Any, size: int) -> Image.Image:
    if isinstance(image, Image.Image):
        try:
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise ImageError(f"the PIL picture cannot be read ({error}); {_ADVICE}") from None
        return image
    if isinstance(image, (str, Path)):
        path = Path(image)
        if not _is_file(path):
            raise ImageError(f"no file {str(path)[:200]!r}; {_ADVICE}")
        try:
            picture = Image.open(path)
            picture.draft("RGB", (4 * size, 4 * size))  # a 24-megapixel JPEG is then decoded at a fraction of its size
            picture.load()
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ImageError(f"{str(path)!r} is not a picture that can be read ({error}); {_ADVICE}") from None
        return picture
    if hasattr(image, "detach") and hasattr(image, "cpu"):
        return Image.fromarray(_array_to_uint8(_channels_last(image.detach().cpu().float().numpy(), image)))
    if isinstance(image, np.ndarray):
        return Image.fromarray(_array_to_uint8(_channels_last(image, image)))
    raise ImageError(f"got {type(image).__name__}; {_ADVICE}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the file system, or with a zero byte
        return False


def _channels_last(array: np.ndarray, original: Any) -> np.ndarray:
    """Torch integers arrive here as floats: they are put back on the scale of their own type."""
    dtype = str(getattr(original, "dtype", ""))
    if dtype == "torch.uint8":
        array = array.astype(np.uint8)
    elif "torch.int" in dtype or "torch.uint16" in dtype:
        raise ImageError(f"got a tensor of {dtype}; expected uint8 in [0, 255] or floats in [0, 1]")
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    return array


def _array_to_uint8(array: np.ndarray) -> np.ndarray:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or 0 in array.shape:
        raise ImageError(f"got an array of shape {array.shape}; {_ADVICE}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.uint16:
        return np.ascontiguousarray((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if array.dtype == bool:
        return np.ascontiguousarray(array * np.uint8(255))
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(f"got an array of {array.dtype}; expected uint8, uint16 or floats in [0, 1]")
    if not np.isfinite(array).all():
        raise ImageError("the array holds NaN or infinity; expected floats in [0, 1]: clean it with numpy.nan_to_num")
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        raise ImageError(
            f"the array spans [{array.min():.3g}, {array.max():.3g}]; expected floats in [0, 1]: scale it first"
        )
    return np.ascontiguousarray(np.round(np.clip(array, 0, 1) * 255)).astype(np.uint8)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                f"a picture of mode {picture.mode} spans [{values.min()}, {values.max()}]; expected 16 bits"
            )
        return Image.fromarray(_array_to_uint8(values.astype(np.uint16))).convert("RGB")
    if picture.mode == "F":
        return Image.fromarray(_array_to_uint8(np.asarray(picture))).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    try:
        return picture.convert("RGB")
    except ValueError:
        raise ImageError(f"a PIL picture of mode {picture.mode!r} cannot become RGB; convert it first") from None
