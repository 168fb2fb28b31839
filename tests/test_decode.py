"""The decoder against known answers: geometry along rays, an adapter that starts as nothing, a flow with a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import Flux2Transformer2DModel

from anchorgen.decode.adapter import SceneAdapter, SceneContext
from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.decode.decoder import FlowSceneDecoder
from anchorgen.decode.flow import add_noise, euler, noise_for, shift_sigma, sigma_from_tau, sigmas
from anchorgen.decode.rays import draw_boxes, ray_directions
from anchorgen.decode.velocity import DecoderConfig, SceneVelocity
from anchorgen.scene.batch import SceneBatch

TINY = DecoderConfig(
    num_tokens=2, channels=8, num_background=2, token_channels=16, grid=4, width=32, num_heads=2, num_double=1,
    num_single=1, rays=8, stem_channels=16, rope_axes=(4, 6, 6, 0), sites="all",
)  # fmt: skip


def make_batch(num_scenes: int = 2, num_slots: int = 4, config: DecoderConfig = TINY) -> SceneBatch:
    g = torch.Generator().manual_seed(0)
    quat = torch.nn.functional.normalize(torch.randn(num_scenes, num_slots, 4, generator=g), dim=-1)
    presence = torch.ones(num_scenes, num_slots, dtype=torch.bool)
    presence[:, -1] = False
    return SceneBatch(
        translation=torch.rand(num_scenes, num_slots, 3, generator=g) * 2 - 1 + torch.tensor([0.0, 0.0, 3.0]),
        quat_wxyz=quat,
        scale=torch.rand(num_scenes, num_slots, 3, generator=g) + 0.3,
        appearance=torch.randn(num_scenes, num_slots, config.num_tokens, config.channels, generator=g),
        presence=presence,
        focal=torch.full((num_scenes, 2), 0.8),
        background=torch.randn(num_scenes, config.num_background, config.channels, generator=g),
        up=torch.tensor([[0.0, -1.0, 0.0]]).expand(num_scenes, 3).contiguous(),
        floor=torch.full((num_scenes,), -1.4),
    )


@pytest.fixture(scope="module")
def decoder() -> FlowSceneDecoder:
    torch.manual_seed(0)
    auto = Autoencoder(AutoencoderConfig(image_size=64, block_channels=(16, 16), latent_channels=4, norm_groups=4))
    return FlowSceneDecoder(auto, SceneVelocity(TINY)).eval()


def test_rays_meet_a_box_where_geometry_says():
    scene = make_batch(1, 2)
    scene.presence[:] = torch.tensor([[True, False]])
    scene.translation[0, 0] = torch.tensor([0.0, 0.0, 3.0])
    scene.quat_wxyz[0, 0] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    scene.scale[0, 0] = torch.tensor([1.0, 1.0, 2.0])
    drawing = draw_boxes(scene, 9)
    centre = 9 * 9 // 2
    assert drawing.hit[0, centre, 0] and not drawing.hit[0, centre, 1]
    np.testing.assert_allclose(drawing.point[0, centre], [0, 0, 2.0], atol=1e-5)
    entry, leave = drawing.geometry[0, centre, 0, 1:4], drawing.geometry[0, centre, 0, 4:7]
    np.testing.assert_allclose(entry, [0, 0, -1], atol=1e-5)
    np.testing.assert_allclose(leave, [0, 0, 1], atol=1e-5)
    # The box spans |x| <= 0.5 at z = 2: u = 0.5 +- 0.8 * 0.25, so exactly the rays whose centres lie between.
    u = (torch.arange(9) + 0.5) / 9
    expected = (u - 0.5).abs() < 0.8 * 0.25
    assert torch.equal(drawing.hit[0, :, 0].view(9, 9)[4], expected)


def test_floor_point_lies_on_the_floor():
    scene = make_batch(1, 2)
    scene.presence[:] = False
    drawing = draw_boxes(scene, 8)
    on_floor = drawing.rays[0, :, 6] > 0
    assert on_floor.any()
    height = (drawing.point[0] @ scene.up[0])[on_floor]
    np.testing.assert_allclose(height, np.full(height.shape, -1.4), atol=1e-4)
    directions = ray_directions(scene.focal, 8)
    np.testing.assert_allclose(directions.norm(dim=-1), np.ones((1, 64)), rtol=1e-6)


def test_absent_slots_are_inert(decoder):
    scene = make_batch()
    gone = ~scene.presence
    for name in ("translation", "quat_wxyz", "scale", "appearance"):
        value = getattr(scene, name).clone()
        value[gone] = float("nan")
        changed = scene.replace(**{name: value})
        assert torch.equal(decoder.render(changed, [1, 2], 2), decoder.render(scene, [1, 2], 2)), name


def test_one_scene_draws_the_same_in_any_batch(decoder):
    scene = make_batch(3)
    together = decoder.render(scene, [5, 6, 7], steps=3)
    for i in range(3):
        alone = decoder.render(scene[i : i + 1], [5 + i], steps=3)
        assert (together[i].int() - alone[0].int()).abs().max() <= 1


def test_guidance_of_one_is_the_model_itself(decoder):
    scene = make_batch()
    plain = decoder.render(scene, [1, 2], steps=2, guidance=1.0)
    nearly = decoder.render(scene, [1, 2], steps=2, guidance=1.0 + 1e-6)
    assert (plain.int() - nearly.int()).abs().max() <= 1
    assert (plain.int() - decoder.render(scene, [1, 2], steps=2, guidance=4.0).int()).abs().max() > 0


def test_callback_counts_and_cancels(decoder):
    seen = []
    decoder.render(make_batch(1), [0], steps=3, callback=lambda step, total: seen.append((step, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    class Stop(Exception):
        pass

    def stop(step, total):
        raise Stop

    with pytest.raises(Stop):
        decoder.render(make_batch(1), [0], steps=3, callback=stop)


def test_wrong_number_of_seeds_is_refused(decoder):
    with pytest.raises(ValueError, match="2 scenes"):
        decoder.render(make_batch(2), [0], steps=1)


def tiny_flux(sites: str, zero_init: bool) -> tuple[Flux2Transformer2DModel, SceneAdapter]:
    torch.manual_seed(0)
    model = Flux2Transformer2DModel(
        in_channels=16, num_layers=2, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=24, mlp_ratio=2.0, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    return model, SceneAdapter(model, context_width=20, sites=sites, zero_init=zero_init)


@pytest.mark.parametrize("sites,count", [("double", 2), ("all", 4)])
def test_zero_initialised_adapter_is_the_bare_backbone_bit_for_bit(sites, count):
    model, adapter = tiny_flux(sites, zero_init=True)
    assert len(adapter.processors) == count
    assert all(".processor.scene_" in key for key in adapter.state_dict())
    inputs = {
        "hidden_states": torch.randn(2, 9, 16),
        "encoder_hidden_states": torch.randn(2, 3, 24),
        "timestep": torch.tensor([0.3, 0.9]),
        "img_ids": torch.zeros(9, 4),
        "txt_ids": torch.zeros(3, 4),
        "return_dict": False,
    }
    scene = SceneContext(torch.randn(2, 5, 20), torch.ones(2, 5, dtype=torch.bool), num_text_tokens=3)
    bare = model(**inputs)[0]
    adapted = model(**inputs, joint_attention_kwargs={"scene": scene})[0]
    assert torch.equal(bare, adapted)
    for processor in adapter.processors.values():
        torch.nn.init.normal_(processor.scene_out.weight)
    moved = model(**inputs, joint_attention_kwargs={"scene": scene})[0]
    assert not torch.allclose(bare, moved)
    adapter.precompute(scene)
    assert torch.equal(model(**inputs, joint_attention_kwargs={"scene": scene})[0], moved)


def test_euler_reaches_a_gaussian_from_its_closed_form_velocity():
    # x0 ~ N(mean, std^2): E[noise - x0 | x] is linear in x, so the flow maps noise to mean + std * noise.
    mean, std = 1.5, 0.3

    def velocity(x, sigma):
        s = sigma.view(-1, 1)
        variance = (1 - s) ** 2 * std**2 + s**2
        centred = x - (1 - s) * mean
        return s / variance * centred - (mean + (1 - s) * std**2 / variance * centred)

    noise = noise_for(range(2000), (1,))
    out = euler(velocity, noise, 200)
    np.testing.assert_allclose(out.numpy(), (mean + std * noise).numpy(), atol=0.02)


def test_times():
    assert sigma_from_tau(torch.tensor(0.25)) == 0.75
    grid = sigmas(4, shift=3.0)
    assert grid[0] == 1 and grid[-1] == 0 and torch.all(grid[1:] < grid[:-1])
    assert shift_sigma(torch.tensor(0.5), 1.0) == 0.5
    clean, noise = torch.ones(1, 2), torch.zeros(1, 2)
    assert torch.equal(add_noise(clean, noise, torch.tensor([0.25])), torch.full((1, 2), 0.75))
    with pytest.raises(ValueError, match="steps"):
        sigmas(0)


def test_autoencoder_statistics_whiten_and_invert():
    torch.manual_seed(0)
    auto = Autoencoder(
        AutoencoderConfig(image_size=64, block_channels=(16, 16), latent_channels=4, norm_groups=4)
    ).eval()
    images = torch.rand(8, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        auto.measure_statistics([images])
        tokens = auto.encode(images)
        assert tokens.shape == (8, 16, 4, 4)
        np.testing.assert_allclose(tokens.mean((0, 2, 3)), np.zeros(16), atol=1e-4)
        np.testing.assert_allclose(tokens.std((0, 2, 3)), np.ones(16), atol=0.1)
        np.testing.assert_allclose(auto.decode(tokens), auto.decode_raw(auto.posterior(images).mode()), atol=1e-4)
