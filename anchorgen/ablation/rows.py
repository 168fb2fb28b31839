"""What is compared: each row changes one thing of the baseline, at one small equal budget.

The baseline is the bundled decoder made smaller: pictures of 64 px in 8 x 8 tokens, 5.8 M parameters, 40,000 samples
seen. Every row sees the same rooms and is trained with the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from anchorgen.decode.velocity import DecoderConfig

SIZE = 64
BATCH = 32
STEPS = 1250  # 40,000 samples
ROOMS = 8192
AUTOENCODER = ("--pixel-block", "2", "--image-size", str(SIZE), "--no-shortcut", "--decoder-channels", "None")
BASELINE = DecoderConfig(
    sites="all", width=192, num_heads=3, num_double=1, num_single=4, stem_channels=128, background_patch=4
)
TRAINING = {"channel-weight": "0"}


@dataclass(frozen=True)
class Row:
    """Attributes:
    question: what it answers.
    says: what it changes.
    model: the decoder's settings.
    training: settings of `DecoderTraining` that differ.
    crop: f is pooled from visible pixels (`crop.py`).
    """

    question: str
    says: str
    model: DecoderConfig = BASELINE
    training: tuple[tuple[str, str], ...] = ()
    crop: bool = False


def _model(question: str, says: str, **changes: Any) -> Row:
    return Row(question, says, replace(BASELINE, **changes))


def _training(question: str, says: str, **training: str) -> Row:
    return Row(
        question, says, training=tuple((key.replace("__", ".").replace("_", "-"), v) for key, v in training.items())
    )


ROWS = {
    "baseline": Row("", "boxes drawn along rays, Flux2-shaped, adapter at all blocks, K = 4, pooled voxels"),
    "paper": _model("conditioning", "scene tokens alone, as in the paper", conditioning="paper"),
    "rays": _model("conditioning", "rays in each box's frame as bias and value of the adapter", conditioning="rays"),
    "unet": _model("backbone", "convolutional, equal time a step", backbone="unet", width=128, num_heads=2),
    "double": _model("adapter", "after the double block alone", sites="double"),
    "k1": _model("appearance tokens", "K = 1", num_tokens=1),
    "k2": _model("appearance tokens", "K = 2", num_tokens=2),
    "k8": _model("appearance tokens", "K = 8", num_tokens=8),
    "crop": Row("appearance", "f of the visible pixels, not of voxels; no insert and swap", crop=True),
    "split": _model("image tokens", "each split in four for the network: four times the work a step", split=2),
    "finer": _model(
        "rays",
        "64 a side, three boxes on each, 48 numbers and two octaves a box",
        rays=64,
        nearest=3,
        code=48,
        octaves=2,
    ),
    "muon": _training("optimizer", "Muon for matrices, AdamW for the rest", loop__optimizer="muon"),
    "weighted": _training("channels of the error", "by the root of their energy in pictures", channel_weight="0.5"),
    "relit": _training("background", "b taken from pictures under a random light, strength 0.4", relight="0.4"),
    "shift1": _model("times", "not shifted", shift=1.0),
    "shift3": _model("times", "shifted by 3", shift=3.0),
}
