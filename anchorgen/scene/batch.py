"""Many scenes as torch tensors: what every network takes. (B scenes, N slots, K tokens, C channels.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from anchorgen.scene.latent import SceneLatent


@dataclass
class SceneBatch:
    """The variables of Eq. 9 for B scenes.

    Attributes:
        translation: `[B, N, 3]` float32, metres, camera frame.
        quat_wxyz: `[B, N, 4]` float32.
        scale: `[B, N, 3]` float32, metres.
        appearance: `[B, N, K, C]` float32.
        presence: `[B, N]` bool.
        focal: `[B, 2]` float32.
        background: `[B, Kb, C]` float32.
        up: `[B, 3]` float32 and floor: `[B]` float32, carried gravity (not latents).
    """

    translation: torch.Tensor
    quat_wxyz: torch.Tensor
    scale: torch.Tensor
    appearance: torch.Tensor
    presence: torch.Tensor
    focal: torch.Tensor
    background: torch.Tensor
    up: torch.Tensor
    floor: torch.Tensor

    @staticmethod
    def stack(scenes: Sequence[SceneLatent]) -> SceneBatch:
        """Raises ValueError if the scenes do not share slots and latent space."""
        shapes = {(s.appearance.shape, s.background.shape, s.latent_space) for s in scenes}
        if len(shapes) != 1:
            raise ValueError(f"scenes of one batch must share slots and latent space; got {sorted(map(str, shapes))}")
        names = [f.name for f in fields(SceneBatch)]
        return SceneBatch(**{n: torch.stack([torch.as_tensor(getattr(s, n).copy()) for s in scenes]) for n in names})

    def to(self, device: torch.device | str) -> SceneBatch:
        return SceneBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def __getitem__(self, index) -> SceneBatch:
        return SceneBatch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def __len__(self) -> int:
        return len(self.presence)

    def replace(self, **changes: torch.Tensor) -> SceneBatch:
        return SceneBatch(
            **{f.name: changes[f.name] if f.name in changes else getattr(self, f.name) for f in fields(self)}
        )
