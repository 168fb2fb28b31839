"""Picture -> scene latents -> edited or resampled latents -> picture: the calls that a notebook makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from anchorgen.decode.decoder import FlowSceneDecoder
from anchorgen.encode.images import to_picture
from anchorgen.json_values import tuples
from anchorgen.pipeline.checks import check_scene, whole_number
from anchorgen.pipeline.config import PipelineConfig, PretrainedError, RenderSettings
from anchorgen.pipeline.decoders import make_decoder
from anchorgen.pipeline.encoders import make_encoding
from anchorgen.pipeline.encoding import EncodingPipeline
from anchorgen.pipeline.hub_card import card_facts, write_card
from anchorgen.pipeline.pretrained import StoredWeights
from anchorgen.pipeline.source import Source, UneditedPictures, check_source
from anchorgen.pipeline.token_networks import TokenNetworks
from anchorgen.prior import AnchorBatch, PriorConfig, SampleReport, ScenePrior, sample
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import LATENT_ARRAYS, Anchors, SceneLatent

if TYPE_CHECKING:
    from typing import Self

    from anchorgen.encode.protocol import SceneEncoder

_CHUNK = 8  # scenes drawn at once: more saves little on a CPU and costs memory


class AnchorgenPipeline(EncodingPipeline):
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
        encoder: SceneEncoder,
    ):
        self.decoder, self.prior = decoder, prior
        self.dtype = torch.float32
        self._unedited = UneditedPictures()
        super().__init__(config, tokens, encoder)

    # -- on disk ------------------------------------------------------------------------------------------------------

    @classmethod
    def from_config(cls, config: PipelineConfig) -> Self:
        """A pipeline with random weights."""
        tokens, encoder = make_encoding(config)
        decoder = make_decoder(config)
        prior = ScenePrior(PriorConfig(**tuples(config.prior)))
        return cls(config, tokens, decoder, prior, encoder)

    @classmethod
    def _check_whole(cls, folder: Path) -> None:
        if not (folder / "prior.safetensors").is_file():
            raise PretrainedError(
                f"{folder}/prior.safetensors is missing; expected a folder written by save_pretrained(). One of `anchorgen "
                "paper new` only encodes pictures until `anchorgen paper complete` adds decoder and prior"
            )

    def save_pretrained(self, folder: str | Path, *, licence: str = "apache-2.0") -> None:
        """Writes config.json, one safetensors file a network, and a README.md for the hub where there is none."""
        super().save_pretrained(folder)
        write_card(Path(folder), card_facts(self.config, self._files(), licence))

    def to(self, device: str | torch.device | None = None, *, dtype: torch.dtype | None = None) -> Self:
        """Moves every network; returns itself.

        Args:
            device: None stays.
            dtype: `torch.bfloat16` draws pictures in mixed precision, `torch.float32` (any other is a ValueError) does
                not, None leaves it. Weights and scene latents stay float32, so that scenes are the same.
        """
        if dtype not in (None, torch.float32, torch.bfloat16):
            raise ValueError(f"dtype: got {dtype}; expected torch.float32 or torch.bfloat16")
        super().to(device)
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
        return (*super()._modules(), self.decoder, self.prior)

    def _files(self) -> dict[str, StoredWeights]:
        drawing = self.decoder.weight_files() | {"tokens": self.tokens, "prior": self.prior}
        return drawing | super()._files()
