"""`load`: where a notebook begins."""

from __future__ import annotations

from pathlib import Path

import torch

from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.pipeline.pretrained import pretrained_folder


def load(name: str | Path = "bedrooms-128", device: str | torch.device | None = None) -> AnchorgenPipeline:
    """A bundled model by name, or any folder written by `save_pretrained`; on the GPU if there is one.

    Raises:
        PretrainedError: no such model; the message lists those there are.
    """
    return AnchorgenPipeline.from_pretrained(pretrained_folder(name), device)
