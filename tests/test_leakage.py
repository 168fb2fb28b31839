"""Leakage of b against known answers: a b that holds the label, one of noise, and pictures of known distance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from record_helpers import make_record
from test_pipeline import tiny_config
from world_helpers import lamps_of, room_with

from anchorgen.analysis import empty_rooms, leakage
from anchorgen.analysis.empty_rooms import emptied, empty_pictures
from anchorgen.analysis.evaluation_latents import true_latents
from anchorgen.analysis.evaluation_set import FIXTURE, EvaluationScene, evaluation_fixture
from anchorgen.analysis.held_out import stream_test_records
from anchorgen.analysis.linear_probe import auc, auc_error, dealt, fit_probe, held_out_auc, probe
from anchorgen.analysis.metrics import psnr
from anchorgen.data.records import Record
from anchorgen.pipeline import AnchorgenPipeline
from anchorgen.world.edits import apply_edit


@pytest.fixture(scope="module")
def scenes() -> list[EvaluationScene]:
    every = evaluation_fixture(Path(__file__).parents[1] / FIXTURE)
    return [next(every) for _ in range(6)]


@pytest.fixture(scope="module")
def pipe() -> AnchorgenPipeline:
    torch.manual_seed(0)
    return AnchorgenPipeline.from_config(replace(tiny_config(), num_slots=16))


# -- the probe --------------------------------------------------------------------------------------------------------


def test_the_log_odds_of_two_gaussians_are_found():
    rng = np.random.default_rng(0)
    mean, label = np.array([0.5, -1.0, 0.0]), np.arange(20_000) % 2 == 0
    x = rng.normal(size=(len(label), 3)) + np.where(label, 1, -1)[:, None] * mean
    fitted = fit_probe(3 * x + 7, label, ridge=1e-3)  # in other units
    np.testing.assert_allclose(fitted.weight * 3, 2 * mean, atol=0.1)  # log p(x | +) - log p(x | -) = 2 mean . x
    np.testing.assert_allclose(fitted.score(3 * x + 7), 2 * x @ mean, atol=0.5)


def test_area_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    score, label = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.3
    pairs = score[label][:, None] - score[~label]
    assert auc(score, label) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))
    assert auc(label.astype(float), label) == 1 and auc(-label.astype(float), label) == 0


def test_the_error_of_an_area_is_that_of_drawing_again():
    rng = np.random.default_rng(0)
    label = np.arange(120) < 40
    areas = [auc(rng.normal(size=120) + label, label) for _ in range(2000)]
    assert auc_error(float(np.mean(areas)), 40, 80) == pytest.approx(np.std(areas), rel=0.1)


def test_parts_have_their_share_of_both_kinds():
    rng = np.random.default_rng(0)
    label = rng.random(103) < 0.2
    part = dealt(label, 4, rng)
    for kind in (label, ~label):
        counts = np.bincount(part[kind], minlength=4)
        assert np.ptp(counts) <= 1 and counts.sum() == kind.sum()


def test_features_that_hold_the_label_tell_it_and_noise_does_not():
    rng = np.random.default_rng(0)
    label, noise = np.arange(400) % 10 == 0, rng.normal(size=(400, 64))
    random, half = held_out_auc(noise, label)
    assert abs(random - 0.5) < 0.15 and 0.05 < half < 0.2
    hidden = noise.copy()
    hidden[:, 17] += 5 * label
    assert held_out_auc(hidden, label)[0] > 0.97
    shuffled = rng.permutation(label)
    assert abs(held_out_auc(hidden, shuffled)[0] - 0.5) < 0.15


def test_the_ridge_is_chosen_for_the_features():
    rng = np.random.default_rng(0)
    label = np.arange(400) % 2 == 0
    alike = rng.normal(size=(400, 1)) + 0.1 * np.where(label, 1, -1)[:, None] * [1, 0, -1]
    alike = alike + 0.1 * rng.normal(size=(400, 3))  # as the channels of a mean colour are
    many = rng.normal(size=(400, 150))
    many[:, :30] += 0.2 * np.where(label, 1, -1)[:, None]
    half = np.arange(400) < 200
    for features, wrong in ((alike, 1000.0), (many, 1.0)):
        ours, other = (
            auc(fitted.score(features[~half]), label[~half])
            for fitted in (probe(features[half], label[half]), fit_probe(features[half], label[half], wrong))
        )
        assert ours > 0.8 and ours > other


def test_too_few_of_a_kind_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="got 7 rooms of the kind and 93 others"):
        held_out_auc(rng.normal(size=(100, 2)), np.arange(100) < 7)


# -- b and lamps ------------------------------------------------------------------------------------------------------


def rooms_where_walls_show_lamps(count: int = 160) -> list[Record]:
    """None, one, or all lamps lit; of all that is seen, the pictures' blue knows how many."""
    room = room_with("table lamp", "pendant", "floor lamp")
    dark = apply_edit(room, {"verb": "lit", "id": lamps_of(room), "on": False})
    worlds = [dark, apply_edit(dark, {"verb": "lit", "id": "pendant", "on": True}), room]
    records = []
    for index in range(count):
        record, number = make_record(index), index % 3
        image, instance = record.image.copy(), record.instance.copy()
        image[..., 2], instance[:8] = 40 + 80 * number + index % 7, -1
        meta = {"scene": worlds[number].to_json()}
        records.append(replace(record, image=image, instance=instance, meta=meta))
    return records


