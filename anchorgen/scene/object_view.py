"""One object out of a scene: what predicates look at and what `insert`, `swap` and `paint` take.

Shape legend: K appearance tokens, C channels.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.scene.errors import EditError
from anchorgen.scene.validate import frozen


@dataclass(frozen=True, eq=False)
class ObjectView:
    """One slot of a scene; the arrays are read-only views of the scene's own.

    Attributes:
        index: slot number, stable through edits.
        id: stable name, "" for a slot that never held an object.
        label: category for people; may be "".
        translation: `[3]` float32, box centre, metres, OpenCV camera frame.
        quat_wxyz: `[4]` float32, object (z up, front -y) to camera.
        scale: `[3]` float32, full extents (width, depth, height) along the object's own axes, metres.
        appearance: `[K, C]` float32.
        present: False for a removed object.
        latent_space: name of the networks that made it.
        up: `[3]` float32 and floor: `[]` float32, gravity in the scene it comes from, so that it can stand in another.
    """

    index: int
    id: str
    label: str
    translation: np.ndarray
    quat_wxyz: np.ndarray
    scale: np.ndarray
    appearance: np.ndarray
    present: bool
    latent_space: str
    up: np.ndarray
    floor: np.ndarray

    def __repr__(self) -> str:
        centre, size = (", ".join(f"{x:.2f}" for x in row) for row in (self.translation, self.scale))
        state = "" if self.present else ", removed"
        return f"ObjectView {self.name!r} ({self.label or 'no label'}{state}): centre {centre} m, size {size} m"

    @property
    def name(self) -> str:
        """What to call it in a message: its id, else its slot."""
        return self.id or f"slot {self.index}"

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, exact to the bit; `from_json` is the inverse."""
        value = {"index": self.index, "id": self.id, "label": self.label, "present": self.present}
        value["latent_space"] = self.latent_space
        return value | {name: array_to_json(getattr(self, name)) for name in _ARRAYS}

    @staticmethod
    def from_json(value: dict[str, Any]) -> ObjectView:
        """Raises EditError if `value` was not made by `to_json`."""
        try:
            plain: Any = {name: kind(value[name]) for name, kind in _PLAIN.items()}
            arrays: Any = {name: array_from_json(value[name]) for name in _ARRAYS}
            if [arrays[name].shape for name in _ARRAYS if name != "appearance"] != [(3,), (4,), (3,), (3,), ()]:
                raise ValueError("arrays of other shapes")
            return ObjectView(**plain, **arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise EditError(
                f"not an object of a scene ({error!r}); expected what ObjectView.to_json() returns"
            ) from None


_ARRAYS = ("translation", "quat_wxyz", "scale", "appearance", "up", "floor")
_PLAIN = {"index": int, "id": str, "label": str, "present": bool, "latent_space": str}


def array_to_json(array: np.ndarray) -> dict[str, Any]:
    """A float32 array as `{"shape", "float32"}`, little-endian base64: a tenth of the digits, exact to the bit."""
    array = np.asarray(array, "<f4")
    return {"shape": list(array.shape), "float32": base64.b64encode(array.tobytes()).decode()}


def array_from_json(value: dict[str, Any]) -> np.ndarray:
    """Inverse of `array_to_json`. Raises ValueError if the bytes do not fit the shape."""
    array = np.frombuffer(base64.b64decode(value["float32"], validate=True), "<f4")
    return frozen(array.reshape([int(side) for side in value["shape"]]))
