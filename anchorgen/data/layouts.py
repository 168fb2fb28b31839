"""Many rooms without pictures: boxes and cameras alone, the reference for layout statistics.

Shape legend: R rooms, M objects of all rooms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from anchorgen.data.atomic import whole_or_absent


@dataclass(frozen=True)
class Layouts:
    """All arrays are in camera frames as in `WorldTruth`; the objects of room i are rows `ends[i - 1]` to `ends[i]`.

    Attributes:
        seed: `[R]` int64. ends: `[R]` int64, running count of objects.
        focal: `[R, 2]`, up: `[R, 3]`, floor: `[R]`, walls: `[R, 4, 4]` float32.
        translation, quat_wxyz, scale: `[M, 3]`, `[M, 4]`, `[M, 3]` float32.
        category: `[M]` uint8, index into `categories`.
        categories: names.
        facts: JSON values: version of the world, code, split, failures by seed.
    """

    seed: np.ndarray
    ends: np.ndarray
    focal: np.ndarray
    up: np.ndarray
    floor: np.ndarray
    walls: np.ndarray
    translation: np.ndarray
    quat_wxyz: np.ndarray
    scale: np.ndarray
    category: np.ndarray
    categories: tuple[str, ...]
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.seed)

    def objects(self, room: int) -> slice:
        """Rows of one room's objects."""
        return slice(int(self.ends[room - 1]) if room else 0, int(self.ends[room]))


_ARRAYS = tuple(f.name for f in fields(Layouts) if f.name not in ("categories", "facts"))


def save_layouts(layouts: Layouts, path: Path) -> None:
    """One safetensors file that appears whole; names of classes and facts are in its header."""
    # One entry: safetensors writes several in random order, and equal layouts should be equal bytes.
    header = {"layouts": json.dumps({"categories": layouts.categories, "facts": layouts.facts}, sort_keys=True)}
    arrays = {name: np.ascontiguousarray(getattr(layouts, name)) for name in _ARRAYS}
    with whole_or_absent(path) as partial:
        partial.write_bytes(save(arrays, header))


def load_layouts(path: Path) -> Layouts:
    """Inverse of `save_layouts`.

    Raises:
        FileNotFoundError: it is not there; the message gives the command.
        ValueError: it is no file of layouts.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no layouts at {path}; make them: python -m anchorgen data layouts --out {path}")
    try:
        with safe_open(path, "numpy") as file:
            header = json.loads(file.metadata()["layouts"])
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        return Layouts(**arrays, categories=tuple(header["categories"]), facts=header["facts"])
    except Exception as error:
        raise ValueError(f"{path} is no file of layouts ({type(error).__name__}: {error}); make it again") from error
