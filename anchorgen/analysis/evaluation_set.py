"""The fixed evaluation set: 100 test rooms, nine edits of each with true pictures. What it holds, and how it is read.

A folder holds `manifest.json` and one `scene-NNN.tar` a room (`evaluation_render.py` writes them). Shape legend: H W
picture.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load
from scipy.ndimage import binary_dilation

from anchorgen.analysis.evaluation_choice import EDITS, FIRST_EVALUATION_SEED, chosen_edits
from anchorgen.data.cache import cache_folder
from anchorgen.data.records import picture_array, png_instance
from anchorgen.scene.truth import WORLD_VERSION
from anchorgen.world.checks import impossibilities
from anchorgen.world.counterfactuals import influence_mask
from anchorgen.world.edits import Edit, apply_edit
from anchorgen.world.programs import edit_from_json, edit_to_json
from anchorgen.world.rooms import sample_scene
from anchorgen.world.types import WorldScene

NUM_SCENES = 100
NUM_FIXTURE_SCENES = 12
FORMAT = 1  # of the folder
SPECIFICATION_SHA256 = "a2939a64f0025d1643766a6986f678cd46e93d18cc7ab3b738b0bca117795b40"
COMMAND = "python -m anchorgen data evaluation"
FIXTURE = Path("tests/fixtures/evaluation")  # from the root of the repository
_BATCH = 16


@dataclass(frozen=True, eq=False)
class EvaluationScene:
    """A test room, its nine edits, and the true pictures of all, rendered with one seed and one exposure.

    Attributes:
        index: 0 to 99.
        world: the room.
        edits: by name (`EDITS`), as for `apply_edit` and, but for `object` and `room`, for `SceneLatent`.
        before: `[H, W, 3]` uint8; after: one an edit.
        instance: `[H, W]` int16, index into `world.objects`, -1 for the room; after_instance: one an edit, into the
            objects of the edited room.
        donor_picture, donor_instance: of the room whose background `with_background` takes (`donor`).
        light, light_after: `[16, 16, 3]` float32, mean linear radiance of the cells before and after
            `remove_lit_lamp`, outside the lamp's own mask; 0 where the lamp fills a cell.
        influence_px: pixels in which each edit shows.
        settings: size, supersample, spp and seed of the renderer.
    """

    index: int
    world: WorldScene
    edits: Mapping[str, Edit]
    before: np.ndarray
    after: Mapping[str, np.ndarray]
    instance: np.ndarray
    after_instance: Mapping[str, np.ndarray]
    donor_picture: np.ndarray
    donor_instance: np.ndarray
    light: np.ndarray
    light_after: np.ndarray
    influence_px: Mapping[str, int]
    settings: Mapping[str, int]

    @cached_property
    def edited(self) -> dict[str, WorldScene]:
        """The room after each edit."""
        return {name: apply_edit(self.world, edit) for name, edit in self.edits.items()}

    @cached_property
    def influence(self) -> dict[str, np.ndarray]:
        """`[H, W]` bool an edit: where it shows."""
        return {name: influence_mask(self.before, picture) for name, picture in self.after.items()}

    @cached_property
    def warnings(self) -> dict[str, tuple[str, ...]]:
        """What is impossible in the room after each edit."""
        return {name: impossibilities(room) for name, room in self.edited.items()}

    @property
    def donor(self) -> WorldScene:
        return self.edits["with_background"]["room"]

    @property
    def lamp_mask(self) -> np.ndarray:
        """`[H, W]` bool: the lamp that `remove_lit_lamp` takes away."""
        return self.instance == [o.id for o in self.world.objects].index(self.edits["remove_lit_lamp"]["id"])


def scene_specification(seed: int) -> dict[str, Any] | None:
    """Room and edits of a seed as JSON values; None if it is not fit for the set."""
    scene = sample_scene(seed)
    edits = chosen_edits(scene)
    if edits is None:
        return None
    return {"scene": scene.to_json(), "edits": {name: edit_to_json(edit) for name, edit in edits.items()}}


def specification(num_scenes: int = NUM_SCENES, pool: Executor | None = None) -> dict[str, Any]:
    """What the set holds, as JSON values: the first `num_scenes` seeds that are fit, each with its edits.

    Args:
        num_scenes: fewer make a prefix.
        pool: processes that share the work.
    """
    fit = (scene for scene in _drawn(pool) if scene is not None)
    scenes = list(islice(fit, num_scenes))
    # As JSON reads it back (lists for tuples), so that it does not matter where it comes from.
    return json.loads(json.dumps({"world": WORLD_VERSION, "format": FORMAT, "scenes": scenes}))


def _drawn(pool: Executor | None) -> Iterator[dict[str, Any] | None]:
    if pool is None:
        yield from map(scene_specification, count(FIRST_EVALUATION_SEED))
        return
    for first in count(FIRST_EVALUATION_SEED, _BATCH):
        yield from pool.map(scene_specification, range(first, first + _BATCH))


def checksum(value: dict[str, Any]) -> str:
    """SHA-256 of a specification, its numbers to five decimals: the last bits differ between machines."""
    return hashlib.sha256(json.dumps(_rounded(value), sort_keys=True).encode()).hexdigest()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 5) + 0.0 if isinstance(value, float) else value


def evaluation_folder() -> Path:
    """Where this version's set lives in the cache."""
    return cache_folder() / "evaluation" / str(WORLD_VERSION)


