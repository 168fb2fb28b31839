"""The decoder that a pipeline's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchorgen.decode.autoencoder import Autoencoder
from anchorgen.decode.decoder import FlowSceneDecoder, velocity_network
from anchorgen.decode.flux2_config import KleinConfig

if TYPE_CHECKING:
    from anchorgen.pipeline.config import PipelineConfig


def make_decoder(config: PipelineConfig) -> FlowSceneDecoder:
    """A small decoder with random weights, or FLUX.2-klein with its backbone's weights and a new adapter.

    Raises:
        BackboneError: the backbone cannot be had; the message says why and what to do.
    """
    if not isinstance(config.decoder, KleinConfig):
        return FlowSceneDecoder(Autoencoder(config.autoencoder), velocity_network(config.decoder))
    from anchorgen.decode.flux2 import Flux2KleinDecoder

    if not config.decoder.repository:
        return Flux2KleinDecoder.random(config.decoder, config.autoencoder)
    return Flux2KleinDecoder.from_pretrained(config.decoder, with_prompt=False)
