"""Anchored generation: what it must keep, and oracles whose answers are known."""

from __future__ import annotations

import pytest
import torch
from prior_rooms import LABELS, toy_rooms

from anchorgen.prior import AnchorBatch, PriorConfig, ScenePrior, sample
from anchorgen.prior.model import Prediction
from anchorgen.prior.paths import VariableTimes, expand
from anchorgen.prior.sampler import SceneNoise, sample_from_noise
from anchorgen.prior.variables import CONTINUOUS, Variables
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import SceneLatent

SIZES = {"num_tokens": 2, "num_channels": 8, "num_background_tokens": 2, "width": 32, "depth": 2, "num_heads": 2}
FIELDS = ("translation", "quat_wxyz", "scale", "appearance", "presence", "focal", "background")


@pytest.fixture(scope="module")
def scene():
    return toy_rooms(6).batch(slice(None))[0]


@pytest.fixture(scope="module")
def model(scene):
    torch.manual_seed(0)
    model = ScenePrior(PriorConfig(**SIZES, modulation_rank=4, label_width=16, labels=LABELS)).eval()
    model.whitening.fit([scene])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def _free(scene, **kept: float) -> AnchorBatch:
    anchors = AnchorBatch.full(*scene.presence.shape, 0.0)
    return anchors.replace(**{name: torch.full_like(getattr(anchors, name), value) for name, value in kept.items()})


def _same(a, b, names=FIELDS) -> bool:
    pairs = [(torch.nan_to_num(getattr(a, name).float()), torch.nan_to_num(getattr(b, name).float())) for name in names]
    return all(torch.equal(one, other) for one, other in pairs)


class _Gaussian(ScenePrior):
    """Knows that every channel is N(mean, std^2), and that a slot is occupied with probability `share`."""

    mean, std, share = 0.7, 0.4, 0.3

    def forward(self, variables: Variables, times: VariableTimes) -> Prediction:
        velocity = {}
        for name in CONTINUOUS:
            u = getattr(variables, name)
            tau = expand(getattr(times, name), u)
            gain = (tau * self.std**2 - (1 - tau)) / (tau**2 * self.std**2 + (1 - tau) ** 2)
            velocity[name] = self.mean + gain * (u - tau * self.mean)  # E[u_0 - eps | u_tau]
        logit = torch.logit(torch.tensor(self.share))
        logits = torch.stack([torch.zeros_like(u[:, :1, 0]), logit.expand_as(u[:, :1, 0])], -1)
        return Prediction(**velocity, presence_logits=logits.expand(-1, variables.presence.shape[1], -1))


@pytest.mark.parametrize(("method", "steps"), [("euler", 100), ("heun", 24)])
def test_a_known_gaussian_comes_out(method, steps):
    one = toy_rooms(1).batch(slice(None))[0]
    many = one[torch.zeros(400, dtype=torch.long)]
    oracle = _Gaussian(PriorConfig(**SIZES))
    result, report = sample(oracle, many, _free(many), range(400), steps, method, scenes_at_once=400)
    tokens = result.appearance[result.presence]
    assert tokens.mean().item() == pytest.approx(0.7, abs=0.02)
    assert tokens.std().item() == pytest.approx(0.4, abs=0.02)
    assert result.presence.float().mean().item() == pytest.approx(0.3, abs=0.03)
    torch.testing.assert_close(report.presence_probability, torch.full((400, 5), 0.3))


def test_strength_moves_a_gaussian_part_of_the_way():
    one = toy_rooms(1).batch(slice(None))[0]
    many = one[torch.zeros(200, dtype=torch.long)]
    oracle = _Gaussian(PriorConfig(**SIZES))
    change = []
    for alpha in (0.9, 0.6, 0.3, 0.0):
        anchors = _free(many, presence=1.0, background=alpha)
        result, _ = sample(oracle, many, anchors, range(200), 50, scenes_at_once=200)
        change.append((result.background - many.background).abs().mean().item())
    assert change == sorted(change)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_anchored_variables_come_back_bit_identical(model, scene, method):
    everything = AnchorBatch.full(*scene.presence.shape, 1.0)
    assert _same(sample(model, scene, everything, range(6), 4, method)[0], scene)

    anchors = AnchorBatch.full(*scene.presence.shape, 1.0)
    anchors.layout[:, 1], anchors.appearance[:, 2], anchors.focal[:] = 0.0, 0.4, 0.0
    result, _ = sample(model, scene, anchors, range(6), 4, method)
    assert _same(result, scene, ("presence", "background"))
    for slot in (0, 2, 3, 4):
        for name in ("translation", "quat_wxyz", "scale"):
            a, b = getattr(result, name)[:, slot], getattr(scene, name)[:, slot]
            assert torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
    there = scene.presence[:, 1]
    assert (result.translation[there, 1] != scene.translation[there, 1]).any()
    assert (result.focal != scene.focal).any()
    assert torch.equal(torch.nan_to_num(result.appearance[:, 0]), torch.nan_to_num(scene.appearance[:, 0]))


def test_samples_are_valid_scenes(model, scene):
    result, report = sample(model, scene, _free(scene), range(6), 6)
    there = result.presence
    assert there.any() and (result.translation[there][:, 2] >= 0.05).all() and (result.scale[there] >= 0.01).all()
    torch.testing.assert_close(result.quat_wxyz[there].norm(dim=-1), torch.ones(int(there.sum())))
    assert ((report.label >= 0) == there).all()
    assert ((report.presence_probability >= 0) & (report.presence_probability <= 1)).all()


