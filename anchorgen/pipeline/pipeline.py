"""Picture -> scene latents -> edited or resampled latents -> picture: the calls that a notebook makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from anchorgen.decode.decoder import FlowSceneDecoder
from anchorgen.encode.background import outside_patches
from anchorgen.encode.bundled import BundledEncoder
from anchorgen.encode.images import to_picture
from anchorgen.encode.pooling import pack_voxels
from anchorgen.json_values import tuples
from anchorgen.pipeline.checks import check_scene, whole_number
from anchorgen.pipeline.config import PipelineConfig, PretrainedError, RenderSettings
from anchorgen.pipeline.decoders import make_decoder
from anchorgen.pipeline.pretrained import StoredWeights, load_weights, save_folder
from anchorgen.pipeline.source import Source, UneditedPictures, check_source
from anchorgen.pipeline.token_networks import TokenNetworks
from anchorgen.prior import AnchorBatch, PriorConfig, SampleReport, ScenePrior, sample
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import LATENT_ARRAYS, Anchors, SceneLatent
from anchorgen.scene.truth import WorldTruth

if TYPE_CHECKING:
    from anchorgen.encode.protocol import EncodedScene

_CHUNK = 8  # scenes drawn at once: more saves little on a CPU and costs memory


class AnchorgenPipeline:
    """Encoder E_psi, decoder D_theta and prior G_phi over one latent space.

    Attributes:
        config: sizes and defaults.
        tokens: pooling and background networks; they define the latent space.
        decoder, prior, encoder: the networks.
    """

    def __init__(
        self,
        config: PipelineConfig,
        tokens: TokenNetworks,
        decoder: FlowSceneDecoder,
        prior: ScenePrior,
        encoder: BundledEncoder,
    ):
        fingerprint = tokens.fingerprint()
        if config.latent_space not in ("", fingerprint):
            raise PretrainedError(
                f"config.json names latent space {config.latent_space}, but tokens.safetensors is {fingerprint}; "
                "the decoder, prior and encoder belong to other tokens: copy the whole folder again"
            )
        self.config = dataclasses.replace(config, latent_space=fingerprint)
        self.tokens, self.decoder, self.prior, self.encoder = tokens, decoder, prior, encoder
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self._unedited = UneditedPictures()
        for module in self._modules():
            module.eval().requires_grad_(False)

    # -- on disk ------------------------------------------------------------------------------------------------------

    @staticmethod
    def from_config(config: PipelineConfig) -> AnchorgenPipeline:
        """A pipeline with random weights."""
        d = config.decoder
        tokens = TokenNetworks(d.num_tokens, d.channels, d.num_background, d.background_patch)
        decoder = make_decoder(config)
        prior = ScenePrior(PriorConfig(**tuples(config.prior)))
        encoder = BundledEncoder.from_config(config.encoder)
        return AnchorgenPipeline(config, tokens, decoder, prior, encoder)

    @staticmethod
    def from_pretrained(folder: str | Path, device: str | torch.device | None = None) -> AnchorgenPipeline:
        """Reads what `save_pretrained` wrote.

        Raises:
            PretrainedError: a file is missing, damaged, newer, or does not belong to the others.
        """
        folder = Path(folder)
        config = PipelineConfig.load(folder)
        try:
            pipe = AnchorgenPipeline.from_config(dataclasses.replace(config, latent_space=""))
        except (TypeError, ValueError) as error:
            raise PretrainedError(
                f"{folder}/config.json has sizes that do not fit ({error}); update anchorgen"
            ) from None
        for name, module in pipe._files().items():
            load_weights(module, folder / f"{name}.safetensors")
        pipe = AnchorgenPipeline(config, pipe.tokens, pipe.decoder, pipe.prior, pipe.encoder)
        return pipe.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def save_pretrained(self, folder: str | Path, *, licence: str = "apache-2.0") -> None:
        """Writes config.json, one safetensors file a network, and a README.md for the hub where there is none."""
        save_folder(Path(folder), self.config, self._files(), licence)

    def to(self, device: str | torch.device | None = None, *, dtype: torch.dtype | None = None) -> AnchorgenPipeline:
        """Moves every network; returns itself.

        Args:
            device: None stays.
            dtype: `torch.bfloat16` draws pictures in mixed precision, `torch.float32` (any other is a ValueError) does
                not, None leaves it. Weights and scene latents stay float32, so that scenes are the same.
        """
        if dtype not in (None, torch.float32, torch.bfloat16):
            raise ValueError(f"dtype: got {dtype}; expected torch.float32 or torch.bfloat16")
        if device is not None:
            for module in self._modules():
                module.to(device)
            self.device = torch.device(device)
        self.dtype = dtype or self.dtype
        self._unedited.clear()
        return self

    def compile(self, **options: Any) -> AnchorgenPipeline:
        """Compiles the decoder's transformer at its next picture (a minute, once a batch size); returns itself.

        Args:
            options: of `torch.compile`. Its default back end wants a C++ compiler on a CPU.
        """
        self.decoder.velocity.backbone.compile(**options)
        return self

    @property
    def latent_space(self) -> str:
        return self.config.latent_space

    @property
    def image_size(self) -> int:
        return self.decoder.image_size

    @property
    def num_slots(self) -> int:
        return self.config.num_slots

    # -- picture to latents -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def encode(self, image: Any, *, boxes: Any = None, masks: Any = None) -> SceneLatent:
        """E_psi: a picture as a scene.

        Args:
            image: path, PIL, numpy or torch; its central square is used.
            boxes, masks: hints of where objects are; see `BundledEncoder.encode`.

        Raises:
            ImageError: what is given is not a picture; the message says what was got and what is expected.
        """
        picture = to_picture(image, self.image_size)
        found: EncodedScene = self.encoder.encode(picture, boxes=boxes, masks=masks)
        background = self._background(picture, found.outside)
        names = ("translation", "quat_wxyz", "scale", "appearance", "labels", "focal", "up", "floor")
        fields = {name: getattr(found, name) for name in names}
        ids = ("",) * len(found.labels)
        return SceneLatent.pack(
            self.num_slots, **fields, ids=ids, background=background, latent_space=self.latent_space
        )

    @torch.no_grad()
    def latents(self, truth: WorldTruth, image: np.ndarray, instance: np.ndarray) -> SceneLatent:
        """The true latents of a rendered room: exact boxes, f pooled from exact voxels (Eq. 7), b from its picture.

        Args:
            truth: what the world knows.
            image: `[H, W, 3]` uint8.
            instance: `[H, W]` slot of each pixel's object, -1 where there is none.
        """
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

    def blank(self, **options: Any) -> SceneLatent:
        """An empty scene of this model's sizes with everything released: sampling it is unconditional generation.

        Args:
            options: passed to `SceneLatent.blank` (focal, up, floor).
        """
        d = self.config.decoder
        sizes = (self.num_slots, d.num_tokens, d.channels, d.num_background)
        return SceneLatent.blank(*sizes, latent_space=self.latent_space, **options)

    # -- latents to latents, latents to pictures ----------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        scene: SceneLatent,
        n: int = 1,
        seed: int = 0,
        steps: int | None = None,
        callback: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> list[SceneLatent]:
        """Resamples what the scene's anchors release (Eq. 12); every anchored variable comes back bit-identical.

        Samples come back anchored, and each is a new start: no verb says what the prior did.

        Args:
            scene: with `release`d variables; with none, n copies come back.
            n: how many scenes.
            seed: the k-th scene is drawn with `seed + k`, so it does not depend on n.
            steps: of the sampler; default as configured.
            callback: `callback(step, num_steps)` after each step; what it raises cancels and passes through.
            options: passed to `anchorgen.prior.sampler.sample` (method, guidance).

        Raises:
            LatentSpaceError: the scene is of another latent space.
            ValueError: n < 1.
        """
        check_scene(scene, self.config)
        if whole_number("n", n) < 1:
            raise ValueError(f"n: got {n}; expected at least 1 scene")
        whole_number("seed", seed)
        batch = SceneBatch.stack([scene] * n).to(self.device)
        anchors = AnchorBatch.stack([scene] * n)
        seeds = [seed + k for k in range(n)]
        options |= {"steps": self.config.sample_steps if steps is None else steps, "callback": callback}
        drawn, report = sample(self.prior, batch, anchors, seeds, **options)
        return [self._sampled(scene, drawn, report, k) for k in range(n)]

    def _sampled(self, scene: SceneLatent, drawn: SceneBatch, report: SampleReport, k: int) -> SceneLatent:
        """Sample k as a scene, everything anchored; an object whose kind is new gets that name and a fresh id."""
        new = scene.replace(
            **{name: getattr(drawn, name)[k].cpu().numpy() for name in LATENT_ARRAYS if name not in ("up", "floor")},
            anchors=Anchors.keep(scene.num_slots),
        )
        names = {
            slot: self.config.categories[int(report.label[k, slot])]
            for slot in range(scene.num_slots)
            if new.presence[slot] and report.label[k, slot] >= 0
        }
        renamed = {slot: name for slot, name in names.items() if name != scene.labels[slot]}
        return new.with_labels(renamed) if renamed else new

    def source(self, image: Any, scene: SceneLatent | None = None) -> Source:
        """A picture for `render(edited, keep=source)`, where `edited` is an edit of `source.scene`.

        Args:
            image: path, PIL, numpy or torch; its central square is used, as by `encode`.
            scene: of the picture, if it is known; else it is encoded.

        Raises:
            ImageError: what is given is not a picture. LatentSpaceError: the scene is of another latent space.
        """
        picture = to_picture(image, self.image_size)
        scene = self.encode(picture) if scene is None else scene
        check_scene(scene, self.config)
        return Source(picture, scene)

    @torch.no_grad()
    def render(
        self,
        scene: SceneLatent | Sequence[SceneLatent],
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        draft: bool = False,
        callback: Callable[[int, int], None] | None = None,
        method: str | None = None,
        keep: Source | None = None,
    ) -> Any:
        """D_theta (Eq. 2): the picture of a scene, or a list of pictures of a list.

        Args:
            scene: one or several.
            seed: of the noise, the same for every scene: what an edit leaves alone stays still.
            steps, guidance, method: default as configured; a method is "euler" or "heun".
            draft: few steps without guidance, for following a drag.
            callback: `callback(step, num_steps)` after each step; what it raises cancels and passes through.
            keep: the picture (`pipe.source(image)`) whose scene was edited: what the edit leaves alone stays as it is
                there (`decode.faithful`). Its own scene is drawn once for each seed and setting, in which time
                `callback` is called with step 0.

        Returns:
            A PIL picture, or a list of them.

        Raises:
            LatentSpaceError: a scene is of another latent space.
            ValueError: a number or method that there is not, or `keep` is of another size.
        """
        whole_number("seed", seed)
        single = isinstance(scene, SceneLatent)
        if not single and not isinstance(scene, Iterable):
            check_scene(scene, self.config)  # says what was got
        scenes = [scene] if single else list(scene)
        for item in scenes:
            check_scene(item, self.config)
        check_source(keep, scenes, self.config)
        settings = self.config.render_settings(draft, steps, guidance, method)
        pictures = []
        for start in range(0, len(scenes), _CHUNK):
            chunk = scenes[start : start + _CHUNK]
            if keep is None:
                drawn = self._draw(chunk, seed, settings, callback)
            else:
                unedited = self._draw_unedited(keep, seed, settings, callback)
                drawn = keep.kept(self._draw(chunk, seed, settings, callback), unedited, chunk, self.device)
            pictures += [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in drawn]
        return pictures[0] if single else pictures

    def _draw(self, scenes: Sequence[SceneLatent], seed: int, settings: RenderSettings, callback: Any) -> torch.Tensor:
        """`[B, 3, H, W]` uint8 on the CPU."""
        batch = SceneBatch.stack(scenes).to(self.device)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.decoder.render(batch, [seed] * len(batch), *settings, callback)

    def _draw_unedited(self, keep: Source, seed: int, settings: RenderSettings, callback: Any) -> torch.Tensor:
        """The source's own scene, from memory if it was drawn like that."""
        wait = None if callback is None else (lambda step, total: callback(0, total))
        draw = partial(self._draw, [keep.scene], seed, settings, wait)
        return self._unedited.picture(keep, (seed, settings), draw)

    def _modules(self) -> tuple[torch.nn.Module, ...]:
        return self.tokens, self.decoder, self.prior, self.encoder

    def _files(self) -> dict[str, StoredWeights]:
        own = {"tokens": self.tokens, "prior": self.prior, "encoder": self.encoder}
        return self.decoder.weight_files() | own
