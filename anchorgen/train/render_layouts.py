"""Rooms without pictures, in many processes: what layout statistics of samples are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from anchorgen.data.atomic import partial_path
from anchorgen.data.lanes import run_jobs
from anchorgen.data.layouts import Layouts, save_layouts
from anchorgen.data.splits import FIRST_SEED, split_of
from anchorgen.scene.truth import WORLD_VERSION
from anchorgen.world.fingerprint import world_code

SEED_OFFSET = 1_000_000  # from the split's first seed: these rooms are none of those that are rendered
_ROOMS_A_JOB = 250


def render_layouts(count: int, split: str, out: Path, *, workers: int = 1, progress: bool = True) -> Layouts:
    """Samples rooms and writes their boxes; the file depends on count, split and code alone, not on the workers.

    Args:
        count: rooms, seeds `FIRST_SEED[split] + SEED_OFFSET` on.
        split: "train", "val" or "test".
        out: file; it appears when all is done.
        workers: processes.
        progress: a bar on stderr.

    Raises:
        ValueError: a count below 1, an unknown split, seeds that leave the split, or `out` is a folder.
        OSError: `out` cannot be written; found before the work.
    """
    if count < 1 or workers < 1:
        raise ValueError(f"got count={count}, workers={workers}; expected at least 1 each")
    if split not in FIRST_SEED:
        raise ValueError(f"split: got {split!r}; expected one of {', '.join(FIRST_SEED)}")
    first = FIRST_SEED[split] + SEED_OFFSET
    if split_of(first + count - 1) != split:
        raise ValueError(f"count: got {count}; seeds from {first} on would leave split {split!r}; ask for fewer")
    _check_place(out)
    jobs = [
        range(begin, min(begin + _ROOMS_A_JOB, first + count)) for begin in range(first, first + count, _ROOMS_A_JOB)
    ]
    rooms, failures = [], {}
    with tqdm(total=count, unit="room", disable=not progress) as bar:
        for done, failed in run_jobs(_job, jobs, workers):
            rooms += done
            failures |= failed
            bar.update(len(done) + len(failed))
    layouts = _joined(sorted(rooms, key=lambda room: room["seed"]), split, failures)
    save_layouts(layouts, out)
    return layouts


def _check_place(out: Path) -> None:
    """Finds a place that cannot be written to before the work, not after it."""
    if out.is_dir():
        raise ValueError(f"--out: got the folder {out}; expected a file, say {out / 'layouts.safetensors'}")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(out)
    partial.write_bytes(b"")
    partial.unlink()


def room_layout(seed: int) -> dict[str, Any]:
    """One room in its camera's frame: `labels`, and arrays named as in `WorldTruth`."""
    from anchorgen.world.boxes import mesh_size
    from anchorgen.world.camera import box_in_camera, world_to_camera
    from anchorgen.world.rooms import sample_scene
    from anchorgen.world.truth import wall_planes

    scene = sample_scene(seed)
    boxes = [box_in_camera(spec, mesh_size(spec), scene.camera) for spec in scene.objects]
    parts = zip(("translation", "quat_wxyz", "scale"), (3, 4, 3), range(3), strict=True)
    return {
        "seed": seed,
        "labels": [spec.category for spec in scene.objects],
        "focal": np.array(scene.camera.focal, np.float32),
        "up": (world_to_camera(scene.camera) @ np.array([0, 0, 1.0])).astype(np.float32),
        "floor": np.float32(-scene.camera.position[2]),
        "walls": wall_planes(scene),
        **{name: np.array([box[i] for box in boxes], np.float32).reshape(-1, width) for name, width, i in parts},
    }


def _job(seeds: range) -> tuple[list[dict[str, Any]], dict[str, str]]:
    rooms, failures = [], {}
    for seed in seeds:
        try:
            rooms.append(room_layout(seed))
        except (ImportError, MemoryError, OSError):  # of this machine, not of the room
            raise
        except Exception as error:  # named in the file
            failures[str(seed)] = f"{type(error).__name__}: {error}"
    return rooms, failures


def _joined(rooms: list[dict[str, Any]], split: str, failures: dict[str, str]) -> Layouts:
    labels = [label for room in rooms for label in room["labels"]]
    categories = tuple(sorted(set(labels)))
    numbers = {name: i for i, name in enumerate(categories)}
    facts = {"world": WORLD_VERSION, "code": world_code(), "split": split, "failures": failures}
    if not rooms:
        raise ValueError(f"no room could be sampled; the first failure: {next(iter(failures.items()))}")
    return Layouts(
        seed=np.array([room["seed"] for room in rooms], np.int64),
        ends=np.cumsum([len(room["labels"]) for room in rooms]).astype(np.int64),
        category=np.array([numbers[label] for label in labels], np.uint8),
        categories=categories,
        facts=facts,
        **{name: np.stack([room[name] for room in rooms]) for name in ("focal", "up", "floor", "walls")},
        **{name: np.concatenate([room[name] for room in rooms]) for name in ("translation", "quat_wxyz", "scale")},
    )
