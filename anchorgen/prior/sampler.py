"""Anchored generation (Eq. 12): samples the released variables of a scene given the anchored ones (Eq. 3).

Shape legend: B scenes, N slots, K appearance tokens, Kb background tokens, C channels, T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from anchorgen.prior.model import Prediction, ScenePrior
from anchorgen.prior.paths import (
    AnchorBatch,
    VariableTimes,
    at_path,
    expand,
    mask_presence,
    times_at,
    unmask_probability,
)
from anchorgen.prior.variables import CONTINUOUS, MASKED, Variables
from anchorgen.scene.batch import SceneBatch

Guidance = Mapping[str, float | Tensor]


@dataclass
class SampleReport:
    """What the prior thought.

    Attributes:
        presence_probability: `[B, N]`, P(z = 1) at the moment when z was revealed; 0 or 1 where it was not sampled.
        label: `[B, N]` int64, index into the prior's labels for objects whose appearance is new, else -1.
        label_probability: `[B, N]`, of that label; 0 where there is none.
    """

    presence_probability: Tensor
    label: Tensor
    label_probability: Tensor


@dataclass
class SceneNoise:
    """All randomness of B samples: eps of Eq. 10, and uniform numbers for masking, unmasking and the revealed values.

    Attributes:
        layout, appearance, focal, background: shapes as in `Variables`.
        mask: `[B, N]`; unmask, value: `[B, T, N]`.
    """

    layout: Tensor
    appearance: Tensor
    focal: Tensor
    background: Tensor
    mask: Tensor
    unmask: Tensor
    value: Tensor

    @staticmethod
    def draw(model: ScenePrior, num_slots: int, seeds: Sequence[int], steps: int) -> SceneNoise:
        """A CPU generator for each scene: the same numbers in any batch and on any device."""
        whitening, rows = model.whitening, []
        for seed in seeds:
            generator = torch.Generator().manual_seed(int(seed))
            shapes = {
                "layout": (num_slots, whitening.num_layout_channels),
                "appearance": (num_slots, *whitening.absent_appearance.shape),
                "focal": (2,),
                "background": tuple(whitening.background_mean.shape),
            }
            row = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
            row["mask"] = torch.rand(num_slots, generator=generator)
            row["unmask"], row["value"] = torch.rand(steps, 2, num_slots, generator=generator).unbind(1)
            rows.append(row)
        return SceneNoise(**{f.name: torch.stack([row[f.name] for row in rows]) for f in fields(SceneNoise)})

    def to(self, device: torch.device | str) -> SceneNoise:
        return SceneNoise(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def sample(
    model: ScenePrior,
    scene: SceneBatch,
    anchors: AnchorBatch,
    seeds: Sequence[int],
    steps: int = 24,
    method: str = "euler",
    guidance: Guidance | None = None,
    scenes_at_once: int | None = None,
    callback: Callable[[int, int], None] | None = None,
) -> tuple[SceneBatch, SampleReport]:
    """Resamples what is released; every variable with alpha = 1 comes back bit-identical.

    Args:
        model: a trained prior.
        scene: B scenes; its tensors' device is that of the result.
        anchors: alpha per variable.
        seeds: one whole number per scene; the same seed gives the same sample.
        steps: integration steps of rho from 0 to 1.
        method: "euler", or "heun" (twice the work, second order).
        guidance: a weight per anchored variable, by name (layout, appearance, presence, focal, background): a number
            or a tensor `[B, N]` or `[B]`; 1 is none, more makes the sample follow that anchor more (see `_predict`).
        scenes_at_once: scenes in one run of the network. None: 1 on a CPU, where a scene's result is then exactly the
            same in any batch; all on an accelerator, where it is so up to the rounding of batched products.
        callback: called as `callback(step, num_steps)` after each step; it may raise to cancel.

    Raises:
        ValueError: sizes or numbers that do not fit; the message says which.
    """
    _check(model, scene, anchors, seeds, steps, method)
    home, device = scene.presence.device, next(model.parameters()).device
    weights = _guidance_weights(guidance or {}, anchors)
    chunk = scenes_at_once or (1 if device.type == "cpu" else len(scene))
    starts = range(0, len(scene), chunk)
    parts = []
    for number, start in enumerate(starts):
        some = slice(start, start + chunk)
        noise = SceneNoise.draw(model, scene.presence.shape[1], seeds[some], steps).to(device)

        def report(step: int, total: int, before: int = number * steps) -> None:
            if callback is not None:
                callback(before + step, len(starts) * total)

        inputs = (scene[some].to(device), anchors[some].to(device), noise)
        parts.append(sample_from_noise(model, *inputs, method, weights[some].to(device), report))
    scenes, reports = zip(*parts, strict=True)
    return _join(SceneBatch, scenes, home), _join(SampleReport, reports, home)


@torch.no_grad()
def sample_from_noise(
    model: ScenePrior,
    scene: SceneBatch,
    anchors: AnchorBatch,
    noise: SceneNoise,
    method: str,
    guidance: VariableTimes,
    callback: Callable[[int, int], None] = lambda step, total: None,
) -> tuple[SceneBatch, SampleReport]:
    """The sampler itself: integrates rho of Eq. 12 from 0 to 1. Arguments as in `sample`, on one device."""
    steps = noise.unmask.shape[1]
    state = _start(model, scene, anchors, noise)
    probability = torch.where(state.presence == MASKED, 0.0, state.presence.float())
    for step in range(steps):
        rho, rho_next = step / steps, (step + 1) / steps
        now = _predict(model, state, anchors, noise, guidance, rho)
        moved = _move(state, now, anchors, rho_next - rho)
        if method == "heun" and step + 1 < steps:
            ahead = _predict(model, moved, anchors, noise, guidance, rho_next)
            moved = _move(state, _average(now, ahead), anchors, rho_next - rho)
        present = now.presence_logits.softmax(-1)[..., 1]
        reveal = (state.presence == MASKED) & (noise.unmask[:, step] < unmask_probability(rho, rho_next))
        value = (noise.value[:, step] < present).long()
        probability = torch.where(reveal, present, probability)
        state = moved.replace(presence=torch.where(reveal, value, state.presence))
        callback(step + 1, steps)
    return _finish(model, state, scene, anchors, probability)


def _start(model: ScenePrior, scene: SceneBatch, anchors: AnchorBatch, noise: SceneNoise) -> Variables:
    """rho = 0: u = alpha u_0 + (1 - alpha) eps (Eq. 10); z is masked with probability 1 - alpha (Eq. 11).

    Anchored values stay as stored; a released variable of an absent slot starts from the absent code.
    """
    stored = model.whitening.encode(scene)
    clean = model.whitening.with_absent_code(stored, scene.presence)
    started = {}
    for name in CONTINUOUS:
        alpha = getattr(anchors, name)
        mixed = at_path(getattr(clean, name), getattr(noise, name), alpha)
        started[name] = torch.where(expand(alpha, mixed) == 1, getattr(stored, name), mixed)
    return stored.replace(**started, presence=mask_presence(stored.presence, anchors.presence, noise.mask))


def _predict(model, state: Variables, anchors, noise, guidance: VariableTimes, rho: float) -> Prediction:
    """Velocity and presence at rho, with anchor guidance.

    v = v(all) + sum over weights w of (w - 1) (v(all) - v(the anchors of weight w at noise)).
    """
    times = times_at(anchors, rho)
    full = model(*_hide_answers(state, times, anchors, noise))
    total = {name: getattr(full, name) for name in vars(full)}
    for weight in _distinct_weights(guidance, anchors):
        dropped = {name: (vars(anchors)[name] == 1) & (vars(guidance)[name] == weight) for name in vars(anchors)}
        bare = model(*_hide_answers(*_at_noise(state, times, dropped, noise), anchors, noise))
        total = {n: v + (weight - 1) * (getattr(full, n) - getattr(bare, n)) for n, v in total.items()}
    return Prediction(**total)


def _move(state: Variables, prediction: Prediction, anchors: AnchorBatch, step: float) -> Variables:
    """u += (d tau / d rho) v d rho, with d tau / d rho = 1 - alpha (Eq. 12): nothing where alpha = 1."""
    moved = {}
    for name in CONTINUOUS:
        value, alpha = getattr(state, name), expand(getattr(anchors, name), getattr(state, name))
        moved[name] = torch.where(alpha == 1, value, value + (1 - alpha) * step * getattr(prediction, name))
    return state.replace(**moved)


def _hide_answers(state: Variables, times: VariableTimes, anchors, noise) -> tuple[Variables, VariableTimes]:
    """Where z is masked, an anchored p or f would say whether the slot is occupied: shown as noise, at tau = 0."""
    masked = state.presence == MASKED
    return _at_noise(state, times, {n: masked & (vars(anchors)[n] == 1) for n in ("layout", "appearance")}, noise)


def _at_noise(state, times, where: Mapping[str, Tensor], noise: SceneNoise) -> tuple[Variables, VariableTimes]:
    """The same variables with tau = 0 `where` is True."""
    values, tau = {}, {}
    for name, there in where.items():
        value = getattr(state, name)
        replacement = MASKED if name == "presence" else getattr(noise, name)
        values[name] = torch.where(expand(there, value), replacement, value)
        tau[name] = torch.where(there, 0.0, getattr(times, name))
    return state.replace(**values), times.replace(**tau)


def _average(first: Prediction, second: Prediction) -> Prediction:
    return Prediction(**{name: (vars(first)[name] + vars(second)[name]) / 2 for name in vars(first)})


def _finish(model, state, scene, anchors, probability) -> tuple[SceneBatch, SampleReport]:
    """Back to metres. Anchored variables, and p and f of slots that end empty, are the input's own bits."""
    sampled = model.whitening.decode(state, scene)
    empty = ~sampled.presence
    keep = {
        "translation": (anchors.layout == 1) | empty,
        "quat_wxyz": (anchors.layout == 1) | empty,
        "scale": (anchors.layout == 1) | empty,
        "appearance": (anchors.appearance == 1) | empty,
        "presence": anchors.presence == 1,
        "focal": anchors.focal == 1,
        "background": anchors.background == 1,
    }
    values = {}
    for name, kept in keep.items():
        original, new = getattr(scene, name), getattr(sampled, name)
        values[name] = torch.where(expand(kept, original), original, new.to(original.dtype))
        if not bool(torch.isfinite(new[~kept]).all()):
            raise FloatingPointError(f"the sampled {name} is not finite: broken weights, or too strong a guidance?")
    result = scene.replace(**values)
    return result, _report(model, state, result.presence, scene.presence, anchors, probability)


