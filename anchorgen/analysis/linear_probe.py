"""A linear probe: can a straight cut through features tell one kind of room from another?

Logistic regression with a ridge. Shape legend: R rooms, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

MIN_ROOMS = 8  # of each kind: half of them to learn from, in parts of which none is without
_RIDGES = (1.0, 10.0, 100.0, 1000.0)
_PARTS = 4  # of the rooms to learn from, by which the ridge is chosen


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """Attributes:
    weight: `[F]`; bias: a number. Both are of the features as they are given.
    """

    weight: np.ndarray
    bias: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """`[R]` log odds that rooms of `[R, F]` are of the kind."""
        return features @ self.weight + self.bias


def probe(features: np.ndarray, label: np.ndarray, seed: int = 0) -> LinearProbe:
    """Learns a probe, with the ridge that tells best in cross-validation.

    Each set of features needs its own: three colours want little, some hundred channels much.

    Args:
        features: `[R, F]`.
        label: `[R]` bool, of the kind or not.
        seed: of the parts.
    """
    part = dealt(label, _PARTS, np.random.default_rng(seed))
    losses = [np.sum([_loss(features, label, part == k, ridge) for k in range(_PARTS)]) for ridge in _RIDGES]
    return fit_probe(features, label, _RIDGES[int(np.argmin(losses))])


def fit_probe(features: np.ndarray, label: np.ndarray, ridge: float) -> LinearProbe:
    """Least sum of log losses + ridge / 2 times the squared weights of the features in standard deviations."""
    mean, spread = features.mean(0), features.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    x, sign = (features - mean) / spread, np.where(label, 1.0, -1.0)

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (x @ w[:-1] + w[-1])
        pull = -sign * expit(-margin)
        value = np.logaddexp(0, -margin).sum() + ridge / 2 * (w[:-1] @ w[:-1])
        return value, np.append(x.T @ pull + ridge * w[:-1], pull.sum())

    found = minimize(objective, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weight = found[:-1] / spread
    return LinearProbe(weight, float(found[-1] - mean @ weight))


def held_out_auc(features: np.ndarray, label: np.ndarray, num_splits: int = 5) -> tuple[float, float]:
    """Area under the ROC curve on rooms that the probe has not seen: 0.5 is chance, 1 tells every pair of rooms apart.

    Args:
        features: `[R, F]`.
        label: `[R]` bool.
        num_splits: random halves, as many of each kind in both: one to learn from, the other to be told.

    Returns:
        Mean over splits, and half the width of a 95% interval. That is of one split: splits share their rooms.

    Raises:
        ValueError: too few rooms of a kind.
    """
    fewest = int(min(label.sum(), np.sum(~label)))
    if fewest < MIN_ROOMS:
        raise ValueError(
            f"got {int(label.sum())} rooms of the kind and {int(np.sum(~label))} others; expected at least {MIN_ROOMS} "
            "of each: give more rooms"
        )
    areas, told = [], np.zeros(len(label), bool)
    for seed in range(num_splits):
        told = dealt(label, 2, np.random.default_rng(seed)) == 1
        learnt = probe(features[~told], label[~told], seed)
        areas.append(auc(learnt.score(features[told]), label[told]))
    area = float(np.mean(areas))
    return area, 1.96 * auc_error(area, int(label[told].sum()), int(np.sum(~label[told])))


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Share of pairs, one of each kind, in which the room of the kind has the higher score; equal scores count half."""
    ranks, count = rankdata(score), int(label.sum())
    return float((ranks[label].sum() - count * (count + 1) / 2) / (count * (len(label) - count)))


def auc_error(area: float, num_of: int, num_other: int) -> float:
    """Standard error of an area over so many rooms of the kind and others (Hanley and McNeil 1982)."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (num_of - 1) * (one - area**2) + (num_other - 1) * (two - area**2)
    return float(np.sqrt(max(spread, 0.0) / (num_of * num_other)))


def dealt(label: np.ndarray, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    """`[R]` int, a part for each room at random, so that every part has its share of both kinds."""
    part = np.zeros(len(label), int)
    for kind in (False, True):
        members = rng.permutation(np.flatnonzero(label == kind))
        part[members] = np.arange(len(members)) % num_parts
    return part


def _loss(features: np.ndarray, label: np.ndarray, left_out: np.ndarray, ridge: float) -> float:
    """Sum of log losses over the rooms that are left out of the fit."""
    fitted = fit_probe(features[~left_out], label[~left_out], ridge)
    sign = np.where(label[left_out], 1.0, -1.0)
    return float(np.logaddexp(0, -sign * fitted.score(features[left_out])).sum())
