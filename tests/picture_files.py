"""Picture files as LSUN has them, good and bad."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

import anchorgen

EXAMPLES = sorted((Path(anchorgen.__file__).parent / "pretrained" / "bedrooms-128" / "examples").glob("room-*.webp"))
GOOD, SMALL, LONG, CUT = "good", "small", "long", "cut"
KINDS = (GOOD, GOOD, SMALL, GOOD, CUT, GOOD, LONG, GOOD, GOOD, GOOD)


def key_of(number: int) -> str:
    """Like a key of LSUN: 40 hexadecimal digits."""
    return hashlib.sha1(str(number).encode()).hexdigest()


def lsun_pictures() -> dict[str, tuple[str, bytes]]:
    """Kind and bytes by key."""
    return {key_of(number): (kind, picture_bytes(number, kind)) for number, kind in enumerate(KINDS)}


def picture_bytes(number: int, kind: str = GOOD, file: str = "WEBP") -> bytes:
    size = {SMALL: (100, 100), LONG: (800, 256)}.get(kind, (256 + 8 * number, 256))
    stream = io.BytesIO()
    Image.open(EXAMPLES[number % len(EXAMPLES)]).convert("RGB").resize(size).save(stream, file, quality=75)
    return stream.getvalue()[: 200 if kind == CUT else None]


def exported(folder: Path) -> Path:
    """The pictures as LSUN's `data.py export` lays them out."""
    for key, (_, data) in lsun_pictures().items():
        place = folder.joinpath(*key[:6])
        place.mkdir(parents=True)
        (place / f"{key}.webp").write_bytes(data)
    return folder


class FlakyEncoder:
    """Finds nothing, with two more arrays; fails on pictures 264 px wide."""

    latent_space = "flaky"

    def encode(self, image):
        if image.width == 264:
            raise RuntimeError("unlucky")
        return anchorgen.SceneLatent.blank(3, 2, 4, 1, latent_space="flaky").anchor(anchorgen.everything)

    def encode_extra(self, image):
        return self.encode(image), {"voxels": np.arange(3, dtype=np.uint8), "patches": np.ones((2, 2), np.float16)}


def flaky_encoder(device):
    return FlakyEncoder()


def no_encoder(device):
    return "nothing"
