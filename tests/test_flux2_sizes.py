"""Sizes of the paper's decoder are counted on the meta device; the counting is checked against real tensors."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from flux2_helpers import TINY, VAE, scenes, tiny_decoder

from anchorgen.__main__ import main
from anchorgen.analysis import bench_flux2, flux2_sizes
from anchorgen.analysis.flux2_sizes import _Alive, count, memory_needs, meta_decoder, parameter_counts
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.flux2_memory import MemoryPlan

FIGURES = ("backbone_step_ms", "adapter_overhead", "peak_gib", "train_samples_per_second", "peak_flops_share")


def test_the_real_backbone_has_3_88_billion_parameters():
    counts = parameter_counts()
    assert round(counts["backbone"] / 1e9, 2) == 3.88
    # q and out of the width 3072, k and v from the context's 1024, two norms of a head's 128: at each site.
    site = 2 * 3072**2 + 2 * 3072 * 1024 + 2 * 128
    assert counts["adapter (double)"] == 5 * site and counts["adapter (all)"] == 25 * site


def test_meta_counts_are_those_of_real_networks(monkeypatch):
    monkeypatch.setattr(flux2_sizes, "FLUX2_AUTOENCODER", VAE)
    meta, real = meta_decoder(TINY), tiny_decoder()
    assert count(meta) == sum(p.numel() for p in real.parameters())
    assert all(p.is_meta for p in meta.parameters())


def test_fp8_and_int8_weights_take_what_the_table_says(monkeypatch):
    monkeypatch.setattr(flux2_sizes, "FLUX2_AUTOENCODER", VAE)
    config = replace(TINY, dtype="bfloat16")
    needs = {need.what: need for need in memory_needs(config)}
    decoder = tiny_decoder(dtype="bfloat16").use(MemoryPlan(fp8=True), "cpu")
    stored = sum(p.numel() * p.element_size() for p in decoder.parameters())
    stored += decoder.velocity.prompt.embedding.numel() * 2
    assert needs["draw, fp8 weights"].weights == stored
    plain = tiny_decoder(dtype="bfloat16")
    stored = sum(p.numel() * p.element_size() for p in plain.parameters()) + plain.velocity.prompt.embedding.numel() * 2
    assert needs["draw, bfloat16"].weights == stored
    assert needs["draw, blocks offloaded"].weights < needs["draw, bfloat16"].weights


def test_alive_bytes_are_those_of_tensors_that_are_kept():
    a = torch.zeros(100, device="meta")
    with _Alive() as alive:
        b = a + 1  # 400 bytes stay
        for _ in range(5):
            c = b * 2  # the old one is there until the new one is
        c.add_(1)
        c.view(10, 10)
    assert alive.peak == 1200


def test_recomputing_saves_memory_and_the_real_table_is_ordered():
    needs = {need.what: need for need in memory_needs()}
    plain, less = needs["train adapter, batch 1"], needs["train adapter, batch 1, gradient checkpointing"]
    assert less.activations < plain.activations / 5 and less.weights == plain.weights
    assert needs["draw, fp8 weights"].gib < needs["draw, bfloat16"].gib < 16
    assert 16 in needs["draw, bfloat16"].fits() and 12 not in plain.fits()


def test_impossible_sizes_are_refused():
    with pytest.raises(SystemExit, match="multiple of 16"):
        main(["flux2", "sizes", "--image-size", "100"])


def test_the_benchmark_runs_small_on_a_cpu():
    figures = bench_flux2.run(quick=True)
    assert set(FIGURES) <= set(figures)
    assert figures["backbone_step_ms"] > 0 and figures["train_samples_per_second"] > 0
    if not torch.cuda.is_available():
        assert figures["peak_gib"] is None and figures["peak_flops_share"] is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_benchmark_wants_a_gpu(capsys):
    with pytest.raises(SystemExit, match="no GPU that this PyTorch"):
        main(["bench", "flux2"])


def test_the_benchmarks_random_decoder_draws_a_picture():
    decoder = bench_flux2.random_decoder(bench_flux2._TINY, bench_flux2._TINY_AUTOENCODER, torch.device("cpu"))
    reference = tiny_decoder(num_text_tokens=4)
    assert torch.equal(decoder.velocity.image_ids, reference.velocity.image_ids)
    assert torch.equal(decoder.velocity.text_ids, reference.velocity.text_ids)
    assert decoder.render(scenes(1), [0], 2).float().std() > 0


def test_the_paper_is_the_default():
    config = KleinConfig()
    assert (config.num_tokens, config.channels, config.sites) == (8, 1024, "double") and config.grid == 32
