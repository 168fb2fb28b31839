"""Renders the fixed evaluation set: one tar a room, written whole or not at all; a stopped job goes on where it was."""

from __future__ import annotations

import io
import json
import multiprocessing
import tarfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save
from tqdm.auto import tqdm

from anchorgen.analysis import evaluation_set
from anchorgen.analysis.evaluation_set import (
    COMMAND,
    EDITS,
    FORMAT,
    NUM_SCENES,
    WORLD_VERSION,
    checksum,
    scene_path,
    specification,
)
from anchorgen.data.atomic import whole_or_absent
from anchorgen.data.lanes import run_jobs
from anchorgen.data.records import instance_png
from anchorgen.world.checks import impossibilities
from anchorgen.world.counterfactuals import influence_mask
from anchorgen.world.edits import apply_edit
from anchorgen.world.programs import edit_from_json
from anchorgen.world.rendering import Rendering, render
from anchorgen.world.types import WorldScene
from anchorgen.world.variant import limit_threads

FEW_PX = 40  # an edit that shows in fewer pixels is reported
LIGHT_GRID = 16
_SCENES_PER_PROCESS = 16  # then a fresh process: the renderer keeps a little memory of every picture


def render_evaluation(
    out: Path,
    num_scenes: int = NUM_SCENES,
    *,
    size: int = 128,
    supersample: int = 2,
    spp: int = 64,
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Renders the first scenes of the set that `out` does not hold yet.

    Args:
        out: folder; one size, supersample and spp belong to it.
        num_scenes: how many; fewer than 100 make a prefix of the same set.
        size: pixels a side of what is stored; a multiple of 16.
        supersample: film pixels a side of each of these.
        spp: samples a film pixel.
        workers: processes, of one renderer thread each.
        progress: a bar on stderr.

    Returns:
        The manifest, with `bytes` of all tars and `shows_little`: edits seen in fewer than 40 pixels.

    Raises:
        ValueError: this code draws another set than the one that is fixed, or `out` holds other settings or scenes.
    """
    if min(num_scenes, size, supersample, spp, workers) < 1 or num_scenes > NUM_SCENES or size % LIGHT_GRID:
        raise ValueError(
            f"got count={num_scenes}, size={size}, supersample={supersample}, spp={spp}, workers={workers}; expected "
            f"1 to {NUM_SCENES} scenes, a size in steps of {LIGHT_GRID}, and at least 1 of the rest"
        )
    whole = _specified(workers)
    settings = {"size": size, "supersample": supersample, "spp": spp}
    manifest = {"specification_sha256": checked(whole), "world": WORLD_VERSION, "format": FORMAT, **settings}
    _claim(out, manifest, num_scenes, whole, settings)
    missing = [i for i in range(num_scenes) if not scene_path(out, i).is_file()]
    jobs = [(i, whole["scenes"][i], str(out), settings) for i in missing]
    with tqdm(total=num_scenes, initial=num_scenes - len(jobs), unit="scene", disable=not progress) as bar:
        for _ in run_jobs(_render_job, jobs, workers, _SCENES_PER_PROCESS):
            bar.update()
    check_scenes(out, whole, settings)
    return {**manifest, "count": num_scenes, **report(out)}


def specification_checksum(workers: int = 1) -> str:
    """The checksum of the set that this code draws: what `SPECIFICATION_SHA256` should be."""
    return checksum(_specified(workers))


def checked(whole: dict[str, Any]) -> str:
    """The checksum of a specification. Raises ValueError unless it is the one of this code."""
    got, expected = checksum(whole), evaluation_set.SPECIFICATION_SHA256
    if got != expected:
        raise ValueError(
            f"this code draws the set {got}; expected SPECIFICATION_SHA256 = {expected or 'nothing yet'}: if rooms were "
            "changed on purpose, put the new value into anchorgen/analysis/evaluation_set.py"
        )
    return got


def check_scenes(out: Path, whole: dict[str, Any], settings: dict[str, int]) -> None:
    """Compares what the scenes of a folder say of themselves with what they should be.

    Args:
        out: the folder.
        whole: the specification.
        settings: size, supersample and spp.

    Raises:
        ValueError: a file is of another room, of other edits or settings, or cannot be read; it is named.
    """
    for index, specified in enumerate(whole["scenes"]):
        path = scene_path(out, index)
        if not path.is_file():
            continue
        again = f"remove it and run again: {COMMAND} --out {out}"
        expected = {**specified, "settings": {**settings, "seed": _seed(specified)}}
        try:
            facts = _facts(path)
            got = {name: facts[name] for name in expected}
        except (tarfile.TarError, OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path} cannot be read ({error!r}); {again}") from error
        for name, value in expected.items():
            if checksum(got[name]) != checksum(value):
                why = f"got {got[name]}; expected {value}" if name == "settings" else "not as specified"
                raise ValueError(f"{path} holds another {name}: {why}; {again}")


def _facts(path: Path) -> dict[str, Any]:
    """What a scene's tar says of itself. Raises KeyError where it says nothing."""
    with tarfile.open(path) as tar:
        stream = tar.extractfile(f"{path.stem}.scene.json")
        return json.load(stream) if stream else {}


def _seed(specified: dict[str, Any]) -> int:
    return specified["scene"]["seed"] % 2**31  # of the renderer, for every picture of a scene


def report(out: Path) -> dict[str, Any]:
    """Size of a folder, and which of its edits show in few pixels."""
    little = {
        f"scene {scene.index} {name}": px
        for scene in evaluation_set.read_evaluation(out)
        for name, px in scene.influence_px.items()
        if px < FEW_PX
    }
    return {"bytes": sum(path.stat().st_size for path in out.iterdir()), "shows_little": little}


def _claim(
    out: Path, manifest: dict[str, Any], num_scenes: int, whole: dict[str, Any], settings: dict[str, int]
) -> None:
    """Writes the manifest of a new folder, or raises the count of one of the same settings and scenes."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "manifest.json"
    if not path.is_file() and list(out.glob("scene-*.tar")):
        raise ValueError(f"{out} holds scenes, but no manifest.json; remove them, or choose another --out")
    there = json.loads(path.read_text()) if path.is_file() else {**manifest, "count": 0}
    if {**there, "count": 0} != {**manifest, "count": 0}:
        raise ValueError(f"{out} holds {there}; got {manifest}; remove it, or choose another --out ({COMMAND} --help)")
    check_scenes(out, whole, settings)
    with whole_or_absent(path) as partial:
        partial.write_text(json.dumps({**manifest, "count": max(num_scenes, there["count"])}, indent=1) + "\n")


def _specified(workers: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")  # a forked renderer would hang
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return specification(pool=pool)


def _render_job(job: tuple[int, dict[str, Any], str, dict[str, int]]) -> int:
    index, scene, out, settings = job
    limit_threads(1)
    write_scene(scene_path(Path(out), index), render_members(scene, **settings))
    return index


def render_members(specified: dict[str, Any], size: int, supersample: int, spp: int) -> dict[str, bytes]:
    """The files of one scene by name, out of its `scene_specification`. Every picture has the same renderer seed."""
    scene = WorldScene.from_json(specified["scene"])
    edits = {name: edit_from_json(specified["edits"][name]) for name in EDITS}
    edited = {name: apply_edit(scene, edit) for name, edit in edits.items()}
    seed = _seed(specified)
    rooms = {"before": scene, **edited, "donor": edits["with_background"]["room"]}
    pictures = {name: render(room, size, spp, seed, supersample=supersample) for name, room in rooms.items()}
    before = pictures["before"]
    members = {}
    for name, picture in pictures.items():
        members[f"{name}.webp"] = _webp(picture.image)
        members[f"{name}.instance.png"] = instance_png(picture.instance)
    lamp = before.instance == [o.id for o in scene.objects].index(edits["remove_lit_lamp"]["id"])
    members["light.safetensors"] = save(
        {name: light_grid(pictures[name], ~lamp) for name in ("before", "remove_lit_lamp")}
    )
    facts = {
        **specified,
        "influence_px": {name: int(influence_mask(before.image, pictures[name].image).sum()) for name in EDITS},
        "warnings": {name: impossibilities(edited[name]) for name in EDITS},
        "settings": {"size": size, "supersample": supersample, "spp": spp, "seed": seed},
    }
    return members | {"scene.json": json.dumps(facts).encode()}


def light_grid(picture: Rendering, where: np.ndarray) -> np.ndarray:
    """`[16, 16, 3]` float32: mean linear radiance of the pixels of each cell that `where` `[H, W]` keeps, else 0."""
    side = len(where) // LIGHT_GRID
    cells = (LIGHT_GRID, side, LIGHT_GRID, side)
    kept = where.reshape(*cells, 1).astype(float)
    total = (picture.linear.astype(float).reshape(*cells, 3) * kept).sum((1, 3))
    # safetensors writes memory as it lies, and the renderer's arrays do not lie row by row.
    return np.ascontiguousarray(total / np.maximum(kept.sum((1, 3)), 1), np.float32)


def write_scene(path: Path, members: dict[str, bytes]) -> None:
    """A tar of one sample, written beside and renamed; equal members, equal bytes."""
    from webdataset.writer import TarWriter

    with (
        whole_or_absent(path) as partial,
        open(partial, "wb") as stream,
        TarWriter(stream, encoder=False, mtime=0, user="", group="") as tar,
    ):
        tar.write({"__key__": path.stem, **members})


def _webp(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "WEBP", lossless=True, quality=100, method=6)
    return stream.getvalue()
