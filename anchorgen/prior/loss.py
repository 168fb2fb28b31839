"""Training loss of the prior: velocity matching (Eq. 10) and unmasking (Eq. 11), a time for every variable (Sec. 2.3).

Independent times alone almost never show what inference asks (all clean but one object), so three schemes are mixed:
iid (diffusion forcing, as the paper), one shared time (unconditional generation), and anchored (Eq. 12, alpha 0 or 1).

Slots are not permuted in training: the network is equivariant, so a permutation changes nothing.

Shape legend: B scenes, N slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anchorgen.prior.model import Prediction, ScenePrior
from anchorgen.prior.paths import VariableTimes, at_path, mask_presence, path_velocity
from anchorgen.prior.variables import CONTINUOUS, MASKED, Variables
from anchorgen.scene.batch import SceneBatch

# What is asked of the released slots in the anchored scheme: (weight, p, f, z, z alone with p and f hidden).
_QUESTIONS = (
    (2.0, 1, 0, 0, 0),
    (2.0, 0, 1, 0, 0),
    (2.0, 1, 1, 0, 0),
    (4.0, 1, 1, 1, 0),
    (1.0, 0, 0, 0, 1),
    (1.0, 0, 0, 0, 0),
)
_GLOBAL_RELEASE = 0.25
_MAX_ELBO_WEIGHT = 20.0


@dataclass(frozen=True)
class LossConfig:
    """Mixture of time schemes and weights of the terms.

    Attributes:
        iid, shared, anchored: shares of the schemes; they need not sum to 1.
        absent_weight: of p and f where z_0 = 0 and z is masked. Less than 1 biases the flow there towards present
            objects, and with it their number. Where z = 0 is revealed the weight is 0: those outputs are never used.
        presence_weighting: "none", or "elbo": 1 / (1 - tau).
        layout, appearance, presence, focal, background, name: weights of the terms.
    """

    iid: float = 0.35
    shared: float = 0.25
    anchored: float = 0.4
    absent_weight: float = 1.0
    presence_weighting: str = "none"
    layout: float = 1.0
    appearance: float = 1.0
    presence: float = 0.5
    focal: float = 0.1
    background: float = 0.25
    name: float = 0.1


class PriorLoss(nn.Module):
    """The loss as a module, so that one `forward` holds all trained parameters.

    Args:
        model: the prior; its whitening must be fitted.
        config: weights.

    Raises:
        ValueError: an unknown `presence_weighting`.
    """

    def __init__(self, model: ScenePrior, config: LossConfig = LossConfig()):
        super().__init__()
        if config.presence_weighting not in ("none", "elbo"):
            raise ValueError(f"presence_weighting is {config.presence_weighting!r}; expected 'none' or 'elbo'")
        self.model, self.config = model, config
        if not model.config.labels:  # several processes wait for the gradient of whatever is trained
            model.name_head.requires_grad_(False)

    def forward(self, scene: SceneBatch, label: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Loss of true scenes.

        Args:
            scene: B scenes.
            label: `[B, N]` int64, index into the config's labels, -1 where there is none.
            generator: on the device of `scene`.

        Returns:
            The loss, and every term as a number.
        """
        whitening = self.model.whitening
        clean = whitening.with_absent_code(whitening.encode(scene), scene.presence)
        noisy, noise, times = self._noisy(clean, scene.presence, generator)
        terms = self._terms(self.model(noisy, times), clean, noisy, noise, times, scene.presence)
        terms["name"], accuracy = self._name(clean, label, generator)
        loss = torch.stack([getattr(self.config, name) * term for name, term in terms.items()]).sum()
        values = torch.stack([*terms.values(), accuracy]).detach().tolist()
        return loss, dict(zip([*terms, "name_accuracy"], values, strict=True))

    def _noisy(self, clean: Variables, present: Tensor, generator: torch.Generator):
        """u_tau, eps and tau (Eq. 10, 11). Presence is asked with p and f at tau = 0, else they would answer."""
        times, hidden = draw_times(self.config, present, generator)
        uniform = torch.rand(present.shape, generator=generator, device=present.device)
        presence = mask_presence(clean.presence, times.presence, uniform)
        shown = torch.where(presence == MASKED, 0.0, 1.0)
        times = times.replace(
            layout=torch.where(hidden, shown, times.layout), appearance=torch.where(hidden, shown, times.appearance)
        )
        noise = {
            name: torch.randn(getattr(clean, name).shape, generator=generator, device=present.device)
            for name in CONTINUOUS
        }
        paths = {name: at_path(getattr(clean, name), noise[name], getattr(times, name)) for name in CONTINUOUS}
        return clean.replace(**paths, presence=presence), noise, times

    def _terms(self, prediction: Prediction, clean, noisy, noise, times, present) -> dict[str, Tensor]:
        masked = noisy.presence == MASKED
        slots = torch.where(present, 1.0, self.config.absent_weight * masked.float())
        terms = {}
        for name in CONTINUOUS:
            target = path_velocity(getattr(clean, name), noise[name])
            tau = getattr(times, name)
            error = (getattr(prediction, name) - target).square().flatten(tau.ndim).mean(-1)
            weight = (tau < 1).float() * (slots if name in ("layout", "appearance") else 1.0)
            terms[name] = _weighted_mean(error, weight)
        surprise = F.cross_entropy(prediction.presence_logits.transpose(1, 2), clean.presence, reduction="none")
        weight = masked.float()
        if self.config.presence_weighting == "elbo":
            weight = weight / (1 - times.presence).clamp_min(1 / _MAX_ELBO_WEIGHT)
            terms["presence"] = (surprise * weight).mean()
        else:
            terms["presence"] = _weighted_mean(surprise, weight)
        return terms

    def _name(self, clean: Variables, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Names from nearly clean (f, s), as samples are nearly clean. The last three layout channels are log s."""
        named = (label >= 0) & (clean.presence == 1)
        if not self.model.config.labels:
            return label.new_zeros((), dtype=torch.float32), label.new_zeros((), dtype=torch.float32)
        tau = 0.85 + 0.15 * torch.rand(label.shape, generator=generator, device=label.device)
        pieces = [
            at_path(value, torch.randn(value.shape, generator=generator, device=label.device), tau)
            for value in (clean.layout[..., -3:], clean.appearance)
        ]
        logits = self.model.name_logits(*pieces)
        surprise = F.cross_entropy(logits.transpose(1, 2), label.clamp_min(0), reduction="none")
        hit = (logits.argmax(-1) == label).float()
        return _weighted_mean(surprise, named.float()), _weighted_mean(hit, named.float())


def draw_times(config: LossConfig, present: Tensor, generator: torch.Generator) -> tuple[VariableTimes, Tensor]:
    """tau_j for every variable, by a scheme drawn per scene.

    Returns:
        The times, and `[B, N]` bool: presence is asked here, so p and f are hidden while z is masked.
    """
    num_scenes, num_slots = present.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=present.device)

    shares = torch.tensor([config.iid, config.shared, config.anchored], dtype=torch.float32, device=present.device)
    scheme = torch.multinomial(shares, num_scenes, replacement=True, generator=generator)[:, None]
    iid = uniform(num_scenes, 3 * num_slots + 2)
    shared = uniform(num_scenes, 1).expand_as(iid)
    anchored, hidden = _anchored_times(present, uniform)
    tau = torch.where(scheme == 0, iid, torch.where(scheme == 1, shared, anchored))
    layout, appearance, presence = tau[:, :-2].unflatten(1, (3, num_slots)).unbind(1)
    return VariableTimes(layout, appearance, presence, tau[:, -2], tau[:, -1]), hidden & (scheme == 2)


def _anchored_times(present: Tensor, uniform) -> tuple[Tensor, Tensor]:
    """Eq. 12 with alpha 0 on what is released and 1 on the rest: `[B, 3 N + 2]`; and where z alone is asked."""
    num_scenes, num_slots = present.shape
    one = F.one_hot((uniform(num_scenes, num_slots) + 0.5 * present).argmax(1), num_slots).bool()
    some = uniform(num_scenes, num_slots) < uniform(num_scenes, 1)
    kind = uniform(num_scenes, 1)
    slots = torch.where(kind < 0.5, one, (kind > 0.8) | some)
    table = torch.tensor(_QUESTIONS, device=present.device)
    edges = (table[:, 0] / table[:, 0].sum()).cumsum(0)[:-1]
    question = table[torch.bucketize(uniform(num_scenes), edges), 1:].bool()
    ask_p, ask_f, ask_z, ask_alone = (slots & column[:, None] for column in question.unbind(1))
    released = torch.cat([ask_p, ask_f, ask_z | ask_alone, uniform(num_scenes, 2) < _GLOBAL_RELEASE], 1)
    return torch.where(released, uniform(num_scenes, 1), 1.0), ask_alone


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1.0)
