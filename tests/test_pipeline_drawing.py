"""How the pipeline draws: faithful to a given picture, in bfloat16, compiled, with either sampler."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from test_pipeline import tiny_config, tiny_pipeline

from anchorgen.analysis.sweeps import sweep
from anchorgen.encode.images import ImageError
from anchorgen.pipeline import AnchorgenPipeline, Source
from anchorgen.scene import LatentSpaceError, SceneLatent

SIDE = 64


@pytest.fixture(scope="module")
def pipe() -> AnchorgenPipeline:
    return tiny_pipeline()


@pytest.fixture(scope="module")
def source(pipe) -> Source:
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    return pipe.source(image)


def array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


# -- a given picture --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"draft": True}, {"method": "heun"}, {"guidance": 2.0}, {"seed": 7}])
def test_the_unedited_scene_is_the_source_bit_for_bit(pipe, source, options):
    assert np.array_equal(array(pipe.render(source.scene, keep=source, **options)), source.image)


def test_a_source_encodes_its_picture_or_takes_the_scene_given(pipe, source):
    assert source.scene.equals(pipe.encode(source.image))
    known = source.scene.remove(0)
    assert pipe.source(source.image, known).scene is known
    wide = Image.new("RGB", (200, 100), (10, 20, 30))
    assert pipe.source(wide).image.shape == (SIDE, SIDE, 3)
    assert repr(source) == "Source(64 x 64 px, 5 objects)"


def test_an_edit_differs_from_the_source_as_its_plain_picture_does_from_the_unedited(pipe, source):
    edited = source.scene.with_background(-source.scene.background)  # touches no box: all of the residual stays
    plain, still = (array(pipe.render(s, seed=2)) for s in (edited, source.scene))
    assert np.abs(plain - still).max() > 0
    expected = np.clip(source.image + plain - still, 0, 255)
    np.testing.assert_array_equal(array(pipe.render(edited, seed=2, keep=source)), expected)


def test_several_edits_share_a_source(pipe, source):
    edits = [source.scene, source.scene.remove(0), source.scene.move(1, right=0.2)] * 3
    together = pipe.render(edits, keep=source)
    for k in (0, 1, 2, 8):
        assert np.abs(array(together[k]) - array(pipe.render(edits[k], keep=source))).max() <= 2
    strip = sweep(pipe, source.scene, f"{source.scene.objects[0].id}.presence", [1, 0], draft=True, keep=source)
    assert np.abs(array(strip.images[0]) - source.image).max() <= 1


def test_the_unedited_scene_is_drawn_once_for_each_setting(pipe, source, monkeypatch):
    drawn, render = [], pipe.decoder.render
    monkeypatch.setattr(pipe.decoder, "render", lambda *args, **kw: drawn.append(len(args[0])) or render(*args, **kw))
    fresh = pipe.source(source.image, source.scene)
    for options in ({}, {}, {"draft": True}, {"draft": True}, {"seed": 1}, {"seed": 1}):
        pipe.render(source.scene.remove(0), keep=fresh, **options)
    assert len(drawn) == 3 + 6
    pipe.to("cpu")  # what another device or dtype drew is forgotten
    pipe.render(source.scene, keep=fresh)
    assert len(drawn) == 3 + 6 + 2


def test_progress_starts_when_the_edited_scene_is_drawn_and_cancels_before(pipe, source):
    seen, fresh = [], pipe.source(source.image, source.scene)
    pipe.render(source.scene, keep=fresh, callback=lambda step, total: seen.append((step, total)))
    assert seen == [(0, 2), (0, 2), (1, 2), (2, 2)]

    def stop(step, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipe.render(source.scene, keep=pipe.source(source.image, source.scene), callback=stop)


def test_what_is_no_source_of_this_model_is_refused(pipe, source):
    scene = source.scene
    with pytest.raises(TypeError, match=r"keep: got tuple; expected a source: pipe\.source\(image, scene\)"):
        pipe.render(scene, keep=(source.image, scene))
    alien = dataclasses.replace(source, scene=scene.replace(latent_space="another"))
    with pytest.raises(LatentSpaceError, match="encode the picture again"):
        pipe.render(scene, keep=alien)
    with pytest.raises(LatentSpaceError, match="encode the picture again"):
        pipe.source(source.image, alien.scene)
    with pytest.raises(ValueError, match=r"32 x 32 px, this model draws 64 x 64; make it again"):
        pipe.render(scene, keep=dataclasses.replace(source, image=source.image[::2, ::2]))
    with pytest.raises(ValueError, match="6 slots, the edited one 1"):
        pipe.render(SceneLatent.blank(1, 2, 8, 2, latent_space=pipe.latent_space), keep=source)
    with pytest.raises(ImageError, match="got int"):
        pipe.source(5)
    with pytest.raises(TypeError, match="expected a SceneLatent"):
        pipe.source(source.image, "a bedroom")


# -- samplers, precision, compiling -----------------------------------------------------------------------------------


def test_the_method_is_the_calls_or_the_configs(pipe, source, tmp_path):
    heun = array(pipe.render(source.scene, method="heun"))
    assert np.abs(heun - array(pipe.render(source.scene))).max() > 0
    with pytest.raises(ValueError, match="got ''; expected one of"):
        pipe.render(source.scene, method="")
    config = dataclasses.replace(pipe.config, method="heun")
    other = AnchorgenPipeline(config, pipe.tokens, pipe.decoder, pipe.prior, pipe.encoder)
    assert np.array_equal(array(other.render(source.scene)), heun)
    other.save_pretrained(tmp_path)
    assert AnchorgenPipeline.from_pretrained(tmp_path, "cpu").config.method == "heun"


def test_bfloat16_draws_nearly_the_same_picture_of_the_very_same_scene(pipe, source):
    full = array(pipe.render(source.scene, seed=3))
    assert pipe.to(dtype=torch.bfloat16) is pipe
    try:
        half = array(pipe.render(source.scene, seed=3))
        assert 0 < np.abs(half - full).max() <= 8
        assert np.array_equal(array(pipe.render(source.scene, keep=source)), source.image)
        assert pipe.encode(source.image).equals(source.scene)
    finally:
        pipe.to(dtype=torch.float32)
    assert np.array_equal(array(pipe.render(source.scene, seed=3)), full)
    with pytest.raises(ValueError, match=r"got torch\.float16; expected"):
        pipe.to(dtype=torch.float16)


def test_a_compiled_decoder_draws_the_same_pictures(source):
    torch.manual_seed(0)
    pipe = AnchorgenPipeline.from_config(tiny_config())
    scenes = [source.scene.replace(latent_space=pipe.latent_space)] * 2
    plain = [array(p) for p in (pipe.render(scenes[0]), *pipe.render(scenes, guidance=2.0))]
    graphs = []

    def backend(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    assert pipe.compile(backend=backend) is pipe
    compiled = [array(p) for p in (pipe.render(scenes[0]), *pipe.render(scenes, guidance=2.0))]
    assert graphs
    assert max(np.abs(a - b).max() for a, b in zip(plain, compiled, strict=True)) <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize(("dtype", "levels"), [(torch.float32, 3), (torch.bfloat16, 12)])
def test_cuda_draws_what_the_cpu_draws(pipe, source, dtype, levels):
    edited = source.scene.move(0, right=0.2)
    here = array(pipe.render(edited, keep=source))
    try:
        there = array(pipe.to("cuda", dtype=dtype).render(edited, keep=source))
    finally:
        pipe.to("cpu", dtype=torch.float32)
    assert np.abs(here - there).max() <= levels
