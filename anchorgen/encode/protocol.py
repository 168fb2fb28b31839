"""What every encoder E_psi gives, whatever perception stands behind it. (M objects, G patches a side.)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class EncodedScene:
    """Attributes:
    translation: `[M, 3]` float32, metres, OpenCV camera frame.
    quat_wxyz: `[M, 4]` float32, object to camera.
    scale: `[M, 3]` float32, metres.
    appearance: `[M, K, C]` float32.
    labels: names; scores: `[M]` float32, how sure the encoder is that the object is there.
    focal: `[2]` float32. up: `[3]` float32. floor: metres.
    outside: `[G, G]` bool, patches that belong to the background.
    voxels: coords `[V, 3]` in [-1, 1] and feats `[V, 8]` of each object, as the pooling takes them; None where an encoder
        gives f without them.
    """

    translation: np.ndarray
    quat_wxyz: np.ndarray
    scale: np.ndarray
    appearance: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    focal: np.ndarray
    up: np.ndarray
    floor: float
    outside: np.ndarray
    voxels: tuple[tuple[np.ndarray, np.ndarray], ...] | None = None


class SceneEncoder(Protocol):
    """`encode(picture [H, W, 3] uint8)`; boxes and masks are hints of where objects are, where an encoder takes them."""

    def encode(self, picture: np.ndarray, *, boxes: Any = None, masks: Any = None) -> EncodedScene: ...
