"""Sweeps, figures and metrics, without weights."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import numpy as np
import pytest
from fake_pipeline import FakePipeline, make_room
from matplotlib.figure import Figure
from PIL import Image

import anchorgen as ag
from anchorgen.analysis import metrics
from anchorgen.analysis.figures import picture_grid, to_png
from anchorgen.analysis.sweeps import CAMERA_FACTORS, FACTORS, sweep

ROOM = make_room()
VALUES = {"presence": [1, 0], "size": [0.8, 1.2], "fx": [0.7, 1.1], "fy": [0.7, 1.1], "focal": [0.8, 1.2]}


class ListPipeline(FakePipeline):
    def render(self, scene, *args, **options):
        draw = super().render
        return [draw(s, *args, **options) for s in scene] if isinstance(scene, list) else draw(scene, *args, **options)


@pytest.fixture
def pipe() -> ListPipeline:
    return ListPipeline(num_steps=1)


@pytest.mark.parametrize("selector", [f"lamp.{f}" for f in FACTORS] + [f"camera.{f}" for f in CAMERA_FACTORS])
def test_every_factor_changes_the_scene_and_only_that(pipe, selector):
    target, factor = selector.split(".")
    strip = sweep(pipe, ROOM, selector, VALUES.get(factor, [0.1, 0.3]), seed=7)
    assert len(strip.images) == len(strip.scenes) == len(strip.values) == 2
    assert {seed for _, seed, _ in pipe.rendered} == {7}
    changed = strip.scenes[-1]
    assert not changed.equals(ROOM)
    if target == "lamp":
        others = [i for i in range(ROOM.num_slots) if i not in ROOM.select("lamp")]
        for name in ("translation", "quat_wxyz", "scale", "presence"):
            np.testing.assert_array_equal(getattr(changed, name)[others], getattr(ROOM, name)[others])
        np.testing.assert_array_equal(changed.focal, ROOM.focal)
    np.testing.assert_array_equal(changed.appearance, ROOM.appearance)


def test_moves_are_metres_along_the_floor_and_sizes_are_metres(pipe):
    strip = sweep(pipe, ROOM, "bed.forward", np.array([-0.5, 0, 0.5]))
    steps = [s["bed"].translation - ROOM["bed"].translation for s in strip.scenes]
    np.testing.assert_allclose([np.linalg.norm(s) for s in steps], [0.5, 0, 0.5], atol=1e-5)
    assert all(abs(step @ ROOM.up) < 1e-5 for step in steps)
    assert strip.changes()[1].max() == 0 < strip.changes()[0].max()
    assert sweep(pipe, ROOM, "bed.width", [1.25]).scenes[0]["bed"].scale[0] == pytest.approx(1.25)


def test_a_removed_lamp_comes_back_at_presence_one(pipe):
    gone, back = sweep(pipe, ROOM.remove("lamp"), "lamp.presence", [0, 1]).scenes
    assert "lamp" not in gone
    np.testing.assert_array_equal(back.presence, ROOM.presence)


@pytest.mark.parametrize(
    ("selector", "values", "error", "message"),
    [
        ("bed.colour", [1], LookupError, "'yaw'"),
        ("bed", [1], LookupError, "names no factor"),
        ("camera.yaw", [1], LookupError, "'focal'"),
        ("unicorn.right", [1], LookupError, "nightstand"),
        ("unicorn.presence", [1], LookupError, "nightstand"),
        ("unicorn.presence", [0], LookupError, "nightstand"),
        ("lamp.presence", [0.5], ValueError, "0 \\(removed\\)"),
        ("bed.right", [], ValueError, "one or more"),
        ("bed.right", 0.3, ValueError, "one or more"),
        ("bed.right", [[0.3]], ValueError, "one or more"),
        ("bed.right", [float("nan")], ValueError, "finite"),
        ("bed.width", [-1], ValueError, "0.01 m"),
    ],
)
def test_bad_sweeps_say_what_is_possible_and_draw_nothing(pipe, selector, values, error, message):
    with pytest.raises(error, match=message):
        sweep(pipe, ROOM, selector, values)
    assert pipe.started == 0


def test_a_sweep_shows_itself(pipe, caplog):
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        strip = ag.sweep(pipe, ROOM, "nightstand.right", [-0.4, 0, 0.4])
        png, figure = strip._repr_png_(), strip.figure()
    assert not caplog.records  # a missing font would be a line of red in every notebook
    assert repr(strip) == "Sweep of nightstand.right: 3 pictures at -0.4, 0, 0.4 m"
    assert Image.open(io.BytesIO(png)).width > 3 * 100
    assert strip._repr_html_().startswith('<img alt="sweep of nightstand.right" src="data:image/png;base64,')
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["-0.4 m", "+0 m", "+0.4 m"]
    assert len(strip.figure(changes=False).axes) == 3


def test_figures_stay_away_from_pyplot():
    import subprocess
    import sys

    code = "import sys, anchorgen.analysis.sweeps; print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"


def test_grids_take_pictures_maps_and_gaps():
    picture, heat = Image.new("RGB", (16, 16), "red"), np.zeros((16, 16))
    figure = picture_grid([[picture, None], [heat, np.asarray(picture)]], titles=["a", "b"], row_titles=["x", "y"])
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3
    assert to_png(figure).startswith(b"\x89PNG")


def test_metrics_agree_with_their_definitions():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    error = np.mean((a / 255 - b / 255) ** 2)
    assert metrics.psnr(a, b) == pytest.approx(-10 * np.log10(error))
    assert metrics.psnr(Image.fromarray(a), b) == pytest.approx(metrics.psnr(a / 255, b))
    assert metrics.psnr(a, a) == 60
    half = np.zeros((32, 32), bool)
    half[:16] = True
    assert metrics.mse(a, b) == pytest.approx((metrics.mse(a, b, half) + metrics.mse(a, b, ~half)) / 2)
    assert metrics.change_map(a, b).max() == pytest.approx(np.abs(a / 255 - b / 255).max())


def test_ssim_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    rng = np.random.default_rng(1)
    a = rng.random((64, 64, 3))
    b = np.clip(a + rng.normal(0, 0.1, a.shape), 0, 1)
    x, y = (torch.tensor(z).permute(2, 0, 1)[None] for z in (a, b))
    assert metrics.ssim(a, b) == pytest.approx(
        float(structural_similarity_index_measure(x, y, data_range=1.0)), abs=2e-3
    )
    assert metrics.ssim(a, a) == pytest.approx(1)


def test_blur_lowers_the_laplacian_energy():
    a = np.random.default_rng(2).random((32, 32, 3))
    blurred = (a + np.roll(a, 1, 0) + np.roll(a, 1, 1)) / 3
    assert metrics.laplacian_energy(blurred) < 0.5 * metrics.laplacian_energy(a)


def test_metrics_refuse_what_would_be_a_wrong_number():
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="RGB"):
        metrics.psnr(picture[..., 0], picture[..., 0])
    with pytest.raises(ValueError, match="one size"):
        metrics.psnr(picture, picture[:1])
    with pytest.raises(ValueError, match="at least one"):
        metrics.mse(picture, picture, np.zeros((8, 8), bool))


def test_intervals_cover_the_mean():
    mean, half = metrics.mean_and_interval([1.0, 2.0, 3.0, 4.0])
    assert mean == 2.5
    assert half == pytest.approx(1.96 * np.std([1, 2, 3, 4], ddof=1) / 2)
    assert np.isnan(metrics.mean_and_interval([1.0])[1])


def test_notebooks_show_figures_without_pyplot():
    code = (
        "import sys, numpy as np; from anchorgen.analysis.figures import picture_grid; "
        "from IPython.core.formatters import JPEGFormatter; "
        "jpeg = JPEGFormatter()(picture_grid([[np.zeros((8, 8, 3), np.uint8)]])); "
        "assert 'matplotlib.pyplot' not in sys.modules; assert jpeg[:3] == b'\\xff\\xd8\\xff'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
