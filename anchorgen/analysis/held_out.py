"""Held-out rooms for benchmarks: test records from the cache, and true pictures after edits, rendered once and kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from anchorgen.data.cache import cache_folder, split_folder
from anchorgen.data.records import Record
from anchorgen.data.shards import read_records
from anchorgen.geometry import project
from anchorgen.world.camera import to_camera
from anchorgen.world.checks import impossibilities
from anchorgen.world.counterfactuals import influence_mask
from anchorgen.world.edits import Edit, apply_edit
from anchorgen.world.types import WorldScene

MIN_INFLUENCE_PX = 60


def test_records(count: int) -> list[Record]:
    """The first test rooms.

    Raises:
        FileNotFoundError: too few are rendered; the message gives the command.
    """
    folder = split_folder("test")
    records = list(read_records(folder, stop=count)) if folder.is_dir() else []
    if len(records) < count:
        command = f"python -m anchorgen data render --split test --count {count}"
        raise FileNotFoundError(f"{len(records)} test rooms in {folder}; this needs {count}; render them: {command}")
    return records


@dataclass(frozen=True)
class TruePair:
    """A held-out room, one edit of it, and the true pictures of both, rendered alike."""

    record: Record
    edit: Edit
    before: np.ndarray
    after: np.ndarray

    @property
    def influence(self) -> np.ndarray:
        return influence_mask(self.before, self.after)


def true_moves(records: list[Record], count: int, distance_m: float = 0.5, spp: int = 64) -> list[TruePair]:
    """Moves of standing objects along the floor: possible ones that stay in view and show. One per room at most."""
    pairs, rng = [], np.random.default_rng(0)
    with tqdm(total=count, desc="true moves") as bar:
        for record in records:
            edit = _possible_move(record, rng, distance_m)
            if edit is None or len(pairs) == count:
                continue
            pair = _rendered(record, edit, spp)
            if pair.influence.sum() >= MIN_INFLUENCE_PX:
                pairs.append(pair)
                bar.update()
    return pairs


def _possible_move(record: Record, rng: np.random.Generator, distance_m: float) -> Edit | None:
    scene = WorldScene.from_json(record.meta["scene"])
    before = set(impossibilities(scene))
    standing = [
        name
        for name, label in zip(record.truth.ids, record.truth.labels, strict=True)
        if label not in ("painting", "rug")
    ]
    choices = [(name, angle) for name in standing for angle in range(0, 360, 30)]
    for index in rng.permutation(len(choices)):
        name, angle = choices[index]
        right, forward = distance_m * np.cos(np.radians(angle)), distance_m * np.sin(np.radians(angle))
        edit = {"verb": "move", "id": name, "right": round(float(right), 4), "forward": round(float(forward), 4)}
        edited = apply_edit(scene, edit)
        spec = next(o for o in edited.objects if o.id == name)
        point = to_camera(np.asarray(spec.position) + [0, 0, 0.3], scene.camera)
        uv = project(point, np.asarray(scene.camera.focal))
        if point[2] > 0.8 and np.all((uv > 0.05) & (uv < 0.95)) and set(impossibilities(edited)) <= before:
            return edit
    return None


def _rendered(record: Record, edit: Edit, spp: int) -> TruePair:
    """Both pictures, from the cache if they are there."""
    name = hashlib.sha256(json.dumps([record.meta["scene"], dict(edit), spp], sort_keys=True).encode()).hexdigest()[:20]
    path = cache_folder() / "true-edits" / f"{name}.png"
    if not path.is_file():
        from anchorgen.world.counterfactuals import counterfactual

        size = record.image.shape[0]
        pair = counterfactual(WorldScene.from_json(record.meta["scene"]), [edit], size, spp)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        Image.fromarray(np.concatenate([pair.before.image, pair.after.image], 1)).save(partial, "PNG")
        partial.replace(path)
    both = np.asarray(Image.open(path))
    half = both.shape[1] // 2
    return TruePair(record, edit, both[:, :half], both[:, half:])
