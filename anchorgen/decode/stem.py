"""The ray-drawn stem: boxes, appearance, lamp light and floor along every ray, folded down to image tokens.

Shape legend: B scenes, N slots, P rays, L nearest boxes, R drawn rays a side, h image tokens a side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from anchorgen.blocks import ResidualBlock
from anchorgen.decode.rays import GEOMETRY_CHANNELS, RAY_CHANNELS, draw_boxes, present_boxes
from anchorgen.decode.tokens import BOX_CHANNELS, box_features, fourier
from anchorgen.scene.batch import SceneBatch

_LIGHT_CHANNELS = 4


class RayStem(nn.Module):
    """Scene -> `[B, width_out, h, h]`, computed once a picture.

    Every drawn ray carries, for its nearest boxes, the geometry of `rays.py` and a learned code of the object's
    appearance and size; further the light that present objects may send to the surface it meets, the floor point, the
    ray itself, and a learned code of the background tokens.

    Args:
        num_tokens, channels, num_background: K, C and Kb. rays, grid: R and h. width_out: channels of a token.
        nearest, code, octaves: as in `DecoderConfig`.

    Raises:
        ValueError: R is not h times a power of two.
    """

    def __init__(
        self,
        num_tokens: int,
        channels: int,
        num_background: int,
        rays: int,
        grid: int,
        width_out: int,
        nearest: int = 2,
        code: int = 32,
        octaves: int = 0,
    ):
        super().__init__()
        if rays % grid or (rays // grid) & (rays // grid - 1):
            raise ValueError(f"rays a side must be grid x a power of two; got rays={rays}, grid={grid}")
        self.rays, self.num_nearest, self.octaves, width = rays, nearest, octaves, 64
        self.object_code = nn.Sequential(
            nn.Linear(num_tokens * channels + BOX_CHANNELS, 192), nn.SiLU(), nn.Linear(192, code + _LIGHT_CHANNELS)
        )
        self.background_code = nn.Linear(num_background * channels, 32)
        a_box = GEOMETRY_CHANNELS + 6 * octaves + code
        drawn = nearest * a_box + RAY_CHANNELS + 2 * _LIGHT_CHANNELS + 32
        layers: list[nn.Module] = [nn.Conv2d(drawn, width, 1), ResidualBlock(width)]
        side = rays
        while side > grid:
            wider = min(2 * width, width_out)
            layers += [nn.Conv2d(width, wider, 4, stride=2, padding=1), ResidualBlock(wider)]
            width, side = wider, side // 2
        self.fold = nn.Sequential(*layers, nn.Conv2d(width, width_out, 1))

    def forward(self, scene: SceneBatch, appearance: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        """`appearance` `[B, N, K, C]` and `background` `[B, Kb, C]` as `SceneTokens.latents` gives them."""
        with torch.no_grad(), torch.autocast(scene.focal.device.type, enabled=False):
            drawing = draw_boxes(scene, self.rays, self.num_nearest)
        code_BNF = self.object_code(torch.cat([appearance.flatten(2), box_features(scene)], -1)).float()
        code_BNF, light_BNF = code_BNF.split([code_BNF.shape[-1] - _LIGHT_CHANNELS, _LIGHT_CHANNELS], -1)
        num_rays, num_slots = drawing.slot.shape[1], code_BNF.shape[1]
        row = torch.arange(len(code_BNF), device=drawing.slot.device)[:, None, None] * num_slots + drawing.slot
        code_BPLF = F.embedding(row, code_BNF.flatten(0, 1)) * drawing.hit[..., None]
        light = F.softplus(light_BNF) * scene.presence[..., None]
        backdrop = self.background_code(background.flatten(1))[:, None].expand(-1, num_rays, -1).float()
        geometry = with_octaves(drawing.geometry, self.octaves)
        drawn = [code_BPLF.flatten(2), geometry.flatten(2), drawing.rays, self._light(scene, drawing, light)]
        picture = torch.cat([*drawn, backdrop], -1).transpose(1, 2).unflatten(-1, (self.rays, self.rays))
        return self.fold(picture.contiguous(memory_format=torch.channels_last))

    def _light(self, scene: SceneBatch, drawing, light_BNF: torch.Tensor) -> torch.Tensor:
        """Inverse-square light of every object, at the surface a ray meets and where the ray passes closest."""
        centre_BN3 = present_boxes(scene)[0]
        direction_BP3 = drawing.rays[..., :3]
        along = torch.einsum("bnc,bpc->bpn", centre_BN3, direction_BP3).clamp(min=0)
        beside = centre_BN3.square().sum(-1)[:, None] - along.square()
        to_point = torch.cdist(drawing.point, centre_BN3).square()
        falloff = [1 / (0.05 + d.clamp(min=0)) for d in (to_point, beside)]
        return torch.cat([torch.einsum("bpn,bnf->bpf", f, light_BNF).clamp(max=20) / 5 for f in falloff], -1)


def with_octaves(geometry_BPLG: torch.Tensor, octaves: int) -> torch.Tensor:
    """`[B, P, L, G + 6 octaves]`: the geometry of `rays.py`, and waves of the point where the ray enters the box."""
    if not octaves:
        return geometry_BPLG
    hit, entry = geometry_BPLG[..., :1], geometry_BPLG[..., 1:4]
    waves = fourier(entry, octaves)[..., 3:]
    return torch.cat([geometry_BPLG, waves * hit], -1)
