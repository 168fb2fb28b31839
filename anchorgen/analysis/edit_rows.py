"""What `bench decoder` measured of one evaluation scene, kept in a file: a stopped benchmark goes on where it was.

Scenes take half a minute each on two cores. They are shared out to processes of one thread, which draws more pictures a
minute than one process of two threads.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from anchorgen.analysis.drawn_scene import draw, light_maps
from anchorgen.analysis.edit_errors import EditError, edit_error
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.held_out import evaluation_scenes
from anchorgen.analysis.hidden import EDIT, Hidden, hidden
from anchorgen.analysis.lamp_light import LampLight, lamp_light
from anchorgen.analysis.results import weights_sha256
from anchorgen.analysis.revealed import REVEALING, Revealed, revealed
from anchorgen.data.atomic import whole_or_absent
from anchorgen.data.cache import cache_folder
from anchorgen.pipeline.loading import load
from anchorgen.pipeline.pipeline import AnchorgenPipeline

_VERSION = 1  # raise it whenever the same pictures would give other rows


@dataclass(frozen=True)
class SceneRows:
    """Attributes:
    errors: of every edit that the scene's latents can be given; shown: what those reveal.
    light: of the lamp that is taken away; moved: the object that is, if partly hidden before. None if there is none.
    """

    errors: tuple[EditError, ...]
    shown: tuple[Revealed, ...]
    light: LampLight | None
    moved: Hidden | None

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_absent(path) as partial:
            partial.write_text(json.dumps(dataclasses.asdict(self)) + "\n")

    @staticmethod
    def load(path: Path) -> SceneRows:
        value = json.loads(path.read_text())
        return SceneRows(
            tuple(EditError(**row) for row in value["errors"]),
            tuple(Revealed(**row) for row in value["shown"]),
            LampLight(**value["light"]) if value["light"] else None,
            Hidden(**value["moved"]) if value["moved"] else None,
        )


def measure_scene(
    pipe: AnchorgenPipeline, scene: EvaluationScene, seeds: Sequence[int], names: Sequence[str] = EDITS
) -> SceneRows:
    """Draws a scene before and after the edits `names`, once a noise seed, and measures that."""
    drawn = draw(pipe, scene, seeds, names)
    errors = [
        edit_error(
            scene.index, name, scene.after[name], scene.influence[name], edited, drawn.unedited, drawn.floor[name]
        )
        for name, edited in drawn.edited.items()
    ]
    shown = [
        revealed(scene, name, drawn.known, edited, drawn.unedited)
        for name, edited in drawn.edited.items()
        if name in REVEALING
    ]
    light = lamp_light(*light_maps(scene, drawn)) if "remove_lit_lamp" in drawn.edited else None
    moved = hidden(scene, drawn.known, drawn.edited[EDIT]) if EDIT in drawn.edited else None
    return SceneRows(tuple(errors), tuple(shown), light, moved)


def rows_folder(pipe: AnchorgenPipeline, seeds: Sequence[int]) -> Path:
    """Where rows of the bundled weights, drawn like this, are kept."""
    config = pipe.config
    drawn = f"{config.method}-{config.steps}-{config.guidance:g}-seeds-{'-'.join(map(str, seeds))}"
    return cache_folder() / "bench" / f"decoder-{_VERSION}" / weights_sha256()[:16] / drawn


def measure_bundled(pipe: AnchorgenPipeline, count: int, seeds: Sequence[int], workers: int) -> list[SceneRows]:
    """Rows of the first `count` scenes, as `pipe`, the bundled weights, draws them; those that are kept are not measured again."""
    folder = rows_folder(pipe, seeds)
    paths = [folder / f"scene-{index:03d}.json" for index in range(count)]
    evaluation_scenes(count)  # says if scenes are missing
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    jobs = [(missing[k::workers], count, tuple(seeds), folder) for k in range(workers)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_measure_share, [job for job in jobs if job[0]]))
    return [SceneRows.load(path) for path in paths]


def _measure_share(job: tuple[list[int], int, tuple[int, ...], Path]) -> None:
    indices, count, seeds, folder = job
    torch.set_num_threads(1)
    pipe, wanted = load(), set(indices)
    scenes = (scene for scene in evaluation_scenes(count) if scene.index in wanted)
    for scene in tqdm(scenes, "edits", len(wanted)):
        measure_scene(pipe, scene, seeds).save(folder / f"scene-{scene.index:03d}.json")


def plain_rows(rows: Sequence[SceneRows]) -> dict[str, list[Any]]:
    """The same by kind."""
    return {
        "errors": [error for row in rows for error in row.errors],
        "shown": [pixels for row in rows for pixels in row.shown],
        "lights": [row.light for row in rows if row.light is not None],
        "moved": [row.moved for row in rows if row.moved is not None],
    }
