"""Rows of the ablation: trained once, measured, written to a table; and objects as their visible pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from anchorgen.__main__ import main
from anchorgen.ablation import run
from anchorgen.ablation.crop import CropPipeline, crop_points, crop_record, crop_truth
from anchorgen.ablation.rows import ROWS
from anchorgen.ablation.small import small_instance, small_record, small_scene
from anchorgen.ablation.table import write_table
from anchorgen.analysis.evaluation_set import FIXTURE, evaluation_fixture
from anchorgen.data.shards import shard_path, write_shard
from anchorgen.encode.pooling import pack_voxels
from anchorgen.train.render_data import render_record

FIXTURES = Path(__file__).parents[1] / FIXTURE


@pytest.fixture(scope="module")
def records():
    return [render_record(seed, 128, 1) for seed in range(4)]


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
    for name, row in rows.items():
        line = next(line for line in text.splitlines() if ROWS[name].says in line)
        assert f"| {row['figures']['recon_psnr_db']:.2f} |" in line and row["command"] in text
    assert ROWS["double"].says not in text

    def refuse(*args, **options):
        raise AssertionError("trained again")

    for trainer in (run.decoder, run.vae):
        monkeypatch.setattr(trainer, "main", refuse)
    ablate("paper")
    ablate("paper", "--again")
    assert json.loads((tmp_path / "r.json").read_text())["rows"]["paper"]["figures"] == rows["paper"]["figures"]


def test_unknown_rows_are_named(ablate):
    with pytest.raises(SystemExit, match="no row papier; expected some of baseline, paper"):
        ablate("papier")


def test_rows_come_in_their_own_order(tmp_path):
    row = {"command": "c", "training": {"seconds": 60}, "figures": {"recon_psnr_db": 1.5}}
    write_table({"k8": row, "baseline": row}, tmp_path / "t.md")
    text = (tmp_path / "t.md").read_text()
    assert text.index(ROWS["baseline"].says) < text.index(ROWS["k8"].says)


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
