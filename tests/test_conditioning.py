"""Every way to condition, and the convolutional backbone: the same promises as the bundled decoder's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_decode import TINY, make_batch

from anchorgen.decode.decoder import velocity_network
from anchorgen.decode.rays import PAIR_CHANNELS, draw_boxes, pair_rays_with_boxes
from anchorgen.decode.velocity import DecoderConfig

KINDS = {
    "paper": replace(TINY, conditioning="paper"),
    "rays": replace(TINY, conditioning="rays"),
    "double": replace(TINY, sites="double"),
    "split": replace(TINY, split=2, rays=16, nearest=3, code=16, octaves=2),
    "unet": replace(TINY, backbone="unet"),
    "unet, split": replace(TINY, backbone="unet", split=2),
    "unet, paper": replace(TINY, backbone="unet", conditioning="paper"),
}


@pytest.fixture(params=KINDS, name="velocity")
def _velocity(request):
    torch.manual_seed(0)
    return velocity_network(KINDS[request.param]).eval()


@torch.no_grad()
def drawn(velocity, scene) -> torch.Tensor:
    noise = torch.randn(1, TINY.token_channels, TINY.grid, TINY.grid, generator=torch.Generator().manual_seed(1))
    context, drawing = velocity.context(scene)
    return velocity(noise.expand(len(scene), -1, -1, -1), torch.full((len(scene),), 0.7), context, drawing)


def test_what_absent_slots_store_has_no_influence(velocity):
    scene = make_batch()
    values = {name: getattr(scene, name).clone() for name in ("translation", "quat_wxyz", "scale", "appearance")}
    for value in values.values():
        value[~scene.presence] = float("nan")
    assert torch.equal(drawn(velocity, scene.replace(**values)), drawn(velocity, scene))


def test_every_variable_of_a_present_object_has_influence(velocity):
    scene = make_batch()
    before = drawn(velocity, scene)
    for name in ("translation", "scale", "appearance"):
        value = getattr(scene, name).clone()
        value[:, 0] += torch.linspace(0.1, 0.5, value.shape[-1])
        assert not torch.allclose(drawn(velocity, scene.replace(**{name: value})), before, atol=1e-6), name


def test_one_scene_is_drawn_the_same_in_any_batch(velocity):
    scene = make_batch(3)
    together = drawn(velocity, scene)
    for k in range(3):
        torch.testing.assert_close(drawn(velocity, scene[k : k + 1]), together[k : k + 1], atol=1e-5, rtol=1e-4)


def test_dropping_the_scene_hides_all_of_it(velocity):
    first, second = make_batch(1), make_batch(3)[2:]
    blank = []
    for scene in (first, second):
        context, drawing = velocity.context(scene, torch.zeros(1, dtype=torch.bool))
        assert not context.tokens.any() and (drawing is None or not drawing.any())
        assert context.pairs is None or not context.pairs.any()
        blank.append(context)


def test_gradients_reach_every_parameter(velocity):
    scene, noise = make_batch(), torch.randn(2, TINY.token_channels, TINY.grid, TINY.grid)
    velocity(noise, torch.tensor([0.2, 0.8]), *velocity.context(scene)).square().sum().backward()
    unmoved = [name for name, p in velocity.named_parameters() if p.grad is None]
    assert unmoved == []


def test_a_unet_has_no_rays():
    with pytest.raises(ValueError, match="'paper' or 'drawn'"):
        velocity_network(replace(TINY, backbone="unet", conditioning="rays"))


def test_a_split_token_is_the_part_of_the_picture_where_its_numbers_lie():
    config = replace(TINY, split=2)
    torch.manual_seed(0)
    velocity, scene = velocity_network(config).eval(), make_batch(1)
    assert config.side == 2 * TINY.grid and len(velocity.image_ids) == config.side**2
    seen = []
    velocity.transformer.register_forward_pre_hook(
        lambda _, __, inputs: seen.append(inputs["hidden_states"]), with_kwargs=True
    )
    clean = torch.zeros(1, TINY.token_channels, TINY.grid, TINY.grid)
    raw = torch.nn.functional.pixel_shuffle(clean, 2)
    raw[0, :, 3, 1] = 1.0  # the autoencoder's own latents have no patches
    with torch.no_grad():
        velocity(torch.nn.functional.pixel_unshuffle(raw, 2), torch.ones(1), *velocity.context(scene))
    numbers = seen[0][0, :, : config.output_channels]
    assert numbers.abs().sum(-1).nonzero().flatten().tolist() == [3 * config.side + 1]


def test_tokens_that_cannot_be_split_are_refused():
    with pytest.raises(ValueError, match="split: got 3"):
        replace(TINY, split=3)


def test_rays_meet_the_boxes_that_the_drawing_shows():
    scene = make_batch()
    pairs, drawing = pair_rays_with_boxes(scene, 16), draw_boxes(scene, 16, 2)
    assert pairs.shape == (2, 256, scene.presence.shape[1], PAIR_CHANNELS)
    nearest = pairs.gather(2, drawing.slot[..., :1, None].expand(-1, -1, -1, PAIR_CHANNELS))[:, :, 0]
    hit = drawing.hit[..., 0]
    assert hit.any() and bool((nearest[..., 0][hit] == 1).all())
    torch.testing.assert_close(nearest[..., 1:4][hit], drawing.geometry[..., 0, 1:4][hit], atol=1e-4, rtol=1e-4)
    assert not pairs[~scene.presence[:, None].expand(-1, 256, -1)].any()


def test_old_settings_mean_what_they_meant():
    config = DecoderConfig()
    assert (config.conditioning, config.backbone) == ("drawn", "flux2")
    assert (config.split, config.nearest, config.code, config.octaves, config.num_single) == (1, 2, 32, 0, 6)
