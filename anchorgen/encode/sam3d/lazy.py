"""The paper's encoder as a saved pipeline has it: every model is loaded when a picture first needs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import torch

from anchorgen.encode.moge import Moge
from anchorgen.encode.pooling import AttentionPooling
from anchorgen.encode.sam3 import Sam3Masks
from anchorgen.encode.sam3d.config import Sam3dConfig
from anchorgen.encode.sam3d.encoder import Sam3dEncoder, Sam3dSettings
from anchorgen.encode.sam3d.explain import named_in_config
from anchorgen.encode.sam3d.places import workers_here
from anchorgen.encode.sam3d.workers import Sam3dWorkers


class LazySam3dEncoder(Sam3dEncoder):
    """`Sam3dEncoder` whose `workers`, `masks` and `depth` are made at first use, unless they are set before.

    Args:
        pooling: of the pipeline's token networks; SAM 3 and MoGe run on its device.
        config: repositories and settings.
        concepts: that SAM 3 looks for.
        max_objects, num_voxels: see `Sam3dSettings`.
    """

    def __init__(
        self, pooling: AttentionPooling, config: Sam3dConfig, concepts: Sequence[str], max_objects: int, num_voxels: int
    ):
        self.pooling, self.config, self.concepts = pooling, config, tuple(concepts)
        grid = (config.num_patches, config.num_patches)  # pictures are squares
        self.settings = Sam3dSettings(max_objects, num_voxels, grid, seed=config.seed)

    def identity(self) -> str:
        """Names models, concepts and settings: what other scenes would come of."""
        facts = [asdict(self.config), list(self.concepts), self.settings.max_objects, self.settings.num_voxels]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def device(self) -> torch.device:
        return self.pooling.queries.device

    @cached_property
    def workers(self) -> Sam3dWorkers:  # type: ignore[override]
        """Raises PerceptionError: this machine does not say where SAM 3D is."""
        return workers_here(self.device)

    @cached_property
    def masks(self) -> Sam3Masks:  # type: ignore[override]
        """Raises PerceptionError: as `Sam3Masks.load`."""
        dtype = torch.float32 if self.device.type == "cpu" else torch.bfloat16
        options = {"concepts": self.concepts, "threshold": self.config.threshold}
        with named_in_config("encoder.sam3"):
            return Sam3Masks.load(self.config.sam3, self.device, dtype, **options)

    @cached_property
    def depth(self) -> Moge | None:  # type: ignore[override]
        """Raises PerceptionError: as `Moge.load`."""
        with named_in_config("encoder.moge"):
            return Moge.load(self.config.moge, self.device) if self.config.moge else None
