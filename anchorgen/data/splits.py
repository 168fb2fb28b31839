"""Splits by seed: a test room is never trained on, however much is rendered."""

from __future__ import annotations

FIRST_SEED = {"train": 0, "val": 10_000_000, "test": 20_000_000}
EXAMPLE_SEED = 30_000_000  # bundled example rooms: of no split


def split_of(seed: int) -> str:
    """Which split a room's seed belongs to.

    Raises:
        ValueError: a negative seed.
    """
    if seed < 0:
        raise ValueError(f"seed: got {seed}; expected a whole number >= 0")
    if seed >= EXAMPLE_SEED:
        return "example"
    return max((start, name) for name, start in FIRST_SEED.items() if seed >= start)[1]
