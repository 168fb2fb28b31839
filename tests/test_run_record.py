"""What a run notes of itself: its curve, and what it went on from."""

from __future__ import annotations

import json

import pytest

from anchorgen.train.metrics_log import MetricsLog
from anchorgen.train.run_record import curve, first_part


def test_a_curve_is_means_over_equal_stretches(tmp_path):
    log = MetricsLog(tmp_path / "metrics.csv", keep_until=0)
    for step in range(1, 101):
        log.write(step, {"loss": 200.0 - step, "grad_norm": 1.0, "learning_rate": 1e-3, "seconds": step})
    got = curve(tmp_path / "metrics.csv", points=4)
    assert got == {"step": [25, 50, 75, 100], "loss": [187, 162, 137, 112]}
    assert len(curve(tmp_path / "metrics.csv", points=1000)["step"]) == 100


def test_a_curve_has_no_evaluations_and_may_be_empty(tmp_path):
    log = MetricsLog(tmp_path / "metrics.csv", keep_until=0)
    assert curve(tmp_path / "metrics.csv") == {"step": []}
    log.write(1, {"loss": 1.0})
    log.write(1, {"eval/loss": 2.0})
    assert curve(tmp_path / "metrics.csv") == {"step": [1], "loss": [1.0]}


def test_what_a_run_went_on_from_is_its_record(tmp_path):
    assert first_part(None) == {}
    with pytest.raises(FileNotFoundError, match="run.json is missing"):
        first_part(tmp_path / "vae")
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "run.json").write_text(json.dumps({"steps": 7}))
    assert first_part(tmp_path / "vae") == {"first_part": {"steps": 7}}
