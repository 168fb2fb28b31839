"""Pixels that an edit reveals: which they are, and that pictures with known errors get these figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_set import FIXTURE, EvaluationScene, evaluation_fixture
from anchorgen.analysis.revealed import Revealed, revealed, revealed_figures, revealed_pixels


@pytest.fixture(scope="module")
def scenes() -> list[EvaluationScene]:
    every = evaluation_fixture(Path(__file__).parents[1] / FIXTURE)
    return [next(every) for _ in range(4)]


def everyone(scene: EvaluationScene) -> tuple[str, ...]:
    return tuple(spec.id for spec in scene.world.objects)


def test_they_showed_the_edited_object_and_show_another(scenes):
    found = 0
    for scene in scenes:
        for name in EDITS:
            where = revealed_pixels(scene, name, everyone(scene))
            if "id" not in scene.edits[name]:
                assert not where.any()
                continue
            before = np.array([*everyone(scene), ""])[scene.instance[where]]
            after = np.array([*(o.id for o in scene.edited[name].objects), ""])[scene.after_instance[name][where]]
            edited = scene.edits[name]["id"]
            assert set(before.tolist()) <= {edited}
            assert edited not in after and "" not in after
            found += int(where.sum())
    assert found > 100


def test_objects_without_a_slot_do_not_count(scenes):
    assert not any(revealed_pixels(scene, name, ()).any() for scene in scenes for name in EDITS)


def test_true_pictures_have_no_error_and_unedited_ones_gain_nothing(scenes):
    rows, doing_nothing = [], []
    for scene in scenes:
        for name in ("remove", "move"):
            pictures = (scene.after[name], scene.before)
            rows.append(revealed(scene, name, everyone(scene), [pictures[0]], [pictures[1]]))
            doing_nothing.append(revealed(scene, name, everyone(scene), [pictures[1]], [pictures[1]]))
    best, nothing = (revealed_figures(each, len(scenes)) for each in (rows, doing_nothing))
    assert best["revealed_scenes"] == nothing["revealed_scenes"] >= 2
    assert best["revealed_psnr_db"] == pytest.approx(60) and best["revealed_gain_db"] > 20
    assert nothing["revealed_gain_db"] == 0


def test_errors_are_pooled_over_the_pixels_of_a_scene():
    rows = [Revealed(0, 30, 0.01, 0.1), Revealed(0, 10, 0.05, 0.1), Revealed(1, 19, 0.0, 1.0), Revealed(2, 0, 0, 0)]
    figures = revealed_figures(rows, 4)
    assert (figures["revealed_scenes"], figures["revealed_px"]) == (1, 40)
    assert figures["revealed_scenes_left_out"] == 3
    assert figures["revealed_psnr_db"] == pytest.approx(-10 * np.log10(0.02))
    assert figures["revealed_gain_db"] == pytest.approx(10 * np.log10(5))
    assert revealed_figures([], 0)["revealed_psnr_db"] is None
