"""Moved objects that were partly hidden: which they are, and that pictures with known errors get these figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anchorgen.analysis import hidden as module
from anchorgen.analysis.evaluation_set import FIXTURE, EvaluationScene, evaluation_fixture
from anchorgen.analysis.hidden import Hidden, hidden, hidden_figures, moved_pixels, share_before
from anchorgen.world.truth import world_truth


@pytest.fixture(scope="module")
def scenes() -> list[EvaluationScene]:
    every = evaluation_fixture(Path(__file__).parents[1] / FIXTURE)
    return [next(every) for _ in range(3)]


def test_the_share_is_that_of_the_truth(scenes):
    for scene in scenes:
        truth = world_truth(scene.world, scene.instance)
        slot = truth.ids.index(scene.edits["move"]["id"])
        assert share_before(scene) == pytest.approx(float(truth.visible_share[slot]))


def test_only_objects_that_were_hidden_and_have_a_slot_count(scenes, monkeypatch):
    scene = scenes[0]
    known, picture = [scene.edits["move"]["id"]], scene.after["move"]
    for limit, there in ((1.01, True), (share_before(scene), False)):
        monkeypatch.setattr(module, "MAX_SHARE", limit)
        assert (hidden(scene, known, [picture]) is not None) == there
    monkeypatch.setattr(module, "MAX_SHARE", 1.01)
    assert hidden(scene, [], [picture]) is None


def test_errors_are_those_inside_the_object(scenes, monkeypatch):
    monkeypatch.setattr(module, "MAX_SHARE", 1.01)
    scene = scenes[0]
    where, truth = moved_pixels(scene), scene.after["move"].astype(float) / 255
    outside, inside = truth.copy(), truth.copy()
    outside[~where] = 0.5
    inside[where] = truth[where] + 0.1
    rows = [
        hidden(scene, [scene.edits["move"]["id"]], pictures) for pictures in ([outside], [inside], [outside, inside])
    ]
    assert [row.psnr_db for row in rows if row] == pytest.approx([60, 20, 40])
    assert all(row and row.pixels == where.sum() for row in rows)


def test_few_scenes_have_no_mean():
    rows = [Hidden(index, 30, 20.0 + index) for index in range(5)]
    few, enough = hidden_figures(rows[:4]), hidden_figures(rows)
    assert few["hidden_psnr_db"] is None and few["hidden_scenes"] == 4
    assert enough["hidden_psnr_db"] == pytest.approx(22) and enough["hidden_px"] == 150
    assert np.isfinite(enough["hidden_psnr_db_ci95"])
