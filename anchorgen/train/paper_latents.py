"""The paper's own latent records as a file for the prior: `python -m anchorgen train paper_latents --file FILE --out FILE`.

The file is a `.safetensors` with `box` `[S, N, 10]`, `appearance` `[S, N, K, C]`, `presence` `[S, N]`, `camera` `[S, 2]` and
`background` `[S, C]` of S scenes, and maybe `up` `[S, 3]` and `floor` `[S]`; `encode/paper_records.py` says what they are.
One scene at a time is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from safetensors import safe_open

from anchorgen.encode.paper_records import RecordConvention, scenes_from_paper_records
from anchorgen.scene.latent import SceneLatent
from anchorgen.train.encoded_latents import write_scenes

_NEEDED = ("box", "appearance", "presence", "camera", "background")


@dataclass(frozen=True)
class PaperLatents:
    """Attributes:
    file: the records. out: the `.safetensors` to write.
    frame: of t and q in `box`.
    latent_space: a name for the networks that made f and b.
    """

    file: Path
    out: Path
    frame: Literal["opencv", "pytorch3d"] = "opencv"
    latent_space: str = "paper"


def paper_scenes(config: PaperLatents) -> tuple[int, Iterator[SceneLatent]]:
    """How many scenes there are, and each of them.

    Raises:
        ValueError: an array is missing or of another length, or a scene is none; the message names it.
    """
    with safe_open(config.file, "numpy") as file:
        names = set(file.keys())
        missing = sorted(set(_NEEDED) - names)
        if missing:
            raise ValueError(f"{config.file} has no {', '.join(missing)}; expected {', '.join(_NEEDED)}")
        slices = {name: file.get_slice(name) for name in names & {*_NEEDED, "up", "floor"}}
        lengths = {name: part.get_shape()[0] for name, part in slices.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"{config.file} has arrays of different lengths: {lengths}; expected one row a scene")
    return lengths["box"], _scenes(config, lengths["box"], sorted(slices))


def _scenes(config: PaperLatents, count: int, names: list[str]) -> Iterator[SceneLatent]:
    with safe_open(config.file, "numpy") as file:
        slices = {name: file.get_slice(name) for name in names}
        num_slots, num_tokens, channels = slices["appearance"].get_shape()[1:]
        convention = RecordConvention(config.frame, num_tokens=num_tokens, channels=channels)
        for number in range(count):
            row = {name: np.asarray(part[number : number + 1])[0] for name, part in slices.items()}
            try:
                yield from scenes_from_paper_records(row, convention, num_slots, config.latent_space)
            except ValueError as error:
                raise ValueError(f"scene {number} of {config.file}: {error}") from None


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(PaperLatents, args=argv, description=__doc__)
    count, scenes = paper_scenes(config)
    write_scenes(scenes, count, ["object"], config.latent_space, config.out)
    print(f"wrote {config.out}: {count} scenes of latent space {config.latent_space}")
