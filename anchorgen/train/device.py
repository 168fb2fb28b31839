"""Where a training process computes what it needs before the loop begins."""

from __future__ import annotations

import torch
from accelerate import PartialState


def training_device() -> torch.device:
    """The one that `fit` will use: this process's GPU where there is one."""
    return PartialState().device
