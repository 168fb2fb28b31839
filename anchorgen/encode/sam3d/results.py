"""What workers left in a job folder, as this package reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anchorgen.encode.moge import DepthMap, depth_map
from anchorgen.encode.sam3d import folder
from anchorgen.encode.slat import SlatObject, slat_object
from anchorgen.geometry import opencv_to_pytorch3d


@dataclass(frozen=True)
class Failure:
    """An object that has no latents. `index` -1: the whole picture."""

    picture: str
    index: int
    label: str
    reason: str


@dataclass(frozen=True)
class PictureResult:
    """Attributes:
    name: of the picture. size: (height, width).
    objects: those that succeeded, by their index in the picture's list of masks. failures: the others.
    depth: points and focal length; None where the whole picture failed, or was not begun.
    """

    name: str
    size: tuple[int, int]
    objects: dict[int, SlatObject]
    failures: tuple[Failure, ...]
    depth: DepthMap | None


@dataclass(frozen=True)
class JobStatus:
    """Counts of objects, and every failure with its reason."""

    pictures: int
    done: int
    waiting: int
    failures: tuple[Failure, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.pictures} pictures: {self.done} objects done, {self.waiting} waiting, {len(self.failures)} failed"
        ]
        return "\n".join([*lines, *(f"  {f.picture} {f.index} {f.label}: {f.reason}" for f in self.failures)])


def failures_of(path: Path) -> tuple[Failure, ...]:
    """What is listed as failed of one picture."""
    whole = folder.picture_failure_path(path)
    if whole.exists():
        return (Failure(path.name, -1, "", folder.read_json(whole, "a reason")["reason"]),)
    found = []
    for index, item in enumerate(folder.manifest_of(path)["objects"]):
        failed = folder.failure_path(path, index)
        if failed.exists() and not folder.result_path(path, index).exists():
            found.append(Failure(path.name, index, item["label"], folder.read_json(failed, "a reason")["reason"]))
    return tuple(found)


def job_status(job: Path) -> JobStatus:
    """Reads a job folder, whoever works on it meanwhile."""
    folder.check(job)
    paths, done, waiting, failures = folder.picture_folders(job), 0, 0, []
    for path in paths:
        failed = failures_of(path)
        failures += failed
        if any(f.index < 0 for f in failed):
            continue
        count = len(folder.manifest_of(path)["objects"])
        still = len(folder.open_objects(path))
        waiting += still
        done += count - still - len(failed)
    return JobStatus(len(paths), done, waiting, tuple(failures))


def read_picture(path: Path) -> PictureResult:
    """The results of one picture; a result file that is damaged is listed among the failures.

    Raises:
        JobError: the picture's own files are damaged.
        PictureError: its depth map is in another frame, or has no points.
    """
    failures = list(failures_of(path))
    if any(f.index < 0 for f in failures):
        return PictureResult(path.name, (0, 0), {}, tuple(failures), None)
    manifest, objects = folder.manifest_of(path), {}
    for index, item in enumerate(manifest["objects"]):
        result = folder.result_path(path, index)
        if not result.exists():
            continue
        try:
            tensors = folder.read_tensors(result)
            folder.check_object(tensors)
            objects[index] = slat_object(item["label"], item["score"], tensors)
        except ValueError as error:
            failures.append(Failure(path.name, index, item["label"], str(error)))
    camera = path / "camera.safetensors"
    depth = None
    if camera.exists():
        tensors = folder.read_tensors(camera)
        depth = depth_map(opencv_to_pytorch3d(tensors["points"]), tensors["intrinsics"])  # the map is its own inverse
    return PictureResult(path.name, (manifest["height"], manifest["width"]), objects, tuple(failures), depth)
