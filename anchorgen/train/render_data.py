"""Renders training data: scene i of a job has seed `seed + i`; shard k always holds the same scenes."""

from __future__ import annotations

import traceback
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from anchorgen.data.atomic import file_sha256, partial_path
from anchorgen.data.explain import AllFailed
from anchorgen.data.lanes import run_jobs
from anchorgen.data.lock import locked
from anchorgen.data.manifest import codes, read_manifest, renderers, summarised, write_manifest
from anchorgen.data.shards import SHARD_SIZE, shard_path, write_shard
from anchorgen.data.splits import split_of
from anchorgen.pipeline.world_records import render_record
from anchorgen.scene.truth import WORLD_VERSION
from anchorgen.world.fingerprint import world_code
from anchorgen.world.variant import limit_threads, use_mitsuba

_SHARDS_PER_PROCESS = 4  # then a fresh process: the renderer keeps a little memory of every scene


def render_dataset(
    count: int,
    seed: int,
    out: Path,
    *,
    size: int = 128,
    spp: int = 20,
    workers: int = 1,
    threads: int = 1,
    shard_size: int = SHARD_SIZE,
    progress: bool = True,
) -> dict[str, Any]:
    """Renders scenes `seed` to `seed + count - 1`; shards that are there as written are kept: a stopped job goes on.

    Args:
        count: scenes in all; raise it later to extend the folder. Rounded up to whole shards.
        seed: of the first scene.
        out: folder; the same seed, size, spp and shard size belong to one folder.
        size, spp: of the pictures.
        workers: processes; threads: renderer threads of each.
        shard_size: scenes a shard.
        progress: a bar on stderr.

    Returns:
        The manifest: settings, totals, and per shard its seeds, records, failures with reasons, checksum, code and
        renderer.

    Raises:
        ValueError: the folder holds other data or is in use, a number is out of range, or seeds are of two splits.
        RuntimeError: every room of a shard failed, or a worker was killed (BrokenProcessPool). ImportError, OSError,
            MemoryError: what ends a worker. Shards that are done stay, and nothing half-written does.

    Warns:
        RuntimeWarning: shards that are there were rendered by other code, or are not as they were written.
    """
    if min(count, workers, threads, shard_size, size, spp) < 1:
        got = {"count": count, "size": size, "spp": spp, "workers": workers, "threads": threads}
        raise ValueError(f"got {got | {'shard_size': shard_size}}; expected at least 1 each")
    indices = range((count + shard_size - 1) // shard_size)
    _check_split(seed, seed + len(indices) * shard_size - 1)
    settings = {"seed": seed, "size": size, "spp": spp, "shard_size": shard_size, "world": WORLD_VERSION}
    with locked(out):
        manifest = _manifest_of(out, settings)
        missing = [i for i in indices if not _is_done(out, i, manifest["shards"].get(str(i)))]
        _warn_of_other_origin(out, manifest, missing)
        jobs = [(i, seed + i * shard_size, shard_size, str(out), size, spp, threads) for i in missing]
        done = (len(indices) - len(missing)) * shard_size
        with tqdm(total=len(indices) * shard_size, initial=done, unit="room", disable=not progress) as bar:
            _render_shards(jobs, workers, out, manifest, bar)
    return summarised(manifest, version("anchorgen"))


def renderer() -> str:
    """What makes pictures of rooms here: versions of the renderer and the denoiser."""
    mitsuba = use_mitsuba()
    return f"mitsuba {mitsuba.__version__} {mitsuba.variant()}, pyoidn {version('pyoidn')}"


def _check_split(first: int, last: int) -> None:
    if split_of(first) != split_of(last):
        raise ValueError(
            f"seeds (over whole shards): got {first} to {last}, of splits {split_of(first)!r} and {split_of(last)!r}; "
            "expected one split: lower --count, or choose another --seed"
        )


def _is_done(out: Path, index: int, entry: dict[str, Any] | None) -> bool:
    """Whether a shard need not be rendered. One without an entry (killed between the two files) must, or its failures
    would be lost; so must one without rooms.
    """
    path = shard_path(out, index)
    if entry is None or not entry["records"] or not path.exists():
        return False
    if file_sha256(path) == entry.get("sha256"):
        return True
    warnings.warn(
        f"{path} is not as it was written (its checksum is not that of the manifest); it is rendered again",
        RuntimeWarning,
        stacklevel=4,
    )
    return False


def _manifest_of(out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    manifest = read_manifest(out)
    if "parts" in manifest:
        raise ValueError(f"{out} holds a pack; expected a folder of shards or a new one; choose another --out")
    if manifest.get("settings", settings) != settings:
        raise ValueError(f"{out} holds data of {manifest['settings']}; got {settings}; choose another --out")
    return {**manifest, "settings": settings}


def _render_shards(jobs: list[tuple], workers: int, out: Path, manifest: dict[str, Any], bar: Any) -> None:
    """Enters each shard into the manifest as it is done."""
    try:
        for index, entry in run_jobs(_render_shard, jobs, workers, _SHARDS_PER_PROCESS):
            manifest["shards"][str(index)] = entry
            write_manifest(out, summarised(manifest, version("anchorgen")))
            bar.update(entry["last_seed"] - entry["first_seed"] + 1)
    finally:
        for index, *_ in jobs:  # a killed worker cannot tidy up
            partial_path(shard_path(out, index)).unlink(missing_ok=True)


def _warn_of_other_origin(out: Path, manifest: dict[str, Any], missing: list[int]) -> None:
    kept = {i: entry for i, entry in manifest["shards"].items() if int(i) not in missing}
    if not (missing and kept):
        return
    origins = (("code", codes, world_code()), ("renderer", renderers, renderer()))
    for name, recorded, mine in origins:
        others = [value for value in recorded({"shards": kept}) if value != mine]
        if others:
            warnings.warn(
                f"{out} holds shards of other {name} ({'; '.join(others)}; this is {mine}): equal seeds may look "
                "different; for one look, render into another --out",
                RuntimeWarning,
                stacklevel=3,
            )


def _render_shard(job: tuple[int, int, int, str, int, int, int]) -> tuple[int, dict[str, Any]]:
    index, first, shard_size, out, size, spp, threads = job
    code = world_code()
    limit_threads(threads)
    records, failures = [], {}
    for seed in range(first, first + shard_size):
        try:
            records.append(render_record(seed, size, spp))
        except (ImportError, MemoryError, OSError):  # of this machine, not of the room: every room would fail
            raise
        except Exception as error:  # one bad room must not stop ten thousand; it is named in the manifest
            failures[str(seed)] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
    path = shard_path(Path(out), index)
    if not records:  # a shard that is written counts as done
        first_failure = next(iter(failures.items()))
        raise AllFailed(f"every room of {path.name} failed; the first, seed {': '.join(first_failure)}")
    write_shard(path, records)
    seeds = {"first_seed": first, "last_seed": first + shard_size - 1}
    return index, {
        **seeds,
        "records": len(records),
        "failures": failures,
        "sha256": file_sha256(path),
        "code": code,
        "renderer": renderer(),
    }
