"""alpha of Eq. 12 for every variable of a scene. (N slots.)"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

FACTORS = ("layout", "appearance", "presence")


@dataclass(frozen=True, eq=False)
class Anchors:
    """alpha of Eq. 12, one value in [0, 1] per variable: 1 keeps it, 0 resamples it from noise.

    Attributes:
        layout: `[N]` float32, of p^i (translation, rotation and size together).
        appearance: `[N]` float32, of f^i.
        presence: `[N]` float32, of z^i.
        focal: of c.
        background: of b.

    Raises:
        ValueError: arrays that differ in shape, or a value that is not in [0, 1].
    """

    layout: np.ndarray
    appearance: np.ndarray
    presence: np.ndarray
    focal: float = 1.0
    background: float = 1.0

    def __post_init__(self) -> None:
        for name in FACTORS:
            array = np.array(getattr(self, name), np.float32)
            if array.shape != (len(np.atleast_1d(self.layout)),):
                raise ValueError(
                    f"anchors.{name} has shape {list(array.shape)}; expected one value per slot, as layout"
                )
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        for name in ("focal", "background"):
            object.__setattr__(self, name, float(np.float32(getattr(self, name))))
        for name in (f.name for f in fields(self)):
            values = np.asarray(getattr(self, name))
            if not np.all((values >= 0) & (values <= 1)):
                raise ValueError(f"anchors.{name} must lie in [0, 1] (1 keeps, 0 resamples); got {values}")

    @staticmethod
    def keep(num_slots: int) -> Anchors:
        """Everything stays: alpha = 1."""
        ones = np.ones(num_slots, np.float32)
        return Anchors(ones, ones, ones)

    @staticmethod
    def free(num_slots: int) -> Anchors:
        """Everything is resampled: alpha = 0."""
        zeros = np.zeros(num_slots, np.float32)
        return Anchors(zeros, zeros, zeros, focal=0.0, background=0.0)

    @property
    def num_slots(self) -> int:
        return len(self.layout)

    def with_alpha(
        self, alpha: float, *, slots: dict[str, list[int]], focal: bool = False, background: bool = False
    ) -> Anchors:
        """A copy in which the given slots of each factor, and the camera and background if asked, have `alpha`."""
        values = {name: getattr(self, name).copy() for name in FACTORS}
        for name, indices in slots.items():
            values[name][indices] = alpha
        return Anchors(
            **values, focal=alpha if focal else self.focal, background=alpha if background else self.background
        )

    def equals(self, other: Anchors) -> bool:
        """Whether every alpha is the same, bit for bit."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


# The default of `SceneLatent.anchors`: means "keep", whatever the number of slots.
KEEP_ALL = Anchors.keep(0)
