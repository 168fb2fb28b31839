"""What the bundled encoder is trained on. Shape legend: B pictures, Q queries, N slots, P matched pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from anchorgen.encode.bundled import Prediction
from anchorgen.encode.matching import match

_BOX_WEIGHTS = (6.0, 6.0, 2.0, 1.0, 1.0, 1.0)


@dataclass
class Targets:
    """Attributes:
    box: `[B, N, 8]` as `Prediction.box`; presence `[B, N]` bool; category `[B, N]` int64.
    appearance: `[B, N, K, C]`, or None to leave it out. camera: `[B, 4]`. foreground: `[B, G, G]` float in {0, 1}.
    """

    box: torch.Tensor
    presence: torch.Tensor
    category: torch.Tensor
    appearance: torch.Tensor | None
    camera: torch.Tensor
    foreground: torch.Tensor


def box_targets(translation, focal, scale, yaw) -> torch.Tensor:
    """`[B, N, 8]` of boxes in the camera frame; yaw `[B, N]` relative to the floor as the camera sees it."""
    depth = translation[..., 2:].clamp(min=0.05)
    uv = focal[:, None] * translation[..., :2] / depth + 0.5
    return torch.cat([uv, depth.log(), scale.clamp(min=0.01).log(), yaw.cos()[..., None], yaw.sin()[..., None]], -1)


def floor_yaw(matrix: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """`[B, N]` radians: heading of each object's x axis. `matrix` `[B, N, 3, 3]`, `up` `[B, 3]`; see `upright.yaw_of`."""
    ahead = torch.tensor([0.0, 0.0, 1.0], device=up.device).expand_as(up)
    forward = F.normalize(ahead - up[:, 2:] * up, dim=-1)
    right = torch.linalg.cross(forward, up)
    x = matrix[..., 0]
    return torch.atan2(torch.einsum("bnc,bc->bn", x, forward), torch.einsum("bnc,bc->bn", x, right))


def encoder_loss(out: Prediction, target: Targets) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The sum of the losses of all heads, and each by name."""
    scene, query, item = match(_cost(out, target), target.presence)
    wanted = torch.zeros_like(out.presence)
    wanted[scene, query] = 1.0
    mine, truth = out.box[scene, query], target.box[scene, item]
    weights = torch.tensor(_BOX_WEIGHTS, device=mine.device)
    pairs = max(1, len(scene))
    losses = {
        "presence": F.binary_cross_entropy_with_logits(out.presence, wanted, reduction="sum") / pairs,
        "category": F.cross_entropy(out.category[scene, query], target.category[scene, item], reduction="sum") / pairs,
        "box": (F.smooth_l1_loss(mine[:, :6], truth[:, :6], beta=0.1, reduction="none") * weights).sum() / pairs,
        "yaw": (1 - (mine[:, 6:] * truth[:, 6:]).sum(-1)).sum() / pairs,
        "camera": F.smooth_l1_loss(out.camera, target.camera, beta=0.05) * 8,
        "foreground": F.binary_cross_entropy_with_logits(out.foreground, target.foreground),
    }
    if target.appearance is not None:
        error = (out.appearance[scene, query] - target.appearance[scene, item]).square()
        losses["appearance"] = error.mean((1, 2)).sum() / pairs
    return torch.stack(list(losses.values())).sum(), losses


@torch.no_grad()
def _cost(out: Prediction, target: Targets) -> torch.Tensor:
    """`[B, Q, N]`: how ill query q would stand for object n."""
    present = target.presence
    weights = torch.tensor(_BOX_WEIGHTS, device=present.device)
    box = (out.box[:, :, None, :6] - target.box[:, None, :, :6]).abs().mul(weights).sum(-1)
    share = out.category.softmax(-1).gather(
        2, target.category.clamp(min=0)[:, None].expand(-1, out.presence.shape[1], -1)
    )
    return box - 2 * share - out.presence.sigmoid()[..., None]
