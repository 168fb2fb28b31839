"""A small random pipeline of the paper's classes, put together by the commands that a user runs."""

from __future__ import annotations

# First: it makes torchvision importable where that is built for another torch.
from small_transformers import HAS_TORCHVISION, small_dinov2, small_sam3  # isort: skip

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from flux2_helpers import save_repository
from picture_files import picture_bytes
from sam3d_helpers import FAKE

from anchorgen.__main__ import main
from anchorgen.encode.sam3 import ObjectMask, Sam3Masks
from anchorgen.encode.sam3d import workers
from anchorgen.encode.sam3d.places import CHECKPOINT, JOB, PYTHON
from anchorgen.train.encode_pictures import _encoder

CONCEPTS = ("bed", "lamp")
SIZES = ["--num-tokens", "2", "--channels", "8", "--image-size", "64"]
STEPS = ["--loop.steps", "2", "--loop.warmup-steps", "1", "--loop.checkpoint-every", "2"]


def quarters(picture: np.ndarray) -> list[ObjectMask]:
    """In place of SAM 3 where torchvision, which it wants, is not installed: a bed below, a lamp above."""
    masks = np.zeros((2, *picture.shape[:2]), bool)
    half = len(picture) // 2
    masks[0, half:, :half] = masks[1, : half // 2, half:] = True
    return [ObjectMask("bed", 0.9, masks[0]), ObjectMask("lamp", 0.8, masks[1])]


@contextmanager
def machine(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """One that says where SAM 3D is, for which a stand-in works (`fake_sam3d.py`)."""
    folder.mkdir(exist_ok=True)
    (folder / "pipeline.yaml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "worker_path", lambda: FAKE)
        patch.setenv(PYTHON, sys.executable)
        patch.setenv(CHECKPOINT, str(folder / "pipeline.yaml"))
        patch.setenv(JOB, str(folder / "job"))
        if not HAS_TORCHVISION:
            patch.setattr(Sam3Masks, "load", staticmethod(lambda *args, **options: quarters))
        _encoder.cache_clear()
        yield patch
        _encoder.cache_clear()
        (folder / "job" / "closed").parent.mkdir(exist_ok=True)
        (folder / "job" / "closed").touch()  # ends the workers


def save_models(root: Path) -> dict[str, str]:
    """Folders as the hub's repositories: the flags of `paper new` that name them."""
    small_dinov2().save_pretrained(root / "dinov2")
    if HAS_TORCHVISION:
        for part in small_sam3():
            part.save_pretrained(root / "sam3")
    save_repository(root / "klein")
    return {"--encoder.dinov2": str(root / "dinov2"), "--encoder.sam3": str(root / "sam3"), "--encoder.moge": ""}


def new_folder(folder: Path, models: dict[str, str], *options: str) -> None:
    """`paper new`, small."""
    small = ["--num-slots", "4", "--num-voxels", "32", "--encoder.threshold", "0.0", "--encoder.dinov2-width", "32"]
    small += ["--encoder.num-patches", "4", "--encoder.token-width", "16", "--encoder.token-heads", "2"]
    named = [word for pair in models.items() for word in pair]
    main(["paper", "new", str(folder), "--concepts", *CONCEPTS, *SIZES, *small, *named, *options])


def pictures(folder: Path, count: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"room-{number}.webp").write_bytes(picture_bytes(number))
    return folder


def train(root: Path, shards: Path, repository: Path) -> None:
    """`train flux2` and `train prior` for two steps each, in `root`."""
    AcceleratorState._reset_state(reset_partial_state=True)
    tiny = ["--context-width", "32", "--num-text-tokens", "5", "--batch-size", "2", "--repository", str(repository)]
    main(["train", "flux2", "--data", str(shards), "--out", str(root / "flux2"), *SIZES, *tiny, *STEPS])
    AcceleratorState._reset_state(reset_partial_state=True)
    main(["train", "scene_latents", "--data", str(shards), "--out", str(root / "latents.safetensors")])
    small = ["--preset", "paper", "--width", "24", "--depth", "1", "--tokens-per-appearance", "2", "--batch-size", "2"]
    latents = ["--latents", str(root / "latents.safetensors"), "--out-dir", str(root / "prior")]
    main(["train", "prior", *latents, *small, *STEPS])
