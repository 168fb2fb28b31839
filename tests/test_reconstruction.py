"""Reconstruction figures against pictures with known likeness."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from record_helpers import make_record

from anchorgen.analysis import held_out, reconstruction
from anchorgen.analysis.metrics import laplacian_energy, named_mean, psnr, ssim


def test_likeness_of_a_picture_with_itself_and_with_a_blur():
    truth = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(reconstruction.likeness(truth, truth), [60, 1, 1])
    blurred = (truth / 255 + np.roll(truth / 255, 1, 0)) / 2
    got = reconstruction.likeness(blurred, truth)
    np.testing.assert_allclose(got[:2], [psnr(blurred, truth), ssim(blurred, truth)])
    assert got[2] == pytest.approx(laplacian_energy(blurred) / laplacian_energy(truth)) and got[2] < 0.7


class CopyPipeline:
    """Draws the picture that latents were made of, a level brighter a seed; drafts are black."""

    image_size = 16

    def latents(self, truth, image, instance):
        return image

    def render(self, scenes, seed=0, draft=False):
        return [Image.fromarray(np.zeros_like(x) if draft else np.clip(x, 0, 250) + np.uint8(seed)) for x in scenes]


def test_each_picture_stands_beside_its_own_baselines(monkeypatch):
    records = [make_record(seed) for seed in range(11)]  # more than are drawn at once
    monkeypatch.setattr(reconstruction, "autoencoded", lambda pipe, image: image)
    mean = np.full((16, 16, 3), 0.5)
    figures = reconstruction.reconstruction(CopyPipeline(), records, (0, 1), mean)
    finals = [[np.clip(r.image, 0, 250) + np.uint8(seed) for seed in (0, 1)] for r in records]
    drawn = [np.mean([psnr(p, r.image) for p in row]) for row, r in zip(finals, records, strict=True)]
    assert figures["recon_psnr_db"] == pytest.approx(np.mean(drawn))
    assert figures["mean_picture_psnr_db"] == pytest.approx(np.mean([psnr(mean, r.image) for r in records]))
    assert figures["gain_over_mean_picture_db"] == pytest.approx(
        figures["recon_psnr_db"] - figures["mean_picture_psnr_db"]
    )
    assert figures["vae_psnr_db"] == 60 and figures["vae_ssim"] == pytest.approx(1)
    assert figures["draft_laplacian_ratio"] == 0 == figures["mean_picture_laplacian_ratio"]
    assert 0.9 < figures["laplacian_ratio"] < 1
    assert set(figures) >= {f"{n}_{k}" for n in ("draft", "mean_picture", "vae") for k in ("ssim", "psnr_db_ci95")}


def test_means_have_names_and_say_when_they_cannot_tell():
    assert named_mean("a", [1.0, 3.0]) == {"a": 2.0, "a_ci95": pytest.approx(1.96 * np.sqrt(2) / np.sqrt(2))}
    assert named_mean("a", [1.0]) == {"a": 1.0, "a_ci95": None}
    assert named_mean("a", []) == {"a": None, "a_ci95": None}


def test_what_is_missing_is_named_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="data evaluation"):
        held_out.evaluation_scenes(3)
    with pytest.raises(FileNotFoundError, match="--split train"):
        reconstruction.training_mean(CopyPipeline())
    with pytest.raises(FileNotFoundError, match="--split test --count 2"):
        held_out.test_records(2)
