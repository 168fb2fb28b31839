"""`python -m anchorgen bench faithful`: edits of a given picture, drawn plainly, by flow inversion, and with `keep`.

A picture is measured against the true one where the edit shows, and against the given one where it does not: there a
user wants what was there before. Latents are true ones; steps and guidance are as shipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from anchorgen.analysis.edit_errors import EVERYWHERE, MIN_OUTSIDE
from anchorgen.analysis.evaluation_latents import evaluation_latents
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.held_out import evaluation_scenes
from anchorgen.analysis.metrics import named_mean, psnr
from anchorgen.decode.flow import Velocity, euler, invert
from anchorgen.pipeline.loading import load
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.pipeline.source import Source
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import SceneLatent

INVERSION_STEPS = 12  # with 4, as shipped, inversion finds no noise that draws the source again
_SEEDS = (0, 1, 2)


def run(quick: bool = False) -> dict[str, Any]:
    """Figures over the 100 scenes of the evaluation set and three noise seeds; over 12 and one if quick."""
    scenes, seeds = (evaluation_scenes(12), _SEEDS[:1]) if quick else (evaluation_scenes(), _SEEDS)
    return compare(load(), tqdm(scenes, desc="faithful"), seeds)


def compare(pipe: AnchorgenPipeline, scenes: Iterable[EvaluationScene], seeds: Sequence[int]) -> dict[str, Any]:
    """Means over scenes, dB, for each WAY: "plain", "inversion", "inversion_keep", "keep", "keep_draft", and "copy",
    the source itself.

    Returns:
        `edit_psnr_db_WAY` inside the influence mask and `edit_psnr_db_WAY_EDIT` for each edit,
        `source_psnr_db_WAY` outside it, `round_trip_db_WAY` of the unedited scene; each with its 95% interval.

    Raises:
        ValueError: there is no scene.
    """
    rows: dict[str, list[float]] = defaultdict(list)
    count = 0
    for scene in scenes:
        count += 1
        for name, value in _measured(pipe, scene, seeds).items():
            rows[name].append(value)
    if not count:
        raise ValueError("got no scenes; expected those of evaluation_scenes()")
    figures: dict[str, Any] = {"scenes": count, "noise_seeds": len(seeds)}
    for name in sorted(rows):
        figures |= named_mean(name, rows[name])
    return figures


def _measured(pipe: AnchorgenPipeline, scene: EvaluationScene, seeds: Sequence[int]) -> dict[str, float]:
    """One scene: by the names of the figures, means over its edits."""
    latents, rows = evaluation_latents(pipe, scene), defaultdict(list)
    inversion = Inversion(pipe, pipe.source(scene.before, latents.before))
    for way, pictures in inversion.ways(latents.before, seeds).items():
        rows[f"round_trip_db_{way}"] += [psnr(picture, scene.before) for picture in pictures]
    for edit, edited in latents.edited.items():
        inside, outside = scene.influence[edit], np.logical_not(scene.influence[edit])
        for way, pictures in {"copy": [scene.before], **inversion.ways(edited, seeds)}.items():
            if inside.any():
                error = float(np.mean([psnr(picture, scene.after[edit], inside) for picture in pictures]))
                rows[f"edit_psnr_db_{way}"].append(error)
                rows[f"edit_psnr_db_{way}_{edit}"].append(error)
            if edit not in EVERYWHERE and outside.mean() >= MIN_OUTSIDE:
                rows[f"source_psnr_db_{way}"] += [psnr(picture, scene.before, outside) for picture in pictures]
    return {name: float(np.mean(values)) for name, values in rows.items()}


class Inversion:
    """Edits of a picture from the noise from which its own scene draws it."""

    def __init__(self, pipe: AnchorgenPipeline, source: Source):
        self.pipe, self.source = pipe, source
        image = torch.from_numpy(source.image.transpose(2, 0, 1).copy())[None].float().to(pipe.device)
        with torch.no_grad():
            tokens = pipe.decoder.autoencoder.encode(image / 127.5 - 1)
        self.noise = invert(self._velocity(source.scene), tokens, INVERSION_STEPS, self._shift)
        self.unedited = self.draw(source.scene)

    def draw(self, scene: SceneLatent) -> torch.Tensor:
        """`[1, 3, H, W]` uint8."""
        tokens = euler(self._velocity(scene), self.noise, INVERSION_STEPS, self._shift)
        with torch.no_grad():
            images = self.pipe.decoder.autoencoder.decode(tokens)
        return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()

    def ways(self, scene: SceneLatent, seeds: Sequence[int]) -> dict[str, list[Any]]:
        """Pictures of an edited scene by each way, one a noise seed; inversion has but one noise."""
        drawn = self.draw(scene)
        kept = self.source.kept(drawn, self.unedited, [scene], self.pipe.device)
        one = {"inversion": drawn, "inversion_keep": kept}
        return {name: [x[0].permute(1, 2, 0).numpy()] for name, x in one.items()} | {
            "plain": [self.pipe.render(scene, seed=s) for s in seeds],
            "keep": [self.pipe.render(scene, seed=s, keep=self.source) for s in seeds],
            "keep_draft": [self.pipe.render(scene, seed=s, keep=self.source, draft=True) for s in seeds],
        }

    def _velocity(self, scene: SceneLatent) -> Velocity:
        batch = SceneBatch.stack([scene]).to(self.pipe.device)
        return self.pipe.decoder.guided(batch, self.pipe.config.guidance)

    @property
    def _shift(self) -> float:
        return self.pipe.decoder.velocity.config.shift
