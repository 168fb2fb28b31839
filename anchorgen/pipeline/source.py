"""A picture that edits stay faithful to: `pipe.source(image)`, then `pipe.render(edited, keep=source)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from anchorgen.decode.faithful import keep_source
from anchorgen.pipeline.checks import check_scene
from anchorgen.pipeline.config import PipelineConfig
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import SceneLatent

_MOST_PICTURES = 16  # remembered for a source


@dataclass(frozen=True, eq=False)
class Source:
    """Attributes:
    image: `[H, W, 3]` uint8, as the decoder draws: the central square, at its size.
    scene: what the picture was encoded as; edits start from it, slot by slot.
    """

    image: np.ndarray
    scene: SceneLatent

    def __repr__(self) -> str:
        return f"Source({self.image.shape[1]} x {self.image.shape[0]} px, {self.scene.num_objects} objects)"

    def kept(
        self, pictures: torch.Tensor, unedited: torch.Tensor, edited: Sequence[SceneLatent], device: torch.device
    ) -> torch.Tensor:
        """D of edited scenes, faithful to the source (see `decode.faithful`).

        Args:
            pictures: `[B, 3, H, W]` uint8, one an edited scene.
            unedited: `[1, 3, H, W]` uint8, D of the source's own scene.
            edited: B scenes.
            device: where it is computed.
        """
        image, before = torch.from_numpy(self.image.transpose(2, 0, 1).copy()), SceneBatch.stack([self.scene])
        rows = [
            keep_source(picture, image, unedited[0], before.to(device), SceneBatch.stack([scene]).to(device))
            for picture, scene in zip(pictures, edited, strict=True)
        ]
        return torch.stack(rows)


class UneditedPictures:
    """D of sources' own scenes, remembered by how they were drawn, as long as the source lives."""

    def __init__(self):
        self._drawn: WeakKeyDictionary[Source, dict[tuple, torch.Tensor]] = WeakKeyDictionary()

    def picture(self, source: Source, how: tuple, draw: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What `draw` gives, or gave before for the same source and `how`."""
        drawn = self._drawn.setdefault(source, {})
        if how not in drawn:
            if len(drawn) >= _MOST_PICTURES:
                drawn.clear()
            drawn[how] = draw()
        return drawn[how]

    def clear(self) -> None:
        self._drawn.clear()


def check_source(keep: Any, scenes: Sequence[SceneLatent], config: PipelineConfig) -> None:
    """What `render(scenes, keep=keep)` is given; None is no source.

    Raises:
        TypeError: not a source. LatentSpaceError: of another latent space.
        ValueError: its picture is not of the size drawn now, or a scene has other slots than its own.
    """
    if keep is None:
        return
    if not isinstance(keep, Source):
        raise TypeError(f"keep: got {type(keep).__name__}; expected a source: pipe.source(image, scene)")
    check_scene(keep.scene, config)
    size, side = config.image_size, keep.image.shape[0]
    if side != size:
        raise ValueError(
            f"keep: its picture is of {side} x {side} px, this model draws {size} x {size}; "
            "make it again with this model: pipe.source(image, scene)"
        )
    for scene in scenes:
        if scene.num_slots != keep.scene.num_slots:
            raise ValueError(
                f"keep: its scene has {keep.scene.num_slots} slots, the edited one {scene.num_slots}; "
                "expected an edit of source.scene"
            )
