"""`bench decoder` from end to end on a small random decoder: the figures that DESIGN names are there, as numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_pipeline import tiny_config
from world_helpers import lamps_of

from anchorgen.analysis import bench_decoder, edit_rows, leakage
from anchorgen.analysis.card import _FIGURES
from anchorgen.analysis.edit_rows import SceneRows, measure_scene
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import FIXTURE, EvaluationScene, evaluation_fixture
from anchorgen.analysis.results import run_benchmark
from anchorgen.data.records import Record
from anchorgen.pipeline import AnchorgenPipeline
from anchorgen.world.edits import apply_edit
from anchorgen.world.truth import slot_instances, truth_slots, world_truth

DESIGN_KEYS = {
    "recon_psnr_db", "recon_ssim", "laplacian_ratio", "mean_picture_psnr_db", "edit_gap_db", "edit_gain_db",
    "collateral_psnr_db", "lamp_correlation", "lamp_slope", "lamp_baseline_correlation", "draft_seconds",
    "final_seconds", "adapter_overhead", "vae_psnr_db", "lamp_probe_auc", "lamp_probe_auc_mean_colour",
    "lamp_probe_pair_share", "lamp_probe_pair_share_mean_colour", "empty_room_psnr_db", "empty_room_floor_psnr_db",
    "empty_room_copy_psnr_db",
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes() -> list[EvaluationScene]:
    every = evaluation_fixture(Path(__file__).parents[1] / FIXTURE)
    return [next(every), next(every)]


def record_of(scene: EvaluationScene) -> Record:
    instance = slot_instances(scene.instance, truth_slots(scene.world, scene.instance))
    blank = np.zeros((*instance.shape, 3), np.float32)
    return Record("room", scene.before, instance, blank[..., 0], blank, world_truth(scene.world, scene.instance), {})


def probed(scenes: list[EvaluationScene]) -> list[Record]:
    """Enough records for a probe, one lamp or more lit in half of them, two or more in a quarter."""
    lit = [record_of(scene) for scene in scenes]
    rooms = [scene.world for scene in scenes]
    dark = [apply_edit(room, {"verb": "lit", "id": lamps_of(room), "on": False}) for room in rooms]
    records = []
    for room, unlit, record in zip(rooms, dark, lit, strict=True):
        records += [replace(record, meta={"scene": world.to_json()}) for world in (room, unlit)]
    return records * 8


def small_pipeline() -> AnchorgenPipeline:
    """Random weights, pictures of the evaluation set's size."""
    config = tiny_config()
    config = replace(
        config,
        num_slots=16,
        autoencoder=replace(config.autoencoder, image_size=128),
        decoder=replace(config.decoder, grid=8, rays=16),
    )
    return AnchorgenPipeline.from_config(config)


def test_every_figure_is_a_number(scenes, monkeypatch, tmp_path):
    torch.manual_seed(0)
    pipe = small_pipeline()
    monkeypatch.setattr(bench_decoder, "load", lambda: pipe)
    monkeypatch.setattr(bench_decoder, "test_records", lambda count: [record_of(scene) for scene in scenes])
    monkeypatch.setattr(bench_decoder, "stream_test_records", lambda count: iter(probed(scenes)))
    monkeypatch.setattr(leakage, "empty_pictures", lambda scenes: [scene.before for scene in scenes])
    monkeypatch.setattr(bench_decoder, "evaluation_scenes", lambda count: iter(scenes))
    monkeypatch.setattr(
        bench_decoder,
        "measure_bundled",
        lambda pipe, count, seeds, workers: [measure_scene(pipe, scene, seeds) for scene in scenes],
    )
    monkeypatch.setattr(bench_decoder, "training_mean", lambda pipe, count: np.full((128, 128, 3), 0.5))
    figures = run_benchmark("decoder", quick=True, out=tmp_path / "decoder.json")["figures"]
    assert figures == json.loads((tmp_path / "decoder.json").read_text())["figures"]
    wanted = DESIGN_KEYS | {key for name, key, *_ in _FIGURES if name == "decoder"}
    wanted |= {f"{name}_{edit}" for name in ("edit_gap_db", "edit_gain_db") for edit in EDITS}
    wanted |= {f"{name}_ci95" for name in ("edit_gap_db", "edit_gain_db_move", "lamp_correlation", "lamp_slope")}
    missing = {key for key in wanted if not np.isfinite(figures.get(key, np.nan))}
    assert not missing
    assert {"rooms", "moves", "noise_seeds", "steps", "draft_steps"} <= set(figures)  # the card's own words
    assert figures["edit_pairs"] == len(EDITS) * 2 and figures["lamp_scenes"] == 2 and figures["noise_seeds"] == 1


def test_what_was_measured_is_kept(scenes, monkeypatch, tmp_path):
    pipe = small_pipeline()
    rows = measure_scene(pipe, scenes[0], (0,))
    assert len(rows.errors) >= 5 and rows.light is not None
    rows.save(tmp_path / "scene-000.json")
    assert SceneRows.load(tmp_path / "scene-000.json") == rows
    monkeypatch.setattr(edit_rows, "rows_folder", lambda pipe, seeds: tmp_path)
    monkeypatch.setattr(edit_rows, "evaluation_scenes", lambda count: iter(scenes))
    monkeypatch.setattr(edit_rows, "ProcessPoolExecutor", NoWork)
    assert edit_rows.measure_bundled(pipe, 1, (0,), 1) == [rows]


class NoWork:
    """A pool that nothing may be given to."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def map(self, function, jobs):
        assert jobs == []
        return []
