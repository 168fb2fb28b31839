"""FLUX.2-klein's parts from the hub or a folder, by the real classes of diffusers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from safetensors import SafetensorError
from torch import nn

from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig, autoencoder_config
from anchorgen.decode.flux2_config import KLEIN_BASE_4B, KleinConfig
from anchorgen.decode.flux2_errors import BackboneError, explained


class KleinParts(NamedTuple):
    """`config` is as asked for, with the sizes that the transformer really has."""

    config: KleinConfig
    transformer: Flux2Transformer2DModel
    autoencoder: Autoencoder
    scheduler: FlowMatchEulerDiscreteScheduler


def load_parts(config: KleinConfig, transformer_folder: str | Path | None = None) -> KleinParts:
    """Reads transformer, autoencoder and scheduler; never the text encoder.

    Args:
        config: repository, revision and dtype.
        transformer_folder: a fully trained transformer that takes the place of the repository's; without it, one that
            the settings say there is (`own_transformer`) has weights of zero.

    Raises:
        BackboneError: no access, no network, missing files, or parts that do not fit each other.
    """
    source = config.repository
    where: dict[str, Any] = {} if Path(source).is_dir() else {"revision": config.revision}
    with explained("loading the backbone", source):
        transformer = _transformer(config, source, where, transformer_folder)
        vae = AutoencoderKLFlux2.from_pretrained(source, subfolder="vae", dtype=config.torch_dtype, **where)
        scheduler: Any = FlowMatchEulerDiscreteScheduler.from_pretrained(source, subfolder="scheduler", **where)
    sizes = {name: transformer.config[name] for name in KLEIN_BASE_4B}
    autoencoder = Autoencoder(autoencoder_config(vae, config.image_size), vae)
    if sizes["in_channels"] != autoencoder.config.token_channels:
        raise BackboneError(
            f"{source}: its transformer takes {sizes['in_channels']} channels, its autoencoder makes "
            f"{autoencoder.config.token_channels}; these parts are of different models"
        )
    if sizes["guidance_embeds"]:
        raise BackboneError(
            f"{source} embeds guidance (FLUX.2-dev does), which this decoder does not give; use FLUX.2-klein-base"
        )
    return KleinParts(dataclasses.replace(config, transformer=sizes), transformer, autoencoder, scheduler)


def _transformer(
    config: KleinConfig, source: str, where: dict[str, Any], folder: str | Path | None
) -> Flux2Transformer2DModel:
    if folder is not None:
        try:
            return Flux2Transformer2DModel.from_pretrained(str(folder), dtype=config.torch_dtype)
        except (OSError, SafetensorError) as error:
            raise BackboneError(
                f"{folder} holds no whole transformer ({str(error).strip().splitlines()[0][:200]}); the run that trained "
                "it writes it anew when it is called again"
            ) from error
    if config.own_transformer:
        with torch.device("meta"):  # no time is spent on random weights
            empty = Flux2Transformer2DModel(**config.transformer)
        nn.Module.to(empty, config.torch_dtype).to_empty(device="cpu")
        for parameter in empty.parameters():
            parameter.data.zero_()
        return empty
    return Flux2Transformer2DModel.from_pretrained(source, subfolder="transformer", dtype=config.torch_dtype, **where)


def random_parts(config: KleinConfig, autoencoder: AutoencoderConfig) -> KleinParts:
    """The same classes with random weights of the configured sizes: for tests, and to count parameters on the meta device.

    Raises:
        ValueError: the sizes do not fit each other.
    """
    if config.token_channels != autoencoder.token_channels or config.grid != autoencoder.grid:
        raise ValueError(
            f"the transformer takes {config.token_channels} channels on a grid of {config.grid}, the autoencoder makes "
            f"{autoencoder.token_channels} on {autoencoder.grid}; expected the same"
        )
    transformer, vae = Flux2Transformer2DModel(**config.transformer), Autoencoder(autoencoder)
    for module in (transformer, vae):
        nn.Module.to(module, config.torch_dtype)  # diffusers' own `to` warns of layers that FLUX.2 has not
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    return KleinParts(config, transformer, vae, scheduler)
