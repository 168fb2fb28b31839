"""Encoders E_psi by name, for jobs over many pictures."""

from __future__ import annotations

import hashlib
import importlib
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from anchorgen.pipeline.encoding import EncodingPipeline
from anchorgen.pipeline.pretrained import pretrained_folder
from anchorgen.scene.latent import SceneLatent


class PictureEncoder(Protocol):
    """What makes scenes of pictures: a pipeline, or whatever a function of the user's gives.

    It may also have `encode_extra(image) -> (scene, arrays by name)`, whose arrays (voxels, patches) are kept beside f and b.

    Attributes:
        latent_space: of its scenes.
    """

    @property
    def latent_space(self) -> str: ...

    def encode(self, image: Any) -> SceneLatent: ...


@runtime_checkable
class NamedModels(Protocol):
    """An encoder of models whose weights are elsewhere."""

    def identity(self) -> str:
        """Names models and settings."""
        ...


def picture_encoder(name: str, device: str | None = None) -> PictureEncoder:
    """An encoder.

    Args:
        name: a bundled model, a folder of `save_pretrained` (of which only encoder and tokens are read), or
            `module:function`, where `function(device)` gives one.
        device: None takes a GPU if there is one.

    Raises:
        ValueError: a module without that function, or what it gave is no encoder. ImportError: no such module.
            PretrainedError: no such model.
    """
    module, colon, function = name.partition(":")
    if not colon or not module.replace(".", "_").isidentifier():
        return EncodingPipeline.from_pretrained(pretrained_folder(name), device)
    make = getattr(importlib.import_module(module), function, None)
    if not callable(make):
        raise ValueError(f"--encoder {name}: {module} has no function {function!r}; expected one that takes a device")
    encoder: Any = make(device)
    if not callable(getattr(encoder, "encode", None)) or not isinstance(getattr(encoder, "latent_space", None), str):
        raise ValueError(
            f"--encoder {name}: got {type(encoder).__name__}; expected encode(image) -> SceneLatent and latent_space"
        )
    return encoder


def encode_with_extra(
    encoder: PictureEncoder, image: Any, voxels: bool = False
) -> tuple[SceneLatent, dict[str, np.ndarray]]:
    """A scene, and what else the encoder keeps of the picture; with `voxels`, what a pipeline's f and b were made of."""
    if voxels and isinstance(encoder, EncodingPipeline):
        return encoder.encode_with_voxels(image)
    encode_extra = getattr(encoder, "encode_extra", None)
    return encode_extra(image) if encode_extra is not None else (encoder.encode(image), {})


def categories_of(encoder: PictureEncoder) -> tuple[str, ...]:
    """What its labels can be, in order; () where it does not say."""
    return tuple(getattr(getattr(encoder, "config", None), "categories", ()))


def weights_of(encoder: PictureEncoder) -> str:
    """A hash of the encoder's network, or of what it says of the models it calls; "" where there is neither."""
    network: Any = getattr(encoder, "encoder", None)
    if isinstance(network, NamedModels):
        return network.identity()
    if not isinstance(network, nn.Module):
        return ""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
