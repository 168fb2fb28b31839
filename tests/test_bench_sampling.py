"""Each way to sample gets its own figures, of its own pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from record_helpers import make_record

from anchorgen.analysis import bench_sampling
from anchorgen.analysis.bench_sampling import GRID, Sampling, sampling_figures, validation_records


class CopyPipeline:
    """Draws the picture that latents were made of, the better the more steps; notes how it was asked."""

    def __init__(self):
        self.asked = []

    def latents(self, truth, image, instance):
        return image

    def render(self, scenes, seed, method, steps, guidance):
        self.asked.append((len(scenes), method, steps, guidance))
        return [Image.fromarray((x * (1 - 1 / (1 + steps))).astype(np.uint8)) for x in scenes]


def test_figures_are_of_the_pictures_drawn_that_way():
    records, pipe = [make_record(seed) for seed in range(20)], CopyPipeline()
    grid = (Sampling("euler", 1, 1.0), Sampling("heun", 8, 1.5))
    figures = sampling_figures(pipe, records, grid)
    assert pipe.asked == [(16, "euler", 1, 1.0), (4, "euler", 1, 1.0), (16, "heun", 8, 1.5), (4, "heun", 8, 1.5)]
    assert list(figures) == ["rooms", "euler_1_guidance_1", "heun_8_guidance_1.5"] and figures["rooms"] == 20
    assert figures["euler_1_guidance_1"]["psnr_db"] + 10 < figures["heun_8_guidance_1.5"]["psnr_db"]
    assert figures["euler_1_guidance_1"]["laplacian_ratio"] == pytest.approx(0.25, abs=0.02)


def test_every_way_of_the_grid_is_another():
    assert len({str(way) for way in GRID}) == len(GRID)


def test_missing_rooms_are_named_with_their_command(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_sampling, "split_folder", lambda split: tmp_path / split)
    with pytest.raises(FileNotFoundError, match="data render --split val --count 64"):
        validation_records(64)
