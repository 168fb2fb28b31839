"""Sizes of a run's networks, beside its weights, so that whoever reads these need not be told."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.velocity import DecoderConfig
from anchorgen.json_values import tuples

SETTINGS = "settings.json"
AUTOENCODER_WEIGHTS = "vae.safetensors"


def write_settings(out: Path, **settings: Any) -> None:
    """Writes settings.json: dataclasses by name."""
    plain = {name: dataclasses.asdict(value) for name, value in settings.items()}
    (out / SETTINGS).write_text(json.dumps(plain, indent=1) + "\n")


def read_decoder_settings(run: Path) -> DecoderConfig:
    """Sizes of a decoder run; raises FileNotFoundError where there are none."""
    return DecoderConfig(**_read(run, "decoder"))


def read_klein_settings(run: Path) -> KleinConfig:
    """Sizes of a run of `train flux2`; raises FileNotFoundError where there are none."""
    return KleinConfig(**_read(run, "decoder", "flux2"))


def load_autoencoder(run: Path) -> Autoencoder:
    """The trained autoencoder of a run of `train vae` or `train vae_decoder`, or of a model's folder, in evaluation mode.

    Raises:
        FileNotFoundError: it is not one, or did not finish.
    """
    autoencoder = Autoencoder(AutoencoderConfig(**_read(run, "autoencoder"))).eval()
    autoencoder.load_state_dict(load_file(run / AUTOENCODER_WEIGHTS))
    return autoencoder


def _read(run: Path, name: str, trainer: str | None = None) -> dict[str, Any]:
    path = run / SETTINGS
    if not path.is_file() and (run / "config.json").is_file():  # a model's folder, as `train bundle` writes it
        path = run / "config.json"
    if not path.is_file():
        trainer = trainer or ("vae" if name == "autoencoder" else name)
        raise FileNotFoundError(
            f"{path} is missing; expected the folder of a finished run: `anchorgen train {trainer} --out {run}` writes it"
        )
    return tuples(json.loads(path.read_text())[name])
