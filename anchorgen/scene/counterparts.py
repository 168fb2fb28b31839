"""Which of several objects another takes after, for `restyle` of scenes and of the world's rooms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def counterpart(label: str, size: np.ndarray, labels: Sequence[str], sizes: Sequence[np.ndarray]) -> int | None:
    """Index of the one with the same label, else of the same group; of several, the nearest in size. None: no such.

    The group is the last word of a label: a table lamp takes after a floor lamp, if there is no other table lamp.

    Args:
        label, size: of what looks for its counterpart; `[3]` metres.
        labels, sizes: of those to choose from, one each.
    """
    words, theirs = label.casefold().split(), [other.casefold().split() for other in labels]
    same = [k for k, other in enumerate(theirs) if words and other == words]
    alike = same or [k for k, other in enumerate(theirs) if words and other[-1:] == words[-1:]]
    if not alike:
        return None
    factors = np.log(np.array([sizes[k] for k in alike], float) / np.asarray(size, float))
    return alike[int(np.argmin(np.sum(factors**2, axis=1)))]
