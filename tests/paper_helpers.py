"""A small random pipeline of the paper's classes, put together by the commands that a user runs."""

from __future__ import annotations

# First: it makes torchvision importable where that is built for another torch.
from small_transformers import HAS_TORCHVISION, small_dinov2, small_sam3  # isort: skip

import re
import shlex
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
STEPS = ["--loop.steps", "2", "--loop.warmup-steps", "1", "--loop.checkpoint-every", "2", "--batch-size", "2"]
PAGE = Path(__file__).parents[1] / "docs" / "sam3d.md"
SMALL = {
    "paper new": [
        "--concepts", *CONCEPTS, *SIZES, "--num-slots", "4", "--num-voxels", "32", "--encoder.threshold", "0.0",
        "--encoder.dinov2-width", "32", "--encoder.num-patches", "4", "--encoder.token-width", "16",
        "--encoder.token-heads", "2",
    ],
    "data encode": ["--device", "cpu", "--shard-size", "2"],
    "train flux2": [*SIZES, *STEPS, "--context-width", "32", "--num-text-tokens", "5"],
    "train scene_latents": [],
    "train prior": [*STEPS, "--width", "24", "--depth", "1", "--tokens-per-appearance", "2"],
    "paper complete": ["--steps", "2", "--draft-steps", "1"],
}  # fmt: skip


class MadeUpMasks:
    """In place of SAM 3 where torchvision, which it wants, is not installed: a bed below, a lamp above, or a whole box."""

    def __call__(self, picture: np.ndarray) -> list[ObjectMask]:
        boxes = [("bed", (0.0, 0.5, 0.5, 1.0)), ("lamp", (0.5, 0.0, 1.0, 0.25))]
        return self.in_boxes(picture, boxes)

    def in_boxes(self, picture: np.ndarray, boxes) -> list[ObjectMask]:
        masks = np.zeros((len(boxes), *picture.shape[:2]), bool)
        for mask, (_, corners) in zip(masks, boxes, strict=True):
            x0, y0, x1, y1 = (int(share * len(picture)) for share in corners)
            mask[y0:y1, x0:x1] = True
        return [ObjectMask(label, 0.9 - 0.1 * k, masks[k]) for k, (label, _) in enumerate(boxes)]


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
            patch.setattr(Sam3Masks, "load", staticmethod(lambda *args, **options: MadeUpMasks()))
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
    main(["paper", "new", str(folder), *SMALL["paper new"], *flags(models), *options])


def flags(models: dict[str, str]) -> list[str]:
    return [word for pair in models.items() for word in pair]


def pictures(folder: Path, count: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"room-{number}.webp").write_bytes(picture_bytes(number))
    return folder


def documented() -> Iterator[tuple[str, list[str]]]:
    """The commands of docs/sam3d.md that put a model together: what each does, and its words."""
    block = next(b for b in re.findall(r"```bash\n(.*?)```", PAGE.read_text(), flags=re.DOTALL) if "paper new" in b)
    for line in block.splitlines():
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "anchorgen"], line
        yield " ".join(words[3:5]), words[3:]


def run_documented(models: dict[str, str], repository: Path) -> None:
    """All of them, in order and in the working folder, made small."""
    more = {"paper new": flags(models), "train flux2": ["--repository", str(repository)]}
    for what, words in documented():
        AcceleratorState._reset_state(reset_partial_state=True)
        main([*words, *SMALL[what], *more.get(what, [])])
