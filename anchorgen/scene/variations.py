"""What many samples of one scene have in common, where they differ, and which to look at first.

Shape legend: n samples, N slots, K appearance tokens, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anchorgen.scene.compare import SceneDiff
from anchorgen.scene.latent import SceneLatent


@dataclass(frozen=True, eq=False, repr=False)
class Variations:
    """Samples of `base`, as `pipe.sample(base, n=8)` returns them.

    Slots are compared with the same slots of other samples: a slot that was anchored holds the same object in all of
    them; a slot that was resampled may hold a lamp in one and a chair in another, and then spreads wide.

    Attributes:
        base: the scene they were sampled from.
        scenes: n of them.
        walls: `[W, 4]` planes to check them against, as `scene.check` takes them, or None.

    Raises:
        ValueError: no sample, or one that does not have the slots and tokens of `base`.
    """

    base: SceneLatent
    scenes: Sequence[SceneLatent]
    walls: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenes", tuple(self.scenes))
        if not self.scenes:
            raise ValueError("got no samples; expected at least one scene, such as pipe.sample(base, n=8)")
        for k, scene in enumerate(self.scenes):
            if scene.appearance.shape != self.base.appearance.shape:
                got, want = list(scene.appearance.shape), list(self.base.appearance.shape)
                raise ValueError(
                    f"sample {k} has slots and tokens {got}; expected {want}, those of the scene it was sampled from"
                )

    def __len__(self) -> int:
        return len(self.scenes)

    def __iter__(self) -> Iterator[SceneLatent]:
        return iter(self.scenes)

    def __getitem__(self, k: int) -> SceneLatent:
        return self.scenes[k]

    def __repr__(self) -> str:
        sometimes = int(np.sum((self.presence_share > 0) & (self.presence_share < 1)))
        return (
            f"Variations: {len(self)} samples of {self.base.num_slots} slots, {sometimes} occupied in only some of them; "
            f"{self.problems.min()} to {self.problems.max()} problems each; best first: "
            f"{', '.join(map(str, self.order[:8]))}{', ...' * (len(self) > 8)}"
        )

    @cached_property
    def presence_share(self) -> np.ndarray:
        """`[N]` in [0, 1]: share of the samples in which the slot holds an object."""
        return self._presence.mean(0)

    @cached_property
    def position_spread_m(self) -> np.ndarray:
        """`[N]` metres: rms distance of the centres from their mean, of samples that have the object; nan if none."""
        return np.sqrt(self._mean_over_present(self._squared_offsets))

    @cached_property
    def appearance_spread(self) -> np.ndarray:
        """`[N]`: rms over tokens and channels of the distance of f from its mean, likewise."""
        return np.sqrt(self._mean_over_present(self._squared_looks))

    @cached_property
    def problems(self) -> np.ndarray:
        """`[n]` int: findings of `scene.check` in each sample."""
        return np.array([len(scene.check(self.walls)) for scene in self.scenes])

    @cached_property
    def distance_to_mean(self) -> np.ndarray:
        """`[n]`: how unusual each sample is among the others; 1 is usual.

        The rms of all that varies, each in its own standard deviations: presence of every slot, centre and appearance of
        those that hold an object (a Mahalanobis distance with a diagonal covariance). 0 where nothing varies.
        """
        share = self.presence_share
        terms = [
            _in_deviations((self._presence - share) ** 2, share * (1 - share)),
            _in_deviations(np.where(self._presence, self._squared_offsets, np.nan), self.position_spread_m**2),
            _in_deviations(np.where(self._presence, self._squared_looks, np.nan), self.appearance_spread**2),
        ]
        squares = np.concatenate(terms, axis=1)
        counted = np.isfinite(squares)
        return np.sqrt(np.sum(np.where(counted, squares, 0.0), axis=1) / np.maximum(counted.sum(1), 1))

    @cached_property
    def order(self) -> np.ndarray:
        """`[n]` int, indices of the samples, best first: fewest problems, then nearest to the mean of all samples."""
        return np.lexsort((self.distance_to_mean, self.problems))

    def changes(self, k: int) -> SceneDiff:
        """What sample `k` has changed in `base`."""
        return self.base.diff(self.scenes[k])

    @cached_property
    def _presence(self) -> np.ndarray:
        return np.stack([scene.presence for scene in self.scenes])

    @cached_property
    def _squared_offsets(self) -> np.ndarray:
        """`[n, N]` m^2, from the mean centre of the samples that have the object."""
        return np.sum(self._deviations("translation") ** 2, axis=-1)

    @cached_property
    def _squared_looks(self) -> np.ndarray:
        """`[n, N]`, from the mean appearance, a token and channel."""
        return np.mean(self._deviations("appearance") ** 2, axis=(-2, -1))

    def _deviations(self, field: str) -> np.ndarray:
        values = np.stack([getattr(scene, field).astype(float) for scene in self.scenes])
        return values - self._mean_over_present(values)

    def _mean_over_present(self, values: np.ndarray) -> np.ndarray:
        """Mean over samples of `[n, N, ...]` that have the object; nan where none has."""
        present = self._presence.reshape(*self._presence.shape, *[1] * (values.ndim - 2))
        with np.errstate(invalid="ignore"):
            return np.sum(np.where(present, values, 0.0), axis=0) / present.sum(0)


def _in_deviations(squares: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """`[n, N]` squares over their variance `[N]`; nan where nothing varies, to within float32."""
    return np.where(variance > 1e-12, squares / np.where(variance > 1e-12, variance, 1.0), np.nan)
