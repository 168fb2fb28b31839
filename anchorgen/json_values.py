"""JSON has no tuples; the frozen dataclasses of rooms and settings hold nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with its lists as tuples (one level deep)."""
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
