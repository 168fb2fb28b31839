"""The sheet of failures shows the rooms that are drawn worst, the worst first."""

from __future__ import annotations

import numpy as np
from PIL import Image
from record_helpers import make_record

from anchorgen.analysis import sheet


class NoisyPipeline:
    """Draws each picture with as much noise as its place in the list asks for."""

    def __init__(self, noise):
        self.noise = noise

    def latents(self, truth, image, instance):
        return image

    def render(self, scenes):
        draws = np.random.default_rng(0).normal(size=(len(scenes), *scenes[0].shape))
        noisy = [np.clip(s + n * d, 0, 255) for s, n, d in zip(scenes, self.noise, draws, strict=True)]
        return [Image.fromarray(x.astype(np.uint8)) for x in noisy]


def test_the_worst_come_first(monkeypatch):
    records, shown = [make_record(seed) for seed in range(5)], {}
    monkeypatch.setattr(sheet, "test_records", lambda count: records[:count])
    monkeypatch.setattr(sheet, "picture_grid", lambda rows, **options: shown.update(rows=rows, **options))
    sheet.failures_sheet(NoisyPipeline([5, 80, 20, 1, 40]), 3, among=5)
    pictures, drawn = shown["rows"]
    assert [next(i for i, r in enumerate(records) if r.image is p) for p in pictures] == [1, 4, 2]
    scores = [float(title.split()[0]) for title in shown["titles"][1]]
    assert scores == sorted(scores) and len(drawn) == 3
    assert "5 held-out" in shown["caption"]
