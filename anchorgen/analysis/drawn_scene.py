"""Pictures of an evaluation scene as a decoder draws it: before its edits, after each, and from the true latents after.

Shape legend: G G grid of light maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_latents import evaluation_latents
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.lamp_light import inverse_square, light_map
from anchorgen.pipeline.pipeline import AnchorgenPipeline


@dataclass(frozen=True)
class DrawnScene:
    """Pictures of one evaluation scene, one a noise seed: before, and for each edit that its latents can be given, of
    the edited latents and of the edited room's true latents. `known` are the ids of the objects that have a slot before."""

    unedited: list[Image.Image]
    edited: dict[str, list[Image.Image]]
    floor: dict[str, list[Image.Image]]
    known: tuple[str, ...] = ()


def draw(
    pipe: AnchorgenPipeline, scene: EvaluationScene, seeds: Sequence[int], names: Sequence[str] = EDITS
) -> DrawnScene:
    """Draws all that measuring the edits `names` of a scene takes."""
    latents = evaluation_latents(pipe, scene, names)
    asked = [latents.before, *latents.edited.values(), *latents.after.values()]
    columns = list(zip(*(pipe.render(asked, seed=seed) for seed in seeds), strict=True))
    rows, made = [list(column) for column in columns], list(latents.edited)
    edited, floor = rows[1 : 1 + len(made)], rows[1 + len(made) :]
    pictures = (dict(zip(made, drawn, strict=True)) for drawn in (edited, floor))
    return DrawnScene(rows[0], *pictures, known=tuple(latents.before.ids))


def light_maps(scene: EvaluationScene, drawn: DrawnScene) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """`[G, G, 3]` each: the light that goes with the lamp in truth, the inverse-square guess, and one drawn a seed."""
    name, where = "remove_lit_lamp", np.logical_not(scene.lamp_mask)
    pairs = zip(drawn.unedited, drawn.edited[name], strict=True)
    return (
        light_map(scene.before, scene.after[name], where),
        inverse_square(scene.world, scene.edits[name]["id"], where),
        [light_map(lit, dark, where) for lit, dark in pairs],
    )
