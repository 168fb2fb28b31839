"""A pipeline that draws with a decoder run before there is a prior or an encoder for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.decode.velocity import DecoderConfig
from anchorgen.encode.bundled import EncoderConfig
from anchorgen.json_values import tuples
from anchorgen.pipeline.config import PipelineConfig
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.prior import PriorConfig
from anchorgen.world.catalogue import CATEGORIES

SETTINGS = "settings.json"


def write_settings(out: Path, **settings: Any) -> None:
    """Sizes of a run's networks (dataclasses by name), so that whoever reads its weights need not be told."""
    plain = {name: dataclasses.asdict(value) for name, value in settings.items()}
    (out / SETTINGS).write_text(json.dumps(plain, indent=1) + "\n")


def read_settings(run: Path) -> tuple[AutoencoderConfig, DecoderConfig]:
    """What a decoder run was given.

    Raises:
        FileNotFoundError: it is not one, or did not finish.
    """
    if not (run / SETTINGS).is_file():
        raise FileNotFoundError(f"{run / SETTINGS} is missing; `anchorgen train decoder --out {run}` writes it")
    settings = json.loads((run / SETTINGS).read_text())
    return AutoencoderConfig(**tuples(settings["autoencoder"])), DecoderConfig(**tuples(settings["decoder"]))


def pipeline_of_run(run: Path, autoencoder_run: Path, **options: Any) -> AnchorgenPipeline:
    """Draws true latents with the run's networks; its prior and encoder have random weights.

    Args:
        run, autoencoder_run: folders that `train decoder` and `train vae` left.
        options: of `PipelineConfig` (steps, guidance, ...).
    """
    autoencoder, decoder = read_settings(run)
    k, c, kb = decoder.num_tokens, decoder.channels, decoder.num_background
    prior = PriorConfig(num_tokens=k, num_channels=c, num_background_tokens=kb, labels=CATEGORIES)
    size, patch = autoencoder.image_size, decoder.background_patch
    encoder = EncoderConfig(CATEGORIES, num_tokens=k, channels=c, image_size=size, patch=patch)
    plain = (json.loads(json.dumps(dataclasses.asdict(x))) for x in (prior, encoder))
    names = dict(zip(("prior", "encoder"), plain, strict=True))
    sizes = {"autoencoder": autoencoder, "decoder": decoder, "background_patch": patch}
    config = PipelineConfig(name=run.name, categories=CATEGORIES, **sizes, **names, **options)
    pipe = AnchorgenPipeline.from_config(config)
    pipe.decoder.autoencoder.load_state_dict(load_file(autoencoder_run / "vae.safetensors"))
    pipe.decoder.velocity.load_state_dict(load_file(run / "decoder.safetensors"))
    pipe.tokens.load_state_dict(load_file(run / "tokens.safetensors"))
    config = dataclasses.replace(pipe.config, latent_space="")
    return AnchorgenPipeline(config, pipe.tokens, pipe.decoder, pipe.prior, pipe.encoder)
