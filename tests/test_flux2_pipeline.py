"""The calls of a notebook on a small random pipeline with the paper's decoder: load, encode, sample, render, sweep, editor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from flux2_helpers import TINY, VAE, awake, save_repository
from test_pipeline import tiny_config

import anchorgen as ag
from anchorgen.analysis.sweeps import sweep
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.decode.flux2_memory import MemoryPlan
from anchorgen.pipeline import AnchorgenPipeline, PipelineConfig, PretrainedError

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def klein_config(repository: str = "") -> PipelineConfig:
    usual = tiny_config()
    decoder = replace(TINY, repository=repository, num_background=2, background_patch=8)
    return replace(usual, name="tiny-klein", autoencoder=VAE, decoder=decoder)


def klein_pipeline(repository: str = "") -> AnchorgenPipeline:
    torch.manual_seed(0)
    pipe = AnchorgenPipeline.from_config(klein_config(repository))
    pipe.encoder.presence.bias.data.fill_(2.0)
    awake(pipe.decoder)
    pipe.decoder.velocity.prompt.embedding.normal_()
    return pipe


@pytest.fixture(scope="module")
def pipe() -> AnchorgenPipeline:
    return klein_pipeline()


def test_encode_edit_sample_render_sweep(pipe):
    assert isinstance(pipe.decoder, Flux2KleinDecoder)
    scene = pipe.encode(PICTURE)
    first = next(name for name in scene.ids if name)
    edited = scene.remove(first)
    before, after = pipe.render([scene, edited], seed=0)
    assert before.size == (64, 64) and np.abs(np.asarray(before).astype(int) - np.asarray(after)).max() > 0
    sampled = pipe.sample(scene.release(ag.everything), n=2, seed=1)
    assert len(pipe.render(sampled, draft=True)) == 2
    assert len(sweep(pipe, scene, f"{first}.right", [-0.2, 0.2]).images) == 2
    kept = pipe.render(edited, keep=pipe.source(PICTURE, scene))
    assert kept.size == (64, 64)


def test_the_editor_draws_with_it(pipe):
    from anchorgen_widgets import SceneEditor

    editor = SceneEditor(pipe, pipe.encode(PICTURE))
    try:
        assert editor.session.worker.wait_until_idle(60.0)
        assert editor.session.worker.last_error is None
        assert editor.snapshot() is not None
    finally:
        editor.close()


def test_a_saved_pipeline_loads_and_draws_the_same(tmp_path):
    repository = save_repository(tmp_path / "klein")
    pipe = klein_pipeline(str(repository))
    scene = pipe.encode(PICTURE)
    pipe.save_pretrained(tmp_path / "pipe")
    names = {path.name for path in (tmp_path / "pipe").iterdir()}
    assert names >= {"adapter.safetensors", "prompt.safetensors", "config.json"} and "vae.safetensors" not in names
    again = ag.load(tmp_path / "pipe", device="cpu")
    assert again.latent_space == pipe.latent_space
    once_more = ag.load(tmp_path / "pipe", device="cpu")
    assert again.render(scene, seed=3).tobytes() == once_more.render(scene, seed=3).tobytes()
    change = np.abs(np.asarray(again.render(scene, seed=3)).astype(int) - np.asarray(pipe.render(scene, seed=3)))
    assert change.mean() < 1  # weights are stored in bfloat16
    (tmp_path / "pipe" / "adapter.safetensors").replace(tmp_path / "pipe" / "prompt.safetensors")
    with pytest.raises(PretrainedError, match="missing"):
        ag.load(tmp_path / "pipe", device="cpu")


def test_a_pipeline_whose_backbone_is_gone_says_so(tmp_path):
    config = klein_config(str(tmp_path / "gone"))
    with pytest.raises(BackboneError, match="hf download"):
        AnchorgenPipeline.from_config(config)


def test_an_offloaded_pipeline_draws_the_same():
    pipe, offloaded = klein_pipeline(), klein_pipeline()
    offloaded.decoder.use(MemoryPlan(offload=True), "cpu")
    scene = pipe.encode(PICTURE)
    assert offloaded.to("cpu").render(scene).tobytes() == pipe.render(scene).tobytes()
