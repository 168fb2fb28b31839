"""Objects that were partly hidden, moved to where they show: is what no picture showed of them drawn as it is?

With `revealed.py` this measures what the paper claims for 3D-aware tokens: that they complete what is hidden. Shape
legend: H W picture.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.metrics import named_mean, psnr
from anchorgen.world.catalogue import build_furniture
from anchorgen.world.truth import sample_surface, visible_share

EDIT = "move"
MAX_SHARE = 0.7  # of the object that showed before; with more it was hardly hidden
MIN_PX = 20  # of the object after the move
MIN_SCENES = 5  # of fewer there is no mean


@dataclass(frozen=True)
class Hidden:
    """A moved object that was partly hidden.

    Attributes:
        scene: which.
        pixels: how many it has in the true after-picture.
        psnr_db: D(edited latents) there against the true after-picture; mean over noise seeds.
    """

    scene: int
    pixels: int
    psnr_db: float


def moved_pixels(scene: EvaluationScene) -> np.ndarray:
    """`[H, W]` bool: the moved object in the true picture after it."""
    after = [spec.id for spec in scene.edited[EDIT].objects]
    return scene.after_instance[EDIT] == after.index(scene.edits[EDIT]["id"])


def share_before(scene: EvaluationScene) -> float:
    """Share of the moved object that showed before: not out of the picture, not behind another object."""
    index = [spec.id for spec in scene.world.objects].index(scene.edits[EDIT]["id"])
    spec = scene.world.objects[index]
    surface = sample_surface(build_furniture(spec.category, spec.params), spec)
    return visible_share(surface, scene.world, index, scene.instance)


def hidden(scene: EvaluationScene, known: Container[str], edited: Sequence[Any]) -> Hidden | None:
    """Measures the move of a scene; None where the moved object has no slot, was not hidden, or shows too little after.

    Args:
        scene: of the evaluation set.
        known: ids of the objects that the latents before the edit hold.
        edited: pictures of the latents after the move, one a noise seed.
    """
    where = moved_pixels(scene)
    if scene.edits[EDIT]["id"] not in known or where.sum() < MIN_PX or share_before(scene) >= MAX_SHARE:
        return None
    return Hidden(scene.index, int(where.sum()), float(np.mean([psnr(x, scene.after[EDIT], where) for x in edited])))


def hidden_figures(rows: Sequence[Hidden]) -> dict[str, Any]:
    """`hidden_psnr_db`, a mean over scenes (None of fewer than `MIN_SCENES`), with `hidden_scenes` and `hidden_px`."""
    values = [row.psnr_db for row in rows] if len(rows) >= MIN_SCENES else []
    counts = {"hidden_scenes": len(rows), "hidden_px": sum(row.pixels for row in rows)}
    return counts | named_mean("hidden_psnr_db", values)
