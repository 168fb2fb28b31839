"""Where rendered worlds live on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from anchorgen.scene.truth import WORLD_VERSION


def cache_folder() -> Path:
    """`$ANCHORGEN_CACHE`, or `~/.cache/anchorgen`."""
    return Path(os.environ.get("ANCHORGEN_CACHE", Path.home() / ".cache" / "anchorgen"))


def worlds_folder() -> Path:
    """What this version of the world has rendered; other versions lie beside it and are never mixed in."""
    return cache_folder() / "worlds" / str(WORLD_VERSION)


def split_folder(split: str) -> Path:
    """Default folder of a split: "train", "val" or "test"."""
    return worlds_folder() / split
