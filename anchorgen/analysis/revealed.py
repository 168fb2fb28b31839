"""What an edit brings to light: pixels that showed the edited object and show another one after it.

The picture that latents were made of does not show what stood behind, so these pixels measure what the paper claims for
3D-aware tokens: that they complete what is hidden. Shape legend: H W picture.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.metrics import as_array, named_mean

MIN_PX = 20  # of a scene; with fewer it is not measured
# The object goes, or stands otherwise. A swap reveals too, but not every way to make f can do it, and figures of such
# ways are compared on the same pixels.
REVEALING = ("move", "rotate", "resize", "remove", "remove_lit_lamp")


@dataclass(frozen=True)
class Revealed:
    """Revealed pixels of one edit; means over noise seeds.

    Attributes:
        scene: which.
        pixels: how many.
        error: mean squared error of D(edited latents) there against the true after-picture, of colours in [0, 1].
        error_of_nothing: that of D(unedited).
    """

    scene: int
    pixels: int
    error: float
    error_of_nothing: float


def revealed_pixels(scene: EvaluationScene, name: str, known: Container[str]) -> np.ndarray:
    """`[H, W]` bool: pixels of the edited object before, of another that has a slot after.

    Args:
        scene, name: which edit.
        known: ids of the objects that the latents before the edit hold.
    """
    edited = scene.edits[name].get("id")
    before, after = ([o.id for o in room.objects] for room in (scene.world, scene.edited[name]))
    if edited not in before:
        return np.zeros(scene.instance.shape, bool)
    others = [k for k, other in enumerate(after) if other != edited and other in known]
    return (scene.instance == before.index(edited)) & np.isin(scene.after_instance[name], others)


def revealed(
    scene: EvaluationScene, name: str, known: Container[str], edited: Sequence[Any], unedited: Sequence[Any]
) -> Revealed:
    """Measures one edit; `edited` and `unedited` are pictures, one a noise seed."""
    where = revealed_pixels(scene, name, known)
    if not where.any():
        return Revealed(scene.index, 0, 0.0, 0.0)
    truth = as_array(scene.after[name])[where]
    own, nothing = (
        float(np.mean([np.square(as_array(picture)[where] - truth).mean() for picture in pictures]))
        for pictures in (edited, unedited)
    )
    return Revealed(scene.index, int(where.sum()), own, nothing)


def revealed_figures(rows: Sequence[Revealed], num_scenes: int) -> dict[str, Any]:
    """Means over scenes, each over all pixels that its edits reveal; `revealed_scenes` had at least `MIN_PX` of them.

    Args:
        rows: one an edit of `REVEALING` that could be made in the latents of its scene.
        num_scenes: how many scenes there were, so that those with too few pixels are counted
            (`revealed_scenes_left_out`).
    """
    psnr_db, gain_db, total = [], [], 0
    for scene in dict.fromkeys(row.scene for row in rows):
        own = [row for row in rows if row.scene == scene]
        weights = np.array([row.pixels for row in own], float)
        if weights.sum() < MIN_PX:
            continue
        errors = np.array([[max(row.error, 1e-6), max(row.error_of_nothing, 1e-6)] for row in own])
        mine, nothing = -10 * np.log10(weights @ errors / weights.sum())
        psnr_db.append(float(mine))
        gain_db.append(float(mine - nothing))
        total += int(weights.sum())
    figures: dict[str, Any] = {"revealed_scenes": len(psnr_db), "revealed_px": total}
    figures["revealed_scenes_left_out"] = num_scenes - len(psnr_db)
    return figures | named_mean("revealed_psnr_db", psnr_db) | named_mean("revealed_gain_db", gain_db)
