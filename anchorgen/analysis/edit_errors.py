"""How far an edit made in latents is from the true picture after it: inside its influence mask, and outside.

A whole-picture PSNR would be passed by ignoring the edit, so errors are taken where the true pictures differ, beside the
picture of the edited room's own true latents (the floor) and the unedited picture (doing nothing).
Shape legend: H W picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.metrics import named_mean, psnr

MIN_OUTSIDE = 0.15  # share of the picture outside the mask; with less, collateral is not measured
EVERYWHERE = ("with_focal", "with_background")  # these change all pixels, so nothing is collateral


@dataclass(frozen=True)
class EditError:
    """One edit of one scene; dB, means over noise seeds; None where the pair cannot tell.

    Attributes:
        scene: which.
        edit: name in the evaluation set.
        psnr_db: D(edited latents) against the true after-picture, inside the mask.
        gap_db: what that lacks beside D(true latents of the after-scene): 0 is as good.
        gain_db: what it has above D(unedited): 0 is what doing nothing gives.
        collateral_db: PSNR of D(edited) against D(unedited), outside the mask.
    """

    scene: int
    edit: str
    psnr_db: float | None
    gap_db: float | None
    gain_db: float | None
    collateral_db: float | None


def edit_error(
    scene: int,
    edit: str,
    true_after: np.ndarray,
    influence: np.ndarray,
    edited: Sequence[Any],
    unedited: Sequence[Any],
    floor: Sequence[Any],
) -> EditError:
    """Measures one pair.

    Args:
        scene, edit: to be told apart by.
        true_after: `[H, W, 3]` uint8.
        influence: `[H, W]` bool; where it is empty nothing inside it can be measured.
        edited, unedited, floor: pictures, one a noise seed, of the edited latents, of those before the edit, and of the
            true latents after it.

    Raises:
        ValueError: not as many pictures of each, none, or other sizes.
    """
    if not len(edited) == len(unedited) == len(floor) > 0:
        raise ValueError(
            f"got {len(edited)} edited, {len(unedited)} unedited and {len(floor)} floor pictures; expected one of each "
            "for every noise seed"
        )
    inside: dict[str, float | None] = dict.fromkeys(("psnr_db", "gap_db", "gain_db"))
    if influence.any():
        own, nothing, best = (
            float(np.mean([psnr(picture, true_after, influence) for picture in pictures]))
            for pictures in (edited, unedited, floor)
        )
        inside = {"psnr_db": own, "gap_db": best - own, "gain_db": own - nothing}
    collateral, outside = None, np.logical_not(influence)
    if edit not in EVERYWHERE and outside.mean() >= MIN_OUTSIDE:
        collateral = float(np.mean([psnr(a, b, outside) for a, b in zip(edited, unedited, strict=True)]))
    return EditError(scene, edit, **inside, collateral_db=collateral)


def edit_figures(errors: Sequence[EditError], num_scenes: int) -> dict[str, Any]:
    """Means over scenes with half widths of their 95% intervals, for all edits and for each (`_move`, ...).

    The mean over all is of one value a scene, the mean of its edits, since edits of one scene are not independent.

    Args:
        errors: one an edit that could be made in the latents of its scene.
        num_scenes: how many scenes there were, so that edits that could not be made are counted.
    """
    by_edit = {edit: [error for error in errors if error.edit == edit] for edit in EDITS}
    moves = by_edit["move"]
    nearer = [float(error.gain_db > 0) for error in moves if error.gain_db is not None]
    outsides = [error for error in errors if error.edit not in EVERYWHERE and error.collateral_db is None]
    figures: dict[str, Any] = {
        "edit_scenes": num_scenes,
        "edit_pairs": len(errors),
        "edit_pairs_without_slot": {e: num_scenes - len(rows) for e, rows in by_edit.items() if len(rows) < num_scenes},
        "edit_pairs_without_influence": sum(error.gap_db is None for error in errors),
        "edit_pairs_without_outside": dict(Counter(error.edit for error in outsides)),
        "moves": len(moves),
        "moves_without_outside": sum(error.edit == "move" for error in outsides),
        **named_mean("steer_share", nearer),
    }
    names = {"gap_db": "edit_gap_db", "gain_db": "edit_gain_db", "psnr_db": "edit_psnr_db"}
    for field, name in (names | {"collateral_db": "collateral_psnr_db"}).items():
        figures |= named_mean(name, _scene_means(errors, field))
        for edit, rows in by_edit.items():
            if field != "collateral_db" or edit not in EVERYWHERE:
                figures |= named_mean(f"{name}_{edit}", _scene_means(rows, field))
    return figures


def change_figures(scenes: Iterable[EvaluationScene]) -> dict[str, Any]:
    """`edit_change_db_<edit>`: PSNR of the true picture before against the true one after, inside the mask.

    It says how hard a gain is: with errors that do not depend on the edit, an edit gains 3 dB where the decoder's own
    error is as large as the change, more where it is smaller.
    """
    values: dict[str, list[float]] = {edit: [] for edit in EDITS}
    for scene in scenes:
        for edit, row in values.items():
            if scene.influence[edit].any():
                row.append(psnr(scene.before, scene.after[edit], scene.influence[edit]))
    figures: dict[str, Any] = {}
    for edit, row in values.items():
        figures |= named_mean(f"edit_change_db_{edit}", row)
    return figures


def _scene_means(errors: Sequence[EditError], field: str) -> list[float]:
    """One value a scene, over its edits that have one."""
    values: dict[int, list[float]] = {}
    for error in errors:
        if (value := getattr(error, field)) is not None:
            values.setdefault(error.scene, []).append(value)
    return [float(np.mean(row)) for row in values.values()]
