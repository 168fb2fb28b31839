"""Edits made in latents agree with the true latents of the edited rooms; a decoder with known errors gets these figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_pipeline import tiny_config

from anchorgen.analysis import bench_decoder, edit_rows, sheet
from anchorgen.analysis.drawn_scene import DrawnScene, draw, light_maps
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.evaluation_latents import EvaluationLatents, edited_latents, evaluation_latents, true_latents
from anchorgen.analysis.evaluation_set import FIXTURE, EvaluationScene, evaluation_fixture
from anchorgen.analysis.metrics import psnr
from anchorgen.geometry import quat_to_matrix
from anchorgen.pipeline import AnchorgenPipeline

NUM = 4


@pytest.fixture(scope="module")
def pipe() -> AnchorgenPipeline:
    torch.manual_seed(0)
    return AnchorgenPipeline.from_config(replace(tiny_config(), num_slots=16))


@pytest.fixture(scope="module")
def scenes() -> list[EvaluationScene]:
    every = evaluation_fixture(Path(__file__).parents[1] / FIXTURE)
    return [next(every) for _ in range(NUM)]


@pytest.fixture(scope="module")
def latents(pipe, scenes) -> list[EvaluationLatents]:
    return [evaluation_latents(pipe, scene) for scene in scenes]


def test_what_is_made_in_latents_is_what_is_true_after(scenes, latents):
    for scene, made in zip(scenes, latents, strict=True):
        assert list(made.edited) == list(made.after) == list(EDITS)
        for name in ("move", "rotate", "resize", "swap"):
            ours, true = (kind[name][scene.edits[name]["id"]] for kind in (made.edited, made.after))
            np.testing.assert_allclose(ours.translation, true.translation, atol=5e-5)
            np.testing.assert_allclose(quat_to_matrix(ours.quat_wxyz), quat_to_matrix(true.quat_wxyz), atol=5e-5)
            np.testing.assert_allclose(ours.scale, true.scale, atol=5e-5)
        changed = scene.edits["swap"]["id"]
        np.testing.assert_allclose(
            made.edited["swap"][changed].appearance, made.after["swap"][changed].appearance, atol=1e-5
        )
        assert not np.allclose(made.edited["swap"][changed].appearance, made.before[changed].appearance, atol=1e-2)
        for name in ("remove", "remove_lit_lamp"):
            assert scene.edits[name]["id"] not in [view.id for view in made.edited[name]]
        np.testing.assert_allclose(made.edited["with_focal"].focal, made.after["with_focal"].focal)


def test_an_inserted_object_is_that_of_its_own_room(scenes, latents):
    for scene, made in zip(scenes, latents, strict=True):
        ours = made.edited["insert"].objects[-1]
        spec = scene.edited["insert"].objects[-1]
        true = made.after["insert"][spec.id]
        assert ours.label == true.label == spec.category
        assert made.edited["insert"].num_objects == made.before.num_objects + 1
        np.testing.assert_allclose(ours.translation, true.translation, atol=5e-5)
        np.testing.assert_allclose(ours.scale, true.scale, atol=5e-5)
        np.testing.assert_allclose(ours.appearance, true.appearance, atol=1e-5)


def test_another_background_is_the_donors(pipe, scenes, latents):
    for scene, made in zip(scenes, latents, strict=True):
        donor = true_latents(pipe, scene.donor, scene.donor_picture, scene.donor_instance)
        np.testing.assert_array_equal(made.edited["with_background"].background, donor.background)
        assert not np.allclose(donor.background, made.before.background)
        np.testing.assert_array_equal(made.edited["with_background"].presence, made.before.presence)


def test_true_latents_hold_what_shows(scenes, latents):
    for scene, made in zip(scenes, latents, strict=True):
        shown = np.bincount(scene.instance[scene.instance >= 0], minlength=len(scene.world.objects))
        assert [view.id for view in made.before] == [
            spec.id for spec, px in zip(scene.world.objects, shown, strict=True) if px >= 30
        ]


def test_edits_of_what_has_no_slot_are_left_out(pipe, scenes, latents):
    hidden = replace(scenes[0], instance=np.where(scenes[0].lamp_mask, -1, scenes[0].instance))
    made = evaluation_latents(pipe, hidden)
    assert "remove_lit_lamp" not in made.edited and "remove_lit_lamp" not in made.after
    assert set(made.edited) >= {"insert", "with_focal", "with_background"}
    with pytest.raises(LookupError):
        edited_latents(pipe, hidden, "remove_lit_lamp", made.before)
    full = AnchorgenPipeline.from_config(replace(tiny_config(), num_slots=latents[0].before.num_objects))
    assert "insert" not in evaluation_latents(full, scenes[0], ("move", "insert")).edited


def test_pictures_are_of_their_latents_and_seeds(pipe, scenes, latents):
    drawn = draw(pipe, scenes[0], (3, 5), ("remove", "swap"))
    assert list(drawn.edited) == list(drawn.floor) == ["remove", "swap"]
    made = latents[0]
    for pictures, scene in (
        (drawn.unedited, made.before),
        (drawn.edited["swap"], made.edited["swap"]),
        (drawn.floor["remove"], made.after["remove"]),
    ):
        for picture, seed in zip(pictures, (3, 5), strict=True):
            alone = np.asarray(pipe.render(scene, seed=seed)).astype(int)
            assert np.abs(alone - np.asarray(picture)).max() <= 1  # a batch rounds otherwise
    assert not np.array_equal(np.asarray(drawn.unedited[0]), np.asarray(drawn.unedited[1]))


def known(pictures) -> DrawnScene:
    """What a decoder draws that draws `pictures(scene)` for edited latents, and else the truth."""

    def drawn(pipe, scene, seeds, names=EDITS):
        floor = {name: [scene.after[name]] * len(seeds) for name in EDITS}
        return DrawnScene([scene.before] * len(seeds), {n: [pictures(scene, n)] * len(seeds) for n in EDITS}, floor)

    return drawn


def test_a_perfect_decoder_gets_perfect_figures(scenes, monkeypatch):
    monkeypatch.setattr(edit_rows, "draw", known(lambda scene, name: scene.after[name]))
    figures = bench_decoder.edits(None, scenes, (0, 1))
    assert figures["edit_pairs"] == NUM * len(EDITS) and figures["edit_pairs_without_slot"] == {}
    assert all(figures[f"edit_gap_db_{name}"] == 0 for name in EDITS) and figures["edit_gap_db"] == 0
    scene = scenes[0]
    gains = [60 - psnr(s.before, s.after["move"], s.influence["move"]) for s in scenes]
    assert figures["edit_gain_db_move"] == pytest.approx(np.mean(gains)) and figures["steer_share"] == 1
    assert figures["lamp_correlation"] == pytest.approx(1) and figures["lamp_slope"] == pytest.approx(1)
    true, guess, (own,) = light_maps(scene, edit_rows.draw(None, scene, (0,)))
    np.testing.assert_array_equal(true, own)
    assert -1 <= figures["lamp_baseline_correlation"] < 1 and guess.shape == (16, 16, 3)
    assert 30 < figures["collateral_psnr_db_move"] < 60  # what changes by less than the mask's threshold


def test_a_decoder_that_ignores_edits_gains_nothing(scenes, monkeypatch):
    monkeypatch.setattr(edit_rows, "draw", known(lambda scene, name: scene.before))
    figures = bench_decoder.edits(None, scenes, (0,))
    assert all(figures[f"edit_gain_db_{name}"] == 0 for name in EDITS) and figures["steer_share"] == 0
    assert figures["edit_gap_db_move"] > 20 and figures["collateral_psnr_db"] == 60
    assert figures["lamp_correlation"] == figures["lamp_slope"] == 0


def test_the_sheet_of_lamps_shows_the_first_that_have_a_slot(scenes, monkeypatch):
    def drawn(pipe, scene, seeds, names=EDITS):
        made = known(lambda scene, name: scene.after[name])(pipe, scene, seeds)
        return replace(made, edited={}) if scene.index == 0 else made

    monkeypatch.setattr(sheet, "draw", drawn)
    monkeypatch.setattr(sheet, "evaluation_scenes", lambda: iter(scenes))
    figure = sheet.lamps_sheet(None, 2)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 12 and titles.count("r 1.00, slope 1.00") == 2
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, scenes[1].before)
