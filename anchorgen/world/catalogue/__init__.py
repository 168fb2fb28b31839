"""Parametric furniture: `sample_params` draws what a piece is, `build_furniture` meshes it, always the same way."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from anchorgen.json_values import tuples
from anchorgen.world.catalogue.bed import Bed
from anchorgen.world.catalogue.lamps import FloorLamp, Pendant, TableLamp
from anchorgen.world.catalogue.plant import Plant
from anchorgen.world.catalogue.rug import Rug
from anchorgen.world.catalogue.seating import Chair, Ottoman
from anchorgen.world.catalogue.storage import Dresser, Nightstand, Wardrobe
from anchorgen.world.catalogue.style import sample_style
from anchorgen.world.catalogue.wall import Mirror, Painting
from anchorgen.world.catalogue.work import Bookshelf, Desk
from anchorgen.world.meshes import moved
from anchorgen.world.types import Furniture

_KINDS: dict[str, Any] = {
    "bed": Bed,
    "nightstand": Nightstand,
    "table lamp": TableLamp,
    "floor lamp": FloorLamp,
    "pendant": Pendant,
    "wardrobe": Wardrobe,
    "dresser": Dresser,
    "bookshelf": Bookshelf,
    "desk": Desk,
    "chair": Chair,
    "ottoman": Ottoman,
    "rug": Rug,
    "painting": Painting,
    "mirror": Mirror,
    "plant": Plant,
}
CATEGORIES: tuple[str, ...] = tuple(_KINDS)

__all__ = ["CATEGORIES", "build_furniture", "sample_params", "sample_style", "size_of"]


def sample_params(category: str, rng: np.random.Generator, style: dict[str, Any]) -> dict[str, Any]:
    """JSON-able parameters of one piece in the style of a room.

    Raises:
        KeyError: an unknown category; the message lists those there are.
    """
    piece = _kind(category).sample(rng, style)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(piece).items()}


def build_furniture(category: str, params: dict[str, Any]) -> Furniture:
    """Meshes a piece: origin at the bottom centre of its bounding box, x width, z up, front = -y.

    Raises:
        KeyError: an unknown category.
        ValueError: parameters that are not this category's, or values that are no size, count or colour.
    """
    return _built(category, json.dumps(params, sort_keys=True, default=list))


@lru_cache(maxsize=96)
def _built(category: str, params: str) -> Furniture:
    """The same piece is asked for by the layout, the renderer and the truth; its arrays are nobody's to change."""
    furniture = _piece(category, json.loads(params)).build()
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


def _piece(category: str, params: dict[str, Any]) -> Any:
    kind = _kind(category)
    try:
        piece = kind(**tuples(params))
    except TypeError as error:
        expected = [field.name for field in fields(kind)]
        raise ValueError(f"{category}: {error}; expected {expected}") from None
    for name, value in tuples(params).items():
        _check(category, name, value)
    return piece


def _check(category: str, name: str, value: Any) -> None:
    """Sizes above zero, counts from zero, colours within [0, 1], everything finite."""
    if isinstance(value, tuple):
        fine, expected = len(value) == 3 and all(_number(x) and 0 <= x <= 1 for x in value), "3 numbers from 0 to 1"
    elif name.endswith("_m") or name in ("columns", "rows", "num_doors"):
        fine, expected = _number(value) and value > 0, "a number above 0"
    elif isinstance(value, float | int):
        fine, expected = _number(value) and value >= 0, "a number, 0 or more"
    else:
        fine, expected = isinstance(value, str), "a word"
    if not fine:
        raise ValueError(f"{category}: {name} is {value!r}; expected {expected}")


def _number(value: Any) -> bool:
    return isinstance(value, float | int) and bool(np.isfinite(value))


def _kind(category: str) -> Any:
    if category not in _KINDS:
        raise KeyError(f"no category {category!r} in the catalogue; expected one of {list(CATEGORIES)}")
    return _KINDS[category]
