"""The variables of Eq. 9 as a network sees them: whitened, finite, and back again.

Layout p = (t, q, s) becomes (x/z, y/z, log z), the rotation relative to a level camera, log s: a box twice as far and
twice as large then differs by a shift, and whatever stands upright has the same tilt channels in every picture.

Shape legend: B scenes, N slots, K appearance tokens, Kb background tokens, C channels, P layout channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import roma
import torch
from torch import Tensor, nn

from anchorgen.geometry import MIN_DEPTH_M, MIN_SIZE_M
from anchorgen.scene.batch import SceneBatch

CONTINUOUS = ("layout", "appearance", "focal", "background")
ABSENT, PRESENT, MASKED = 0, 1, 2  # values of z; MASKED is the [M] of Eq. 11
ROTATION_CHANNELS = {"6d": 6, "quat": 4}
MAX_DEPTH_M, MAX_SIZE_M, MAX_SLOPE, FOCAL_RANGE = 50.0, 20.0, 10.0, (0.1, 20.0)

# Where p ends when z0 = 0: three standard deviations below the mean log size, a box that no present object has.
_ABSENT_LOG_SIZE = -3.0
_SMALLEST_STD = {"layout": 0.05, "appearance": 0.01, "focal": 0.02, "background": 0.01, "gravity": 0.05}


@dataclass
class Variables:
    """Whitened variables of B scenes.

    Attributes:
        layout: `[B, N, P]`, p.
        appearance: `[B, N, K, C]`, f.
        presence: `[B, N]` int64, z: ABSENT, PRESENT or MASKED.
        focal: `[B, 2]`, c.
        background: `[B, Kb, C]`, b.
        gravity: `[B, 4]`, up and floor: known about the scene, never sampled.
    """

    layout: Tensor
    appearance: Tensor
    presence: Tensor
    focal: Tensor
    background: Tensor
    gravity: Tensor

    def replace(self, **changes: Tensor) -> Variables:
        return replace(self, **changes)

    def __getitem__(self, index) -> Variables:
        return Variables(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def __len__(self) -> int:
        return len(self.presence)


def level_rotation(up: Tensor) -> Tensor:
    """`[..., 3, 3]`: the smallest turn of the camera frame that takes `up` `[..., 3]` to straight up, (0, -1, 0)."""
    x, y, z = up.unbind(-1)
    quat_xyzw = torch.stack([z, torch.zeros_like(x), -x, 1 - y], -1)  # up cross (0, -1, 0), 1 + cosine
    return roma.unitquat_to_rotmat(_unit(quat_xyzw))


def layout_to_channels(translation: Tensor, quat_wxyz: Tensor, scale: Tensor, up: Tensor, rotation: str) -> Tensor:
    """p = (t, q, s) (Eq. 5) as channels, not whitened. Finite for any stored value.

    Args:
        translation: `[B, N, 3]` metres; quat_wxyz: `[B, N, 4]`; scale: `[B, N, 3]` metres; up: `[B, 3]`.
        rotation: "6d" (the axes up and front: no double cover) or "quat" (canonical wxyz, as the paper's q).

    Returns:
        `[B, N, P]` float64: (x/z, y/z, log z), rotation, log s.
    """
    translation, quat_wxyz, scale, up = (torch.nan_to_num(v.double()) for v in (translation, quat_wxyz, scale, up))
    depth = translation[..., 2:].clamp(MIN_DEPTH_M, MAX_DEPTH_M)
    slope = (translation[..., :2] / depth).clamp(-MAX_SLOPE, MAX_SLOPE)
    matrix = level_rotation(up)[:, None] @ roma.unitquat_to_rotmat(_unit(quat_wxyz.roll(-1, -1)))
    if rotation == "6d":
        turned = torch.cat([matrix[..., :, 2], matrix[..., :, 1]], -1)
    else:
        turned = _canonical_wxyz(matrix)
    return torch.cat([slope, depth.log(), turned, scale.clamp(MIN_SIZE_M, MAX_SIZE_M).log()], -1)


def channels_to_layout(channels: Tensor, up: Tensor, rotation: str) -> tuple[Tensor, Tensor, Tensor]:
    """Inverse of `layout_to_channels`: t, q, s as float32, inside the limits of a valid scene for any channels."""
    channels, up = channels.double(), up.double()
    depth = channels[..., 2:3].exp().clamp(MIN_DEPTH_M, MAX_DEPTH_M)
    translation = torch.cat([channels[..., :2].clamp(-MAX_SLOPE, MAX_SLOPE) * depth, depth], -1)
    turned = channels[..., 3:-3]
    if rotation == "6d":
        upright = turned.new_tensor([0, -1e-9, 0, 0, 0, -1e-9])  # decides only where the axes vanish
        axes = (turned + upright).unflatten(-1, (2, 3)).transpose(-1, -2)
        z_axis, y_axis, minus_x = roma.special_gramschmidt(axes, epsilon=1e-15).unbind(-1)  # type: ignore[arg-type]
        matrix = torch.stack([-minus_x, y_axis, z_axis], -1)
    else:
        matrix = roma.unitquat_to_rotmat(_unit(turned.roll(-1, -1)))
    quat_wxyz = _canonical_wxyz(level_rotation(up)[:, None].transpose(-1, -2) @ matrix)
    scale = channels[..., -3:].exp().clamp(MIN_SIZE_M, MAX_SIZE_M)
    return translation.float(), quat_wxyz.float(), scale.float()


def _unit(quat_xyzw: Tensor) -> Tensor:
    length = quat_xyzw.norm(dim=-1, keepdim=True)
    identity = quat_xyzw.new_tensor([0, 0, 0, 1])
    return torch.where(length > 1e-9, quat_xyzw / length.clamp_min(1e-9), identity)


def _canonical_wxyz(matrix: Tensor) -> Tensor:
    quat = _unit(roma.rotmat_to_unitquat(matrix)).roll(1, -1)
    first = (quat.abs() > 1e-9).int().argmax(-1, keepdim=True)
    return quat * torch.where(quat.gather(-1, first) < 0, -1.0, 1.0)


class Whitening(nn.Module):
    """Mean and standard deviation of every channel, over present slots only; saved with the weights.

    Also holds the absent code: the point in whitened space where p and f of a slot with z0 = 0 end (DESIGN section 4).

    Args:
        num_tokens, num_channels, num_background_tokens: K, C, Kb.
        rotation: see `layout_to_channels`.
    """

    absent_layout: Tensor
    absent_appearance: Tensor
    background_mean: Tensor

    def __init__(self, num_tokens: int, num_channels: int, num_background_tokens: int, rotation: str = "6d"):
        super().__init__()
        if rotation not in ROTATION_CHANNELS:
            raise ValueError(f"rotation is {rotation!r}; expected one of {sorted(ROTATION_CHANNELS)}")
        self.rotation = rotation
        self.num_layout_channels = 6 + ROTATION_CHANNELS[rotation]
        shapes = {
            "layout": (self.num_layout_channels,),
            "appearance": (num_tokens, num_channels),
            "focal": (2,),
            "background": (num_background_tokens, num_channels),
            "gravity": (4,),
        }
        for name, shape in shapes.items():
            self.register_buffer(f"{name}_mean", torch.zeros(shape))
            self.register_buffer(f"{name}_std", torch.ones(shape))
        code = torch.zeros(shapes["layout"])
        code[-3:] = _ABSENT_LOG_SIZE
        self.register_buffer("absent_layout", code)
        self.register_buffer("absent_appearance", torch.zeros(shapes["appearance"]))

    def encode(self, scene: SceneBatch) -> Variables:
        """Whitened variables as they are stored, absent slots too (see `with_absent_code`). Always finite."""
        raw = {name: self._whiten(name, value) for name, value in self._raw(scene).items()}
        return Variables(**raw, presence=scene.presence.long())

    def with_absent_code(self, variables: Variables, present: Tensor) -> Variables:
        """Puts the absent code in place of p and f where `present` `[B, N]` is False, whatever they store."""
        layout = torch.where(present[..., None], variables.layout, self.absent_layout)
        appearance = torch.where(present[..., None, None], variables.appearance, self.absent_appearance)
        return variables.replace(layout=layout, appearance=appearance)

    def decode(self, variables: Variables, scene: SceneBatch) -> SceneBatch:
        """Inverse of `encode`; presence is z == PRESENT, up and floor are those of `scene`. A valid scene
        for any finite values."""
        raw = {name: self._unwhiten(name, getattr(variables, name)) for name in CONTINUOUS}
        translation, quat_wxyz, scale = channels_to_layout(raw["layout"], scene.up, self.rotation)
        return scene.replace(
            translation=translation,
            quat_wxyz=quat_wxyz,
            scale=scale,
            appearance=raw["appearance"],
            presence=variables.presence == PRESENT,
            focal=raw["focal"].exp().clamp(*FOCAL_RANGE),
            background=raw["background"],
        )

    @torch.no_grad()
    def fit(self, scenes: Iterable[SceneBatch]) -> None:
        """Sets the statistics from all of `scenes`, read once.

        Raises:
            ValueError: no scene, or no present object.
        """
        sums: dict[str, list[Tensor]] = {}
        for scene in scenes:
            for name, raw in self._raw(scene).items():
                rows = raw.double()[scene.presence] if name in ("layout", "appearance") else raw.double()
                moments = [torch.tensor(float(len(rows))), rows.sum(0), rows.square().sum(0)]
                sums[name] = [a + b for a, b in zip(sums[name], moments, strict=True)] if name in sums else moments
        if not sums or sums["layout"][0] == 0:
            raise ValueError("whitening needs at least one scene with a present object; got none")
        for name, (count, total, squares) in sums.items():
            mean = total / count
            std = (squares / count - mean.square()).clamp_min(0).sqrt().clamp_min(_SMALLEST_STD[name])
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_std").copy_(std)

    def _raw(self, scene: SceneBatch) -> dict[str, Tensor]:
        boxes = (scene.translation, scene.quat_wxyz, scene.scale, scene.up)
        return {
            "layout": layout_to_channels(*boxes, self.rotation),
            "appearance": torch.nan_to_num(scene.appearance.float()),
            "focal": scene.focal.float().clamp(*FOCAL_RANGE).log(),
            "background": scene.background.float(),
            "gravity": torch.cat([scene.up, scene.floor[..., None]], -1).float(),
        }

    def _whiten(self, name: str, value: Tensor) -> Tensor:
        return ((value - getattr(self, f"{name}_mean")) / getattr(self, f"{name}_std")).float()

    def _unwhiten(self, name: str, value: Tensor) -> Tensor:
        return value * getattr(self, f"{name}_std") + getattr(self, f"{name}_mean")
