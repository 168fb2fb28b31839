"""Rows of the ablation: trained once, measured, written to a table; and objects as their visible pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import tyro

from anchorgen.__main__ import main
from anchorgen.ablation import run
from anchorgen.ablation.crop import NO_PICTURE, CropPipeline, crop_points, crop_record, crop_truth
from anchorgen.ablation.rows import ROWS
from anchorgen.ablation.small import small_instance, small_record, small_scene
from anchorgen.ablation.table import _COLUMNS, write_table
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import FIXTURE, evaluation_fixture
from anchorgen.data.records import Record
from anchorgen.data.shards import shard_path, write_shard
from anchorgen.encode.pooling import AttentionPooling, pack_voxels
from anchorgen.train.decoder import DecoderTraining
from anchorgen.train.render_data import render_record
from anchorgen.train.tensors import record_tensors
from anchorgen.world.catalogue import CATEGORIES
from anchorgen.world.truth import truth_slots, visible_pixels

FIXTURES = Path(__file__).parents[1] / FIXTURE


@pytest.fixture(scope="module")
def records():
    return [render_record(seed, 128, 1) for seed in range(4)]


def assert_the_table_holds(text: str, rows: dict) -> None:
    """The first table has these rows and no other, with every figure to two decimals."""
    head, _, *body = [line.split("|")[1:-1] for line in text.split("\n## ")[0].splitlines() if line.startswith("|")]
    assert {len(line) for line in body} == {len(head)}
    assert [line[1].strip() for line in body] == [ROWS[name].says for name in ROWS if name in rows]
    for line in body:
        name = next(name for name in rows if ROWS[name].says == line[1].strip())
        figures = [rows[name]["figures"][key] for key in _COLUMNS]
        assert [cell.strip() for cell in line[2:-1]] == ["" if x is None else f"{x:.2f}" for x in figures]
        assert f"`{rows[name]['command']}`" in text


@pytest.fixture
def ablate(records, tmp_path, monkeypatch):
    """Calls the command on four rooms and two scenes."""
    write_shard(shard_path(tmp_path / "rooms", 0), records)
    monkeypatch.setattr(run, "split_folder", lambda split: tmp_path / "rooms")
    monkeypatch.setattr(run, "training_mean", lambda pipe: np.full((64, 64, 3), 0.5))
    monkeypatch.setattr(run, "evaluation_scenes", lambda count: islice(evaluation_fixture(FIXTURES), count))
    files = ["--results", str(tmp_path / "r.json"), "--table", str(tmp_path / "t.md"), "--runs", str(tmp_path / "runs")]
    short = ["--steps", "2", "--vae-steps", "2", "--num-rooms", "2", "--num-scenes", "2"]
    short += ["--mixed-precision", "no"]
    return lambda *rows: main(["ablate", "--row", *rows, "--data", str(tmp_path / "rooms"), *files, *short])


def test_rows_are_trained_once_and_the_table_says_what_was_measured(ablate, tmp_path, monkeypatch):
    ablate("paper", "crop")
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert list(rows) == ["paper", "crop"]
    assert rows["paper"]["command"] == "python -m anchorgen ablate --row paper"
    assert "edit_gain_db_swap" in rows["paper"]["figures"] and rows["crop"]["figures"]["edit_gain_db_swap"] is None
    text = (tmp_path / "t.md").read_text()
    assert_the_table_holds(text, rows)
    # Figures of both rows are of the same pixels, or they say nothing about f.
    counts = ("revealed_scenes", "revealed_px", "revealed_scenes_left_out", "hidden_scenes", "hidden_px")
    assert [rows["crop"]["figures"][key] for key in counts] == [rows["paper"]["figures"][key] for key in counts]

    def refuse(*args, **options):
        raise AssertionError("trained again")

    for trainer in (run.decoder, run.vae):
        monkeypatch.setattr(trainer, "main", refuse)
    ablate("paper")
    ablate("paper", "--again")
    assert json.loads((tmp_path / "r.json").read_text())["rows"]["paper"]["figures"] == rows["paper"]["figures"]


def test_rows_are_what_rows_says_whatever_the_bundled_decoder_is(ablate, monkeypatch):
    trained = {}

    class Seen(Exception):
        """The training does not start."""

    def parse(argv, change=None):
        options = tyro.cli(DecoderTraining, args=argv)
        trained[options.out.name] = options
        raise Seen

    monkeypatch.setattr(run.decoder, "main", parse)
    for name in ("baseline", "split", "k8"):
        with pytest.raises(Seen):
            ablate(name)
    assert {name: options.model for name, options in trained.items()} == {name: ROWS[name].model for name in trained}
    assert ROWS["baseline"].model.split == 1 and ROWS["split"].model.split == 2 and ROWS["k8"].model.num_tokens == 8
    assert trained["baseline"].channel_weight == 0 and trained["baseline"].object_weight == 0


def test_unknown_rows_are_named(ablate):
    with pytest.raises(SystemExit, match="no row papier; expected some of baseline, paper"):
        ablate("papier")


def test_rows_come_in_their_own_order(tmp_path):
    row = {"command": "c", "training": {"seconds": 60}, "figures": {"recon_psnr_db": 1.5}}
    write_table({"k8": row, "baseline": row}, tmp_path / "t.md")
    text = (tmp_path / "t.md").read_text()
    assert text.index(ROWS["baseline"].says) < text.index(ROWS["k8"].says)


def test_rows_that_miss_edits_stand_beside_the_baseline_on_the_same(tmp_path):
    def row(value: float) -> dict:
        gains = {f"edit_gain_db_{name}": value + k for k, name in enumerate(EDITS)}
        return {
            "command": "c",
            "training": {"seconds": 60},
            "figures": {"revealed_px": 50, "revealed_psnr_db": 9.25, "hidden_px": 70, **gains},
        }

    rows = {"baseline": row(0.0), "crop": row(1.0)}
    for name in NO_PICTURE:
        rows["crop"]["figures"][f"edit_gain_db_{name}"] = None
    write_table(rows, tmp_path / "t.md")
    section = (tmp_path / "t.md").read_text().split("## f of the visible pixels")[1].split("## Commands")[0]
    shared = float(np.mean([k for k, name in enumerate(EDITS) if name not in NO_PICTURE]))
    assert f"| {ROWS['baseline'].says} | {shared:.2f} |" in section
    assert f"| {ROWS['crop'].says} | {shared + 1:.2f} |" in section
    assert section.count("9.25") == 2 and "--again" not in section
    rows["baseline"]["figures"]["revealed_px"] = 51
    write_table(rows, tmp_path / "t.md")
    section = (tmp_path / "t.md").read_text().split("## f of the visible pixels")[1].split("## Commands")[0]
    assert "9.25" not in section and "not of the same pixels revealed" in section
    write_table({"crop": rows["crop"]}, tmp_path / "t.md")
    assert "## f of" not in (tmp_path / "t.md").read_text()


def test_smaller_records_keep_their_slots(records):
    for record in records:
        small = small_record(record, 64)
        assert small.truth is record.truth
        np.testing.assert_array_equal(small.instance, record.instance[1::2, 1::2])
        shown = np.bincount(small.instance[small.instance >= 0], minlength=record.truth.num_objects)
        assert (shown[record.truth.visible_px >= 120] > 0).all()


def test_smaller_scenes_keep_slots_of_objects_that_show_well():
    for scene in islice(evaluation_fixture(FIXTURES), 4):
        tiny, px = small_scene(scene, 64), visible_pixels(scene.world, scene.instance)
        assert {k for k in truth_slots(scene.world, scene.instance) if px[k] >= 60} <= set(
            truth_slots(tiny.world, tiny.instance)
        )


def test_smaller_pictures_show_the_same(records):
    small = small_record(records[0], 64)
    assert small.image.shape == (64, 64, 3) and small.instance.shape == (64, 64)
    assert set(np.unique(small.instance)) <= set(np.unique(records[0].instance))
    assert abs(float(small.image.mean()) - float(records[0].image.mean())) < 1
    scene = next(iter(evaluation_fixture(FIXTURES)))
    tiny = small_scene(scene, 64)
    assert tiny.lamp_mask.shape == (64, 64) and tiny.influence["move"].shape == (64, 64)
    assert tiny.influence["move"].any() and small_instance(scene.instance, 128).shape == (128, 128)


def test_points_of_a_crop_are_the_visible_pixels(records):
    record = small_record(records[0], 64)
    coords, feats = crop_points(record.image, record.instance, 0)
    assert len(coords) == (record.instance == 0).sum() > 0
    shown = record.image[coords[:, 1], coords[:, 0]]
    np.testing.assert_allclose(feats[:, :3], 255 * (shown / 255) ** 2.2, atol=0.51)
    hidden = record.image.copy()
    hidden[record.instance != 0] = 0
    np.testing.assert_array_equal(crop_points(hidden, record.instance, 0)[1], feats)


def test_what_is_not_seen_has_no_points(records):
    truth = crop_truth(records[0].truth, records[0].image, np.full((128, 128), -1, np.int16))
    _, _, mask = pack_voxels(truth, 16, 96)
    assert not mask.any() and truth.num_objects == records[0].truth.num_objects
    assert (pack_voxels(crop_record(records[0], 64).truth, 16, 96)[0][..., 2] == 0).all()


def test_a_crop_pipeline_has_the_same_boxes_and_another_appearance(records, tmp_path):
    from test_pipeline import tiny_config

    from anchorgen.pipeline.pipeline import AnchorgenPipeline

    pipe = AnchorgenPipeline.from_config(replace(tiny_config(), num_slots=16))
    record = small_record(records[0], pipe.image_size)
    whole, crop = (p.latents(record.truth, record.image, record.instance) for p in (pipe, CropPipeline.of(pipe)))
    np.testing.assert_array_equal(whole.translation, crop.translation)
    assert not np.allclose(whole.appearance, crop.appearance)


def pooled(record: Record, num_voxels: int = 96, mirrored: bool = False) -> torch.Tensor:
    """`[N, K, C]`: f of a record whose voxels are those of a crop, by a pooling with fixed random weights."""
    torch.manual_seed(0)
    rooms = record_tensors(record, CATEGORIES, 16, num_voxels)
    rooms = rooms.mirrored() if mirrored else rooms
    return AttentionPooling()(rooms.coords.float(), rooms.feats.float(), rooms.voxels)[0].detach()


def as_crops(record: Record) -> Record:
    return replace(record, truth=crop_truth(record.truth, record.image, record.instance))


def test_mirrored_crops_are_crops_of_the_mirrored_picture(records):
    record = small_record(records[0], 64)
    other = replace(record, image=record.image[:, ::-1].copy(), instance=record.instance[:, ::-1].copy())
    # No thinning: which points it keeps is a draw of its own. "No normal" is 128, and 127 in a mirror.
    own = pooled(as_crops(record), 4096, mirrored=True)
    torch.testing.assert_close(own, pooled(as_crops(other), 4096), atol=5e-3, rtol=0)
    assert (own - pooled(as_crops(record), 4096)).abs().max() > 0.05  # a mirror does something


def test_pixels_of_others_have_no_influence_on_f(records):
    record = small_record(records[0], 64)
    f = pooled(as_crops(record))
    slot = int(np.bincount(record.instance[record.instance >= 0]).argmax())
    noise = np.random.default_rng(0).integers(0, 256, record.image.shape, np.uint8)
    own = record.instance == slot
    f_others = pooled(as_crops(replace(record, image=np.where(own[..., None], record.image, noise))))
    f_own = pooled(as_crops(replace(record, image=np.where(own[..., None], noise, record.image))))
    assert torch.equal(f_others[slot], f[slot]) and not torch.equal(f_own[slot], f[slot])
    # Nor has the shape that the voxels know of: f is the same whatever the object is like behind.
    bare = replace(record.truth, voxel_coords=(), voxel_feats=())
    assert torch.equal(pooled(as_crops(replace(record, truth=bare))), f)


def test_absent_objects_have_no_appearance(records):
    record = small_record(records[0], 64)
    count, slot = record.truth.num_objects, 0
    f = pooled(as_crops(replace(record, instance=np.where(record.instance == slot, -1, record.instance))))
    assert not f[slot].any() and not f[count:].any() and f[1:count].any((1, 2)).any()
