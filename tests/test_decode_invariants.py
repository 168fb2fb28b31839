"""What must hold of the decoder whatever its weights are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_decode import TINY, make_batch

from anchorgen.analysis.adapter_cost import bare_backbone
from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.decode.decoder import FlowSceneDecoder
from anchorgen.decode.velocity import SceneVelocity


@pytest.fixture(scope="module")
def decoder() -> FlowSceneDecoder:
    torch.manual_seed(0)
    auto = Autoencoder(AutoencoderConfig(image_size=64, block_channels=(16, 16), latent_channels=4, norm_groups=4))
    return FlowSceneDecoder(auto, SceneVelocity(TINY)).eval()


def inputs(num_scenes: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_scenes, 16, 4, 4, generator=generator), torch.linspace(0.3, 1.0, num_scenes)


@pytest.mark.parametrize("options", [{"guidance": 3.0}, {"method": "heun"}], ids=["guided", "heun"])
def test_absent_objects_change_no_bit(decoder, options):
    scene = make_batch()
    values = {name: getattr(scene, name).clone() for name in ("translation", "quat_wxyz", "scale", "appearance")}
    for value in values.values():
        value[~scene.presence] = 1e6
    drawn = decoder.render(scene, [1, 2], 2, **options)
    assert torch.equal(decoder.render(scene.replace(**values), [1, 2], 2, **options), drawn)
    assert not torch.equal(decoder.render(scene.replace(presence=scene.presence & False), [1, 2], 2, **options), drawn)


def test_an_adapter_that_adds_nothing_is_the_bare_backbone_bit_for_bit(decoder):
    velocity = SceneVelocity(TINY).eval()
    velocity.load_state_dict(decoder.velocity.state_dict())
    x, sigma = inputs()
    with torch.no_grad():
        context, drawn = velocity.context(make_batch())
        bare = bare_backbone(velocity)(
            hidden_states=torch.cat([x.flatten(2).transpose(1, 2), drawn], -1),
            encoder_hidden_states=x.new_zeros(2, 0, TINY.channels),
            timestep=sigma,
            img_ids=velocity.image_ids,
            txt_ids=velocity.image_ids[:0],
            return_dict=False,
        )[0]
        bare = bare.transpose(1, 2).unflatten(-1, x.shape[-2:])
        assert not torch.allclose(velocity(x, sigma, context, drawn), bare)
        for processor in velocity.adapter.processors.values():
            torch.nn.init.zeros_(processor.scene_out.weight)
        assert torch.equal(velocity(x, sigma, context, drawn), bare)


def test_keys_and_values_computed_once_are_those_of_every_step(decoder):
    x, sigma = inputs()
    with torch.no_grad():
        context, drawn = decoder.velocity.context(make_batch())
        each_time = decoder.velocity(x, sigma, context, drawn)
        decoder.velocity.adapter.precompute(context)
        assert set(context.key_values) == set(decoder.velocity.adapter.processors)
        assert torch.equal(decoder.velocity(x, sigma, context, drawn), each_time)


def test_gradient_checkpointing_changes_nothing(decoder):
    def loss_and_gradients(checkpointing: bool):
        velocity = SceneVelocity(TINY).train()
        velocity.load_state_dict(decoder.velocity.state_dict())
        if checkpointing:
            velocity.transformer.enable_gradient_checkpointing()
        torch.manual_seed(3)  # of the noise on the latents
        scene = make_batch()
        appearance = scene.appearance.requires_grad_()
        loss = velocity(*inputs(), *velocity.context(scene)).square().mean()
        loss.backward()
        named = {name: p.grad for name, p in velocity.named_parameters() if p.grad is not None}
        return loss.item(), named | {"appearance": appearance.grad}

    (loss, gradients), (again, others) = loss_and_gradients(False), loss_and_gradients(True)
    assert abs(loss - again) <= 1e-6
    assert gradients.keys() == others.keys() and any("scene_k" in name for name in gradients)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(others[name], gradient, atol=1e-6, err_msg=name)


def test_velocities_do_not_depend_on_the_batch(decoder):
    """To 1e-5 of their size: products of other shapes are summed in another order."""
    scene, (x, sigma) = make_batch(3), inputs(3)
    with torch.no_grad():
        together = decoder.guided(scene, 2.0)(x, sigma)
        for i in range(3):
            alone = decoder.guided(scene[i : i + 1], 2.0)(x[i : i + 1], sigma[i : i + 1])
            assert (together[i] - alone[0]).abs().max() <= 1e-5 * together.abs().max()


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_one_seed_is_one_picture(decoder, method):
    scene = make_batch()
    first, again = (decoder.render(scene, [4, 5], 2, method=method) for _ in range(2))
    assert torch.equal(first, again)
    swapped = decoder.render(scene[[1, 0]], [5, 4], 2, method=method)[[1, 0]]
    assert (swapped.int() - first.int()).abs().max() <= 1
    assert not torch.equal(decoder.render(scene, [4, 6], 2, method=method)[1], first[1])


def test_heun_is_another_sampler_and_unknown_ones_are_named(decoder):
    scene = make_batch()
    assert torch.equal(decoder.render(scene, [1, 2], 1, method="heun"), decoder.render(scene, [1, 2], 1))
    assert not torch.equal(decoder.render(scene, [1, 2], 3, method="heun"), decoder.render(scene, [1, 2], 3))
    with pytest.raises(ValueError, match="got 'rk4'; expected one of"):
        decoder.render(scene, [1, 2], 1, method="rk4")
