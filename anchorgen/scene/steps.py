"""`Step`: one verb of a scene's history, as JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np

from anchorgen.scene.errors import EditError
from anchorgen.scene.object_view import ObjectView, array_from_json, array_to_json


@dataclass(frozen=True)
class Step:
    """One verb of a scene's history: `verb` and its keyword arguments, JSON-serialisable."""

    verb: str
    arguments: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"verb": self.verb, "arguments": self.arguments}


def encode_argument(value: Any) -> Any:
    """An argument of a verb as JSON values; objects and backgrounds are kept whole, so that a step can run again."""
    if isinstance(value, ObjectView):
        return {"object": value.to_json()}
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    if isinstance(value, np.ndarray) and value.ndim >= 2:
        return {"array": array_to_json(value)}
    if isinstance(value, dict):
        return {str(key): encode_argument(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [encode_argument(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, SupportsFloat):
        return float(value)
    raise EditError(
        f"got {value!r}, a {type(value).__name__}; expected numbers, strings, arrays, objects or lists of them"
    )


def decode_argument(value: Any) -> Any:
    """Inverse of `encode_argument`, up to lists in place of tuples and arrays of one axis."""
    if isinstance(value, list):
        return [decode_argument(item) for item in value]
    if isinstance(value, dict) and set(value) == {"object"}:
        return ObjectView.from_json(value["object"])
    if isinstance(value, dict) and set(value) == {"array"}:
        try:
            return array_from_json(value["array"])
        except (KeyError, TypeError, ValueError) as error:
            raise EditError(f"not an array of a history ({error!r}); expected shape and float32") from None
    return value