def test_empty_slots_keep_what_they_store_and_say_nothing(model, scene):
    anchors = _free(scene, presence=1.0)
    stranger = scene.replace(
        translation=torch.where(scene.presence[..., None], scene.translation, 3.21),
        appearance=torch.where(scene.presence[..., None, None], scene.appearance, -7.0),
    )
    a, _ = sample(model, scene, anchors, range(6), 4)
    b, _ = sample(model, stranger, anchors, range(6), 4)
    empty = ~scene.presence
    assert torch.equal(b.translation[empty], stranger.translation[empty])
    assert torch.equal(b.appearance[empty], stranger.appearance[empty])
    for name in ("translation", "quat_wxyz", "scale", "appearance"):
        assert torch.equal(getattr(a, name)[~empty], getattr(b, name)[~empty])
    assert _same(a, b, ("focal", "background"))
    everything = [sample(model, s, _free(scene), range(6), 4)[0] for s in (scene, stranger)]
    assert torch.equal(everything[0].presence, everything[1].presence)


def test_asking_presence_does_not_show_the_layout(model, scene):
    anchors = AnchorBatch.full(*scene.presence.shape, 1.0)
    anchors.presence[:, 0] = 0.0
    occupied = scene.replace(presence=scene.presence.clone().index_fill_(1, torch.tensor([0]), True))
    vacant = scene.replace(presence=scene.presence.clone().index_fill_(1, torch.tensor([0]), False))
    reports = [sample(model, s, anchors, range(6), 4)[1].presence_probability for s in (occupied, vacant)]
    torch.testing.assert_close(reports[0][:, 0], reports[1][:, 0])
    result, _ = sample(model, occupied, anchors, range(6), 4)
    assert torch.equal(torch.nan_to_num(result.translation), torch.nan_to_num(occupied.translation))


def test_same_seed_same_sample_in_any_batch(model, scene):
    whole, report = sample(model, scene, _free(scene), [5, 6, 7, 8, 9, 10], 6)
    for i in (0, 3, 5):
        alone, alone_report = sample(model, scene[i : i + 1], _free(scene)[i : i + 1], [5 + i], 6)
        assert _same(alone, whole[i : i + 1])
        assert torch.equal(alone_report.presence_probability, report.presence_probability[i : i + 1])
    other, _ = sample(model, scene, _free(scene), range(6), 6)
    assert not _same(other, whole)
    batched, _ = sample(model, scene, _free(scene), [5, 6, 7, 8, 9, 10], 6, scenes_at_once=6)
    assert torch.equal(batched.presence, whole.presence)
    for name in ("translation", "quat_wxyz", "scale", "appearance", "focal", "background"):
        torch.testing.assert_close(getattr(batched, name), getattr(whole, name), atol=1e-4, rtol=1e-4, equal_nan=True)


def test_permuting_slots_and_noise_permutes_the_sample(model, scene):
    order = torch.tensor([3, 0, 4, 1, 2])
    noise = SceneNoise.draw(model, 5, range(6), 4)
    slots = ("layout", "appearance", "mask")
    turned = {name: getattr(noise, name)[:, order] for name in slots}
    turned |= {name: getattr(noise, name)[:, :, order] for name in ("unmask", "value")}
    noise_turned = SceneNoise(**{**vars(noise), **turned})
    names = ("translation", "quat_wxyz", "scale", "appearance", "presence")
    scene_turned = scene.replace(**{name: getattr(scene, name)[:, order] for name in names})
    none = VariableTimes.full(6, 5, 1.0)
    anchors = _free(scene)
    a, _ = sample_from_noise(model, scene, anchors, noise, "euler", none)
    b, _ = sample_from_noise(model, scene_turned, anchors, noise_turned, "euler", none)
    assert torch.equal(a.presence[:, order], b.presence)
    for name in ("translation", "scale", "appearance"):
        torch.testing.assert_close(getattr(a, name)[:, order], getattr(b, name), atol=1e-4, rtol=1e-4, equal_nan=True)
    torch.testing.assert_close(a.background, b.background, atol=1e-4, rtol=1e-4)


def test_guidance_of_one_is_none_and_more_is_more(model, scene):
    anchors = _free(scene, focal=1.0, background=1.0)
    plain, _ = sample(model, scene, anchors, range(6), 4)
    one, _ = sample(model, scene, anchors, range(6), 4, guidance={"background": 1.0})
    more, _ = sample(model, scene, anchors, range(6), 4, guidance={"background": 3.0, "focal": torch.full((6,), 1.5)})
    assert _same(plain, one) and not _same(plain, more)
    assert _same(more, scene, ("focal", "background"))
    with pytest.raises(ValueError, match="colour"):
        sample(model, scene, anchors, range(6), guidance={"colour": 2.0})


def test_a_blank_scene_becomes_a_room(model):
    blank = SceneLatent.blank(5, 2, 8, 2)
    anchors = AnchorBatch.stack([blank, blank])
    assert all((alpha == 0).all() for alpha in vars(anchors).values())
    result, _ = sample(model, SceneBatch.stack([blank, blank]), anchors, [0, 1], 4)
    assert torch.isfinite(result.appearance).all() and result.presence.dtype == torch.bool


def test_callback_counts_and_cancels(model, scene):
    seen = []
    sample(model, scene[:2], _free(scene)[:2], [0, 1], 3, callback=lambda step, total: seen.append((step, total)))
    assert seen == [(i + 1, 6) for i in range(6)]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"steps": 0}, "steps"), ({"method": "rk45"}, "method"), ({"seeds": [1]}, "seeds")],
)
def test_bad_arguments_are_explained(model, scene, change, message):
    with pytest.raises(ValueError, match=message):
        sample(model, scene, _free(scene), **{"seeds": range(6), **change})
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        sample(model, scene, _free(scene, focal=1.5), range(6))
    with pytest.raises(ValueError, match="latent space"):
        sample(model, scene.replace(background=scene.background[:, :1]), _free(scene), range(6))
