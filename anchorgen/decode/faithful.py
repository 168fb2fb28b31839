"""Faithful editing: what the decoder misses of a given picture is put back, carried along by the edit.

    picture = D(edited) + fill(W r, w),   r = source - D(unedited)

Both D with one noise seed, one number of steps and one guidance, so that D(edited) - D(unedited) is what the edit does,
light and shadows too. W fetches r for each pixel from where the source shows the same thing: by the same point of an
object's box where it was moved, turned or resized; by the zoom where the focal length changed; else from the same
pixel. w is 0 where the source does not show it: what an object hid before it left, sides of it that were not in view,
new and repainted objects. There the decoder's own picture stands, and `fill` only carries on the colours around it, as
seamless cloning does (Perez et al. 2003). An edit that changes nothing gives the source, bit for bit.

Shape legend: H = W picture side, P = H * W rays, L nearest boxes on a ray, N slots.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from anchorgen.decode.rays import Drawing, draw_boxes, present_boxes
from anchorgen.scene.batch import SceneBatch

_SAME_POINT = 0.3  # how far the two points may lie apart, in half sides of the box


def keep_source(
    picture: torch.Tensor, source: torch.Tensor, unedited: torch.Tensor, before: SceneBatch, after: SceneBatch
) -> torch.Tensor:
    """The formula above, `[3, H, W]` uint8.

    Args:
        picture, unedited: `[3, H, W]` uint8, D(edited) and D(unedited).
        source: `[3, H, W]` uint8, the given picture.
        before, after: the scene of the source and the edited one: batches of one, slot by slot the same objects.
    """
    place, shown = correspondence(before, after, picture.shape[-1])
    missed = (source.float() - unedited.float())[None].to(place.device)
    carried = F.grid_sample(missed, place[None], padding_mode="border", align_corners=False)
    kept = picture.to(place.device) + fill(carried, _soft(shown))[0]
    return kept.round().clamp(0, 255).to(torch.uint8).cpu()


def correspondence(before: SceneBatch, after: SceneBatch, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the picture of `before` shows what each pixel of the picture of `after` shows.

    Args:
        before, after: batches of one.
        size: H.

    Returns:
        place: `[H, W, 2]` float32, (x, y) in [-1, 1] over the picture, as `grid_sample` takes it.
        shown: `[H, W]` bool, False where it is not shown, or hidden, or not known to be the same.
    """
    old, new = draw_boxes(before, size), draw_boxes(after, size)
    appearance_N = _differs(before, after, "appearance", "presence")
    changed_N = appearance_N | _differs(before, after, "translation", "quat_wxyz", "scale")
    slot, entry = new.slot[0, :, 0], _entry(new)[:, 0]
    moved = new.hit[0, :, 0] & changed_N[slot]
    uv = torch.where(moved[:, None], _project(before, slot, entry), _pixels(size, entry) * (before.focal / after.focal))
    column, row = ((uv + 0.5) * size).long().clamp(0, size - 1).unbind(-1)
    pixel = row * size + column  # of the source
    same_side = (_entry(old)[pixel, 0] - entry).abs().amax(-1) < _SAME_POINT
    same_object = old.hit[0, pixel, 0] & (old.slot[0, pixel, 0] == slot) & same_side & ~appearance_N[slot]
    # A box is not full: what is seen through the nearest may be of the next.
    untouched = ~(_meets(old, changed_N)[pixel] | _meets(new, changed_N))
    shown = torch.where(moved, same_object, untouched) & (uv.abs() < 0.5).all(-1)
    return (2 * uv).unflatten(0, (size, size)), shown.unflatten(0, (size, size))


def fill(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`values` `[B, C, H, W]` where `weight` `[B, 1, H, W]` is 1; where it is 0, what lies around, ever coarser
    (the pull-push of Gortler et al. 1996). Without any weight, 0."""
    if max(values.shape[-2:]) == 1:
        return values * weight
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    coarse = F.avg_pool2d(values * weight, 2, ceil_mode=True) / share.clamp(min=1e-6)
    around = F.interpolate(fill(coarse, (4 * share).clamp(max=1)), size=values.shape[-2:], mode="bilinear")
    return weight * values + (1 - weight) * around


def _soft(shown: torch.Tensor) -> torch.Tensor:
    """`[1, 1, H, W]`: 0 where it is not shown, 1 from five pixels off, with a smooth edge between."""
    hidden = F.max_pool2d((~shown).float()[None, None], 5, stride=1, padding=2)
    for _ in range(2):
        hidden = F.avg_pool2d(hidden, 3, stride=1, padding=1, count_include_pad=False)
    return 1 - hidden


def _differs(before: SceneBatch, after: SceneBatch, *names: str) -> torch.Tensor:
    """`[N]` bool: slots in which one of the variables is another."""
    each = [(getattr(before, n)[0] != getattr(after, n)[0]).flatten(1).any(1) for n in names if n != "presence"]
    return torch.stack([*each, before.presence[0] != after.presence[0]]).any(0)


def _entry(drawing: Drawing) -> torch.Tensor:
    """`[P, L, 3]`: where rays enter the boxes, in [-1, 1] along the boxes' own axes."""
    return drawing.geometry[0, :, :, 1:4]


def _meets(drawing: Drawing, slots_N: torch.Tensor) -> torch.Tensor:
    """`[P]` bool: one of these slots is among the nearest boxes of the ray."""
    return (drawing.hit[0] & slots_N[drawing.slot[0]]).any(-1)


def _project(scene: SceneBatch, slot_P: torch.Tensor, point_P3: torch.Tensor) -> torch.Tensor:
    """`[P, 2]`: points of boxes, in [-1, 1] along their axes, in the picture of the scene: 0 centre, +-0.5 edges."""
    centre, matrix, extent = (x[0] for x in present_boxes(scene))
    inside = torch.einsum("pij,pj->pi", matrix[slot_P], point_P3 * extent[slot_P] / 2)
    camera = inside + centre[slot_P]
    return scene.focal * camera[:, :2] / camera[:, 2:].clamp(min=0.05)


def _pixels(size: int, like: torch.Tensor) -> torch.Tensor:
    """`[P, 2]`: pixel centres (x, y), row by row: 0 centre, +-0.5 edges."""
    centre = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size - 0.5
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)
