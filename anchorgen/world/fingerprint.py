"""Which world this is: a digest of what seeds turn into, not of source text, so that comments do not matter."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

import numpy as np

from anchorgen.scene.truth import WORLD_VERSION
from anchorgen.world.mitsuba_scene import gather
from anchorgen.world.rooms import sample_scene

_PROBES = (9_000_002, 9_000_005, 9_000_010, 9_000_043)  # between them every floor and every category


@lru_cache(maxsize=1)
def world_code() -> str:
    """12 hex digits of the rooms and meshes of a few seeds, lengths to a tenth of a millimetre.

    How light is computed is not looked at: raise `WORLD_VERSION` when that changes.
    """
    digest = hashlib.sha256(str(WORLD_VERSION).encode())
    for seed in _PROBES:
        scene = sample_scene(seed)
        digest.update(json.dumps(scene.to_json(), sort_keys=True).encode())
        geometry = gather(scene)
        for vertices, _, faces, colours, owner in geometry.surfaces.values():
            _add(digest, vertices * 1e4, faces, colours * 255, owner)
        for lamp in geometry.lamps:
            _add(digest, lamp.shade.vertices * 1e4, lamp.bulb.vertices * 1e4, lamp.shade_radiance, lamp.bulb_radiance)
    return digest.hexdigest()[:12]


def _add(digest: Any, *arrays: np.ndarray) -> None:
    """Whole numbers of each. Lengths are multiples of a tenth of a millimetre or of half of one: rounded at
    a place where none of these is, so that the last bit, which differs between processors, decides nothing."""
    for values in arrays:
        digest.update(np.floor(np.asarray(values, float) + 0.3141).astype(np.int32).tobytes())
