"""What `config.json` of a pretrained folder says: sizes of every network, and how pictures are drawn by default."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.velocity import DecoderConfig
from anchorgen.json_values import tuples

FORMAT_VERSION = 1


class PretrainedError(ValueError):
    """A folder that does not hold a pipeline this version can read."""


class RenderSettings(NamedTuple):
    """How a picture is drawn; see `SceneDecoder.render`."""

    steps: int
    guidance: float
    method: str


@dataclass(frozen=True)
class PipelineConfig:
    """Attributes:
    name: of the bundled set, e.g. "bedrooms-128".
    categories: what the objects' labels can be.
    num_slots: N.
    num_voxels: voxels of an object that the pooling sees.
    background_patch: pixels a side of the patches that background tokens look at.
    latent_space: name of the pooling and background networks; latents of another are refused.
    steps, draft_steps, guidance, method: of `render`; sample_steps: of `sample`.
    autoencoder, decoder, prior, encoder: settings of the networks; the last two as their own modules define them, an
        encoder with a `kind` as `encode.sam3d.config`.
    """

    name: str
    categories: tuple[str, ...]
    num_slots: int = 16
    num_voxels: int = 96
    background_patch: int = 8
    latent_space: str = ""
    steps: int = 6
    draft_steps: int = 1
    guidance: float = 1.0
    method: str = "euler"
    sample_steps: int = 24
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    decoder: DecoderConfig | KleinConfig = field(default_factory=DecoderConfig)
    prior: dict[str, Any] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)

    @property
    def image_size(self) -> int:
        """Pixels a side of the pictures that are encoded and drawn."""
        return self.decoder.image_size if isinstance(self.decoder, KleinConfig) else self.autoencoder.image_size

    @property
    def encoder_kind(self) -> str:
        """ "bundled", or what the encoder's settings say."""
        return str(self.encoder.get("kind", "bundled"))

    def render_settings(
        self, draft: bool, steps: int | None, guidance: float | None, method: str | None
    ) -> RenderSettings:
        """What is asked for, and these defaults for what is None; a draft has few steps and no guidance."""
        usual = RenderSettings(self.steps, self.guidance, self.method)
        if draft:
            usual = usual._replace(steps=self.draft_steps, guidance=1.0)
        asked = {"steps": steps, "guidance": guidance, "method": method}
        return usual._replace(**{name: value for name, value in asked.items() if value is not None})

    def save(self, folder: Path) -> None:
        value = {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}
        (folder / "config.json").write_text(json.dumps(value, indent=2) + "\n")

    @staticmethod
    def load(folder: Path) -> PipelineConfig:
        """Raises PretrainedError: no config.json there, not JSON, of a newer version, or with unknown settings."""
        path = folder / "config.json"
        if not path.is_file():
            raise PretrainedError(f"no config.json in {folder}; expected a folder written by save_pretrained()")
        try:
            value = json.loads(path.read_text())
        except ValueError as error:
            raise PretrainedError(f"{path} is not JSON ({error}); write it again with save_pretrained()") from None
        if not isinstance(value, dict):
            raise PretrainedError(f"{path} holds a {type(value).__name__}; expected settings by name")
        version = value.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise PretrainedError(
                f"{path} has format_version {version}; this anchorgen reads {FORMAT_VERSION}; update it"
            )
        try:
            klein = value["decoder"].get("backbone") == "klein"
            nested = {"autoencoder": AutoencoderConfig, "decoder": KleinConfig if klein else DecoderConfig}
            value |= {name: kind(**tuples(value[name])) for name, kind in nested.items()}
            return PipelineConfig(**tuples(value))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PretrainedError(f"{path} has settings that do not fit ({error}); update anchorgen") from None
