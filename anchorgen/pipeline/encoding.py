"""Picture -> scene latents: the half of a pipeline that needs neither decoder nor prior."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from anchorgen.decode.flux2_errors import explained
from anchorgen.encode.background import outside_patches
from anchorgen.encode.images import to_picture
from anchorgen.encode.pooling import pack_voxels
from anchorgen.pipeline.config import PipelineConfig, PretrainedError
from anchorgen.pipeline.encoders import make_encoding
from anchorgen.pipeline.pretrained import StoredWeights, load_weights, save_folder
from anchorgen.pipeline.token_networks import TokenNetworks
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.truth import VOXEL_CHANNELS, WorldTruth

if TYPE_CHECKING:
    from typing import Self

    from anchorgen.encode.protocol import EncodedScene, SceneEncoder


class EncodingPipeline:
    """Encoder E_psi and the token networks that define its latent space.

    Attributes:
        config: sizes and defaults.
        tokens: pooling and background networks; they define the latent space.
        encoder: finds the objects.
        device: where its networks are.
    """

    def __init__(self, config: PipelineConfig, tokens: TokenNetworks, encoder: SceneEncoder):
        self.tokens, self.encoder = tokens, encoder
        self.device = torch.device("cpu")
        self.config = self._named(config)
        for module in self._modules():
            module.eval().requires_grad_(False)

    @classmethod
    def from_config(cls, config: PipelineConfig) -> Self:
        """A pipeline with random weights."""
        return cls(config, *make_encoding(config))

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: str | torch.device | None = None) -> Self:
        """Reads what `save_pretrained` wrote.

        Raises:
            PretrainedError: a file is missing, damaged, newer, or does not belong to the others.
        """
        folder = Path(folder)
        config = PipelineConfig.load(folder)
        cls._check_whole(folder)
        try:
            pipe = cls.from_config(dataclasses.replace(config, latent_space=""))
        except (TypeError, ValueError) as error:
            raise PretrainedError(
                f"{folder}/config.json has sizes that do not fit ({error}); update anchorgen"
            ) from None
        for name, module in pipe._files().items():
            load_weights(module, folder / f"{name}.safetensors")
        pipe.config = pipe._named(config)
        return pipe.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes config.json and one safetensors file a network."""
        save_folder(Path(folder), self.config, self._files())

    def to(self, device: str | torch.device | None = None) -> Self:
        """Moves every network; returns itself. None stays.

        Raises:
            BackboneError: that GPU cannot be used, or its memory is full; the message says what to do.
        """
        if device is not None:
            with explained(f"placing the model on {device}"):
                for module in self._modules():
                    module.to(device)
            self.device = torch.device(device)
        return self

    @property
    def latent_space(self) -> str:
        return self.config.latent_space

    @property
    def image_size(self) -> int:
        return self.config.image_size

    @property
    def num_slots(self) -> int:
        return self.config.num_slots

    @torch.no_grad()
    def encode(self, image: Any, *, boxes: Any = None, masks: Any = None) -> SceneLatent:
        """E_psi: a picture as a scene.

        Args:
            image: path, PIL, numpy or torch; its central square is used.
            boxes, masks: hints of where objects are in that square; see `BundledEncoder.encode`, `Sam3dEncoder.encode`.

        Raises:
            ImageError: what is given is not a picture; the message says what was got and what is expected.
            PerceptionError: a model that the paper's encoder needs cannot be used; the message has the next step.
        """
        return self._encode(image, boxes, masks)[0]

    @torch.no_grad()
    def encode_with_voxels(self, image: Any) -> tuple[SceneLatent, dict[str, np.ndarray]]:
        """`encode`, and what f and b were made of, by name: training the token networks needs it.

        Returns:
            The scene, and of its S voxels `coords` `[S, 3]` and `feats` `[S, 8]` float16, `counts` `[M]` int64 of each
            object, and `outside` `[G, G]` bool.

        Raises:
            ValueError: this encoder has no voxels.
        """
        scene, found = self._encode(image, None, None)
        if found.voxels is None:
            raise ValueError(f"{self.config.name}: its encoder gives f without voxels; leave them out")
        coords, feats = zip(*found.voxels, strict=True) if found.voxels else ((), ())
        return scene, {
            "coords": np.concatenate([np.zeros((0, 3), np.float16), *coords]),
            "feats": np.concatenate([np.zeros((0, VOXEL_CHANNELS), np.float16), *feats]),
            "counts": np.array([len(x) for x in coords], np.int64),
            "outside": found.outside,
        }

    def _encode(self, image: Any, boxes: Any, masks: Any) -> tuple[SceneLatent, EncodedScene]:
        picture = to_picture(image, self.image_size)
        found: EncodedScene = self.encoder.encode(picture, boxes=boxes, masks=masks)
        background = self._background(picture, found.outside)
        names = ("translation", "quat_wxyz", "scale", "appearance", "labels", "focal", "up", "floor")
        fields = {name: getattr(found, name) for name in names}
        fields |= {"ids": ("",) * len(found.labels), "background": background}
        return SceneLatent.pack(self.num_slots, **fields, latent_space=self.latent_space), found

    @torch.no_grad()
    def latents(self, truth: WorldTruth, image: np.ndarray, instance: np.ndarray) -> SceneLatent:
        """The true latents of a rendered room: exact boxes, f pooled from exact voxels (Eq. 7), b from its picture.

        Args:
            truth: what the world knows.
            image: `[H, W, 3]` uint8.
            instance: `[H, W]` slot of each pixel's object, -1 where there is none.

        Raises:
            ValueError: the paper's encoder pools SAM 3D's voxels, which rendered rooms have not.
        """
        if self.config.encoder_kind != "bundled":
            raise ValueError(
                "a rendered room has no true latents in this space: its pooling reads SAM 3D's features; encode the picture"
            )
        slots = max(1, truth.num_objects)
        coords, feats, mask = (
            torch.as_tensor(x)[None].to(self.device) for x in pack_voxels(truth, slots, self.config.num_voxels)
        )
        appearance = self.tokens.pooling(coords.float(), feats.float(), mask)[0, : truth.num_objects].cpu().numpy()
        names = ("translation", "quat_wxyz", "scale", "labels", "ids", "focal", "up", "floor")
        return SceneLatent.pack(
            self.num_slots,
            **{name: getattr(truth, name) for name in names},
            appearance=appearance,
            background=self._background(image, outside_patches(instance, self.config.background_patch)),
            latent_space=self.latent_space,
        )

    def _background(self, picture: np.ndarray, outside: np.ndarray) -> np.ndarray:
        image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float() / 127.5 - 1
        mask = torch.as_tensor(outside)[None]
        return self.tokens.background(image.to(self.device), mask.to(self.device))[0].cpu().numpy()

    @classmethod
    def _check_whole(cls, folder: Path) -> None:
        """Raises PretrainedError before anything large is read: a folder that lacks a part."""

    def _named(self, config: PipelineConfig) -> PipelineConfig:
        """The settings with the name of the latent space; raises PretrainedError if they have another."""
        fingerprint = self.tokens.fingerprint()
        if config.latent_space not in ("", fingerprint):
            raise PretrainedError(
                f"config.json names latent space {config.latent_space}, but tokens.safetensors is {fingerprint}; "
                "the decoder, prior and encoder belong to other tokens: copy the whole folder again"
            )
        return dataclasses.replace(config, latent_space=fingerprint)

    def _modules(self) -> tuple[nn.Module, ...]:
        return (self.tokens, self.encoder) if isinstance(self.encoder, nn.Module) else (self.tokens,)

    def _files(self) -> dict[str, StoredWeights]:
        """What has weights of its own, by file name."""
        encoder: Any = self.encoder
        own = {"encoder": encoder} if isinstance(encoder, nn.Module) else {}
        return {"tokens": self.tokens, **own}
