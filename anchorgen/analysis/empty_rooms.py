"""True pictures of evaluation rooms with every object gone, rendered once and kept in the cache.

A file is named after what it shows, so that another room, renderer seed or number of samples is another file. Shape
legend: H W picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from anchorgen.analysis.evaluation_set import EvaluationScene, checksum
from anchorgen.data.atomic import whole_or_absent
from anchorgen.data.cache import worlds_folder
from anchorgen.data.lanes import run_jobs
from anchorgen.world.edits import apply_edit
from anchorgen.world.rendering import render
from anchorgen.world.types import WorldScene
from anchorgen.world.variant import limit_threads

_ROOMS_PER_PROCESS = 16  # then a fresh process: the renderer keeps a little memory of every picture


def emptied(world: WorldScene) -> WorldScene:
    """The room without its objects, those too that show too little for a slot. Walls, windows, curtains, daylight,
    exposure and camera stay."""
    return apply_edit(world, {"verb": "remove", "id": [spec.id for spec in world.objects]}) if world.objects else world


def empty_pictures(scenes: Sequence[EvaluationScene], folder: Path | None = None) -> list[np.ndarray]:
    """`[H, W, 3]` uint8 of each scene's empty room, with the renderer's seed and settings of its other pictures.

    What is not there yet is rendered (some five seconds each), in another process: what follows is timed without the
    renderer's threads beside it.

    Args:
        scenes: of the evaluation set.
        folder: where the pictures are kept; by default in the cache, beside this world's test rooms.

    Raises:
        ImportError: the renderer is not installed. ValueError: a kept picture cannot be read.
    """
    folder = worlds_folder() / "empty" if folder is None else folder
    rooms = [(emptied(scene.world).to_json(), dict(scene.settings)) for scene in scenes]
    paths = [picture_path(folder, scene.index, *room) for scene, room in zip(scenes, rooms, strict=True)]
    jobs = [(str(path), *room) for path, room in zip(paths, rooms, strict=True) if not path.is_file()]
    for _ in tqdm(run_jobs(_render_job, jobs, 1, _ROOMS_PER_PROCESS), "empty rooms", len(jobs), disable=not jobs):
        pass
    return [_read(path) for path in paths]


def picture_path(folder: Path, index: int, room: Mapping[str, Any], settings: Mapping[str, int]) -> Path:
    """Where the picture of a room, as JSON values, with these settings is kept."""
    shown = checksum({"room": dict(room), "settings": dict(settings)})
    return folder / f"scene-{index:03d}-{shown[:12]}.png"


def _render_job(job: tuple[str, dict[str, Any], dict[str, int]]) -> None:
    path, room, settings = job
    limit_threads(1)
    size, spp, seed, supersample = (settings[name] for name in ("size", "spp", "seed", "supersample"))
    picture = render(WorldScene.from_json(room), size, spp, seed, supersample=supersample).image
    with whole_or_absent(Path(path)) as partial:
        Image.fromarray(picture).save(partial, "PNG")


def _read(path: Path) -> np.ndarray:
    try:
        return np.asarray(Image.open(path).convert("RGB"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error}); remove it, and it is rendered again") from error
