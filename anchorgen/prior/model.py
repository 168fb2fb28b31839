"""G_phi: a transformer over the variables of a scene, with a time for every token (Sec. 2.3).

A slot gives its tokens in the order (layout, appearance..., presence); focal and background follow. Slots are a set:
what ties the tokens of one slot is a learned attention bias, never an index, so permuting slots permutes the output.

Shape legend: B scenes, N slots, K appearance tokens, Kb background tokens, C channels, P layout channels,
S tokens of a slot, L tokens of a scene, D width, H heads.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anchorgen.prior.paths import VariableTimes
from anchorgen.prior.transformer import Modulated, TimeEmbedding, TransformerBlock
from anchorgen.prior.variables import ABSENT, MASKED, Variables, Whitening


@dataclass(frozen=True)
class PriorConfig:
    """Sizes of a prior.

    Attributes:
        num_tokens, num_channels, num_background_tokens: K, C, Kb of the latent space.
        width, depth, num_heads, mlp_ratio: of the transformer.
        modulation_rank: rank of each block's own part of the modulation; the rest is shared by all blocks.
        tokens_per_appearance: transformer tokens for f; each holds K / tokens_per_appearance of its K tokens.
        tokens_per_background: the same for b.
        label_width: hidden width of the head that names objects.
        rotation: "6d" or "quat".
        labels: names the head can give.
    """

    num_tokens: int = 4
    num_channels: int = 64
    num_background_tokens: int = 4
    width: int = 192
    depth: int = 6
    num_heads: int = 6
    mlp_ratio: float = 4.0
    modulation_rank: int = 32
    tokens_per_appearance: int = 1
    tokens_per_background: int = 1
    label_width: int = 128
    rotation: str = "6d"
    labels: tuple[str, ...] = ()


PRESETS = {
    "bundled": PriorConfig(),
    "paper": PriorConfig(
        num_tokens=8,
        num_channels=1024,
        num_background_tokens=1,
        width=768,
        depth=12,
        num_heads=12,
        modulation_rank=352,
        tokens_per_appearance=8,
        label_width=256,
        rotation="quat",
    ),
}


@dataclass
class Prediction:
    """What G_phi says at (u_tau, tau).

    Attributes:
        layout, appearance, focal, background: velocities d u / d tau, shapes as in `Variables`.
        presence_logits: `[B, N, 2]` for z_0 = 0, 1; there is none for [M], which is never an answer.
    """

    layout: Tensor
    appearance: Tensor
    focal: Tensor
    background: Tensor
    presence_logits: Tensor


class ScenePrior(nn.Module):
    """The hybrid diffusion prior p_phi(Y) (Sec. 2.3).

    Args:
        config: sizes; any number of slots goes in.

    Raises:
        ValueError: sizes that do not divide one another.
    """

    def __init__(self, config: PriorConfig):
        super().__init__()
        _check(config)
        self.config = config
        k, c, d = config.num_tokens, config.num_channels, config.width
        self.whitening = Whitening(k, c, config.num_background_tokens, config.rotation)
        self.appearance_channels = k // config.tokens_per_appearance * c
        self.background_channels = config.num_background_tokens // config.tokens_per_background * c
        self.tokens_per_slot = 2 + config.tokens_per_appearance
        layout_channels = self.whitening.num_layout_channels
        self.embed_layout = nn.Linear(layout_channels, d)
        self.embed_appearance = nn.Linear(self.appearance_channels, d)
        self.embed_presence = nn.Embedding(3, d)
        self.embed_focal = nn.Linear(2, d)
        self.embed_gravity = nn.Linear(4, d)
        self.embed_background = nn.Linear(self.background_channels, d)
        self.absent_tokens = nn.Parameter(0.02 * torch.randn(self.tokens_per_slot - 1, d))
        self.slot_types = nn.Parameter(0.02 * torch.randn(self.tokens_per_slot, d))
        self.global_types = nn.Parameter(0.02 * torch.randn(1 + config.tokens_per_background, d))
        self.time = TimeEmbedding(d)
        self.shared_modulation = nn.Linear(d, 6 * d)
        self.blocks = nn.ModuleList(
            TransformerBlock(d, config.num_heads, config.mlp_ratio, config.modulation_rank, self.tokens_per_slot)
            for _ in range(config.depth)
        )
        self.out = Modulated(d)
        self.to_layout = nn.Linear(d, layout_channels)
        self.to_appearance = nn.Linear(d, self.appearance_channels)
        self.to_presence = nn.Linear(d, 2)
        self.to_focal = nn.Linear(d, 2)
        self.to_background = nn.Linear(d, self.background_channels)
        num_names = max(1, len(config.labels))
        self.name_head = nn.Sequential(
            nn.Linear(3 + k * c, config.label_width), nn.GELU(), nn.Linear(config.label_width, num_names)
        )
        for layer in (self.shared_modulation, self.to_layout, self.to_appearance, self.to_focal, self.to_background):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @classmethod
    def from_preset(cls, name: str, **overrides) -> ScenePrior:
        """ "bundled" or "paper" sizes; `overrides` replace fields of `PriorConfig`."""
        if name not in PRESETS:
            raise ValueError(f"preset {name!r} is unknown; expected one of {sorted(PRESETS)}")
        return cls(replace(PRESETS[name], **overrides))

    def forward(self, variables: Variables, times: VariableTimes) -> Prediction:
        """Velocities and presence logits at noisy `variables` whose times are `times`."""
        num_slots = variables.presence.shape[1]
        tokens = self._embed(variables)
        condition = F.silu(self.time(self._token_times(variables, times)))
        shared = self.shared_modulation(condition)
        for block in self.blocks:
            tokens = block(tokens, condition, shared, num_slots)
        return self._read(self.out(tokens, condition), num_slots)

    def name_logits(self, log_size: Tensor, appearance: Tensor) -> Tensor:
        """Logits `[B, N, labels]` of object names from whitened log s `[B, N, 3]` and f `[B, N, K, C]`."""
        return self.name_head(torch.cat([log_size, appearance.flatten(2)], -1))

    def _embed(self, variables: Variables) -> Tensor:
        """Tokens `[B, L, D]`. Where z is revealed 0 the absent code stands for p and f: their values are not read."""
        groups = self.config.tokens_per_appearance
        appearance = rearrange(variables.appearance, "b n (g k) c -> b n g (k c)", g=groups)
        content = torch.cat([self.embed_layout(variables.layout)[:, :, None], self.embed_appearance(appearance)], 2)
        absent = (variables.presence == ABSENT)[..., None, None]
        content = torch.where(absent, self.absent_tokens, content)
        slots = torch.cat([content, self.embed_presence(variables.presence)[:, :, None]], 2) + self.slot_types
        focal = self.embed_focal(variables.focal) + self.embed_gravity(variables.gravity.clamp(-4, 4))
        background = rearrange(variables.background, "b (g k) c -> b g (k c)", g=self.config.tokens_per_background)
        rest = torch.cat([focal[:, None], self.embed_background(background)], 1) + self.global_types
        return torch.cat([slots.flatten(1, 2), rest], 1)

    def _token_times(self, variables: Variables, times: VariableTimes) -> Tensor:
        """`[B, L]`. The posterior of a masked variable does not depend on its time, so z tells only whether it is
        revealed (1) or not (0); the absent code is always clean."""
        absent = variables.presence == ABSENT
        layout = torch.where(absent, 1.0, times.layout)[..., None]
        appearance = torch.where(absent, 1.0, times.appearance)[..., None]
        appearance = appearance.expand(-1, -1, self.config.tokens_per_appearance)
        revealed = (variables.presence != MASKED).to(layout.dtype)[..., None]
        slots = torch.cat([layout, appearance, revealed], 2).flatten(1)
        background = times.background[:, None].expand(-1, self.config.tokens_per_background)
        return torch.cat([slots, times.focal[:, None], background], 1)

    def _read(self, tokens: Tensor, num_slots: int) -> Prediction:
        slots = tokens[:, : num_slots * self.tokens_per_slot].unflatten(1, (num_slots, self.tokens_per_slot))
        rest, k = tokens[:, num_slots * self.tokens_per_slot :], self.config.num_tokens
        appearance = self.to_appearance(slots[:, :, 1:-1]).reshape(*slots.shape[:2], k, self.config.num_channels)
        background = self.to_background(rest[:, 1:]).reshape(len(rest), -1, self.config.num_channels)
        return Prediction(
            layout=self.to_layout(slots[:, :, 0]),
            appearance=appearance,
            focal=self.to_focal(rest[:, 0]),
            background=background,
            presence_logits=self.to_presence(slots[:, :, -1]),
        )

    def save(self, path: str | os.PathLike, dtype: torch.dtype = torch.float16) -> None:
        """One safetensors file with the config in its header; weights as `dtype`, whitening statistics as float32."""
        tensors = {
            name: value.detach().cpu().to(torch.float32 if name.startswith("whitening.") else dtype).contiguous()
            for name, value in self.state_dict().items()
        }
        save_file(tensors, str(path), metadata={"prior_config": json.dumps(asdict(self.config))})

    @classmethod
    def load(cls, path: str | os.PathLike) -> ScenePrior:
        """The inverse of `save`: float32, on the CPU, in evaluation mode.

        Raises:
            ValueError: the file was not written by `save`.
        """
        with safe_open(str(path), "pt") as file:
            header = (file.metadata() or {}).get("prior_config")
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}
        if header is None:
            raise ValueError(f"{path} has no prior_config in its header; expected a file written by ScenePrior.save")
        values = json.loads(header)
        model = cls(PriorConfig(**{**values, "labels": tuple(values["labels"])}))
        model.load_state_dict(tensors)
        return model.eval()


def _check(config: PriorConfig) -> None:
    pairs = {
        "width by num_heads": (config.width, config.num_heads),
        "num_tokens by tokens_per_appearance": (config.num_tokens, config.tokens_per_appearance),
        "num_background_tokens by tokens_per_background": (config.num_background_tokens, config.tokens_per_background),
    }
    for name, (total, parts) in pairs.items():
        if parts < 1 or total % parts:
            raise ValueError(f"{name}: {total} is not divisible by {parts}; choose sizes that divide")
