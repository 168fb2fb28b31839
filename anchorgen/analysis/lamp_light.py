"""Does the lamp's light go with the lamp? What taking a lit lamp away takes from the picture, true and drawn.

Light is compared in the linear RGB of the pictures (the sRGB curve undone) on a 16 x 16 grid, the lamp's own pixels left
out. The film curve stays: undone as well, it would turn the last grey level of a bright window into more light than a
lamp gives (the autoencoder alone then agrees with the truth to r = 0.84 only, instead of 0.99).
Shape legend: H W picture, G G grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.analysis.box_rays import visible_points
from anchorgen.analysis.metrics import as_array, named_mean
from anchorgen.geometry import quat_to_matrix
from anchorgen.world.catalogue import build_furniture
from anchorgen.world.types import ObjectSpec, WorldScene

GRID = 16
_NEAREST_M = 0.05  # no surface is nearer to the light: the shade is between


@dataclass(frozen=True)
class LampLight:
    """How the drawn light of one lamp agrees with the true; means over noise seeds.

    Attributes:
        correlation: Pearson's r over cells and channels; slope: of the least-squares line, 1 is as bright.
        baseline_correlation: r of inverse-square light from the lamp with the true.
    """

    correlation: float
    slope: float
    baseline_correlation: float


def light_map(lit: Any, dark: Any, where: np.ndarray) -> np.ndarray:
    """`[G, G, 3]`: by how much each cell of a picture is brighter than in another, in linear RGB.

    Args:
        lit, dark: pictures with and without the lamp.
        where: `[H, W]` bool, pixels that count; a cell without any is NaN.

    Raises:
        ValueError: pictures or mask of several sizes, or of one that the grid does not divide.
    """
    bright, dim = linear_rgb(lit), linear_rgb(dark)
    if not bright.shape == dim.shape == (*where.shape, 3) or any(side % GRID for side in where.shape):
        raise ValueError(
            f"got pictures of {bright.shape[:2]} and {dim.shape[:2]} pixels and a mask of {where.shape}; expected one "
            f"size, in steps of {GRID}"
        )
    return cell_means(bright - dim, where)


def cell_means(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """`[G, G, C]` means of `[H, W, C]` over the pixels of each cell that `where` `[H, W]` keeps; NaN without any."""
    height, width = where.shape
    cells = (GRID, height // GRID, GRID, width // GRID)
    kept = where.reshape(*cells, 1).astype(float)
    total, count = (values.reshape(*cells, -1) * kept).sum((1, 3)), kept.sum((1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def linear_rgb(picture: Any) -> np.ndarray:
    """`[H, W, 3]` in [0, 1]: an sRGB picture with the sRGB curve undone."""
    value = as_array(picture)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def agreement(drawn: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Pearson's r of two light maps, and the slope of the least-squares line of `drawn` over `true`.

    Where one of them is the same in all cells (no light, or no change drawn), what is undefined counts as 0.

    Args:
        drawn, true: `[G, G, 3]`; cells that are NaN in one of them are left out.
    """
    known = np.isfinite(drawn) & np.isfinite(true)
    x, y = true[known], drawn[known]
    if len(x) < 2 or np.ptp(x) < 1e-9 or np.ptp(y) < 1e-9:
        return 0.0, 0.0
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y))), float(x @ y / (x @ x))


def inverse_square(world: WorldScene, lamp: str, where: np.ndarray) -> np.ndarray:
    """`[G, G, 3]`: 1 / d^2 from the lamp's light to what each pixel shows, in all channels alike.

    A guess without a network: objects are boxes, nothing shades anything, all is equally grey.

    Args:
        world: the room with the lamp.
        lamp: its id.
        where: `[H, H]` bool, pixels that count.
    """
    spec = next(spec for spec in world.objects if spec.id == lamp)
    away = visible_points(world, len(where), without=lamp) - light_position(spec)
    light = 1 / np.maximum(np.square(away).sum(-1, keepdims=True), _NEAREST_M**2)
    return cell_means(np.repeat(light, 3, -1), where)


def light_position(spec: ObjectSpec) -> np.ndarray:
    """`[3]` metres, world: the middle of a lamp's light.

    Raises:
        ValueError: the object has no light.
    """
    light = build_furniture(spec.category, spec.params).light
    if light is None:
        raise ValueError(f"{spec.id} is a {spec.category}, which has no light; expected a lamp")
    middle = (np.asarray(light.bottom) + np.asarray(light.top)) / 2
    return np.asarray(spec.position) + quat_to_matrix(np.asarray(spec.quat_wxyz)) @ (np.asarray(spec.scale) * middle)


def lamp_light(true: np.ndarray, guess: np.ndarray, drawn: Sequence[np.ndarray]) -> LampLight:
    """Compares light maps `[G, G, 3]`: the true one, the inverse-square guess, and one drawn a noise seed."""
    pairs = np.array([agreement(light, true) for light in drawn])
    return LampLight(float(pairs[:, 0].mean()), float(pairs[:, 1].mean()), agreement(guess, true)[0])


def lamp_figures(lights: Sequence[LampLight]) -> dict[str, Any]:
    """Means over scenes with half widths of their 95% intervals."""
    figures: dict[str, Any] = {"lamp_scenes": len(lights)}
    names = {"correlation": "lamp_correlation", "slope": "lamp_slope"}
    names |= {"baseline_correlation": "lamp_baseline_correlation"}
    for field, name in names.items():
        figures |= named_mean(name, [getattr(light, field) for light in lights])
    return figures
