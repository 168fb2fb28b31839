"""The job folder between anchorgen and SAM 3D's own environment: pictures and masks in, latents out.

    job.json                            format and version
    closed                              nothing more will be added
    pictures/NAME/picture.json          size, seed, and of each object: label, score, mask file
                  picture.png           RGB
                  mask-000.png          8 bit, 255 = object 0
                  depth.safetensors     optional: points `[H, W, 3]` float32 (PyTorch3D frame, NaN = unknown)
                                        and intrinsics `[3, 3]` float32; goes when every object has a result
                  camera.safetensors    result: the same two, given or estimated; at most 128 points a side
                  object-000.safetensors  result: the tensors of `OBJECT_FIELDS`
                  object-000.failed.json  result: {"reason": ...}; picture.failed.json: of the whole picture
                  object-000.tries      how often it was begun; picture.tries: its camera
                  .lock                 held by the worker that has the picture
    workers/ID.lock, ID.error           held while a worker lives; why one ended

Every file and every picture's folder appears whole (renamed into place). A claim is a system lock, so that it ends with
the process, however that ends. A plain file: the worker loads it where there is no anchorgen.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

FORMAT, VERSION = "anchorgen-sam3d-job", 1
SLAT_CHANNELS, GRID = 8, 64
# name: (dtype, shape); V voxels. Rotation, translation and scale as SAM 3D gives them: p = (x * scale) @ R + t.
OBJECT_FIELDS: dict[str, tuple[type, tuple[int | str, ...]]] = {
    "coords": (np.uint8, ("V", 3)),
    "feats": (np.float16, ("V", SLAT_CHANNELS)),
    "rotation": (np.float32, (4,)),
    "translation": (np.float32, (3,)),
    "scale": (np.float32, (3,)),
    "slat_mean": (np.float32, (SLAT_CHANNELS,)),
    "slat_std": (np.float32, (SLAT_CHANNELS,)),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


class JobError(ValueError):
    """A job folder, or a file in one, that is not as this version writes it."""


def create(job: Path) -> Path:
    """Makes a job folder, or checks the one that is there."""
    if not (job / "job.json").exists():
        for name in ("pictures", "workers", "incoming"):
            (job / name).mkdir(parents=True, exist_ok=True)
        write_json(job / "job.json", {"format": FORMAT, "version": VERSION})
    check(job)
    return job


def check(job: Path) -> None:
    """Raises JobError for a folder that is no job of this version."""
    value = read_json(job / "job.json", "a job folder made by anchorgen")
    if value.get("format") != FORMAT:
        raise JobError(f"{job} is of format {value.get('format')!r}; expected {FORMAT!r}")
    if value.get("version") != VERSION:
        raise JobError(
            f"{job} has version {value.get('version')}; this reads {VERSION}: use the same anchorgen on both sides"
        )


def add_picture(
    job: Path,
    name: str,
    rgb: np.ndarray,
    masks: np.ndarray,
    labels: Sequence[str],
    scores: Sequence[float],
    depth: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> Path:
    """Puts a picture into a job; one of that name that is there already stays as it is.

    Args:
        name: letters, digits, ".", "_", "-".
        rgb: `[H, W, 3]` uint8. masks: `[M, H, W]` bool. labels, scores: M each.
        depth: `points` `[H, W, 3]` (PyTorch3D frame) and `intrinsics` `[3, 3]`; None: the worker estimates them.
        seed: of SAM 3D's sampling.
    """
    if not _NAME.fullmatch(name):
        raise JobError(f"name {name!r}; expected letters, digits, '.', '_' and '-', at most 121")
    masks = np.asarray(masks, bool).reshape(-1, *rgb.shape[:2])
    if not len(masks) == len(labels) == len(scores):
        raise JobError(
            f"{len(masks)} masks, {len(labels)} labels and {len(scores)} scores; expected one each an object"
        )
    folder = job / "pictures" / name
    if folder.exists():
        return folder
    partial = job / "incoming" / f"{name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    Image.fromarray(np.ascontiguousarray(rgb)).save(partial / "picture.png")
    objects = []
    for index, mask in enumerate(masks):
        file = f"mask-{index:03d}.png"
        Image.fromarray(mask.astype(np.uint8) * 255).save(partial / file)
        objects.append({"label": labels[index], "score": float(scores[index]), "mask": file})
    if depth is not None:
        write_tensors(partial / "depth.safetensors", {k: np.asarray(v, np.float32) for k, v in depth.items()}, {})
    height, width = rgb.shape[:2]
    manifest = {"version": VERSION, "width": width, "height": height, "seed": seed, "objects": objects}
    write_json(partial / "picture.json", manifest)
    try:
        partial.rename(folder)
    except OSError:  # another process added the same picture meanwhile
        shutil.rmtree(partial, ignore_errors=True)
        if not folder.exists():
            raise
    return folder


def picture_folders(job: Path) -> list[Path]:
    return sorted(p for p in (job / "pictures").iterdir() if p.is_dir())


def manifest_of(folder: Path) -> dict[str, Any]:
    """`picture.json`. Raises JobError: it is missing, damaged, or of another version."""
    value = read_json(folder / "picture.json", "a picture added by anchorgen")
    if value.get("version") != VERSION or not isinstance(value.get("objects"), list):
        raise JobError(f"{folder / 'picture.json'} is of version {value.get('version')}; this reads {VERSION}")
    return value


def masks_of(folder: Path) -> list[np.ndarray]:
    """`[H, W]` bool of each object. Raises JobError for a file that is not whole."""
    return [mask_of(folder / item["mask"]) for item in manifest_of(folder)["objects"]]


def mask_of(path: Path) -> np.ndarray:
    """`[H, W]` bool. Raises JobError for a file that is not whole."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L")) > 127
    except OSError as error:
        raise JobError(f"{path} cannot be read ({error}); remove the picture's folder, and add it again") from None


