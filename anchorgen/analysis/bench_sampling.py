"""`python -m anchorgen bench sampling`: what steps, guidance and method of the sampler give, on validation rooms.

What ships is chosen here and measured on test rooms by `bench decoder`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from anchorgen.analysis.reconstruction import likeness
from anchorgen.data.cache import split_folder
from anchorgen.data.records import Record
from anchorgen.data.shards import read_records
from anchorgen.pipeline.loading import load
from anchorgen.pipeline.pipeline import AnchorgenPipeline

_AT_ONCE = 16


class Sampling(NamedTuple):
    """How pictures are drawn; `str` names it in the figures."""

    method: str
    steps: int
    guidance: float

    def __str__(self) -> str:
        return f"{self.method}_{self.steps}_guidance_{self.guidance:g}"


GRID = tuple(Sampling("euler", steps, 1.0) for steps in (1, 2, 4, 8, 16, 32))
GRID += tuple(Sampling("euler", 4, guidance) for guidance in (1.2, 1.4, 1.6, 1.8, 2.0, 2.5))
GRID += tuple(Sampling("euler", steps, 1.6) for steps in (1, 2, 8, 16))
GRID += tuple(Sampling("heun", steps, 1.0) for steps in (2, 4, 8))


def run(quick: bool = False) -> dict[str, Any]:
    """Figures of every way to sample, over 64 validation rooms (8 and few ways if quick)."""
    count, grid = (8, GRID[:3]) if quick else (64, GRID)
    return sampling_figures(load(), validation_records(count), grid)


def validation_records(count: int) -> list[Record]:
    """The first validation rooms.

    Raises:
        FileNotFoundError: too few are rendered; the message gives the command.
    """
    folder = split_folder("val")
    records = list(read_records(folder, stop=count)) if folder.is_dir() else []
    if len(records) < count:
        command = f"python -m anchorgen data render --split val --count {count}"
        raise FileNotFoundError(
            f"{len(records)} validation rooms in {folder}; this needs {count}; render them: {command}"
        )
    return records


def sampling_figures(pipe: AnchorgenPipeline, records: Sequence[Record], grid: Sequence[Sampling]) -> dict[str, Any]:
    """For each way: means over rooms, one noise seed, and seconds a picture where several are drawn at once."""
    scenes = [pipe.latents(r.truth, r.image, r.instance) for r in records]
    figures: dict[str, Any] = {"rooms": len(records)}
    for way in grid:
        started, pictures = time.perf_counter(), []
        for start in range(0, len(scenes), _AT_ONCE):
            pictures += pipe.render(scenes[start : start + _AT_ONCE], seed=0, **way._asdict())
        seconds = (time.perf_counter() - started) / len(scenes)
        means = np.mean([likeness(p, r.image) for p, r in zip(pictures, records, strict=True)], 0)
        rounded = [round(float(x), 4) for x in (*means, seconds)]
        figures[str(way)] = dict(zip(("psnr_db", "ssim", "laplacian_ratio", "seconds"), rounded, strict=True))
    return figures
