"""Pictures that were drawn before, by what they show: another anchor or an undo draws nothing anew."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
from PIL import Image

from anchorgen.scene.latent import LATENT_ARRAYS, SceneLatent

MAX_KEPT_PICTURES = 320  # more than the steps and one set of variations


def latent_digest(scene: SceneLatent) -> bytes:
    """Equal for scenes whose latents are the same bit for bit, whatever their anchors, names and histories."""
    digest = hashlib.blake2b(digest_size=16)
    for name in LATENT_ARRAYS:
        array = np.ascontiguousarray(getattr(scene, name))
        digest.update(f"{name} {array.shape} ".encode() + array.tobytes())
    return digest.digest()


class PictureCache:
    """The final pictures of the scenes that were looked at last."""

    def __init__(self, capacity: int = MAX_KEPT_PICTURES):
        self._capacity = capacity
        self._pictures: OrderedDict[tuple[bytes, int], Image.Image] = OrderedDict()

    def get(self, scene: SceneLatent, seed: int) -> Image.Image | None:
        key = latent_digest(scene), seed
        if key in self._pictures:
            self._pictures.move_to_end(key)
        return self._pictures.get(key)

    def put(self, scene: SceneLatent, seed: int, picture: Image.Image) -> None:
        key = latent_digest(scene), seed
        self._pictures[key] = picture
        self._pictures.move_to_end(key)
        while len(self._pictures) > self._capacity:
            self._pictures.popitem(last=False)
