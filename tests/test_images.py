"""Whatever a person may hand over as a picture: the right result, or an error that says what to do."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from PIL import Image

from anchorgen.encode.images import ImageError, to_picture

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (128, 128, 3), dtype=np.uint8)


def test_a_picture_of_the_right_size_is_itself():
    np.testing.assert_array_equal(to_picture(Image.fromarray(RGB)), RGB)
    np.testing.assert_array_equal(to_picture(RGB), RGB)
    np.testing.assert_array_equal(to_picture(torch.from_numpy(RGB)), RGB)
    np.testing.assert_array_equal(to_picture(torch.from_numpy(RGB).permute(2, 0, 1)), RGB)
    assert np.abs(to_picture(RGB / 255.0).astype(int) - RGB).max() == 0
    assert np.abs(to_picture(torch.from_numpy(RGB).permute(2, 0, 1) / 255).astype(int) - RGB).max() == 0


def test_grey_pictures_become_rgb():
    grey = RGB[..., 0]
    for picture in (grey, grey[..., None], Image.fromarray(grey), Image.fromarray(grey).convert("LA")):
        np.testing.assert_array_equal(to_picture(picture), np.repeat(grey[..., None], 3, 2))


def test_sixteen_bits_are_scaled():
    deep = RGB[..., 0].astype(np.uint16) * 257
    np.testing.assert_array_equal(to_picture(deep)[..., 0], RGB[..., 0])
    np.testing.assert_array_equal(to_picture(Image.fromarray(deep))[..., 0], RGB[..., 0])


def test_transparency_is_laid_on_white():
    rgba = np.concatenate([RGB, np.zeros((128, 128, 1), np.uint8)], 2)
    rgba[:64, :, 3] = 255
    out = to_picture(Image.fromarray(rgba, "RGBA"))
    np.testing.assert_array_equal(out[:64], RGB[:64])
    assert (out[64:] == 255).all()
    np.testing.assert_array_equal(to_picture(rgba), out)


def test_palette_and_cmyk_are_read():
    for mode in ("P", "CMYK", "YCbCr"):
        assert to_picture(Image.fromarray(RGB).convert(mode)).shape == (128, 128, 3)


def test_exif_rotation_is_applied(tmp_path):
    upright = Image.fromarray(np.repeat(np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[:, None, None], 128, 1), 3, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to view
    upright.rotate(90).save(tmp_path / "turned.png", exif=exif)
    out = to_picture(tmp_path / "turned.png").astype(int)
    assert np.abs(out - np.asarray(upright)).max() <= 1


def test_the_central_square_is_taken():
    wide = np.zeros((128, 300, 3), np.uint8)
    wide[:, 86:214] = RGB
    np.testing.assert_array_equal(to_picture(wide), RGB)


def test_tiny_and_huge_pictures(tmp_path):
    assert to_picture(np.zeros((8, 8, 3), np.uint8)).shape == (128, 128, 3)
    Image.new("RGB", (6000, 4000), (200, 100, 50)).save(tmp_path / "huge.jpg")
    started = time.process_time()
    out = to_picture(tmp_path / "huge.jpg")
    assert time.process_time() - started < 3
    assert np.abs(out.astype(int) - [200, 100, 50]).max() < 6


BAD = {
    "not a picture": ("hello", "no file"),
    "an object": (object(), "got object"),
    "the data of a picture": ("data:image/png;base64," + "A" * 5000, "no file"),
    "a name with a zero byte": ("room\0.png", "no file"),
    "too small": (np.zeros((7, 40, 3), np.uint8), "at least 8"),
    "empty": (np.zeros((0, 8, 3), np.uint8), "shape"),
    "four axes": (np.zeros((1, 8, 8, 3), np.uint8), "shape"),
    "two channels": (np.zeros((16, 16, 2), np.uint8), "shape"),
    "NaN": (np.full((16, 16, 3), np.nan), "NaN"),
    "infinite": (np.full((16, 16, 3), np.inf), "NaN or infinity"),
    "out of range": (np.full((16, 16, 3), 200.0), "floats in \\[0, 1\\]"),
    "signed": (np.zeros((16, 16, 3), np.int32), "int32"),
    "torch NaN": (torch.full((3, 16, 16), float("nan")), "NaN"),
    "torch int64": (torch.zeros(3, 16, 16, dtype=torch.int64), "int64"),
    "None": (None, "got NoneType"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    value, message = BAD[name]
    with pytest.raises(ImageError, match=message):
        to_picture(value)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a picture")
    with pytest.raises(ImageError, match=r"notes\.txt"):
        to_picture(path)
    cut = tmp_path / "cut.png"
    Image.fromarray(RGB).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"cut\.png"):
        to_picture(str(cut))
    with pytest.raises(ImageError, match="cannot be read"):
        to_picture(Image.open(cut))
    closed = Image.open(path.with_name("cut.png"))
    closed.close()
    with pytest.raises(ImageError, match="cannot be read"):
        to_picture(closed)
