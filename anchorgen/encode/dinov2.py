"""The background token b of the paper (Eq. 8): a learned query that cross-attends to DINOv2 patches of the background.

Shape legend: B pictures, (G, G') patches, D width of DINOv2, Kb tokens, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from anchorgen.encode.background import MAX_COVERED
from anchorgen.encode.sam3d.explain import PerceptionError, explained, named_in_config

REPOSITORY = "facebook/dinov2-large"
INSTALL = "pip install 'anchorgen[paper]'"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which DINOv2 was trained with


class Dinov2Patches(nn.Module):
    """Frozen DINOv2: picture -> features of its patches.

    Args:
        model: a `transformers.Dinov2Model`; its weights are no part of `state_dict`.
        num_patches: G, patches along the shorter side; pictures are resized to that.
    """

    def __init__(self, model: Any, num_patches: int = 37):
        super().__init__()
        self.patch, self.num_patches = int(model.config.patch_size), num_patches
        self.width = int(model.config.hidden_size)
        self._frozen = [model.eval().requires_grad_(False)]  # in a list, nn.Module does not see it

    @staticmethod
    def load(repository: str = REPOSITORY, num_patches: int = 37, **options: Any) -> Dinov2Patches:
        """From the Hub or a folder.

        Raises:
            PerceptionError: the weights are missing or incomplete, or transformers is not installed.
        """
        with explained("DINOv2", repository, install=INSTALL):
            from transformers import Dinov2Model  # type: ignore[import-not-found]

            model, report = Dinov2Model.from_pretrained(repository, output_loading_info=True, **options)
        missing = sorted(report["missing_keys"])
        if missing:
            raise PerceptionError(
                f"DINOv2: {repository} lacks {len(missing)} weights ({missing[0]}, ...); download it again"
            )
        return Dinov2Patches(model, num_patches)

    def _apply(self, fn: Any, recurse: bool = True) -> Dinov2Patches:
        for model in self._frozen:
            model._apply(fn)  # `.to(device)` reaches it
        return super()._apply(fn, recurse)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """(G, G') of a picture: the sides are multiples of the patch, in about its proportions."""
        shorter = min(height, width)
        return tuple(max(1, round(side * self.num_patches / shorter)) for side in (height, width))  # type: ignore[return-value]

    @torch.no_grad()
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """`image` `[B, 3, H, W]` in [-1, 1] -> `[B, G * G', D]` float32: the last layer without the class token."""
        rows, columns = self.grid(*image.shape[-2:])
        size = (rows * self.patch, columns * self.patch)
        pixels = F.interpolate((image.float() + 1) / 2, size, mode="bicubic", align_corners=False, antialias=True)
        mean, deviation = (pixels.new_tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
        pixels = ((pixels.clamp(0, 1) - mean) / deviation).to(self._frozen[0].dtype)
        return self._frozen[0](pixel_values=pixels).last_hidden_state[:, 1:].float()


class LazyDinov2Patches(Dinov2Patches):
    """The same, loaded with the first picture: what needs no picture needs no DINOv2.

    Args:
        repository: on the Hub, or a folder.
        width: D that it must have.
        num_patches: as there.
    """

    def __init__(self, repository: str = REPOSITORY, width: int = 1024, num_patches: int = 37):
        nn.Module.__init__(self)
        self.repository, self.width, self.num_patches = repository, width, num_patches
        self._frozen: list[Any] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """As there.

        Raises:
            PerceptionError: the weights are missing, incomplete or of another width, or transformers is not installed.
        """
        if not self._frozen:
            with named_in_config("encoder.dinov2"):
                self._take(Dinov2Patches.load(self.repository, self.num_patches))
            self.to(image.device)
        return super().forward(image)

    def _take(self, loaded: Dinov2Patches) -> None:
        if loaded.width != self.width:
            raise PerceptionError(
                f"DINOv2: {self.repository} has patches of {loaded.width} channels, encoder.dinov2_width is "
                f"{self.width}; name the repository that the background tokens were made with"
            )
        self.patch, self._frozen = loaded.patch, loaded._frozen


def outside_grid(masks: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """`[G, G']` bool: patches of which objects cover at most 2%, as `background.outside_patches`, for any sizes.

    Args:
        masks: `[M, H, W]` bool, of every object that was found, placed or not.
    """
    covered = torch.as_tensor(np.any(masks, 0))[None, None].float()
    return (F.interpolate(covered, (rows, columns), mode="area")[0, 0] <= MAX_COVERED).numpy()


class PatchBackground(nn.Module):
    """Features of patches -> Kb tokens, by learned queries over those outside every object.

    Args:
        num_tokens, channels: Kb and C. in_width: D. width, num_heads: of the attention.
        dropout: share of the patches hidden in training, so that b leans on none of them.
    """

    def __init__(
        self,
        num_tokens: int = 1,
        channels: int = 1024,
        in_width: int = 1024,
        width: int = 512,
        num_heads: int = 8,
        dropout: float = 0.15,
    ):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.enter = nn.Sequential(nn.LayerNorm(in_width), nn.Linear(in_width, width))
        self.queries = nn.Parameter(torch.randn(num_tokens, width) / math.sqrt(width))
        self.nothing = nn.Parameter(torch.zeros(1, width))  # what is seen where objects cover everything
        self.key_value = nn.Linear(width, 2 * width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, channels)
        )
        self.normalise = nn.LayerNorm(channels, elementwise_affine=False)

    def forward(self, patches: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
        """`patches` `[B, G * G', D]`, `outside` `[B, G, G']` bool -> `[B, Kb, C]` float32."""
        seen = outside.flatten(1)
        if seen.shape != patches.shape[:2]:
            raise ValueError(
                f"{seen.shape[1]} patches in the mask, {patches.shape[1]} in the features; expected as many"
            )
        # Covered patches become zeros before anything is computed of them: not one bit of them can pass.
        features = self.enter(torch.where(seen[..., None], patches, 0))
        if self.training:
            seen = seen & (torch.rand(seen.shape, device=seen.device) > self.dropout)
        features = torch.cat([self.nothing.expand(len(features), 1, -1).to(features.dtype), features], 1)
        seen = torch.cat([seen.new_ones(len(seen), 1), seen], 1)
        key, value = self.key_value(features).unflatten(-1, (2 * self.num_heads, -1)).transpose(1, 2).chunk(2, 1)
        query = self.queries.unflatten(-1, (self.num_heads, -1)).transpose(0, 1).expand(len(patches), -1, -1, -1)
        pooled = F.scaled_dot_product_attention(query.to(key.dtype), key, value, seen[:, None, None])
        return self.normalise(self.mix(pooled.transpose(1, 2).flatten(-2)).float())


class Dinov2Background(nn.Module):
    """Picture -> background tokens: takes what `BackgroundTokens` takes. Only the queries and their layers are trained."""

    def __init__(self, patches: Dinov2Patches, num_tokens: int = 1, channels: int = 1024, **sizes: Any):
        super().__init__()
        self.patches = patches
        self.tokens = PatchBackground(num_tokens, channels, in_width=patches.width, **sizes)

    def forward(self, image: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
        """`image` `[B, 3, H, W]` in [-1, 1], `outside` `[B, G, G']` bool of `patches.grid` -> `[B, Kb, C]`."""
        return self.tokens(self.patches(image), outside)
