"""What the background tokens b hold that they should not.

b is taken from the picture of a furnished room, and every edit keeps it. Two things are asked: can a linear probe on b
tell that a lamp was lit, and what is drawn when all objects are gone and only b and the camera stay.
Shape legend: R rooms, B pictures at once, H W picture, F = Kb C features of b.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from anchorgen.analysis.empty_rooms import emptied, empty_pictures
from anchorgen.analysis.evaluation_latents import true_latents
from anchorgen.analysis.evaluation_set import EvaluationScene
from anchorgen.analysis.linear_probe import held_out_auc, probe
from anchorgen.analysis.metrics import named_mean, psnr
from anchorgen.data.records import Record
from anchorgen.encode.background import outside_patches
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.scene.selection import everything
from anchorgen.world.edits import is_lamp
from anchorgen.world.truth import slot_instances, truth_slots
from anchorgen.world.types import WorldScene

_AT_ONCE = 32
_LAMP_EDIT = "remove_lit_lamp"
_NOTHING = 0.5  # colour of a picture in which no patch is outside all objects


@dataclass(frozen=True, eq=False)
class SeenRooms:
    """What a probe is given of pictures, and what it should tell.

    Attributes:
        background: `[R, F]` b.
        colour: `[R, 3]` mean colour, in [0, 1], of the patches that b sees: what any summary of a wall holds.
        num_lit: `[R]` int, lamps that are lit, in view or not.
    """

    background: np.ndarray
    colour: np.ndarray
    num_lit: np.ndarray


def lamp_probe(pipe: AnchorgenPipeline, records: Iterable[Record], scenes: Iterable[EvaluationScene]) -> dict[str, Any]:
    """Can a linear probe tell of b whether a lamp is lit?

    Nine rooms in ten have a lit lamp. An area under the ROC curve does not mind, but the few dark rooms make its
    interval wide; so the same is asked of a label that halves the rooms, two lamps or more (`_two_lit`). The same probe
    on the mean colour of the patches that b sees stands beside each (`_mean_colour`): walls are brighter and warmer
    under a lamp, and b should hold the colour of walls. An area above that one says that b holds more of lamps than
    a colour tells.

    Pairs ask whether the score falls when a lit lamp goes in truth, and by how much. They are no independent trials: a
    lamp that goes makes every room darker, so that all scores go one way. Probes of eight labels at random had shares
    from 0 to 0.74 and falls from -0.58 to 0.11; only both together, beside the mean colour's, say something.

    Args:
        pipe: whose background network makes b.
        records: held-out rooms with `meta["scene"]`.
        scenes: of the evaluation set.

    Returns:
        `lamp_probe_rooms`, `lamp_probe_dark_rooms` (no lamp lit), `lamp_probe_auc`, `lamp_probe_auc_two_lit`,
        `lamp_probe_pair_share` and `lamp_probe_pair_fall` (in standard deviations of the rooms' scores) over
        `lamp_probe_pairs` pairs; all but counts also with `_mean_colour`, and with `_ci95`.

    Raises:
        ValueError: too few rooms with or without a lit lamp, or a record that does not say.
    """
    rooms, pairs = seen_rooms(pipe, records), seen_pairs(pipe, scenes)
    lit, two_lit = rooms.num_lit >= 1, rooms.num_lit >= 2
    figures: dict[str, Any] = {"lamp_probe_rooms": len(lit), "lamp_probe_dark_rooms": int(np.sum(~lit))}
    figures["lamp_probe_pairs"] = len(pairs[0].num_lit)
    for field, ending in (("background", ""), ("colour", "_mean_colour")):
        features = getattr(rooms, field)
        for name, label in (("lamp_probe_auc", lit), ("lamp_probe_auc_two_lit", two_lit)):
            area, half = held_out_auc(features, label)
            figures |= {f"{name}{ending}": area, f"{name}{ending}_ci95": half}
        learnt = probe(features, lit)
        before, after = (learnt.score(getattr(seen, field)) for seen in pairs)
        fall = (before - after) / max(float(learnt.score(features).std()), 1e-12)
        figures |= named_mean(f"lamp_probe_pair_share{ending}", (fall > 0).astype(float))
        figures |= named_mean(f"lamp_probe_pair_fall{ending}", fall)
    return figures


def empty_rooms(pipe: AnchorgenPipeline, scenes: Sequence[EvaluationScene], seeds: Sequence[int]) -> dict[str, Any]:
    """All objects removed in latents, drawn, against the true empty room; whole pictures, means over noise seeds.

    Args:
        pipe: draws with its own steps and guidance.
        scenes: of the evaluation set; their empty rooms are rendered at the first time.
        seeds: of the noise.

    Returns:
        `empty_room_psnr_db`: only b and the camera stay. `empty_room_floor_psnr_db`: b is that of the true empty
        picture. `empty_room_copy_psnr_db`: doing nothing, D(unedited). Each with `_ci95`; `empty_room_scenes`.
    """
    names = ("empty_room_psnr_db", "empty_room_floor_psnr_db", "empty_room_copy_psnr_db")
    rows: list[list[float]] = []
    for scene, truth in tqdm(list(zip(scenes, empty_pictures(scenes), strict=True)), desc="empty rooms, drawn"):
        before = true_latents(pipe, scene.world, scene.before, scene.instance)
        nobody = np.full_like(scene.instance, -1)
        asked = [before.remove(everything), true_latents(pipe, emptied(scene.world), truth, nobody), before]
        drawn = [pipe.render(asked, seed=seed) for seed in seeds]
        rows.append([float(np.mean([psnr(pictures[i], truth) for pictures in drawn])) for i in range(len(asked))])
    figures: dict[str, Any] = {"empty_room_scenes": len(rows)}
    for name, values in zip(names, np.array(rows).T, strict=True):
        figures |= named_mean(name, values)
    return figures


def seen_rooms(pipe: AnchorgenPipeline, records: Iterable[Record]) -> SeenRooms:
    """What a probe is given of records, one batch in memory at a time."""
    return _seen(pipe, ((r.image, r.instance, _num_lit(_world(r))) for r in records))


def seen_pairs(pipe: AnchorgenPipeline, scenes: Iterable[EvaluationScene]) -> tuple[SeenRooms, SeenRooms]:
    """The same of the true pictures before and after a lit lamp goes; each is masked with its own objects."""

    def pictures() -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        for scene in scenes:
            for world, picture, instance in (
                (scene.world, scene.before, scene.instance),
                (scene.edited[_LAMP_EDIT], scene.after[_LAMP_EDIT], scene.after_instance[_LAMP_EDIT]),
            ):
                yield picture, slot_instances(instance, truth_slots(world, instance)), _num_lit(world)

    both = _seen(pipe, pictures())
    before, after = (
        SeenRooms(both.background[start::2], both.colour[start::2], both.num_lit[start::2]) for start in (0, 1)
    )
    return before, after


def _seen(pipe: AnchorgenPipeline, rooms: Iterable[tuple[np.ndarray, np.ndarray, int]]) -> SeenRooms:
    """Of (picture `[H, W, 3]` uint8, slots `[H, W]`, number of lit lamps), with the background network of `pipe`."""
    background, colour, num_lit = [], [], []
    waiting = iter(rooms)
    while batch := list(islice(waiting, _AT_ONCE)):
        outside = [outside_patches(instance, pipe.config.background_patch) for _, instance, _ in batch]
        pictures = [picture for picture, _, _ in batch]
        background.append(background_tokens(pipe, np.stack(pictures), np.stack(outside)))
        colour += [mean_colour(picture, mask) for picture, mask in zip(pictures, outside, strict=True)]
        num_lit += [number for _, _, number in batch]
    if not background:
        raise ValueError("got no rooms; expected those of stream_test_records() and evaluation_scenes()")
    return SeenRooms(np.concatenate(background), np.stack(colour), np.array(num_lit))


@torch.no_grad()
def background_tokens(pipe: AnchorgenPipeline, pictures: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """`[B, F]` float64: b as `pipe.latents` makes it, of `[B, H, W, 3]` uint8 and their patches outside all objects."""
    image = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 127.5 - 1
    tokens = pipe.tokens.background(image.to(pipe.device), torch.from_numpy(outside).to(pipe.device))
    return tokens.flatten(1).cpu().numpy().astype(float)


def mean_colour(picture: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """`[3]` in [0, 1]: mean of a picture's pixels in the patches that `outside` keeps; grey where it keeps none."""
    patch = len(picture) // len(outside)
    kept = picture[outside.repeat(patch, 0).repeat(patch, 1)]
    return kept.mean(0) / 255 if len(kept) else np.full(3, _NOTHING)


def _world(record: Record) -> WorldScene:
    if "room" not in record.meta.get("scene", {}):
        raise ValueError(
            f"record {record.key} does not say which lamps are lit (packs do not); expected the room in meta['scene']: "
            "render test rooms with python -m anchorgen data render --split test"
        )
    return WorldScene.from_json(record.meta["scene"])


def _num_lit(world: WorldScene) -> int:
    return sum(is_lamp(spec) and spec.lit for spec in world.objects)
