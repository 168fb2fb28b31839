"""What the pipeline's calls are given: is it of this model?"""

from __future__ import annotations

from typing import Any

import numpy as np

from anchorgen.pipeline.config import PipelineConfig
from anchorgen.scene.errors import LatentSpaceError
from anchorgen.scene.latent import SceneLatent


def check_scene(scene: Any, config: PipelineConfig) -> None:
    """Raises TypeError for what is no scene, LatentSpaceError for one of another latent space or other sizes."""
    if not isinstance(scene, SceneLatent):
        raise TypeError(
            f"got {type(scene).__name__}; expected a SceneLatent: encode the picture first, pipe.encode(image)"
        )
    if scene.latent_space != config.latent_space:
        raise LatentSpaceError(
            f"the scene is of latent space {scene.latent_space or '(none)'}, this model of {config.latent_space}; "
            "encode the picture again with this model, or load the model that made the scene"
        )
    sizes = config.decoder
    found = (*scene.appearance.shape[1:], *scene.background.shape)
    expected = (sizes.num_tokens, sizes.channels, sizes.num_background, sizes.channels)
    if found != expected:
        raise LatentSpaceError(
            f"the scene's tokens have sizes K, C, Kb, C = {found}; this model's have {expected}: "
            "encode a picture with this model, or begin with pipe.blank()"
        )


def whole_number(name: str, value: Any) -> int:
    """`value` as an int. Raises ValueError unless it is a whole number of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not -(2**63) <= int(value) < 2**63:
        raise ValueError(f"{name}: got {value!r}; expected a whole number")
    return int(value)
