"""The bundled E_psi: a small set-prediction network that finds boxes, camera, gravity and appearance in one picture.

Every cell of a 16 x 16 grid is a query that may stand for one object with its centre nearby; the Hungarian matching of
DETR decides in training which cell must, so that no duplicates have to be suppressed afterwards.

Shape legend: B pictures, G cells a side, Q = G * G queries, K appearance tokens, C channels, L categories, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from anchorgen.blocks import ResidualBlock
from anchorgen.encode.protocol import EncodedScene
from anchorgen.encode.upright import quat_from_yaw
from anchorgen.geometry import MIN_DEPTH_M, MIN_SIZE_M
from anchorgen.json_values import tuples

BOX_CHANNELS = 8  # u, v of the centre, log z, log size 3, cos and sin of the yaw
CAMERA_CHANNELS = 4  # log fx, log fy, camera pitch, log camera height


@dataclass(frozen=True)
class EncoderConfig:
    """Attributes:
    categories: names the encoder can give.
    num_tokens, channels: K and C.
    max_objects: the most it reports.
    image_size, patch: pixels a side of the picture, and of the patches that the foreground mask tells apart.
    stage_widths: of the convolutions at 1/4, 1/8 and 1/16 of the picture; width: of the transformer.
    num_layers, num_heads: of the transformer over the cells.
    threshold: presence probability from which an object is reported.
    """

    categories: tuple[str, ...]
    num_tokens: int = 4
    channels: int = 64
    max_objects: int = 16
    image_size: int = 128
    patch: int = 8
    stage_widths: tuple[int, ...] = (64, 128, 192)
    width: int = 192
    num_layers: int = 2
    num_heads: int = 6
    threshold: float = 0.5


@dataclass
class Prediction:
    """Attributes:
    presence: `[B, Q]` logits. category: `[B, Q, L]` logits. box: `[B, Q, 8]`. appearance: `[B, Q, K, C]`.
    camera: `[B, 4]`. foreground: `[B, G, G]` logits.
    """

    presence: torch.Tensor
    category: torch.Tensor
    box: torch.Tensor
    appearance: torch.Tensor
    camera: torch.Tensor
    foreground: torch.Tensor


class BundledEncoder(nn.Module):
    """A convolutional backbone, a transformer over its 16 x 16 cells, and one head a factor."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        a, b, c = config.stage_widths
        w, self.grid = config.width, config.image_size // config.patch
        self.stem = nn.Sequential(nn.Conv2d(3, a, 4, stride=4), ResidualBlock(a))
        self.eighth = nn.Sequential(nn.Conv2d(a, b, 2, stride=2), ResidualBlock(b), ResidualBlock(b))
        self.sixteenth = nn.Sequential(nn.Conv2d(b, c, 2, stride=2), ResidualBlock(c), ResidualBlock(c))
        self.up, self.project = nn.Conv2d(c, b, 1), nn.Conv2d(b, w, 1)
        self.position = nn.Parameter(torch.randn(1, self.grid**2, w) * 0.02)
        self.scene = nn.Parameter(torch.randn(1, 1, w) * 0.02)
        sizes = {"d_model": w, "nhead": config.num_heads, "dim_feedforward": 3 * w, "dropout": 0.0}
        layer = nn.TransformerEncoderLayer(**sizes, batch_first=True, norm_first=True)
        self.mixer = nn.TransformerEncoder(layer, config.num_layers, nn.LayerNorm(w), enable_nested_tensor=False)
        self.presence, self.category = nn.Linear(w, 1), nn.Linear(w, len(config.categories))
        self.foreground = nn.Linear(w, 1)
        self.box = nn.Sequential(nn.Linear(w, w), nn.SiLU(), nn.Linear(w, BOX_CHANNELS))
        tokens = config.num_tokens * config.channels
        self.appearance = nn.Sequential(nn.Linear(w, 2 * w), nn.SiLU(), nn.Linear(2 * w, tokens))
        self.camera = nn.Sequential(nn.Linear(w, w), nn.SiLU(), nn.Linear(w, CAMERA_CHANNELS))
        self.normalise = nn.LayerNorm(config.channels, elementwise_affine=False)
        nn.init.constant_(self.presence.bias, -3.5)  # few cells hold an object

    @staticmethod
    def from_config(value: dict[str, Any]) -> BundledEncoder:
        """From the JSON form of an `EncoderConfig`."""
        return BundledEncoder(EncoderConfig(**tuples(value)))

    def forward(self, image: torch.Tensor) -> Prediction:
        """`image` `[B, 3, H, W]` in [-1, 1]."""
        quarter = self.stem(image.contiguous(memory_format=torch.channels_last))
        eighth = self.eighth(quarter)
        coarse = F.interpolate(self.up(self.sixteenth(eighth)), scale_factor=2, mode="nearest")
        cells = self.project(eighth + coarse).flatten(2).transpose(1, 2) + self.position
        mixed = self.mixer(torch.cat([self.scene.expand(len(image), -1, -1).to(cells.dtype), cells], 1))
        scene, objects = mixed[:, 0], mixed[:, 1:]
        box = self.box(objects).float()
        uv = self._cell_centres(image.device) + box[..., :2] / self.grid
        yaw = F.normalize(box[..., 6:], dim=-1)
        tokens = self.appearance(objects).unflatten(-1, (self.config.num_tokens, self.config.channels))
        return Prediction(
            presence=self.presence(objects)[..., 0].float(),
            category=self.category(objects).float(),
            box=torch.cat([uv, box[..., 2:3] + 1.0, box[..., 3:6] - 0.3, yaw], -1),
            appearance=self.normalise(tokens.float()),
            camera=self.camera(scene).float() + torch.tensor([-0.3, -0.3, 0.15, 0.4], device=image.device),
            foreground=self.foreground(objects)[..., 0].unflatten(-1, (self.grid, self.grid)).float(),
        )

    def _cell_centres(self, device: torch.device) -> torch.Tensor:
        """`[Q, 2]`: (u, v) of each cell's centre."""
        at = (torch.arange(self.grid, device=device) + 0.5) / self.grid
        v, u = torch.meshgrid(at, at, indexing="ij")
        return torch.stack([u, v], -1).reshape(-1, 2)

    @torch.no_grad()
    def encode(self, picture: np.ndarray, *, boxes: Any = None, masks: Any = None) -> EncodedScene:
        """Finds the objects of one picture, most certain first.

        Args:
            picture: `[H, W, 3]` uint8 of the encoder's size (`to_picture`).
            boxes, masks: this encoder takes no hints.

        Raises:
            ValueError: hints were given.
        """
        if boxes is not None or masks is not None:
            raise ValueError(
                "got boxes or masks; the bundled encoder finds objects itself and takes no hints: leave them out"
            )
        device = self.scene.device
        image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].to(device).float() / 127.5 - 1
        out = self(image)
        score = out.presence[0].sigmoid()
        order = torch.argsort(score, descending=True)
        kept = order[score[order] >= self.config.threshold][: self.config.max_objects]
        focal, up, height = camera_from(out.camera[0].double().cpu().numpy())
        box = out.box[0, kept].double().cpu().numpy()
        depth = np.exp(box[:, 2:3]).clip(4 * MIN_DEPTH_M, 30)
        centre = (box[:, :2] - 0.5) / focal * depth
        category = out.category[0, kept].argmax(-1).tolist()
        return EncodedScene(
            translation=np.concatenate([centre, depth], 1).astype(np.float32),
            quat_wxyz=quat_from_yaw(np.arctan2(box[:, 7], box[:, 6]), up).astype(np.float32).reshape(-1, 4),
            scale=np.exp(box[:, 3:6]).clip(2 * MIN_SIZE_M, 10).astype(np.float32),
            appearance=out.appearance[0, kept].cpu().numpy(),
            labels=tuple(self.config.categories[i] for i in category),
            scores=score[kept].cpu().numpy(),
            focal=focal.astype(np.float32),
            up=up.astype(np.float32),
            floor=-float(height),
            outside=(out.foreground[0] < 0).cpu().numpy(),
        )


def camera_from(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Focal `[2]`, up `[3]` and camera height in metres of the camera head's four numbers (no roll)."""
    pitch = np.clip(values[2], -1.2, 1.2)
    focal = np.exp(np.clip(values[:2], -2, 2))
    return focal, np.array([0.0, -np.cos(pitch), -np.sin(pitch)]), float(np.exp(np.clip(values[3], -2, 2)))


def camera_targets(focal: torch.Tensor, up: torch.Tensor, floor: torch.Tensor) -> torch.Tensor:
    """The inverse of `camera_from` for batches: `[B, 2]`, `[B, 3]`, `[B]` -> `[B, 4]`."""
    pitch = torch.atan2(-up[:, 2], -up[:, 1])
    return torch.cat([focal.log(), pitch[:, None], (-floor).clamp(min=0.1).log()[:, None]], 1)
