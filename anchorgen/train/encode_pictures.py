"""`data encode`: pictures into shards of scene latents, by any number of processes.

Shard k is for keys k S to k S + S - 1 of the sorted source, whoever encodes it, so its bytes do not depend on the number
of processes or on who was stopped when. Several processes (`accelerate launch`, or RANK and WORLD_SIZE set by hand) take
every R-th shard; `workers` of each share them out again.
"""

from __future__ import annotations

import io
import os
import time
import traceback
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from tqdm.auto import tqdm

from anchorgen.data.atomic import file_sha256
from anchorgen.data.encoded import EncodedRecord
from anchorgen.data.encoded_shards import (
    ShardReport,
    encoded_path,
    keys_sha256,
    read_report,
    settle,
    write_encoded_shard,
    write_report,
)
from anchorgen.data.explain import AllFailed, CannotEncode
from anchorgen.data.lanes import run_jobs
from anchorgen.data.lock import locked
from anchorgen.data.lsun import PictureSource, open_source
from anchorgen.data.screening import LeftOut, Screening, screened
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.encode.sam3d.explain import PerceptionError, PictureError
from anchorgen.pipeline.picture_encoders import (
    categories_of,
    encode_with_extra,
    picture_encoder,
    weights_of,
)

SHARD_SIZE = 512


@dataclass(frozen=True)
class EncodeJob:
    """Attributes:
    source, out: pictures, and the folder of shards.
    encoder: see `picture_encoder`. device: "cuda", "cpu", ...; None: this process's own GPU if there is one.
    count: pictures of the source to look at, rounded up to whole shards; raise it later to go on. None: all.
    shard_size: pictures a shard.
    keep_voxels: keep of each picture what a pipeline's f and b were made of; `train flux2 --paper-tokens` wants it.
    workers: processes of this process. threads: of torch in each, as sums depend on it.
    """

    source: Path
    out: Path
    encoder: str = "bedrooms-128"
    device: str | None = None
    count: int | None = None
    shard_size: int = SHARD_SIZE
    keep_voxels: bool = False
    workers: int = 1
    threads: int = 1
    screening: Screening = field(default_factory=Screening)


class _Shard(NamedTuple):
    index: int
    keys: list[str]
    job: EncodeJob


def encode_pictures(job: EncodeJob, progress: bool = True) -> list[ShardReport]:
    """Encodes what is missing of this process's share; gives the reports of all shards that are done.

    Raises:
        ValueError: a number out of range, no pictures, or `out` is in use or of other settings.
        AllFailed: no picture of a shard could be encoded. CannotEncode: a model cannot be used here.
        ImportError, OSError, MemoryError, torch.OutOfMemoryError: what ends a worker. Shards that are done stay.
    """
    if min(job.shard_size, job.workers, job.threads, 1 if job.count is None else job.count) < 1:
        raise ValueError(f"got {job}; expected count, shard_size, workers and threads of at least 1")
    rank, world = process_of()
    threads_before = torch.get_num_threads()
    with locked(job.out) if rank == 0 else nullcontext():
        shards = _shards(job)
        settle(job.out, _settings(job, open_source(job.source)))
        missing = [shard for shard in shards[rank::world] if not _is_done(shard)]
        jobs = run_jobs(_encode_shard, missing, job.workers) if job.workers > 1 else map(_encode_shard, missing)
        with tqdm(total=len(missing), unit="shard", disable=not progress or rank > 0) as bar:
            for _ in jobs:
                bar.update()
    torch.set_num_threads(threads_before)
    reports = [read_report(encoded_path(job.out, s.index)) for s in shards]
    return [report for report in reports if report is not None]


