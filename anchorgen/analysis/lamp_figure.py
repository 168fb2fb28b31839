"""The light of lamps as pictures: what is lost with each lamp in truth, as drawn, and by the inverse-square guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from anchorgen.analysis.figures import picture_grid
from anchorgen.analysis.lamp_light import GRID, agreement

_ROWS = ("true picture", "drawn", "drawn without\nthe lamp", "true light", "drawn light", "light as\n1 / distance²")
_CELL_PX = 8
_BRIGHTEST = 0.98  # quantile of the true light that is drawn as white


@dataclass(frozen=True, eq=False)
class LampExample:
    """One column of the figure.

    Attributes:
        picture: true, with the lamp; drawn, drawn_without: the decoder's, with and without it.
        true_light, drawn_light, guess: `[G, G, 3]` light maps, NaN where the lamp itself is.
    """

    picture: Any
    drawn: Any
    drawn_without: Any
    true_light: np.ndarray
    drawn_light: np.ndarray
    guess: np.ndarray


def lamp_figure(examples: Sequence[LampExample], caption: str = "") -> Figure:
    """One column an example. True and drawn light of a column share their brightness; the guess has no unit, so it is
    as bright as its own brightest cells.

    Raises:
        ValueError: no examples.
    """
    if not examples:
        raise ValueError("got no lamps; expected at least one example")
    columns, titles = [], []
    for example in examples:
        white = max(float(np.nanquantile(example.true_light, _BRIGHTEST)), 1e-3)
        maps = [light_picture(light, white) for light in (example.true_light, example.drawn_light)]
        maps.append(light_picture(example.guess, float(np.nanquantile(example.guess, _BRIGHTEST))))
        columns.append([example.picture, example.drawn, example.drawn_without, *maps])
        r, slope = agreement(example.drawn_light, example.true_light)
        guessed = agreement(example.guess, example.true_light)[0]
        titles.append(["", "", "", "", f"r {r:.2f}, slope {slope:.2f}", f"r {guessed:.2f}"])
    rows = [list(row) for row in zip(*columns, strict=True)]
    above = [list(row) for row in zip(*titles, strict=True)]
    return picture_grid(rows, titles=above, row_titles=_ROWS, caption=caption, cell_inch=1.3)


def light_picture(light: np.ndarray, white: float) -> np.ndarray:
    """`[8 G, 8 G, 3]` uint8: a light map in its own colours, `white` at full brightness; blue-grey where it is NaN."""
    shown = np.clip(np.nan_to_num(light) / white, 0, 1) ** (1 / 2.2)
    shown = np.where(np.isfinite(light), shown, [0.25, 0.3, 0.42])
    return np.round(255 * shown).astype(np.uint8).reshape(GRID, GRID, 3).repeat(_CELL_PX, 0).repeat(_CELL_PX, 1)
