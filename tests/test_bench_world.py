"""`bench world` measures what it says, on few small rooms."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from anchorgen.analysis import bench_world

DESIGN_KEYS = {"overhead_ratio", "seconds_per_scene", "kernels_per_1000_scenes", "train_psnr_db", "eval_psnr_db"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_world, "SIZE", 32)
    monkeypatch.setattr(bench_world, "limit_threads", lambda count: None)


def test_cost_is_told_by_step():
    figures = bench_world.cost(2)
    assert figures["cost_scenes"] == 2 and figures["seconds_per_scene"] > 0
    parts = [figures[f"{name}_ms"] for name in ("layout", "meshes", "load", "truth", "write")]
    assert all(ms > 0 for ms in parts) and figures["bare_path_ms"] > 0
    assert math.isfinite(figures["denoise_and_surfaces_ms"])  # a difference of times: a busy machine may turn its sign
    assert figures["overhead_ratio"] == pytest.approx(
        (1000 * figures["seconds_per_scene"] - figures["bare_path_ms"]) / figures["bare_path_ms"]
    )


def test_more_samples_are_nearer_to_the_truth():
    figures = bench_world.noise(1, 512)
    assert figures["eval_psnr_db"] > figures["train_psnr_db"] > 20
    assert figures["rendered_twice_mean_grey_levels"] < 0.5
    assert figures["lowest_train_psnr_db"] <= figures["train_psnr_db"]


def test_rooms_of_all_kinds_share_three_kernels_in_one_process():
    """Anamorphic rooms, rooms without lamps and rooms without a visible window among them."""
    code = "from anchorgen.analysis import bench_world as b; b.SIZE = 32; b.in_one_process(30, 1)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["kernels_per_1000_scenes"] == 3 and figures["kernel_scenes"] == 30
    assert figures["small_kernels"] < 10 and list(figures["resident_mib"]) == ["1", "6", "15", "30"]


def test_rules_hold_and_would_be_seen_broken(monkeypatch):
    figures = bench_world.rules(20)
    assert figures["overlaps_above_5_percent"] == figures["objects_leaving_the_room"] == 0
    assert figures["objects_per_room"][0] >= 3 and figures["objects_per_room"][2] <= 12
    real = bench_world.sample_scene

    def doubled(seed):
        scene = real(seed)
        bed = scene.objects[0]
        shifted = (bed.position[0] + 9.0, *bed.position[1:])
        twin, far = (
            type(bed)(**{**vars(bed), **change}) for change in ({"id": "twin"}, {"id": "far", "position": shifted})
        )
        return scene.replace(objects=(*scene.objects, twin, far))

    monkeypatch.setattr(bench_world, "sample_scene", doubled)
    broken = bench_world.rules(3)
    assert broken["overlaps_above_5_percent"] >= 3 and broken["objects_leaving_the_room"] >= 3
    assert broken["impossible_rooms"] == 3


def test_what_is_missing_is_said_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"data render --split test --count 2000"):
        bench_world.visibility(2000)
    with pytest.raises(FileNotFoundError, match="data evaluation"):
        bench_world.lamps()


def test_the_committed_figures_are_as_good_as_said():
    """Figures of the full run; the run itself takes half an hour."""
    figures = json.loads((Path(__file__).parents[1] / "docs" / "results" / "world.json").read_text())["figures"]
    assert set(figures) >= DESIGN_KEYS and "lamp_pixels_changed" in figures
    assert figures["overhead_ratio"] <= 0.4 and figures["kernels_per_1000_scenes"] <= 3
    assert figures["kernel_scenes"] >= 1000 and figures["rooms"] >= 2000 and figures["categories"] >= 15
    assert figures["train_psnr_db"] >= 31 and figures["eval_psnr_db"] >= 36
    assert figures["overlaps_above_5_percent"] == figures["objects_leaving_the_room"] == 0
    assert figures["share_with_3_visible_objects"] >= 0.95
    assert figures["rendered_twice_mean_grey_levels"] < 0.5
    assert figures["lamp_pixels_changed"] > 0.2 and figures["lamp_pixels_brighter"] < 0.01
    assert figures["lamp_scenes"] == 100 and figures["noise_scenes"] >= 8 and figures["reference_spp"] == 4096
    assert figures["resident_growth_mib"] < 64  # from the 200th room to the 1,000th