def process_of() -> tuple[int, int]:
    """This process's number and how many there are, as launchers say in RANK and WORLD_SIZE."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if not 0 <= rank < world:
        raise ValueError(f"RANK is {rank} and WORLD_SIZE {world}; expected 0 <= RANK < WORLD_SIZE")
    return rank, world


def _shards(job: EncodeJob) -> list[_Shard]:
    size = job.shard_size
    count = None if job.count is None else -(-job.count // size) * size
    keys = open_source(job.source).keys(count)
    if not keys:
        raise ValueError(f"no pictures in {job.source}; expected an LSUN lmdb, or jpg, png or webp files in a folder")
    return [_Shard(i, keys[i * size : (i + 1) * size], job) for i in range(-(-len(keys) // size))]


def _settings(job: EncodeJob, source: PictureSource) -> dict[str, Any]:
    encoder = _encoder(job.encoder, _device(job))
    kept = {"keep_voxels": True} if job.keep_voxels else {}  # folders of before have no such setting
    return kept | {
        "source": source.name,
        "encoder": Path(job.encoder).name,
        "encoder_weights": weights_of(encoder),
        "latent_space": encoder.latent_space,
        "categories": list(categories_of(encoder)),
        "shard_size": job.shard_size,
        "screening": asdict(job.screening),
    }


def _is_done(shard: _Shard) -> bool:
    """Whether a shard is there as it was written, for these very keys."""
    path = encoded_path(shard.job.out, shard.index)
    report = read_report(path)
    if report is None or report.keys_sha256 != keys_sha256(shard.keys) or not path.is_file():
        return False
    return file_sha256(path) == report.sha256


def _encode_shard(shard: _Shard) -> int:
    job, began = shard.job, time.monotonic()
    torch.set_num_threads(job.threads)
    encoder = _encoder(job.encoder, _device(job))
    records, failures, left_out = [], {}, {}
    for key, data in open_source(job.source).read(shard.keys):
        try:
            ending, kept, size = screened(data, job.screening)
        except LeftOut as reason:
            left_out[key] = str(reason)
            continue
        except Exception as error:  # whatever a damaged file makes of the decoder
            failures[key] = f"cannot be read: {type(error).__name__}: {error}"
            continue
        try:
            record = _record(key, ending, kept, size, encoder, job.keep_voxels)
            if record.scene.num_objects < job.screening.min_objects:
                left_out[key] = f"objects: {record.scene.num_objects} < {job.screening.min_objects}"
                continue
            records.append(record)
        except (ImportError, MemoryError, OSError, torch.OutOfMemoryError):  # of the machine, not of the picture
            raise
        except PictureError as error:
            failures[key] = f"encoder: {error}"
        except PerceptionError as error:
            raise CannotEncode(str(error)) from error
        except Exception as error:  # one bad picture must not stop a hundred thousand; it is named in the report
            failures[key] = f"encoder: {type(error).__name__}: {error}"
            traceback.print_exc()
    path = encoded_path(job.out, shard.index)
    if failures and len(failures) == len(shard.keys):
        raise AllFailed(f"every picture of {path.name} failed; the first, {': '.join(next(iter(failures.items())))}")
    checksum = write_encoded_shard(path, records)
    report = ShardReport(
        keys_sha256(shard.keys), len(shard.keys), len(records), failures, left_out, checksum,
        round(time.monotonic() - began, 3), f"{Path(job.encoder).name}, anchorgen {version('anchorgen')}",
    )  # fmt: skip
    write_report(path, report)
    return shard.index


def _record(
    key: str, ending: str, data: bytes, size: tuple[int, int], encoder: Any, keep_voxels: bool
) -> EncodedRecord:
    scene, extra = encode_with_extra(encoder, Image.open(io.BytesIO(data)), keep_voxels)
    return EncodedRecord(key, ending, data, scene, {"source_size": list(size)}, extra)


def _device(job: EncodeJob) -> str | None:
    if job.device is not None or not torch.cuda.is_available():
        return job.device
    return f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"


@lru_cache(maxsize=1)
def _encoder(name: str, device: str | None) -> Any:
    try:
        return picture_encoder(name, device)
    except BackboneError as error:
        raise CannotEncode(str(error)) from error