def result_path(folder: Path, index: int) -> Path:
    return folder / f"object-{index:03d}.safetensors"


def failure_path(folder: Path, index: int) -> Path:
    return folder / f"object-{index:03d}.failed.json"


def picture_failure_path(folder: Path) -> Path:
    return folder / "picture.failed.json"


def begun(folder: Path, index: int | None = None) -> int:
    """Counts one more beginning of an object (None: of the picture's camera); returns how many there were before."""
    path = folder / ("picture.tries" if index is None else f"object-{index:03d}.tries")
    before = int(path.read_text()) if path.exists() else 0
    _write(path, lambda partial: partial.write_text(str(before + 1)))
    return before


def forget_failures(folder: Path) -> None:
    """So that what failed is tried again."""
    for failed in folder.glob("*.failed.json"):
        failed.with_name(failed.name.replace(".failed.json", ".tries")).unlink(missing_ok=True)
        failed.unlink(missing_ok=True)


def write_failure(folder: Path, index: int | None, reason: str) -> None:
    """Lists an object, or with None the picture, as failed."""
    path = picture_failure_path(folder) if index is None else failure_path(folder, index)
    write_json(path, {"reason": reason})


def open_objects(folder: Path) -> list[int]:
    """Objects of a picture that have neither a result nor a failure."""
    count = len(manifest_of(folder)["objects"])
    return [i for i in range(count) if not (result_path(folder, i).exists() or failure_path(folder, i).exists())]


def check_object(tensors: Mapping[str, np.ndarray]) -> None:
    """Raises JobError for an object whose tensors are not as `OBJECT_FIELDS` says, or not finite."""
    for name, (dtype, shape) in OBJECT_FIELDS.items():
        got = tensors.get(name)
        if got is None:
            raise JobError(f"no {name}; expected {', '.join(OBJECT_FIELDS)}")
        fits = got.ndim == len(shape) and all(isinstance(e, str) or e == g for e, g in zip(shape, got.shape))
        if got.dtype != dtype or not fits:
            raise JobError(f"{name} is {got.dtype} {list(got.shape)}; expected {np.dtype(dtype)} {list(shape)}")
        if not np.all(np.isfinite(got)):
            raise JobError(f"{name} is not finite")
    if len(tensors["coords"]) == 0 or len(tensors["coords"]) != len(tensors["feats"]):
        raise JobError(
            f"{len(tensors['coords'])} coords and {len(tensors['feats'])} feats; expected as many, at least 1"
        )
    if tensors["coords"].max() >= GRID or np.any(tensors["scale"] <= 0) or np.any(tensors["slat_std"] <= 0):
        raise JobError(f"coords reach {tensors['coords'].max()} (< {GRID}), scale {tensors['scale'].tolist()} (> 0)")


def is_finished(folder: Path) -> bool:
    """Whether a picture has its camera, and every object of it a result or a failure; or is listed as failed itself."""
    if picture_failure_path(folder).exists():
        return True
    return (folder / "camera.safetensors").exists() and not open_objects(folder)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Holds a lock file while the block runs; gives False if another process holds it.

    Raises:
        JobError: the file system has no locks.
    """
    with open(path, "a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise JobError(
                    f"{path.parent} is on a file system without locks; put the job on a local disk"
                ) from None
            raise
        yield True


def read_json(path: Path, expected: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise JobError(f"no {path}; expected {expected}") from None
    except ValueError as error:
        raise JobError(f"{path} is not JSON ({error}); expected {expected}") from None
    if not isinstance(value, dict):
        raise JobError(f"{path} holds a {type(value).__name__}; expected {expected}")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    _write(path, lambda partial: partial.write_text(json.dumps(value, indent=1) + "\n"))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Raises JobError for a file that is not whole."""
    try:
        with safe_open(path, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except Exception as error:
        raise JobError(f"{path} cannot be read ({error}); delete it, and the worker makes it again") from None


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], about: Mapping[str, str]) -> None:
    whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    metadata = {"format": FORMAT, "version": str(VERSION), **about}
    _write(path, lambda partial: save_file(whole, partial, metadata))


def _write(path: Path, write: Any) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
