"""Boxes drawn along every picture ray: where each ray enters and leaves the nearest boxes, in the boxes' own frames.

A diffusion transformer told of boxes only by tokens must first learn projective geometry; drawn along rays, it is given.

Shape legend: B scenes, N slots, P rays, L nearest boxes kept on a ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import roma
import torch
import torch.nn.functional as F

from anchorgen.scene.batch import SceneBatch

GEOMETRY_CHANNELS = 12  # hit, entry 3, exit 3, depth, log depth, thickness, visible cosine, order
RAY_CHANNELS = 7  # direction 3, floor point 3, floor hit

PAIR_CHANNELS = 12  # hit, entry 3, closest point 3, depth, log depth, beside, thickness, present

_FAR_M = 1e4


@dataclass
class Drawing:
    """Attributes:
    slot: `[B, P, L]` int64, which slot the ray meets as its l-th nearest box (0 where none).
    hit: `[B, P, L]` bool.
    geometry: `[B, P, L, GEOMETRY_CHANNELS]` float32.
    rays: `[B, P, RAY_CHANNELS]` float32.
    point: `[B, P, 3]` float32, the nearest drawn surface (box, else floor, else 4 m out), camera frame, metres.
    """

    slot: torch.Tensor
    hit: torch.Tensor
    geometry: torch.Tensor
    rays: torch.Tensor
    point: torch.Tensor


def ray_directions(focal: torch.Tensor, size: int) -> torch.Tensor:
    """Unit viewing rays `[B, size * size, 3]` (row-major) for focals `[B, 2]` over the picture's side."""
    centre = (torch.arange(size, device=focal.device, dtype=focal.dtype) + 0.5) / size - 0.5
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    x, y = u.reshape(1, -1) / focal[:, :1], v.reshape(1, -1) / focal[:, 1:]
    return F.normalize(torch.stack([x, y, torch.ones_like(x)], -1), dim=-1)


def draw_boxes(scene: SceneBatch, size: int, num_nearest: int = 2) -> Drawing:
    """Slab test of every ray against every present box. What absent slots store has no influence, not even as NaN."""
    direction_BP3, origin_BN3, local_BPN3, extent_BN3, enter_BPN, leave_BPN, hit_BPN = _slabs(scene, size)
    order = torch.where(hit_BPN, enter_BPN.clamp(min=0), torch.full_like(enter_BPN, _FAR_M))
    if (missing := num_nearest - order.shape[-1]) > 0:  # fewer slots than boxes kept on a ray
        order = F.pad(order, (0, missing), value=_FAR_M)
    distance, slot = order.topk(num_nearest, dim=-1, largest=False, sorted=True)
    hit = distance < _FAR_M
    slot = torch.where(hit, slot, torch.zeros_like(slot))
    leave = leave_BPN.gather(2, slot)
    geometry = _geometry(origin_BN3, local_BPN3, extent_BN3, slot, hit, distance, leave)
    rays, floor_distance = _floor(scene, direction_BP3)
    nearest = torch.where(hit[..., 0], distance[..., 0], floor_distance)
    return Drawing(slot, hit, geometry, rays, direction_BP3 * nearest[..., None])


def pair_rays_with_boxes(scene: SceneBatch, size: int) -> torch.Tensor:
    """`[B, P, N, PAIR_CHANNELS]`: how every ray meets or passes every box, in the box's own frame; absent boxes are 0."""
    _, origin_BN3, local_BPN3, extent_BN3, enter_BPN, leave_BPN, hit_BPN = _slabs(scene, size)
    origin, extent = origin_BN3[:, None], extent_BN3[:, None]
    depth = torch.where(hit_BPN, enter_BPN, origin.norm(dim=-1)).clamp(0.05, 20)
    entry = ((origin + depth[..., None] * local_BPN3) / extent * 2).clamp(-1, 1) * hit_BPN[..., None]
    closest = origin - (origin * local_BPN3).sum(-1, keepdim=True) * local_BPN3
    beside = closest.norm(dim=-1).clamp(max=4)
    thickness = (leave_BPN - enter_BPN).clamp(0, 3) * hit_BPN
    scalars = torch.stack([depth / 4, depth.log(), beside, thickness, torch.ones_like(depth)], -1)
    pairs = torch.cat([hit_BPN[..., None].float(), entry, (closest / extent * 2).clamp(-3, 3), scalars], -1)
    return pairs * scene.presence[:, None, :, None]