def pipe_with(background) -> SimpleNamespace:
    """What a probe asks of a pipeline; `background` makes b of pictures `[B, 3, H, W]`."""
    tokens = SimpleNamespace(background=lambda image, outside: background(image)[:, None])
    return SimpleNamespace(tokens=tokens, config=SimpleNamespace(background_patch=8), device=torch.device("cpu"))


def test_a_b_that_holds_lamps_is_found_out(scenes):
    figures = leakage.lamp_probe(
        pipe_with(lambda image: image[:, 2:].mean((2, 3))), rooms_where_walls_show_lamps(), scenes
    )
    assert figures["lamp_probe_rooms"] == 160 and figures["lamp_probe_dark_rooms"] == 54
    assert figures["lamp_probe_pairs"] == len(scenes)
    for name in ("lamp_probe_auc", "lamp_probe_auc_two_lit"):
        assert figures[name] > 0.99 and figures[f"{name}_mean_colour"] > 0.99
    assert figures["lamp_probe_pair_share"] > 0.8 and figures["lamp_probe_pair_fall"] > 0


def test_a_b_of_noise_is_not(scenes):
    generator = torch.Generator().manual_seed(0)
    noise = pipe_with(lambda image: torch.randn(len(image), 16, generator=generator))
    figures = leakage.lamp_probe(noise, rooms_where_walls_show_lamps(), scenes)
    for name in ("lamp_probe_auc", "lamp_probe_auc_two_lit"):
        assert abs(figures[name] - 0.5) < 0.12 and figures[f"{name}_mean_colour"] > 0.99
    blind = leakage.lamp_probe(
        pipe_with(lambda image: torch.zeros(len(image), 4)), rooms_where_walls_show_lamps(), scenes
    )
    assert blind["lamp_probe_auc"] == 0.5 and blind["lamp_probe_pair_share"] == 0 == blind["lamp_probe_pair_fall"]


def test_b_is_the_one_of_the_latents(pipe, scenes, monkeypatch):
    monkeypatch.setattr(leakage, "_AT_ONCE", 5)  # batches end within a pair
    before, after = leakage.seen_pairs(pipe, scenes)
    for i, scene in enumerate(scenes):
        name = "remove_lit_lamp"
        lit = true_latents(pipe, scene.world, scene.before, scene.instance)
        dark = true_latents(pipe, scene.edited[name], scene.after[name], scene.after_instance[name])
        for seen, latents in ((before, lit), (after, dark)):
            np.testing.assert_allclose(seen.background[i], latents.background.ravel(), atol=1e-5)
        assert before.num_lit[i] - after.num_lit[i] == 1


