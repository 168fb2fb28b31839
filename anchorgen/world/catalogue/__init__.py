"""Parametric furniture: `sample_params` draws what a piece is, `build_furniture` meshes it, always the same way."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from anchorgen.json_values import tuples
from anchorgen.world.catalogue.bed import Bed
from anchorgen.world.catalogue.decor import Painting, Plant, Rug
from anchorgen.world.catalogue.lamps import TableLamp
from anchorgen.world.catalogue.seating import Chair, Ottoman
from anchorgen.world.catalogue.storage import Dresser, Nightstand, Wardrobe
from anchorgen.world.catalogue.style import sample_style
from anchorgen.world.meshes import moved
from anchorgen.world.types import Furniture

_KINDS: dict[str, Any] = {
    "bed": Bed,
    "nightstand": Nightstand,
    "table lamp": TableLamp,
    "wardrobe": Wardrobe,
    "dresser": Dresser,
    "chair": Chair,
    "ottoman": Ottoman,
    "rug": Rug,
    "painting": Painting,
    "plant": Plant,
}
CATEGORIES: tuple[str, ...] = tuple(_KINDS)

__all__ = ["CATEGORIES", "build_furniture", "sample_params", "sample_style", "size_of"]


def sample_params(category: str, rng: np.random.Generator, style: dict[str, Any]) -> dict[str, Any]:
    """JSON-able parameters of one piece in the style of a room.

    Raises:
        KeyError: an unknown category; the message lists those there are.
    """
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(_kind(category).sample(rng, style)).items()}


def build_furniture(category: str, params: dict[str, Any]) -> Furniture:
    """Meshes a piece: origin at the bottom centre of its bounding box, x width, z up, front = -y.

    Raises:
        KeyError: an unknown category. TypeError: parameters that are not this category's.
    """
    furniture = _kind(category)(**tuples(params)).build()
    low, high = _bounds(furniture)
    shift = -np.array([*((low + high) / 2)[:2], low[2]])
    light = furniture.light
    if light is not None:
        light = replace(light, **{k: tuple((np.array(getattr(light, k)) + shift).tolist()) for k in ("bottom", "top")})
    return Furniture(tuple(moved(part, shift) for part in furniture.parts), light)


def size_of(furniture: Furniture) -> np.ndarray:
    """Extents `[3]` (width, depth, height) of the bounding box, metres."""
    low, high = _bounds(furniture)
    return high - low


def _bounds(furniture: Furniture) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([part.vertices for part in furniture.parts])
    return points.min(0), points.max(0)


def _kind(category: str) -> Any:
    if category not in _KINDS:
        raise KeyError(f"no category {category!r} in the catalogue; expected one of {list(CATEGORIES)}")
    return _KINDS[category]
