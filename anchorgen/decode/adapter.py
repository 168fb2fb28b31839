"""The scene adapter (Eq. 2): cross-attention to scene tokens after the MM-attention of a `Flux2Transformer2DModel`.

It enters as attention processors that are modules, so it works through any caller that passes
`joint_attention_kwargs={"scene": context}`, the stock pipelines included. Its result is added to the image stream
before the block's own gate. Layers are named `scene_*`, so that LoRA targets miss them.

Shape legend: B pictures, T image tokens, S scene tokens, W width, H heads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from diffusers import Flux2Transformer2DModel
from diffusers.models.transformers.transformer_flux2 import Flux2AttnProcessor, Flux2ParallelSelfAttnProcessor
from torch import nn

Sites = Literal["double", "all"]


@dataclass
class SceneContext:
    """What one batch of pictures attends to.

    Attributes:
        tokens: `[B, S, context width]`.
        mask: `[B, S]` bool, False where a token is absent.
        num_text_tokens: how many leading tokens of a single block's stream are text.
        pairs: `[B, T, N, G]`, each image token's ray in each box's frame (`rays.py`), or None. Scene tokens begin with
            those of the N boxes, in order, `slot_tokens` (K) each.
        key_values: filled by `SceneAdapter.precompute`: keys and values per site, once a picture, not once a step.
    """

    tokens: torch.Tensor
    mask: torch.Tensor
    num_text_tokens: int = 0
    pairs: torch.Tensor | None = None
    slot_tokens: int = 0
    key_values: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)


class _SceneAttention(nn.Module):
    """Cross-attention from image tokens to scene tokens; RMS-normalised queries and keys, like FLUX.2's own."""

    def __init__(self, site: str, width: int, context_width: int, num_heads: int, zero_init: bool, pairs: int):
        super().__init__()
        self.site, self.num_heads = site, num_heads
        self.scene_q = nn.Linear(width, width, bias=False)
        self.scene_k = nn.Linear(context_width, width, bias=False)
        self.scene_v = nn.Linear(context_width, width, bias=False)
        self.scene_norm_q = nn.RMSNorm(width // num_heads, eps=1e-5)
        self.scene_norm_k = nn.RMSNorm(width // num_heads, eps=1e-5)
        self.scene_out = nn.Linear(width, width, bias=False)
        if zero_init:
            nn.init.zeros_(self.scene_out.weight)
        if pairs:
            self.scene_pair_bias = nn.Sequential(nn.Linear(pairs, 32), nn.SiLU(), nn.Linear(32, num_heads))
            self.scene_pair_value = nn.Sequential(nn.Linear(pairs, 64), nn.SiLU(), nn.Linear(64, width))

    def key_value(self, tokens_BSW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        key = self.scene_k(tokens_BSW).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        value = self.scene_v(tokens_BSW).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        return self.scene_norm_k(key), value

    def attend(self, hidden_BTW: torch.Tensor, scene: SceneContext) -> torch.Tensor:
        key, value = scene.key_values.get(self.site) or self.key_value(scene.tokens)
        query = self.scene_norm_q(self.scene_q(hidden_BTW).unflatten(-1, (self.num_heads, -1)).transpose(1, 2))
        key, value = key.to(query.dtype), value.to(query.dtype)
        if scene.pairs is None:
            out = F.scaled_dot_product_attention(query, key, value, scene.mask[:, None, None])
        else:
            out = self._attend_along_rays(query, key, value, scene, scene.pairs)
        return self.scene_out(out.transpose(1, 2).flatten(-2))

    def _attend_along_rays(self, query_BHTd, key_BHSd, value_BHSd, scene, pairs_BTNG) -> torch.Tensor:
        """Attention whose scores for a box's tokens, and what it brings from there, depend on how the ray meets it."""
        per_slot, slots = scene.slot_tokens, pairs_BTNG.shape[2]
        others = key_BHSd.shape[2] - slots * per_slot
        bias_BHTN = self.scene_pair_bias(pairs_BTNG).permute(0, 3, 1, 2)
        bias_BHTS = F.pad(bias_BHTN.repeat_interleave(per_slot, -1), (0, others))
        scores = query_BHTd @ key_BHSd.transpose(-1, -2) / query_BHTd.shape[-1] ** 0.5 + bias_BHTS
        weights = scores.masked_fill(~scene.mask[:, None, None], -torch.inf).softmax(-1).to(value_BHSd.dtype)
        weight_BHTN = weights[..., : slots * per_slot].unflatten(-1, (slots, per_slot)).sum(-1)
        met_BTNHd = self.scene_pair_value(pairs_BTNG).unflatten(-1, (self.num_heads, -1))
        return weights @ value_BHSd + torch.einsum("bhtn,btnhd->bhtd", weight_BHTN, met_BTNHd)


class DoubleSceneProcessor(_SceneAttention):
    """For the double-stream blocks: only the image stream sees the scene."""

    _attention_backend = None
    _parallel_config = None

    def __call__(
        self,
        attn,
        hidden_states,
        encoder_hidden_states=None,
        attention_mask=None,
        image_rotary_emb=None,
        scene: SceneContext | None = None,
    ):
        # diffusers passes on only what this signature names; nn.Module.__call__ keeps hooks alive.
        return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb, scene)

    def forward(self, attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb, scene):
        args = (attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        image, text = Flux2AttnProcessor.__call__(self, *args)  # type: ignore[arg-type]
        return (image if scene is None else image + self.attend(hidden_states, scene)), text


class SingleSceneProcessor(_SceneAttention):
    """For the single-stream blocks: the scene is added to the image tokens, which follow the text tokens."""

    _attention_backend = None
    _parallel_config = None

    def __call__(
        self, attn, hidden_states, attention_mask=None, image_rotary_emb=None, scene: SceneContext | None = None
    ):
        return super().__call__(attn, hidden_states, attention_mask, image_rotary_emb, scene)

    def forward(self, attn, hidden_states, attention_mask, image_rotary_emb, scene):
        out = Flux2ParallelSelfAttnProcessor.__call__(self, attn, hidden_states, attention_mask, image_rotary_emb)  # type: ignore[arg-type]
        if scene is None:
            return out
        num_text = scene.num_text_tokens
        image = out[:, num_text:] + self.attend(hidden_states[:, num_text:], scene)
        return image if num_text == 0 else torch.cat([out[:, :num_text], image], 1)


class UnawareSingleProcessor(Flux2ParallelSelfAttnProcessor):
    """diffusers' own, for single blocks without an adapter: told of a scene it would warn at every step."""

    def __call__(
        self, attn, hidden_states, attention_mask=None, image_rotary_emb=None, scene: SceneContext | None = None
    ):
        return super().__call__(attn, hidden_states, attention_mask, image_rotary_emb)


class SceneAdapter:
    """Installs scene processors into a transformer and reads, saves and restores only their weights."""

    def __init__(
        self,
        model: Flux2Transformer2DModel,
        context_width: int,
        sites: Sites = "double",
        zero_init: bool = True,
        pair_channels: int = 0,
    ):
        """Installs the processors; blocks without an adapter go on as diffusers has them.

        Args:
            model: the backbone, changed in place.
            context_width: of the scene tokens.
            sites: "double" (after MM-attention) or "all".
            zero_init: leaves the backbone as it is until something is learned.
            pair_channels: G of `SceneContext.pairs`, 0 without.

        Raises:
            ValueError: unknown `sites`.
        """
        if sites not in ("double", "all"):
            raise ValueError(f"sites: got {sites!r}; expected 'double' (after MM-attention) or 'all'")
        self.model = model
        heads, width = model.config["num_attention_heads"], model.inner_dim
        processors: dict[str, Any] = dict(model.attn_processors)
        for name in processors:
            double = not name.startswith("single_")
            if double or sites == "all":
                kind = DoubleSceneProcessor if double else SingleSceneProcessor
                processors[name] = kind(name, width, context_width, heads, zero_init, pair_channels)
            else:
                processors[name] = UnawareSingleProcessor()
        self.processors = {n: p for n, p in processors.items() if isinstance(p, _SceneAttention)}
        model.set_attn_processor(dict(processors))

    @torch.no_grad()
    def precompute(self, scene: SceneContext) -> None:
        """Fills `scene.key_values`, so that each step of a sampler only asks."""
        scene.key_values = {name: processor.key_value(scene.tokens) for name, processor in self.processors.items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {k: v for k, v in self.model.state_dict().items() if ".processor." in k}
