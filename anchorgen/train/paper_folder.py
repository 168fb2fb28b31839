"""`python -m anchorgen paper new|complete FOLDER`: puts a pipeline of the paper's parts together (docs/sam3d.md).

`new` writes settings and token networks: enough to encode pictures. `complete` adds a trained adapter and prior: the folder
then loads whole. Weights of FLUX.2 that were not trained, of SAM 3, SAM 3D, MoGe and DINOv2 are never copied; config.json names where they are.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import tyro

from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_adapter_file import AdapterFileError, load_adapter
from anchorgen.decode.flux2_config import FLUX2_AUTOENCODER, Dtype, KleinConfig
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.decode.flux2_lora import LORA_WEIGHTS, LoraWeights
from anchorgen.encode.sam3 import BEDROOM_CONCEPTS
from anchorgen.encode.sam3d.config import Sam3dConfig
from anchorgen.pipeline.config import PipelineConfig, PretrainedError
from anchorgen.pipeline.encoding import EncodingPipeline
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.pipeline.pretrained import load_weights
from anchorgen.prior import ScenePrior
from anchorgen.train.flux2_parts import LORA_FILE
from anchorgen.train.run_record import read_run_records
from anchorgen.train.run_settings import read_klein_settings

_SIZES = ("num_tokens", "channels", "num_background", "image_size")


@dataclass(frozen=True)
class NewFolder:
    """Settings and token networks of the paper's encoder: enough for `data encode`.

    Attributes:
        folder: to write.
        name: of the model; default the folder's.
        concepts: what SAM 3 looks for: the objects' labels.
        num_slots: N, the most objects of a scene.
        num_voxels: of an object that the pooling sees.
        num_tokens: K.
        channels: C.
        num_background: Kb.
        image_size: pixels a side, of encoded and drawn pictures.
        encoder: models and sizes of the token networks.
        tokens: weights of these networks; None leaves them random, by `seed`.
        seed: of random weights.
    """

    folder: tyro.conf.Positional[Path]
    name: str | None = None
    concepts: tuple[str, ...] = BEDROOM_CONCEPTS
    num_slots: int = 16
    num_voxels: int = 4096
    num_tokens: int = 8
    channels: int = 1024
    num_background: int = 1
    image_size: int = 512
    encoder: Sam3dConfig = field(default_factory=Sam3dConfig)
    tokens: Path | None = None
    seed: int = 0

    def run(self) -> str:
        """Writes the folder; says what it is.

        Raises:
            ValueError: there is a model already, or the weights are of other sizes.
        """
        if (self.folder / "config.json").exists():
            raise ValueError(f"{self.folder} holds a model: encoded pictures may depend on it; choose another folder")
        torch.manual_seed(self.seed)
        pipe = EncodingPipeline.from_config(self.config())
        if self.tokens is not None:
            load_weights(pipe.tokens, self.tokens)
            pipe = EncodingPipeline(self.config(), pipe.tokens, pipe.encoder)
        pipe.save_pretrained(self.folder)
        return f"wrote {self.folder}: encodes pictures to latent space {pipe.latent_space}"

    def config(self) -> PipelineConfig:
        sizes = {name: getattr(self, name) for name in _SIZES}
        return PipelineConfig(
            name=self.name or self.folder.resolve().name,
            categories=self.concepts,
            num_slots=self.num_slots,
            num_voxels=self.num_voxels,
            autoencoder=dataclasses.replace(FLUX2_AUTOENCODER, image_size=self.image_size),
            decoder=KleinConfig(**sizes),
            encoder=dataclasses.asdict(self.encoder),
        )


@dataclass(frozen=True)
class CompleteFolder:
    """A trained adapter and prior make the folder a whole pipeline for `ag.load`.

    Attributes:
        folder: that `paper new` wrote, with whose latents decoder and prior were trained.
        decoder: run of `train flux2`: adapter, with LoRA layers or the whole backbone if these were trained too.
        prior: run of `train prior`.
        out: where to write; default the same folder.
        steps: of pictures.
        draft_steps: of drafts.
        guidance: of pictures, on the scene.
        sample_steps: of samples.
        dtype: of the backbone's weights in memory.
        licence: of the weights, for the model card, as the hub names it.
    """

    folder: tyro.conf.Positional[Path]
    decoder: Path
    prior: Path
    out: Path | None = None
    steps: int = 28
    draft_steps: int = 4
    guidance: float = 2.0
    sample_steps: int = 24
    dtype: Dtype = "bfloat16"
    licence: str = "other"

    def run(self) -> str:
        """Writes the folder; says what it is.

        Raises:
            ValueError: the parts are of different latent spaces, sizes or labels.
            FileNotFoundError: a run did not finish.
            BackboneError: FLUX.2's weights cannot be had.
        """
        encoding = EncodingPipeline.from_pretrained(self.folder, "cpu")
        klein, prior = self._klein(encoding.config), self._prior(encoding.config)
        decoder, facts = self._decoder(klein)
        _check_space("decoder", self.decoder, facts.get("latent_space", ""), encoding.latent_space)
        names = ("steps", "draft_steps", "guidance", "sample_steps")
        config = dataclasses.replace(
            encoding.config,
            autoencoder=decoder.autoencoder.config,
            decoder=decoder.velocity.config,
            prior=json.loads(json.dumps(dataclasses.asdict(prior.config))),
            **{name: getattr(self, name) for name in names},
        )
        pipe = AnchorgenPipeline(config, encoding.tokens, decoder, prior, encoding.encoder)
        out = self.out or self.folder
        kept = "; its README.md was there and is as it was" if (out / "README.md").exists() else ""
        pipe.save_pretrained(out, licence=self.licence)
        for name in {LORA_WEIGHTS, "transformer"} - decoder.weight_files().keys():  # of another run, before
            (out / f"{name}.safetensors").unlink(missing_ok=True)
        return f"wrote {out}: a whole pipeline of latent space {pipe.latent_space}{kept}"

    def _decoder(self, klein: KleinConfig) -> tuple[Flux2KleinDecoder, dict[str, Any]]:
        """The run's decoder, and what its adapter's file tells of the run."""
        again = "call `anchorgen train flux2` again as it was called, which writes it anew from its checkpoint"
        backbone = self.decoder / "transformer" if klein.own_transformer else None
        if backbone is not None and not (backbone / "config.json").is_file():
            raise FileNotFoundError(f"{backbone} is missing: {again}")
        decoder = Flux2KleinDecoder.from_pretrained(klein, backbone)
        facts = load_adapter(decoder.velocity, self.decoder / "adapter.safetensors")
        own = "full" if klein.own_transformer else "lora" if klein.lora_rank else "adapter"
        if facts.get("what", own) != own:
            raise ValueError(
                f"{self.decoder}: its adapter is of --what {facts['what']}, settings.json of {own}; {again}"
            )
        if klein.lora_rank:
            try:
                load_weights(LoraWeights(decoder.velocity), self.decoder / LORA_FILE)
            except PretrainedError as error:
                raise ValueError(f"{self.decoder}: its LoRA layers cannot be read ({error}); {again}") from None
        return decoder, facts

    def _klein(self, config: PipelineConfig) -> KleinConfig:
        klein = read_klein_settings(self.decoder)
        other = [n for n in _SIZES if getattr(klein, n) != getattr(config.decoder, n)]
        if other:
            both = ", ".join(f"{n} {getattr(klein, n)}, there {getattr(config.decoder, n)}" for n in other)
            raise ValueError(f"{self.decoder} is of other sizes than {self.folder}: {both}")
        return dataclasses.replace(klein, dtype=self.dtype)

    def _prior(self, config: PipelineConfig) -> ScenePrior:
        record = read_run_records(self.prior.resolve().parent, (self.prior.resolve().name,))[self.prior.resolve().name]
        _check_space("prior", self.prior, record["latent_space"], config.latent_space)
        prior = ScenePrior.load(self.prior / "prior.safetensors")
        if prior.config.labels != config.categories:
            raise ValueError(
                f"{self.prior} names {prior.config.labels}, {self.folder} {config.categories}; train the prior on "
                "scenes that this folder encoded"
            )
        return prior


def _check_space(what: str, run: Path, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(
            f"{run}: the {what} is of latent space {found or '(none)'}, the encoder of {expected}; train it on pictures "
            "that this folder encoded"
        )


def main(argv: list[str] | None = None) -> None:
    commands = {"new": NewFolder, "complete": CompleteFolder}
    chosen = tyro.extras.subcommand_cli_from_dict(commands, args=argv, prog="python -m anchorgen paper")
    try:
        print(chosen.run())
    except (BackboneError, AdapterFileError, ValueError, FileNotFoundError) as error:
        raise SystemExit(f"anchorgen paper: {error}") from None
