"""Renders training data: scene i of a job has seed `seed + i`; shard k always holds the same scenes."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from anchorgen.data.records import Record
from anchorgen.data.shards import SHARD_SIZE, read_manifest, shard_path, write_manifest, write_shard
from anchorgen.data.splits import split_of

WORLD_VERSION = 1  # raise it whenever the same seed would give another room or picture
_SHARDS_PER_WORKER = 4  # then a fresh process: the renderer keeps a little memory of every scene


def render_record(seed: int, size: int, spp: int) -> Record:
    """The record of one seed."""
    from anchorgen.world.render import render
    from anchorgen.world.rooms import sample_scene
    from anchorgen.world.truth import slot_instances, truth_slots, world_truth

    scene = sample_scene(seed)
    picture = render(scene, size, spp, seed=seed % 2**31)
    truth = world_truth(scene, picture.instance)
    instance = slot_instances(picture.instance, truth_slots(scene, picture.instance))
    meta = {
        "scene": scene.to_json(),
        "seed": seed,
        "spp": spp,
        "size": size,
        "split": split_of(seed),
        "world": WORLD_VERSION,
    }
    return Record(f"room-{seed:08d}", picture.image, instance, truth, meta)


def render_dataset(
    count: int,
    seed: int,
    out: Path,
    *,
    size: int = 128,
    spp: int = 16,
    workers: int = 1,
    threads: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Renders scenes `seed` to `seed + count - 1`; shards that are there already are kept, so a stopped job goes on.

    Args:
        count: scenes in all; raise it later to extend the folder. Rounded up to whole shards of 64.
        seed: of the first scene.
        out: folder; the same seed, size and spp belong to one folder.
        size, spp: of the pictures.
        workers: processes; threads: renderer threads of each.
        progress: a bar on stderr.

    Returns:
        The manifest: settings, and per shard its seeds, the number of records and the failures with their reasons.

    Raises:
        ValueError: the folder holds data of other settings, or a negative seed.
        ImportError, OSError, MemoryError: what ends a worker; shards that are done stay.
    """
    if count < 1 or workers < 1 or threads < 1:
        raise ValueError(f"got count={count}, workers={workers}, threads={threads}; expected at least 1 each")
    split_of(seed)
    out.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest(out)
    settings = {"seed": seed, "size": size, "spp": spp, "shard_size": SHARD_SIZE, "world": WORLD_VERSION}
    if manifest.get("settings", settings) != settings:
        raise ValueError(f"{out} holds data of {manifest['settings']}; got {settings}; choose another --out")
    manifest["settings"] = settings
    indices = range((count + SHARD_SIZE - 1) // SHARD_SIZE)
    # A shard without its entry (killed between the two files) is rendered again, or its failures would be lost.
    missing = [i for i in indices if str(i) not in manifest["shards"] or not shard_path(out, i).exists()]
    jobs = [(i, seed + i * SHARD_SIZE, str(out), size, spp, threads) for i in missing]
    bar = tqdm(
        total=len(indices) * SHARD_SIZE,
        initial=(len(indices) - len(missing)) * SHARD_SIZE,
        unit="room",
        disable=not progress,
    )
    with bar:
        for index, entry in _rendered(jobs, workers):
            manifest["shards"][str(index)] = entry
            write_manifest(out, manifest)
            bar.update(SHARD_SIZE)
    return manifest


def _rendered(jobs: list[tuple], workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Shards as they are done. A worker that is killed raises here, where `multiprocessing.Pool` would wait forever."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=_SHARDS_PER_WORKER) as pool:
        futures = [pool.submit(_render_shard, job) for job in jobs]
        try:
            yield from (future.result() for future in as_completed(futures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _render_shard(job: tuple[int, int, str, int, int, int]) -> tuple[int, dict[str, Any]]:
    index, first, out, size, spp, threads = job
    _limit_threads(threads)
    records, failures = [], {}
    for seed in range(first, first + SHARD_SIZE):
        try:
            records.append(render_record(seed, size, spp))
        except (ImportError, MemoryError, OSError):  # of this machine, not of the room: every room would fail
            raise
        except Exception as error:  # one bad room must not stop ten thousand; it is named in the manifest
            failures[str(seed)] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
    write_shard(shard_path(Path(out), index), records)
    return index, {"first_seed": first, "records": len(records), "failures": failures}


def _limit_threads(threads: int) -> None:
    from anchorgen.world.variant import use_mitsuba

    if use_mitsuba().variant().startswith("llvm"):
        import drjit

        drjit.set_thread_count(threads)
