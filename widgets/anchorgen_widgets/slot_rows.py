"""`SlotRow`: what several samples say of one object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SlotRow:
    """One line of the table under a `VariationGallery`.

    Attributes:
        name: of the object, as people see it.
        presence: share of the samples in which it is there, 0 to 1.
        position_spread_m: how far its place varies, metres; None where it is in too few samples to say.
        appearance_spread: how much its look varies, in the measure of whoever sampled; None as above.

    Raises:
        ValueError: a share outside [0, 1], or a spread below 0.
    """

    name: str
    presence: float
    position_spread_m: float | None = None
    appearance_spread: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.presence <= 1:
            raise ValueError(f"presence of {self.name} is {self.presence}; expected a share of the samples, 0 to 1")
        for field in ("position_spread_m", "appearance_spread"):
            value = getattr(self, field)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{field} of {self.name} is {value}; expected 0 or more, or None where it is unknown")
        for field in ("presence", "position_spread_m", "appearance_spread"):
            value = getattr(self, field)  # numpy's numbers do not go into JSON
            object.__setattr__(self, field, None if value is None else float(value))
