"""The paper's decoder on small random configurations of the real classes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from flux2_helpers import TINY, TRANSFORMER, VAE, awake, save_repository, scenes, tiny_decoder

from anchorgen.decode.flow import sigmas
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_config import KleinConfig, flux2_shift
from anchorgen.decode.flux2_load import random_parts


@pytest.fixture(scope="module")
def decoder() -> Flux2KleinDecoder:
    return awake(tiny_decoder())


@pytest.mark.parametrize("sites", ["double", "all"])
@pytest.mark.parametrize("text", [0, 5])
def test_a_new_adapter_is_the_bare_backbone_bit_for_bit(sites, text):
    velocity = tiny_decoder(sites=sites, num_text_tokens=text).velocity
    bare = Flux2Transformer2DModel(**TRANSFORMER).eval().requires_grad_(False)
    bare.load_state_dict({k: v for k, v in velocity.transformer.state_dict().items() if ".processor." not in k})
    x, sigma = torch.randn(2, 16, 4, 4), torch.tensor([0.3, 0.9])
    expected = bare(
        hidden_states=x.flatten(2).transpose(1, 2),
        encoder_hidden_states=velocity.prompt.embedding.expand(2, -1, -1),
        timestep=sigma,
        img_ids=velocity.image_ids,
        txt_ids=velocity.text_ids,
        return_dict=False,
    )[0]
    context, _ = velocity.context(scenes())
    found = velocity(x, sigma, context).flatten(2).transpose(1, 2)
    assert torch.equal(found, expected)
    moved = awake(tiny_decoder(sites=sites, num_text_tokens=text)).velocity
    assert not torch.allclose(moved(x, sigma, context).flatten(2).transpose(1, 2), expected)


def test_dropped_scenes_are_all_the_same_scene(decoder):
    velocity, x, sigma = decoder.velocity, torch.randn(1, 16, 4, 4).expand(2, -1, -1, -1), torch.ones(2)
    context, _ = velocity.context(scenes(), keep=torch.tensor([False, False]))
    first, second = velocity(x, sigma, context)
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)
    kept, _ = velocity.context(scenes(), keep=torch.tensor([True, False]))
    known, unknown = velocity(x, sigma, kept)
    torch.testing.assert_close(unknown, first, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(known, first)


def test_the_stock_pipeline_draws_in_bfloat16(decoder):
    pytest.importorskip("transformers")
    half = awake(tiny_decoder(dtype="bfloat16"))
    pipe = half.stock_pipeline()
    pipe.set_progress_bar_config(disable=True)
    arguments = half.stock_arguments(scenes(), [3, 4])
    drawn = pipe(**arguments, num_inference_steps=4, output_type="np").images
    ours = half.render(scenes(), [3, 4], steps=4).numpy().transpose(0, 2, 3, 1)
    assert np.abs(drawn * 255 - ours).mean() < 3  # the state of the sampler is bfloat16 there, float32 here


def test_our_loop_and_the_stock_pipeline_draw_the_same_picture(decoder):
    pytest.importorskip("transformers")
    batch, seeds = scenes(), [3, 4]
    ours = decoder.render(batch, seeds, steps=4)
    pipe = decoder.stock_pipeline()
    pipe.set_progress_bar_config(disable=True)
    drawn = pipe(**decoder.stock_arguments(batch, seeds), num_inference_steps=4, output_type="np").images
    stock = np.round(drawn * 255).astype(int).transpose(0, 3, 1, 2)
    assert np.abs(stock - ours.numpy().astype(int)).max() <= 1
    assert np.mean(stock != ours.numpy()) < 0.01
    other = decoder.render(batch.replace(appearance=batch.appearance.flip(0)), seeds, steps=4)
    assert np.abs(other.numpy().astype(int) - stock).max() > 3


@pytest.mark.parametrize("tokens, steps", [(1024, 4), (1024, 28), (4096, 50), (5000, 28)])
def test_times_are_those_of_the_stock_scheduler(tokens, steps):
    pytest.importorskip("transformers")
    from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

    mu = compute_empirical_mu(tokens, steps)
    assert flux2_shift(tokens, steps) == pytest.approx(math.exp(mu), rel=1e-6)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    np.testing.assert_allclose(sigmas(steps, flux2_shift(tokens, steps)), scheduler.sigmas, atol=2e-6)


def test_a_scheduler_without_dynamic_shift_gives_its_own(decoder):
    still = tiny_decoder()
    still.scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift=3.0)
    assert still.shift(4) == 3.0 and decoder.shift(4) == flux2_shift(16, 4)


def test_guidance_leads_away_from_no_scene(decoder):
    batch, seeds = scenes(), [1, 2]
    plain = decoder.guided(batch, 1.0)
    guided = decoder.guided(batch, 3.0)
    x, sigma = decoder.noise(seeds), torch.full((2,), 0.7)
    nothing, _ = decoder.velocity.context(batch, keep=torch.tensor([False, False]))
    without = decoder.velocity(x, sigma, nothing)
    torch.testing.assert_close(guided(x, sigma), without + 3 * (plain(x, sigma) - without), rtol=1e-4, atol=1e-5)


def test_a_picture_depends_on_its_seed_and_not_on_its_batch(decoder):
    batch = scenes(2)
    both = decoder.render(batch, [5, 6], steps=2).int()
    alone = decoder.render(batch[1:], [6], steps=2).int()
    assert (both[1] - alone[0]).abs().max() <= 1
    assert both.shape == (2, 3, 64, 64) and decoder.image_size == 64
    with pytest.raises(ValueError, match="2 scenes"):
        decoder.render(batch, [1])


def test_the_autoencoder_is_the_stock_pipelines(decoder):
    pytest.importorskip("transformers")
    pipe = decoder.stock_pipeline()
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    expected = pipe._encode_vae_image(images, torch.Generator())
    torch.testing.assert_close(decoder.autoencoder.encode(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_folder_of_the_repositorys_layout_loads(tmp_path, dtype):
    folder = save_repository(tmp_path / "klein", dtype)
    name = {torch.float32: "float32", torch.bfloat16: "bfloat16"}[dtype]
    config = replace(TINY, repository=str(folder), dtype=name, transformer=dict(KleinConfig().transformer))
    decoder = Flux2KleinDecoder.from_pretrained(config, prompt_cache=tmp_path / "prompts")
    sizes = decoder.velocity.config.transformer
    assert sizes == TRANSFORMER and decoder.autoencoder.config == VAE
    assert decoder.velocity.dtype == dtype == decoder.autoencoder.vae.dtype
    assert decoder.velocity.prompt.embedding.shape == (5, 24) and decoder.velocity.prompt.embedding.std() > 0
    pictures = decoder.render(scenes(), [1, 2], steps=2, guidance=2.0)
    assert pictures.shape == (2, 3, 64, 64) and torch.equal(
        awake(decoder).render(scenes(), [1, 2], 2), decoder.render(scenes(), [1, 2], 2)
    )


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="16 channels"):
        random_parts(TINY, replace(VAE, latent_channels=8))
    with pytest.raises(ValueError, match="multiple of 16"):
        replace(TINY, image_size=100)
