"""What the parameters of a piece may be, read from the annotations of its dataclass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from anchorgen.json_values import tuples
from anchorgen.world.catalogue.style import Rgb

_AT_LEAST_ONE = ("columns", "rows", "num_doors", "num_shelves", "num_leaves", "num_slats")
_MAX_COUNT, _MAX_M, _MAX_NUMBER = 200, 100.0, 1e6  # beyond these a mesh fills the memory


def params_key(category: str, params: Any) -> str:
    """Parameters as canonical JSON, arrays and numpy's scalars as plain values.

    Raises:
        ValueError: what is no dict of JSON values; the message says what was expected.
    """
    if not isinstance(params, Mapping):
        raise ValueError(f"{category}: got parameters {params!r}; expected a dict of them")
    try:
        return json.dumps(dict(params), sort_keys=True, default=_plain)
    except TypeError as error:
        raise ValueError(f"{category}: {error}; expected parameters by name: numbers, words, colours") from None


def make_piece(kind: Any, category: str, params: dict[str, Any]) -> Any:
    """The dataclass `kind` with these parameters (as of `params_key`).

    Raises:
        ValueError: a parameter is missing, not of this category or not what its annotation says.
    """
    values = tuples(params)
    try:
        piece = kind(**values)
    except TypeError as error:
        expected = [field.name for field in fields(kind)]
        raise ValueError(f"{category}: {error}; expected {expected}") from None
    hints = _hints(kind)
    for name, value in values.items():
        fine, expected = _judged(name, value, hints[name])
        if not fine:
            raise ValueError(f"{category}: {name} is {value!r}; expected {expected}")
    return piece


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _judged(name: str, value: Any, hint: Any) -> tuple[bool, str]:
    """Whether a value is what its annotation says, and what that is in words."""
    number = isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < np.inf
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return any(type(value) is type(word) and value == word for word in words), f"one of {list(words)}"
    if hint is bool:
        return isinstance(value, bool), "True or False"
    if hint is int:
        least, most = (1 if name in _AT_LEAST_ONE else 0), (2**63 if name == "seed" else _MAX_COUNT)
        return number and isinstance(value, int) and least <= value <= most, f"a whole number from {least} to {most}"
    if hint is float and name.endswith("_m"):
        return number and 0 < value <= _MAX_M, f"a number above 0, in metres, up to {_MAX_M:g}"
    if hint is float and name.endswith("_share"):
        return number and 0 < value <= 1, "a number above 0, up to 1"
    if hint is float:
        return number and 0 <= value <= _MAX_NUMBER, f"a number, 0 or more, up to {_MAX_NUMBER:g}"
    if hint != Rgb:
        raise TypeError(f"{name} is annotated {hint}; expected Literal, bool, int, float or Rgb: add a rule for it")
    parts = value if isinstance(value, tuple) else ()
    real = all(isinstance(x, float | int) and not isinstance(x, bool) for x in parts)
    return len(parts) == 3 and real and all(0 <= x <= 1 for x in parts), "3 numbers from 0 to 1"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return list(value)
