"""`python -m anchorgen bench decoder`: does the decoder draw held-out rooms, and do their latents steer it?

Pictures are drawn from true latents with steps and guidance as shipped; figures are means over scenes of means over
noise seeds, never the best of several.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from anchorgen.analysis.adapter_cost import adapter_cost
from anchorgen.analysis.edit_errors import change_figures, edit_figures
from anchorgen.analysis.edit_rows import SceneRows, measure_bundled, measure_scene, plain_rows
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.held_out import evaluation_scenes, stream_test_records, test_records
from anchorgen.analysis.hidden import hidden_figures
from anchorgen.analysis.lamp_light import lamp_figures
from anchorgen.analysis.leakage import empty_rooms, lamp_probe
from anchorgen.analysis.reconstruction import reconstruction, training_mean
from anchorgen.analysis.revealed import revealed_figures
from anchorgen.pipeline.loading import load
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import SceneLatent

_SEEDS = (0, 1, 2)


def run(quick: bool = False, scenes: int | None = None, workers: int | None = None) -> dict[str, Any]:
    """Figures over 100 test rooms and the 100 scenes of the evaluation set; over few, and one noise seed, if quick.

    What b leaks is measured on 800 test rooms and on 12 empty rooms, which are rendered at the first time.

    Args:
        scenes: fewer scenes of the evaluation set. What was measured of a scene is kept, with the same weights.
        workers: processes for the scenes; one a core if not given.
    """
    num_rooms, num_scenes, num_mean = (12, 6, 256) if quick else (100, 100, 2000)
    num_probed, num_empty = (160, 3) if quick else (800, 12)
    num_scenes = scenes or num_scenes
    records = test_records(num_rooms)
    pipe, seeds = load(), _SEEDS[:1] if quick else _SEEDS
    figures: dict[str, Any] = {"rooms": len(records), "noise_seeds": len(seeds), "steps": pipe.config.steps}
    figures |= {"draft_steps": pipe.config.draft_steps, "guidance": pipe.config.guidance}
    # First what may find that rooms are missing.
    figures |= lamp_probe(
        pipe, tqdm(stream_test_records(num_probed), "probe", num_probed), evaluation_scenes(num_scenes)
    )
    figures |= empty_rooms(pipe, list(evaluation_scenes(num_empty)), seeds)
    figures |= reconstruction(pipe, records, seeds, training_mean(pipe, num_mean))
    figures |= figures_of(measure_bundled(pipe, num_scenes, seeds, workers or os.cpu_count() or 1))
    figures |= change_figures(evaluation_scenes(num_scenes))
    return figures | timing(pipe, [pipe.latents(r.truth, r.image, r.instance) for r in records[:4]])


def edits(
    pipe: AnchorgenPipeline,
    scenes: Iterable[EvaluationScene],
    seeds: Sequence[int],
    names: Sequence[str] = EDITS,
) -> dict[str, Any]:
    """Errors of the edits `names` of the evaluation set, what they reveal of rooms and of hidden objects, and the
    light of lamps that are taken away."""
    return figures_of([measure_scene(pipe, scene, seeds, names) for scene in scenes])


def figures_of(rows: Sequence[SceneRows]) -> dict[str, Any]:
    """Means over scenes."""
    by_kind = plain_rows(rows)
    figures = edit_figures(by_kind["errors"], len(rows)) | revealed_figures(by_kind["shown"], len(rows))
    return figures | lamp_figures(by_kind["lights"]) | hidden_figures(by_kind["moved"])


def timing(pipe: AnchorgenPipeline, scenes: Sequence[SceneLatent]) -> dict[str, Any]:
    """Seconds from an edited scene to its picture: medians over rooms, after one warm-up; the autoencoder's and the
    adapter's part."""
    out: dict[str, Any] = {"threads": torch.get_num_threads()}
    for name, draft in (("draft_seconds", True), ("final_seconds", False)):
        pipe.render(scenes[0], draft=draft)
        seconds = []
        for scene in list(scenes) * 3:
            started = time.perf_counter()
            pipe.render(scene, draft=draft)
            seconds.append(time.perf_counter() - started)
        out[name] = float(np.median(seconds))
    out["vae_decode_cpu_seconds"] = decode_seconds(pipe)
    return out | adapter_cost(pipe.decoder.velocity, SceneBatch.stack([scenes[0]]))


@torch.no_grad()
def decode_seconds(pipe: AnchorgenPipeline, count: int = 12) -> float:
    """CPU-seconds in which the autoencoder alone makes a picture of tokens: the median, on one thread."""
    threads, seconds = torch.get_num_threads(), []
    tokens = pipe.decoder.noise([0]).to(pipe.device)
    torch.set_num_threads(1)
    try:
        pipe.decoder.autoencoder.decode(tokens)
        for _ in range(count):
            started = time.process_time()
            pipe.decoder.autoencoder.decode(tokens)
            seconds.append(time.process_time() - started)
    finally:
        torch.set_num_threads(threads)
    return float(np.median(seconds))