def _slabs(scene: SceneBatch, size: int):
    """Slab test of all rays: directions, box-frame origins and directions, sizes, where each enters and leaves, hits."""
    direction_BP3 = ray_directions(scene.focal, size)
    centre_BN3, matrix_BN33, extent_BN3 = present_boxes(scene)
    origin_BN3 = torch.einsum("bnji,bnj->bni", matrix_BN33, -centre_BN3)
    local_BPN3 = torch.einsum("bnji,bpj->bpni", matrix_BN33, direction_BP3)
    safe = torch.where(local_BPN3.abs() < 1e-6, torch.full_like(local_BPN3, 1e-6), local_BPN3)
    first = (-extent_BN3[:, None] / 2 - origin_BN3[:, None]) / safe
    second = (extent_BN3[:, None] / 2 - origin_BN3[:, None]) / safe
    enter_BPN = torch.minimum(first, second).amax(-1)
    leave_BPN = torch.maximum(first, second).amin(-1)
    hit_BPN = (enter_BPN < leave_BPN) & (leave_BPN > 0) & scene.presence[:, None]
    return direction_BP3, origin_BN3, local_BPN3, extent_BN3, enter_BPN, leave_BPN, hit_BPN


def present_boxes(scene: SceneBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Centres, rotations and sizes, with harmless values in absent slots."""
    present = scene.presence[..., None]
    ahead = torch.tensor([0.0, 0.0, 1.0], device=scene.focal.device)
    centre = torch.where(present, scene.translation, ahead)
    extent = torch.where(present, scene.scale, torch.ones_like(scene.scale)).clamp(min=0.01)
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0], device=scene.focal.device)
    quat = torch.where(present, scene.quat_wxyz, identity)
    return centre, roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(quat)), extent


def _geometry(origin_BN3, local_BPN3, extent_BN3, slot, hit, distance, leave) -> torch.Tensor:
    rays = slot.shape[1]
    at = slot[..., None].expand(-1, -1, -1, 3)
    origin = origin_BN3[:, None].expand(-1, rays, -1, -1).gather(2, at)
    extent = extent_BN3[:, None].expand(-1, rays, -1, -1).gather(2, at)
    local = local_BPN3.gather(2, at)
    entry = ((origin + distance.clamp(max=30)[..., None] * local) / extent * 2).clamp(-1, 1)
    exit_ = ((origin + leave.clamp(max=30)[..., None] * local) / extent * 2).clamp(-1, 1)
    depth = distance.clamp(0.05, 20)
    # The face where the ray enters is the axis on which the entry point is outermost.
    facing = local.abs().gather(-1, entry.abs().argmax(-1, keepdim=True))[..., 0]
    thickness = (leave - distance).clamp(0, 3)
    rank = torch.arange(hit.shape[-1], device=hit.device, dtype=entry.dtype).expand_as(depth)
    scalars = torch.stack([depth / 4, depth.log(), thickness, facing, rank], -1)
    ones = torch.ones_like(depth)[..., None]
    return torch.cat([ones, entry, exit_, scalars], -1) * hit[..., None]


def _floor(scene: SceneBatch, direction_BP3: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Ray channels, and the distance `[B, P]` to the floor (4 m where the ray does not meet it within 12 m)."""
    slope = torch.einsum("bpc,bc->bp", direction_BP3, scene.up)
    distance = scene.floor[:, None] / slope.clamp(max=-1e-3)
    meets = (slope < -1e-3) & (distance > 0) & (distance < 12)
    distance = torch.where(meets, distance, torch.full_like(distance, 4.0))
    point = direction_BP3 * distance[..., None] / 4 * meets[..., None]
    return torch.cat([direction_BP3, point, meets[..., None].float()], -1), distance
