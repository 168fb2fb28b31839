"""Parametric furniture: `sample_params` draws what a piece is, `build_furniture` meshes it, always the same way."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from anchorgen.world.catalogue.bed import Bed
from anchorgen.world.catalogue.lamps import FloorLamp, Pendant, TableLamp
from anchorgen.world.catalogue.parameters import make_piece, params_key
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

__all__ = ["CATEGORIES", "build_furniture", "params_key", "sample_params", "sample_style", "size_of"]


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
        ValueError: parameters that are not this category's, values that are no size, count, word or colour, or sizes
            that do not fit one another.
    """
    return _built(category, params_key(category, params))


@lru_cache(maxsize=96)
def _built(category: str, params: str) -> Furniture:
    """The same piece is asked for by the layout, the renderer and the truth; its arrays are nobody's to change."""
    piece = make_piece(_kind(category), category, json.loads(params))
    try:
        with np.errstate(invalid="ignore"):  # sizes that do not fit are refused below
            furniture = piece.build()
        low, high = _bounds(furniture)
    except ValueError as error:  # of numpy: a range upside down
        raise ValueError(_unfit(category, piece, str(error))) from None
    if not np.all(np.isfinite([low, high])):
        raise ValueError(_unfit(category, piece, "its mesh is not finite"))
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


def _unfit(category: str, piece: Any, why: str) -> str:
    numbers = {name: value for name, value in vars(piece).items() if isinstance(value, float)}
    return f"{category}: got {numbers}, of which no piece can be built ({why}); expected sizes that fit one another"


def _kind(category: str) -> Any:
    if category not in _KINDS:
        raise KeyError(f"no category {category!r} in the catalogue; expected one of {list(CATEGORIES)}")
    return _KINDS[category]