def test_mean_colour_is_that_of_the_patches_outside():
    picture, outside = np.zeros((16, 16, 3), np.uint8), np.array([[True, False], [False, False]])
    picture[:8, :8], picture[8:] = (51, 102, 255), 200
    np.testing.assert_allclose(leakage.mean_colour(picture, outside), [0.2, 0.4, 1.0])
    np.testing.assert_allclose(leakage.mean_colour(picture, outside & False), 0.5)


def test_what_cannot_be_probed_is_said(pipe, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="packs do not"):
        leakage.seen_rooms(pipe, [make_record()])
    with pytest.raises(ValueError, match="no rooms"):
        leakage.seen_rooms(pipe, [])
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--split test --count 3"):
        list(stream_test_records(3))


# -- empty rooms ------------------------------------------------------------------------------------------------------


def small(scene: EvaluationScene, **settings: int) -> EvaluationScene:
    return replace(scene, settings={**scene.settings, "size": 32, "supersample": 1, "spp": 1, **settings})


def test_empty_rooms_are_rendered_once(scenes, tmp_path, monkeypatch):
    pictures = empty_pictures([small(scene) for scene in scenes[:2]], tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [path.name[:10] for path in files] == ["scene-000-", "scene-001-"]
    assert all(picture.shape == (32, 32, 3) and picture.std() > 5 for picture in pictures)
    again = empty_pictures([small(scenes[0])], tmp_path / "again")[0]
    np.testing.assert_array_equal(again, pictures[0])

    asked = []
    monkeypatch.setattr(empty_rooms, "run_jobs", lambda function, jobs, *_: asked.extend(jobs) or [])
    np.testing.assert_array_equal(empty_pictures([small(scenes[1])], tmp_path)[0], pictures[1])
    assert not asked
    moved = replace(scenes[0], world=apply_edit(scenes[0].world, {"verb": "with_focal", "fx": 1.0, "fy": 1.0}))
    for other in (small(scenes[0], spp=2), small(scenes[0], seed=5), small(moved)):
        with pytest.raises(ValueError, match="cannot be read"):  # nothing was rendered
            empty_pictures([other], tmp_path)
    assert len(asked) == 3
    files[0].write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"scene-000.*remove it"):
        empty_pictures([small(scenes[0])], tmp_path)


def test_an_emptied_room_has_walls_only(scenes):
    world = scenes[0].world
    room = emptied(world)
    assert room.objects == () and len(room.removed) == len(world.objects) > 0
    assert (room.room, room.camera, room.exposure, room.daylight) == (
        world.room,
        world.camera,
        world.exposure,
        world.daylight,
    )
    assert emptied(room) == room


def test_each_empty_room_stands_beside_floor_and_copy(pipe, scenes, monkeypatch):
    truths = [np.full((128, 128, 3), 100 + i, np.uint8) for i in range(2)]
    monkeypatch.setattr(leakage, "empty_pictures", lambda scenes: truths)
    asked = []

    def render(scenes, seed=0):
        asked.append(scenes)
        return [Image.fromarray(np.full((128, 128, 3), grey + seed, np.uint8)) for grey in (110, 103, 150)]

    monkeypatch.setattr(pipe, "render", render, raising=False)
    figures = leakage.empty_rooms(pipe, scenes[:2], (0, 1))
    names = ("empty_room_psnr_db", "empty_room_floor_psnr_db", "empty_room_copy_psnr_db")
    for name, grey in zip(names, (110, 103, 150), strict=True):
        drawn = [[psnr(np.full_like(truth, grey + seed), truth) for seed in (0, 1)] for truth in truths]
        assert figures[name] == pytest.approx(np.mean(drawn))
        assert f"{name}_ci95" in figures
    assert figures["empty_room_scenes"] == 2
    for scene, (bare, floor, unedited) in zip(scenes, asked[::2], strict=False):
        before = true_latents(pipe, scene.world, scene.before, scene.instance)
        assert bare.num_objects == floor.num_objects == 0 < unedited.num_objects == before.num_objects
        np.testing.assert_array_equal(bare.background, before.background)
        np.testing.assert_array_equal(bare.focal, floor.focal)
        assert not np.allclose(floor.background, before.background)