def scene_path(folder: Path, index: int) -> Path:
    return folder / f"scene-{index:03d}.tar"


def read_evaluation(folder: str | Path | None = None) -> Iterator[EvaluationScene]:
    """The scenes of a folder, in order; by default of the one in the cache.

    Raises:
        FileNotFoundError: there is no set, or a scene is missing.
        ValueError: it is of another specification, or a file is damaged. The messages give the command.
    """
    folder = evaluation_folder() if folder is None else Path(folder)
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(f"no evaluation set in {folder}; render it with: {COMMAND} --out {folder}")
    manifest = json.loads(path.read_text())
    if manifest["specification_sha256"] != SPECIFICATION_SHA256:
        raise ValueError(
            f"{folder} holds the set {manifest['specification_sha256'][:12]}; this code's is "
            f"{SPECIFICATION_SHA256[:12] or 'not fixed yet'}: remove the folder and run {COMMAND} --out {folder}"
        )
    return _scenes(folder, manifest)


def evaluation_fixture(folder: str | Path = FIXTURE) -> Iterator[EvaluationScene]:
    """The first 12 scenes, kept with the tests (relative to the repository)."""
    return read_evaluation(folder)


def _scenes(folder: Path, manifest: dict[str, Any]) -> Iterator[EvaluationScene]:
    for index in range(manifest["count"]):
        path = scene_path(folder, index)
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; go on with: {COMMAND} --out {folder}")
        try:
            yield decode_scene(index, _members(path))
        except (tarfile.TarError, OSError, KeyError, ValueError) as error:
            raise ValueError(
                f"{path} cannot be read ({error!r}); remove it and run: {COMMAND} --out {folder}"
            ) from error


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name.partition(".")[2]: stream.read() for member in tar if (stream := tar.extractfile(member))}


def decode_scene(index: int, members: dict[str, bytes]) -> EvaluationScene:
    """A scene of the members of its tar. Raises KeyError for one that is missing."""
    facts, light = json.loads(members["scene.json"]), load(members["light.safetensors"])
    return EvaluationScene(
        index=index,
        world=WorldScene.from_json(facts["scene"]),
        edits={name: edit_from_json(facts["edits"][name]) for name in EDITS},
        before=picture_array(members["before.webp"]),
        after={name: picture_array(members[f"{name}.webp"]) for name in EDITS},
        instance=png_instance(members["before.instance.png"]),
        after_instance={name: png_instance(members[f"{name}.instance.png"]) for name in EDITS},
        donor_picture=picture_array(members["donor.webp"]),
        donor_instance=png_instance(members["donor.instance.png"]),
        light=light["before"],
        light_after=light["remove_lit_lamp"],
        influence_px=facts["influence_px"],
        settings=facts["settings"],
    )


def lamp_removal(scenes: Iterable[EvaluationScene]) -> dict[str, float]:
    """What taking a lit lamp away does to the true pictures, means over scenes; grey levels in [0, 1].

    Returns:
        `mean_abs_delta`; `changed_share`, pixels that change by more than 0.02; `brighter_share`, those that get
        brighter by more than 0.02 outside the lamp's own mask (grown by 2 px: what it hid may be brighter than it);
        `brighter_share_with_lamp`, the same with the lamp's own pixels; `scenes`.
    """
    rows = []
    for scene in scenes:
        delta = (scene.after["remove_lit_lamp"].astype(float) - scene.before).mean(-1) / 255
        outside = np.logical_not(binary_dilation(scene.lamp_mask, np.ones((3, 3), bool), iterations=2))
        brighter = delta > 0.02
        rows.append((np.abs(delta).mean(), (np.abs(delta) > 0.02).mean(), brighter[outside].mean(), brighter.mean()))
    if not rows:
        raise ValueError("got no scenes; expected those of read_evaluation()")
    names = ("mean_abs_delta", "changed_share", "brighter_share", "brighter_share_with_lamp")
    return {"scenes": len(rows), **dict(zip(names, np.mean(rows, 0).tolist(), strict=True))}
