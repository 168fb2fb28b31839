"""The cost model: what it counts, what it weighs, and that the page shows what the command prints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from prior_rooms import toy_rooms
from test_prior_paper import paper_rooms

import anchorgen as ag
from anchorgen.__main__ import main
from anchorgen.ablation import bench_scale
from anchorgen.analysis.scale import page_text
from anchorgen.analysis.scale_costs import (
    adapter_flops,
    checkpoint_bytes,
    count_flops,
    klein_costs,
    latent_row_bytes,
    prior_costs,
    record_bytes,
)
from anchorgen.analysis.scale_plan import ScaleConfig, num_scene_tokens, stages, train_flops
from anchorgen.data.encoded import EncodedRecord
from anchorgen.data.encoded_shards import ShardReport, encoded_path, settle, write_encoded_shard, write_report
from anchorgen.prior.model import PRESETS

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


def paper_record(key: str, objects: int, seed: int = 0) -> EncodedRecord:
    rng = np.random.default_rng(seed)
    scene = ag.SceneLatent.pack(
        16,
        translation=np.stack([rng.normal(size=objects), rng.normal(size=objects), 2 + rng.random(objects)], 1),
        quat_wxyz=np.tile([1.0, 0, 0, 0], (objects, 1)),
        scale=0.5 + rng.random((objects, 3)),
        appearance=rng.normal(size=(objects, 8, 1024)),
        background=rng.normal(size=(1, 1024)),
        labels=("nightstand",) * objects,
        ids=("",) * objects,
        focal=np.ones(2),
        up=np.array([0.0, -1, 0]),
        floor=-1.4,
        latent_space="paper",
    )
    return EncodedRecord(key, "jpg", rng.bytes(14_000), scene, {"source_size": [340, 256]})


@pytest.fixture
def folder(tmp_path):
    records = [paper_record(f"{i:040x}", 4 + i % 5, i) for i in range(10)]
    settle(tmp_path, {"encoder": "x", "latent_space": "paper"})
    path = encoded_path(tmp_path, 0)
    write_report(path, ShardReport("", 12, 10, sha256=write_encoded_shard(path, records), seconds=30.0))
    return tmp_path


def test_operations_are_counted():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert count_flops(lambda: a @ b) == 2 * 3 * 5 * 7
    parameters, forward = klein_costs(512)
    assert parameters == 3_875_544_576
    assert 0.8 < forward / (2 * parameters * (1024 + 512)) < 1.1
    assert klein_costs(256)[1] < forward / 2
    assert adapter_flops(512, 5, num_scene_tokens()) < 0.1 * forward


def test_bytes_of_a_shard_are_foreseen(folder):
    weighed = encoded_path(folder, 0).stat().st_size / 10
    assert record_bytes(PRESETS["paper"], 6.0, 14_000) == pytest.approx(weighed, rel=0.02)


def test_bytes_of_the_latents_are_foreseen(tmp_path):
    paper_rooms(4, 1024).save(tmp_path / "l.safetensors")
    size = (tmp_path / "l.safetensors").stat().st_size
    assert latent_row_bytes(PRESETS["paper"], 5) == pytest.approx(size / 4, abs=400)
    small = replace(PRESETS["paper"], num_tokens=2, num_channels=8, num_background_tokens=2)
    toy_rooms(100).save(tmp_path / "s.safetensors")
    assert latent_row_bytes(small, 5) == pytest.approx((tmp_path / "s.safetensors").stat().st_size / 100, abs=20)


def test_bench_scale_weighs_what_was_foreseen(tmp_path):
    figures = bench_scale._encoding(tmp_path)
    data = bench_scale.LatentSet.load(tmp_path / "latents.safetensors")
    figures |= bench_scale._checkpoint(data, tmp_path)
    for name in ("record_bytes", "latent_row_bytes", "checkpoint_bytes"):
        assert figures[name] == pytest.approx(figures[f"{name}_predicted"], rel=0.03)
    assert 0 < figures["encode_cpu_seconds"] < 5


def test_the_plan_is_a_product_of_unit_costs():
    plan = ScaleConfig(pictures=(1000, 2000), decoder_samples=(10, 20), prior_samples=(10, 20), encode_seconds=3.6)
    one, two = stages(plan, 0), stages(plan, 1)
    for a, b in zip(one, two, strict=True):
        assert b.gpu_hours == pytest.approx(2 * a.gpu_hours)
    assert one[1].gpu_hours == pytest.approx(1.0)
    assert stages(replace(plan, share=0.7), 0)[3].gpu_hours == pytest.approx(one[3].gpu_hours / 2)
    assert stages(replace(plan, encode_seconds=None), 0)[1].gpu_hours is None
    hand = 10 * (2 * klein_costs(512)[1] + 3 * adapter_flops(512, 5, num_scene_tokens())) / (0.35 * 989e12) / 3600
    assert one[3].gpu_hours == pytest.approx(hand)
    assert train_flops(replace(plan, trained="full")) > 1.4 * train_flops(plan)
    assert stages(replace(plan, trained="full"), 0)[3].gigabytes > 16 * 3.8
    assert one[5].gigabytes == checkpoint_bytes(prior_costs()[0]) / 1e9
    with pytest.raises(ValueError, match="equally many"):
        ScaleConfig(pictures=(1,))
    with pytest.raises(ValueError, match="share"):
        ScaleConfig(share=0.0)


def test_a_folder_of_shards_takes_the_place_of_what_is_assumed(folder, tmp_path, capsys):
    main(["scale", "--pictures", "3600", "--decoder-samples", "1", "--prior-samples", "1", "--encoded", str(folder)])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| data encode"))
    assert line.split("|")[2].strip() == "2.5"  # 30 s for 12 pictures


def test_the_page_shows_what_the_command_prints():
    page = PAGE.read_text(encoding="utf-8")
    result = json.loads((PAGE.parent / "results" / "scale.json").read_text())
    assert page_text(page, ScaleConfig(), result) == page, "run: python -m anchorgen scale --page docs/scale.md"
    for name in ("prior_batch", "prior_depth", "decoder_batch"):
        assert 0.8 < result["figures"][f"{name}_ratio"] < 1.25
    with pytest.raises(ValueError, match="markers"):
        page_text("", ScaleConfig(), result)
