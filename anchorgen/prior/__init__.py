"""The prior G_phi over scene latents, and anchored generation with it (Sec. 2.3)."""

from anchorgen.prior.model import PriorConfig, ScenePrior
from anchorgen.prior.paths import AnchorBatch
from anchorgen.prior.sampler import SampleReport, sample

__all__ = ["AnchorBatch", "PriorConfig", "SampleReport", "ScenePrior", "sample"]
