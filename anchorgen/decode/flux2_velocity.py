"""The velocity network of the paper's decoder: a full-size `Flux2Transformer2DModel` that attends to scene tokens.

Shape legend: B pictures, D token channels, h tokens a side, T = h * h image tokens, L text tokens, S scene tokens, W width.
"""

from __future__ import annotations

import torch
from diffusers import Flux2Transformer2DModel
from torch import nn

from anchorgen.decode.adapter import SceneAdapter, SceneContext
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.tokens import SceneTokens
from anchorgen.decode.velocity import grid_ids
from anchorgen.scene.batch import SceneBatch


class EmptyPrompt(nn.Module):
    """The embedding of the empty prompt `[L, text width]`, which stands for every text at run time."""

    def __init__(self, num_tokens: int, width: int):
        super().__init__()
        self.embedding: torch.Tensor
        self.register_buffer("embedding", torch.zeros(num_tokens, width))


class SceneInputs(nn.Module):
    """What is learned beside the adapter: scene tokens, and one token that stands for no scene at all (for guidance)."""

    def __init__(self, config: KleinConfig):
        super().__init__()
        self.tokens = SceneTokens(config.num_tokens, config.channels, config.context_width, config.latent_noise)
        self.no_scene = nn.Parameter(torch.randn(1, config.context_width) * 0.02)

    def forward(self, scene: SceneBatch, keep: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens `[B, S, W]` and mask `[B, S]`; where `keep` is False, only the last token is there."""
        tokens, mask = self.tokens(scene, *self.tokens.latents(scene))
        there = torch.ones_like(mask[:, 0]) if keep is None else keep.bool()
        tokens = torch.cat([tokens, self.no_scene.expand(len(tokens), 1, -1).to(tokens.dtype)], 1)
        return tokens, torch.cat([mask & there[:, None], ~there[:, None]], 1)


class KleinVelocity(nn.Module):
    """v(x, sigma | scene) = noise - x0 for token grids `[B, D, h, h]`.

    The adapter starts as nothing: until something is learned this is the bare backbone, bit for bit. It takes part in
    the same calls as `SceneVelocity`, of which no stem draws (`drawn` is None).
    """

    def __init__(self, config: KleinConfig, transformer: Flux2Transformer2DModel):
        super().__init__()
        self.config, self.transformer = config, transformer
        self.adapter = SceneAdapter(transformer, config.context_width, config.sites, zero_init=True)
        self.scene = SceneInputs(config)
        self.prompt = EmptyPrompt(config.num_text_tokens, int(transformer.config["joint_attention_dim"]))
        self.offloaded = self.in_8_bits = False
        self.image_ids: torch.Tensor
        self.text_ids: torch.Tensor
        self.register_buffer("image_ids", grid_ids(config.grid), persistent=False)
        self.register_buffer("text_ids", _text_ids(config.num_text_tokens), persistent=False)

    @property
    def backbone(self) -> nn.Module:
        """The diffusers model that runs once a step."""
        return self.transformer

    @property
    def dtype(self) -> torch.dtype:
        """Of the computation. The adapter's weights tell: no memory plan stores them in fewer bits."""
        return next(iter(self.adapter.processors.values())).scene_q.weight.dtype

    def context(self, scene: SceneBatch, keep: torch.Tensor | None = None) -> tuple[SceneContext, None]:
        """What all steps of one picture share. `keep` `[B]` bool: False drops the whole scene (for guidance)."""
        tokens, mask = self.scene(scene, keep)
        return SceneContext(tokens.to(self.dtype), mask, num_text_tokens=self.config.num_text_tokens), None

    def prepare(self, context: SceneContext) -> None:
        """Keys and values, once a picture; an offloaded adapter is not there yet, and makes them at every step."""
        if not self.offloaded:
            self.adapter.precompute(context)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, context: SceneContext | None, drawn: None = None):
        """`x` `[B, D, h, h]`, `sigma` `[B]` -> velocity `[B, D, h, h]`; without a context, the bare backbone's."""
        out = self.transformer(
            hidden_states=x.flatten(2).transpose(1, 2).to(self.dtype),
            encoder_hidden_states=self.prompt.embedding.expand(len(x), -1, -1).to(self.dtype),
            timestep=sigma,
            img_ids=self.image_ids,
            txt_ids=self.text_ids,
            joint_attention_kwargs=None if context is None else {"scene": context},
            return_dict=False,
        )[0]
        return out.transpose(1, 2).unflatten(-1, x.shape[-2:]).to(x.dtype)

    def _apply(self, fn, recurse=True):
        """Moves and casts all but an offloaded backbone, whose hooks move it group by group."""
        if not self.offloaded:
            return super()._apply(fn, recurse)
        for module in (self.scene, self.prompt):
            module._apply(fn, recurse)
        self.image_ids, self.text_ids = fn(self.image_ids), fn(self.text_ids)
        return self


def _text_ids(num_tokens: int) -> torch.Tensor:
    """Position ids `[L, 4]` as FLUX.2 numbers text: (0, 0, 0, place)."""
    return torch.stack([*torch.zeros(3, num_tokens), torch.arange(num_tokens).float()], -1)
