"""A pipeline that draws with a decoder run before there is a prior or an encoder for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from anchorgen.encode.bundled import EncoderConfig
from anchorgen.pipeline.config import PipelineConfig
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.prior import PriorConfig
from anchorgen.train.run_settings import load_autoencoder, read_decoder_settings
from anchorgen.world.catalogue import CATEGORIES


def pipeline_of_run(run: Path, autoencoder_run: Path, **options: Any) -> AnchorgenPipeline:
    """Draws true latents with the run's networks; its prior and encoder have random weights.

    Args:
        run, autoencoder_run: folders that `train decoder` and `train vae` left.
        options: of `PipelineConfig` (steps, guidance, ...).
    """
    autoencoder, decoder = load_autoencoder(autoencoder_run), read_decoder_settings(run)
    k, c, kb = decoder.num_tokens, decoder.channels, decoder.num_background
    prior = PriorConfig(num_tokens=k, num_channels=c, num_background_tokens=kb, labels=CATEGORIES)
    size, patch = autoencoder.config.image_size, decoder.background_patch
    encoder = EncoderConfig(CATEGORIES, num_tokens=k, channels=c, image_size=size, patch=patch)
    plain = (json.loads(json.dumps(dataclasses.asdict(x))) for x in (prior, encoder))
    names = dict(zip(("prior", "encoder"), plain, strict=True))
    sizes = {"autoencoder": autoencoder.config, "decoder": decoder, "background_patch": patch}
    config = PipelineConfig(name=run.name, categories=CATEGORIES, **sizes, **names, **options)
    pipe = AnchorgenPipeline.from_config(config)
    pipe.decoder.autoencoder.load_state_dict(autoencoder.state_dict())
    pipe.decoder.velocity.load_state_dict(load_file(run / "decoder.safetensors"))
    pipe.tokens.load_state_dict(load_file(run / "tokens.safetensors"))
    config = dataclasses.replace(pipe.config, latent_space="")
    return AnchorgenPipeline(config, pipe.tokens, pipe.decoder, pipe.prior, pipe.encoder)
