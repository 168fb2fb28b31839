"""The light of lamps against known answers: added exactly, halved, none, and a lamp whose light falls by 1 / d^2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from world_helpers import room_with

from anchorgen.analysis.box_rays import visible_points
from anchorgen.analysis.evaluation_set import FIXTURE, evaluation_fixture
from anchorgen.analysis.lamp_figure import LampExample, lamp_figure, light_picture
from anchorgen.analysis.lamp_light import (
    LampLight,
    agreement,
    cell_means,
    inverse_square,
    lamp_figures,
    lamp_light,
    light_map,
    light_position,
    linear_rgb,
)
from anchorgen.world.boxes import box_of
from anchorgen.world.camera import to_camera
from anchorgen.world.rendering import render

SIZE = 64
WHERE = np.ones((SIZE, SIZE), bool)
RNG = np.random.default_rng(0)
DARK = RNG.uniform(0.1, 0.4, (SIZE, SIZE, 3))
LIGHT = (
    0.3 * np.exp(-(np.linspace(-1, 2, SIZE) ** 2))[:, None, None] * RNG.uniform(0.5, 1, (1, SIZE, 1)) * [1, 0.8, 0.5]
)


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_linear_rgb_undoes_the_srgb_curve():
    np.testing.assert_allclose(linear_rgb(srgb(DARK)), DARK, atol=1e-12)
    assert linear_rgb(np.full((2, 2, 3), 188, np.uint8))[0, 0, 0] == pytest.approx(0.5029, abs=1e-4)


def test_a_light_map_is_the_mean_light_of_each_cell():
    light = light_map(srgb(DARK + LIGHT), srgb(DARK), WHERE)
    np.testing.assert_allclose(light, LIGHT.reshape(16, 4, 16, 4, 3).mean((1, 3)), atol=1e-12)


def test_the_lamp_itself_is_left_out():
    where = WHERE.copy()
    where[:4, :8], where[4, 0] = False, False
    lit = srgb(DARK + LIGHT)
    lit[:4, :8], lit[4, 0] = 1.0, 1.0
    light = light_map(lit, srgb(DARK), where)
    assert np.isnan(light[0, :2]).all() and np.isfinite(light[0, 2:]).all() and np.isfinite(light[1:]).all()
    np.testing.assert_allclose(light[1, 0], LIGHT[4:8, 0:4].reshape(16, 3)[1:].mean(0), atol=1e-12)
    untouched = light_map(srgb(DARK + LIGHT), srgb(DARK), WHERE)
    assert agreement(light, untouched)[0] > 0.9999


@pytest.mark.parametrize(
    ("factor", "offset", "r", "slope"), [(1, 0, 1, 1), (0.5, 0, 1, 0.5), (1, 0.02, 1, 1), (-1, 0.3, -1, -1)]
)
def test_agreement_of_a_decoder_that_adds_a_known_light(factor, offset, r, slope):
    true = light_map(srgb(DARK + LIGHT), srgb(DARK), WHERE)
    drawn = light_map(srgb(DARK + factor * LIGHT + offset), srgb(DARK), WHERE)
    assert agreement(drawn, true) == (pytest.approx(r), pytest.approx(slope))


def test_agreement_is_that_of_a_least_squares_line():
    true, drawn = RNG.normal(size=(2, 16, 16, 3))
    drawn[0, 0], true[3, 4] = np.nan, np.nan
    known = np.isfinite(true) & np.isfinite(drawn)
    r, slope = agreement(drawn, true)
    assert r == pytest.approx(np.corrcoef(true[known], drawn[known])[0, 1])
    assert slope == pytest.approx(np.polyfit(true[known], drawn[known], 1)[0])


def test_what_is_undefined_counts_as_nothing():
    true = light_map(srgb(DARK + LIGHT), srgb(DARK), WHERE)
    assert agreement(np.zeros_like(true), true) == (0.0, 0.0)  # the decoder ignores the lamp
    assert agreement(true, np.zeros_like(true)) == (0.0, 0.0)
    nowhere = light_map(srgb(DARK + LIGHT), srgb(DARK), ~WHERE)
    assert np.isnan(nowhere).all() and agreement(nowhere, nowhere) == (0.0, 0.0)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="steps of 16"):
        light_map(DARK[:40, :40], DARK[:40, :40], WHERE[:40, :40])
    with pytest.raises(ValueError, match="one size"):
        light_map(DARK, DARK[:32], WHERE)


def test_lamps_are_averaged_over_seeds_and_then_over_scenes():
    true = light_map(srgb(DARK + LIGHT), srgb(DARK), WHERE)
    one = lamp_light(true, 7 * true, [true, np.zeros_like(true)])
    assert one == LampLight(pytest.approx(0.5), pytest.approx(0.5), pytest.approx(1))
    figures = lamp_figures([one, LampLight(1.0, 2.0, 0.0)])
    assert figures["lamp_scenes"] == 2 and figures["lamp_correlation"] == pytest.approx(0.75)
    assert figures["lamp_slope"] == pytest.approx(1.25) and figures["lamp_baseline_correlation"] == pytest.approx(0.5)
    assert lamp_figures([])["lamp_correlation"] is None


def test_boxes_and_walls_lie_where_the_renderer_sees_them():
    room = room_with("bed", "wardrobe")
    seen = render(room, 64, 1, denoise=False)
    points = visible_points(room, 64)
    depth = to_camera(points, room.camera)[..., 2]
    shell = (seen.instance < 0) & (seen.depth > 0)
    assert np.median(np.abs(depth - seen.depth)[shell]) < 0.03
    beds = seen.instance == [o.category for o in room.objects].index("bed")
    assert np.quantile((depth - seen.depth)[beds], 0.95) < 0.1  # nothing lies before its box, but for edge pixels
    assert np.median(np.abs(depth - seen.depth)[beds]) < 0.5


def test_inverse_square_light_is_that_of_the_distances():
    room = room_with("table lamp", "bed")
    lamp = next(o for o in room.objects if o.category == "table lamp")
    where = np.ones((32, 32), bool)
    light = inverse_square(room, lamp.id, where)
    away = np.linalg.norm(visible_points(room, 32, without=lamp.id) - light_position(lamp), axis=-1)
    np.testing.assert_allclose(light[..., 1], cell_means(1 / np.maximum(away, 0.05)[..., None] ** 2, where)[..., 0])
    assert np.array_equal(light[..., 0], light[..., 2])
    inside = box_of(lamp)
    assert np.all(np.abs((light_position(lamp) - inside.centre) @ inside.axes) < inside.extent / 2)
    with pytest.raises(ValueError, match="no light"):
        light_position(next(o for o in room.objects if o.category == "bed"))


def test_the_guess_knows_something_of_true_light():
    scores = []
    for scene in evaluation_fixture(Path(__file__).parents[1] / FIXTURE):
        where = ~scene.lamp_mask
        true = light_map(scene.before, scene.after["remove_lit_lamp"], where)
        scores.append(agreement(inverse_square(scene.world, scene.edits["remove_lit_lamp"]["id"], where), true)[0])
    assert np.mean(scores) > 0.3


def test_a_lamp_figure_shows_six_pictures_of_each():
    picture, light = np.zeros((64, 64, 3), np.uint8), RNG.uniform(0, 1, (16, 16, 3))
    light[2, 3] = np.nan
    figure = lamp_figure([LampExample(picture, picture, picture, light, 0.5 * light, light)] * 2, "caption")
    assert len(figure.axes) == 12
    assert "r 1.00, slope 0.50" in [axes.get_title() for axes in figure.axes]
    with pytest.raises(ValueError, match="at least one"):
        lamp_figure([])


def test_light_is_drawn_by_its_brightness():
    light = np.zeros((16, 16, 3))
    light[0, 0], light[0, 1], light[0, 2] = 1.0, 0.5**2.2, np.nan
    shown = light_picture(light, 1.0)
    assert shown.shape == (128, 128, 3) and (shown[:8, :8] == 255).all() and (shown[8:] == 0).all()
    assert (np.abs(shown[:8, 8:16].astype(int) - 128) <= 1).all()
    assert shown[0, 16, 2] > shown[0, 16, 0] > 0
