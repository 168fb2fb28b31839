"""The comparison of ways to edit a given picture, on one scene with the bundled weights."""

from __future__ import annotations

from itertools import islice

import pytest

import anchorgen as ag
from anchorgen.analysis.bench_faithful import compare
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import evaluation_fixture


@pytest.mark.slow
def test_a_kept_picture_is_nearer_to_the_true_one_and_to_the_source_than_a_plain_one():
    figures = compare(ag.load(device="cpu"), islice(evaluation_fixture(), 1), (0,))
    assert figures["scenes"] == figures["noise_seeds"] == 1
    assert all(f"edit_psnr_db_keep_{edit}" in figures for edit in EDITS)
    assert figures["round_trip_db_keep"] == figures["source_psnr_db_copy"] == 60  # bit for bit
    assert 20 < figures["round_trip_db_inversion"] < 60
    for way in ("keep", "keep_draft"):
        assert figures[f"edit_psnr_db_{way}"] > figures["edit_psnr_db_plain"] + 1
        assert figures[f"source_psnr_db_{way}"] > figures["source_psnr_db_plain"] + 8
    with pytest.raises(ValueError, match="scenes"):
        compare(ag.load(device="cpu"), [], (0,))