def _report(model, state: Variables, present, was_present, anchors, probability) -> SampleReport:
    label, certainty = torch.full_like(state.presence, -1), torch.zeros_like(probability)
    if model.config.labels:
        named = model.name_logits(state.layout[..., -3:], state.appearance).softmax(-1)
        best, index = named.max(-1)
        new = present & ((anchors.appearance < 1) | ~was_present)
        label, certainty = torch.where(new, index, label), torch.where(new, best, certainty)
    return SampleReport(probability, label, certainty)


def _guidance_weights(guidance: Guidance, anchors: AnchorBatch) -> VariableTimes:
    unknown = sorted(set(guidance) - set(vars(anchors)))
    if unknown:
        raise ValueError(f"guidance for {unknown}; expected names out of {sorted(vars(anchors))}")
    weights = {}
    for name, alpha in vars(anchors).items():
        weight = torch.as_tensor(guidance.get(name, 1.0), dtype=alpha.dtype, device=alpha.device)
        weights[name] = weight.expand_as(alpha)
    return VariableTimes(**weights)


def _distinct_weights(guidance: VariableTimes, anchors: AnchorBatch) -> list[float]:
    used = [weight[vars(anchors)[name] == 1].flatten() for name, weight in vars(guidance).items()]
    return [weight for weight in torch.cat(used).unique().tolist() if weight != 1]


