"""The token networks and the encoder that a pipeline's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchorgen.encode.bundled import BundledEncoder
from anchorgen.pipeline.token_networks import TokenNetworks

if TYPE_CHECKING:
    from anchorgen.encode.protocol import SceneEncoder
    from anchorgen.pipeline.config import PipelineConfig


def make_encoding(config: PipelineConfig) -> tuple[TokenNetworks, SceneEncoder]:
    """Random weights of what is this model's own. DINOv2, SAM 3 and SAM 3D are not: a picture loads them.

    Raises:
        ValueError: there is no such encoder.
    """
    d = config.decoder
    if config.encoder_kind == "bundled":
        tokens = TokenNetworks(d.num_tokens, d.channels, d.num_background, d.background_patch)
        return tokens, BundledEncoder.from_config(config.encoder)
    if config.encoder_kind != "sam3d":
        raise ValueError(f"encoder of kind {config.encoder_kind!r}; expected 'sam3d', or none for the bundled one")
    from anchorgen.encode.dinov2 import LazyDinov2Patches
    from anchorgen.encode.sam3d.config import Sam3dConfig
    from anchorgen.encode.sam3d.lazy import LazySam3dEncoder
    from anchorgen.pipeline.paper_tokens import PaperTokenNetworks

    own = Sam3dConfig(**config.encoder)
    patches = LazyDinov2Patches(own.dinov2, own.dinov2_width, own.num_patches)
    sizes = (d.num_tokens, d.channels, d.num_background, own.token_width, own.token_heads)
    paper = PaperTokenNetworks(patches, *sizes)
    return paper, LazySam3dEncoder(paper.pooling, own, config.categories, config.num_slots, config.num_voxels)
