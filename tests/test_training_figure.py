"""Curves of training: every part of every network that noted one."""

from __future__ import annotations

import numpy as np
import pytest

from anchorgen.analysis.card import training_table
from anchorgen.analysis.training_figure import has_curves, parts_of, training_figure


def run(steps: int, first: dict | None = None, **curve: list[float]) -> dict:
    facts = {"rooms": 7, "parameters": 2_000_000, "batch_size": 3, "seed": 0, "seconds": 120, "machine": "m"}
    record = facts | {"steps": steps, "curve": {"step": [steps // 2, steps], **curve}}
    return record | ({"first_part": first} if first else {})


VAE = run(30, run(20, run(10, psnr_db=[20, 25]), psnr_db=[26, 27]), psnr_db=[28, 29])


def test_parts_come_in_order():
    assert [part["steps"] for part in parts_of(VAE)] == [10, 20, 30]


def test_parts_are_drawn_one_after_another():
    figure = training_figure({"vae": VAE, "decoder": run(8, velocity_mse=[2, 1])})
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["vae", "decoder"]
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    np.testing.assert_array_equal(np.concatenate([line.get_xdata() for line in curves]), [5, 10, 20, 30, 45, 60])
    np.testing.assert_array_equal(np.concatenate([line.get_ydata() for line in curves]), [20, 25, 26, 27, 28, 29])


def test_records_without_curves_are_left_out():
    old = {"steps": 5}
    assert not has_curves({"vae": old, "decoder": old}) and has_curves({"vae": old, "decoder": VAE})
    with pytest.raises(ValueError, match="without a curve"):
        training_figure({"vae": old})


def test_the_table_names_every_part():
    table = training_table({"vae": VAE, "decoder": run(8, run(4)), "prior": run(6)})
    names = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    expected = ["vae", "vae, against an adversary", "vae, on sampled tokens"]
    assert names == [*expected, "decoder with pooling and background", "decoder, going on", "prior"]