def _join(kind, parts: Sequence, device):
    return kind(**{f.name: torch.cat([getattr(p, f.name) for p in parts]).to(device) for f in fields(kind)})


def _check(model: ScenePrior, scene: SceneBatch, anchors: AnchorBatch, seeds, steps: int, method: str) -> None:
    config = model.config
    found = (*scene.appearance.shape[2:], scene.background.shape[1])
    expected = (config.num_tokens, config.num_channels, config.num_background_tokens)
    if found != expected:
        raise ValueError(f"the scene has (K, C, Kb) = {found}, the prior {expected}; encode it for this latent space")
    if len(scene) == 0 or len(seeds) != len(scene) or len(anchors) != len(scene):
        counts = f"{len(scene)} scenes, {len(anchors)} anchors, {len(seeds)} seeds"
        raise ValueError(f"{counts}; expected as many of each, and at least one")
    if anchors.layout.shape != scene.presence.shape:
        raise ValueError(f"anchors for {list(anchors.layout.shape)} slots; expected {list(scene.presence.shape)}")
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected a whole number of at least 1")
    if method not in ("euler", "heun"):
        raise ValueError(f"method is {method!r}; expected 'euler' or 'heun'")
    for name, alpha in vars(anchors).items():
        if not bool(((alpha >= 0) & (alpha <= 1)).all()):
            raise ValueError(f"anchors.{name} must lie in [0, 1] (1 keeps, 0 resamples); got {alpha.tolist()}")
