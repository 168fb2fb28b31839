"""What the values of a room may be: numbers of a shape, and the colours and kinds of its surfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# World 1 said True or False of its curtains.
_WORDS: dict[str, tuple[str | bool, ...]] = {
    "accent_wall": ("left", "right", "back", "front"),
    "floor": ("planks", "parquet", "carpet", "tiles"),
    "curtains": ("long", "short", "none", True, False),
    "moulding": (True, False),
}
_COLOURS = ("wall", "accent", "floor_colour", "curtain_colour")
_OPTIONAL = ("moulding", "sky")  # world 1 had neither


def check_shell_params(params: Any) -> None:
    """Raises ValueError for `RoomSpec.params` that no shell can be built from: it says what, got, expected."""
    needed = sorted({*_WORDS, *_COLOURS, "plank_m"} - set(_OPTIONAL))
    if not isinstance(params, Mapping):
        raise ValueError(f"room.params: got {params!r}; expected a dict with {needed}")
    missing = [name for name in needed if name not in params]
    if missing:
        raise ValueError(f"room.params: got none of {missing}; expected values for all of {needed}")
    for name, words in _WORDS.items():
        value = params.get(name, words[0])
        if not (isinstance(value, str | bool) and value in words):
            raise ValueError(f"room.params {name}: got {value!r}; expected one of {list(words)}")
    for name in _COLOURS:
        check_numbers(f"room.params {name}", params[name], (3,), least=0.0, most=1.0)
    check_numbers("room.params sky", params.get("sky", (1, 1, 1)), (3,), least=0.0)
    check_numbers("room.params plank_m", params["plank_m"], above=0.0)


def check_numbers(
    name: str,
    value: Any,
    shape: tuple[int, ...] = (),
    *,
    above: float = -np.inf,
    least: float = -np.inf,
    most: float = np.inf,
) -> None:
    """Raises ValueError for what is not finite numbers of a shape, above, at least and at most what is said."""
    try:
        numbers = np.asarray(value)
    except (TypeError, ValueError):  # ragged
        numbers = np.empty(0, object)
    fine = numbers.dtype.kind in "iuf" and numbers.shape == shape and bool(np.all(np.isfinite(numbers)))
    if not fine or not np.all((numbers > above) & (numbers >= least) & (numbers <= most)):
        limits = (("above", above, -np.inf), (">=", least, -np.inf), ("<=", most, np.inf))
        bounds = " and ".join(f"{word} {limit:g}" for word, limit, none in limits if limit != none)
        what = "a finite number" if shape == () else f"{shape[0]} finite numbers"
        raise ValueError(f"{name}: got {value}; expected {what} {bounds}".rstrip())
