"""The pipeline's contract, on a small random one; what the bundled weights must hold is in test_bundled.py."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from anchorgen.analysis.sweeps import sweep
from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.decode.velocity import DecoderConfig
from anchorgen.pipeline import AnchorgenPipeline, PipelineConfig, PretrainedError, load
from anchorgen.scene import LatentSpaceError, SceneLatent, SelectionError

CATEGORIES = ("bed", "chair", "table lamp", "nightstand")
SIZES = {"num_tokens": 2, "channels": 8}


def tiny_config() -> PipelineConfig:
    decoder = DecoderConfig(
        **SIZES, num_background=2, token_channels=16, grid=4, width=32, num_heads=2, num_double=1, num_single=1,
        rays=8, stem_channels=16, rope_axes=(4, 6, 6, 0),
    )  # fmt: skip
    return PipelineConfig(
        name="tiny",
        categories=CATEGORIES,
        num_slots=6,
        num_voxels=16,
        steps=2,
        sample_steps=4,
        autoencoder=AutoencoderConfig(image_size=64, block_channels=(16, 16), latent_channels=4, norm_groups=4),
        decoder=decoder,
        prior={"num_tokens": 2, "num_channels": 8, "num_background_tokens": 2, "width": 32, "depth": 1, "num_heads": 2,
               "labels": CATEGORIES},
        encoder={"categories": CATEGORIES, **SIZES, "stage_widths": (16, 16, 16), "width": 32, "num_heads": 2,
                 "max_objects": 5, "image_size": 64},
    )  # fmt: skip


def tiny_pipeline() -> AnchorgenPipeline:
    """Random weights, with an encoder that finds something."""
    torch.manual_seed(0)
    pipe = AnchorgenPipeline.from_config(tiny_config())
    pipe.encoder.presence.bias.data.fill_(2.0)
    return pipe


@pytest.fixture(scope="module")
def pipe() -> AnchorgenPipeline:
    return tiny_pipeline()


@pytest.fixture(scope="module")
def scene(pipe) -> SceneLatent:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return pipe.encode(picture)


def test_encode_edit_sample_render(pipe, scene):
    assert scene.num_objects == 5
    assert scene.latent_space == pipe.latent_space != ""
    edited = scene.move(0, right=0.2).remove(1)
    image = pipe.render(edited)
    assert image.size == (64, 64)
    assert image.mode == "RGB"
    assert [p.size for p in pipe.render([scene, edited], draft=True)] == [(64, 64)] * 2


def test_anchored_variables_come_back_bit_identical(pipe, scene):
    free = scene.remove(4).release([0, 1])
    for drawn in pipe.sample(free, n=2, seed=3):
        for name in ("translation", "quat_wxyz", "scale", "appearance", "presence"):
            np.testing.assert_array_equal(getattr(drawn, name)[2:], getattr(free, name)[2:], err_msg=name)
        np.testing.assert_array_equal(drawn.focal, free.focal)
        np.testing.assert_array_equal(drawn.background, free.background)
        assert drawn.anchors.layout.min() == 1
    changed = pipe.sample(scene.release("everything.appearance"), seed=1)[0]
    assert not np.array_equal(changed.appearance[0], scene.appearance[0])
    np.testing.assert_array_equal(changed.translation, scene.translation)


def test_same_seed_same_scene_whatever_is_drawn_beside_it(pipe, scene):
    free = scene.release("everything.layout")
    alone, several = pipe.sample(free, n=1, seed=5), pipe.sample(free, n=3, seed=4)
    assert alone[0].equals(several[1])
    assert alone[0].equals(pipe.sample(free, seed=5)[0])
    assert not alone[0].equals(several[0])


def test_a_picture_does_not_depend_on_its_batch(pipe, scene):
    other = scene.remove(0)
    together, alone = pipe.render([other, scene], seed=2)[1], pipe.render(scene, seed=2)
    assert np.abs(np.asarray(together).astype(int) - np.asarray(alone)).max() <= 1
    assert np.array_equal(np.asarray(alone), np.asarray(pipe.render(scene, seed=2)))


def test_blank_is_unconditional_generation(pipe):
    blank = pipe.blank()
    assert blank.equals(SceneLatent.blank(6, 2, 8, 2, latent_space=pipe.latent_space))
    assert pipe.blank(focal=(0.7, 0.9)).focal.tolist() == pytest.approx([0.7, 0.9])
    drawn = pipe.sample(blank, n=4, seed=0)
    assert all(np.isfinite(s.translation).all() for s in drawn)
    assert all(s.labels[i] in CATEGORIES for s in drawn for i in np.flatnonzero(s.presence))
    pipe.render(drawn)


def test_other_latent_spaces_are_refused_with_advice(pipe, scene):
    alien = scene.replace(latent_space="another")
    for call in (pipe.render, pipe.sample):
        with pytest.raises(LatentSpaceError, match="encode the picture again"):
            call(alien)
    with pytest.raises(TypeError, match="expected a SceneLatent"):
        pipe.render("a bedroom")
    with pytest.raises(TypeError, match="got Image; expected a SceneLatent"):
        pipe.render(Image.new("RGB", (64, 64)))
    with pytest.raises(ValueError, match="at least 1"):
        pipe.sample(scene, n=0)


@pytest.mark.parametrize("sizes", [(6, 3, 8, 2), (6, 2, 4, 2), (6, 2, 8, 1)], ids=["K", "C", "Kb"])
def test_tokens_of_other_sizes_are_refused(pipe, sizes):
    blank = SceneLatent.blank(*sizes, latent_space=pipe.latent_space)
    for call in (pipe.render, pipe.sample):
        with pytest.raises(LatentSpaceError, match="tokens have sizes"):
            call(blank)


def test_a_scene_of_one_slot_is_drawn(pipe):
    assert pipe.render(SceneLatent.blank(1, 2, 8, 2, latent_space=pipe.latent_space)).size == (64, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"steps": 0}, "steps"), ({"seed": None}, "seed: got None"), ({"seed": 2**64}, "seed"), ({"seed": 0.5}, "seed")],
)
def test_numbers_that_mean_nothing_are_refused(pipe, scene, options, message):
    for call in (pipe.render, pipe.sample):
        with pytest.raises(ValueError, match=message):
            call(scene, **options)
    with pytest.raises(ValueError, match="n: got 1.5"):
        pipe.sample(scene, n=1.5)


def test_latents_far_from_any_that_were_trained_give_no_blank_picture(pipe, scene):
    with pytest.raises(FloatingPointError, match="not finite"):
        pipe.render(scene.with_background(np.full_like(scene.background, 1e30)))


def test_what_became_another_kind_has_a_name_and_an_id_of_it(pipe, scene):
    for drawn in pipe.sample(scene.release([f"{view.id}.appearance" for view in scene.objects]), n=3, seed=3):
        for before, after in zip(scene.objects, drawn.objects, strict=True):
            assert (after.id == before.id) == (after.label == before.label)
            assert after.id.startswith(after.label.replace(" ", "-"))


def test_save_and_load_give_the_same_pipeline(pipe, scene, tmp_path):
    pipe.save_pretrained(tmp_path)
    first = AnchorgenPipeline.from_pretrained(tmp_path, "cpu")
    assert first.latent_space == pipe.latent_space
    first.save_pretrained(tmp_path / "again")
    second = load(tmp_path / "again", "cpu")
    assert second.config == first.config
    assert np.array_equal(np.asarray(first.render(scene)), np.asarray(second.render(scene)))


def test_damaged_folders_are_named(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    with pytest.raises(PretrainedError, match="save_pretrained"):
        AnchorgenPipeline.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(PretrainedError, match="bedrooms-128"):
        load("unicorns")
    weights = tmp_path / "decoder.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(PretrainedError, match=r"decoder\.safetensors cannot be read"):
        AnchorgenPipeline.from_pretrained(tmp_path)
    weights.write_bytes((tmp_path / "encoder.safetensors").read_bytes())
    with pytest.raises(PretrainedError, match="of another network"):
        AnchorgenPipeline.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(PretrainedError, match="is missing"):
        AnchorgenPipeline.from_pretrained(tmp_path)
    weights.write_bytes(whole)
    config = json.loads((tmp_path / "config.json").read_text())
    for change, message in (({"latent_space": "0" * 16}, "names latent space"), ({"format_version": 9}, "update it")):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(PretrainedError, match=message):
            AnchorgenPipeline.from_pretrained(tmp_path)
    newer = config | {"prior": config["prior"] | {"surprise": 1}}
    uneven = config | {"prior": config["prior"] | {"num_heads": 5}}
    for value, message in ((newer, "surprise"), (uneven, "divisible"), ([1], "holds a list")):
        (tmp_path / "config.json").write_text(json.dumps(value))
        with pytest.raises(PretrainedError, match=message):
            AnchorgenPipeline.from_pretrained(tmp_path)
    for value in (b"{", b"\xff\xfe\x00"):
        (tmp_path / "config.json").write_bytes(value)
        with pytest.raises(PretrainedError, match="not JSON"):
            AnchorgenPipeline.from_pretrained(tmp_path)


def test_sweeps(pipe, scene):
    label = scene.labels[0]
    strip = sweep(pipe, scene, f"{label}.right", np.linspace(-0.2, 0.2, 3), draft=True)
    assert len(strip.images) == 3
    assert strip.unit == "m"
    np.testing.assert_array_equal(np.asarray(strip.images[1]), np.asarray(strip.reference))
    assert strip.changes()[1].max() == 0
    assert strip.changes()[0].max() > 0
    assert strip._repr_png_().startswith(b"\x89PNG")
    assert len(sweep(pipe, scene, f"{label}.presence", [1, 0], draft=True).images) == 2
    assert sweep(pipe, scene, "camera.focal", [0.8, 1.2], draft=True).scenes[1].focal[0] > scene.focal[0]


def test_sweeps_of_what_is_not_there(pipe, scene):
    with pytest.raises(SelectionError, match="yaw"):
        sweep(pipe, scene, "bed.colour", [1])
    with pytest.raises(LookupError):
        sweep(pipe, scene, "unicorn.right", [1])
    with pytest.raises(ValueError, match="empty"):
        sweep(pipe, scene, "bed.right", [])
    with pytest.raises(ValueError, match="0 \\(removed\\)"):
        sweep(pipe, scene, f"{scene.labels[0]}.presence", [0.5])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cpu_and_cuda_draw_the_same_picture(pipe, scene):
    here = np.asarray(pipe.render(scene, seed=1)).astype(int)
    there = np.asarray(pipe.to("cuda").render(scene, seed=1)).astype(int)
    pipe.to("cpu")
    assert np.abs(here - there).max() <= 3
