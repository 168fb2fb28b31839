"""MoGe (Wang et al. 2024, 2025): a point map and the camera's intrinsics from one picture.

Its points are in the OpenCV frame, MoGe-2's in metres; its intrinsics are divided by width and height with the principal
point in the middle, as here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anchorgen.encode.sam3d.explain import PictureError, explained
from anchorgen.geometry import project

REPOSITORY = "Ruicheng/moge-2-vitl"
INSTALL = "pip install git+https://github.com/microsoft/MoGe.git"
MAX_REPROJECTION = 0.05  # of the picture's side


@dataclass(frozen=True)
class DepthMap:
    """Attributes:
    points: `[H, W, 3]` float32, OpenCV camera frame, NaN where nothing is known (sky).
    focal: `[2]` float32, (fx, fy) over picture width / height.
    """

    points: np.ndarray
    focal: np.ndarray


def focal_from_intrinsics(intrinsics: np.ndarray) -> np.ndarray:
    """(fx, fy) `[2]` of normalised intrinsics `[3, 3]`.

    Raises:
        PictureError: in pixels, with a principal point off the middle, or not finite.
    """
    k = np.asarray(intrinsics, float)
    if k.shape != (3, 3) or not np.all(np.isfinite(k)) or k[0, 0] <= 0 or k[1, 1] <= 0:
        raise PictureError(f"intrinsics are {k.tolist()}; expected [3, 3], finite, with focal lengths > 0")
    if np.any(np.abs(k[:2, 2] - 0.5) > 0.01):
        raise PictureError(
            f"the principal point is {k[:2, 2].tolist()}; expected (0.5, 0.5): divide pixels by width and height, and crop "
            "so that it is in the middle"
        )
    return k[[0, 1], [0, 1]].astype(np.float32)


def depth_map(points: np.ndarray, intrinsics: np.ndarray) -> DepthMap:
    """Checks that points `[H, W, 3]` lie on the rays of their pixels: else they are in another frame.

    Raises:
        PictureError: they do not, or there are none.
    """
    points = np.where(np.isfinite(points), points, np.nan).astype(np.float32)
    focal = focal_from_intrinsics(intrinsics)
    height, width = points.shape[:2]
    v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    known = np.all(np.isfinite(points), -1)
    if not known.any():
        raise PictureError("the point map has no finite point; expected a picture of a room")
    off = float(np.median(np.abs(project(points[known], focal) - np.stack([u, v], -1)[known])))
    if off > MAX_REPROJECTION:
        raise PictureError(
            f"points lie {off:.2f} picture sides beside their pixels (median); expected the OpenCV frame (x right, y down)"
        )
    return DepthMap(points, focal)


class Moge:
    """MoGe's `infer` as a `DepthMap`.

    Args:
        model: with MoGe's `infer(image [3, H, W] in [0, 1]) -> {"points", "intrinsics", ...}`.
    """

    def __init__(self, model: Any):
        self.model = model

    @staticmethod
    def load(repository: str = REPOSITORY, device: str | torch.device = "cuda") -> Moge:
        """From the Hub, or from a `model.pt`.

        Raises:
            PerceptionError: the package or the weights are missing, or there is no usable GPU.
        """
        with explained("MoGe", repository, install=INSTALL):
            from moge.model.v2 import MoGeModel  # type: ignore[import-not-found]

            return Moge(MoGeModel.from_pretrained(repository).to(device).eval())

    @torch.no_grad()
    def __call__(self, picture: np.ndarray) -> DepthMap:
        """`picture`: `[H, W, 3]` uint8."""
        image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float() / 255
        parameter = next(iter(self.model.parameters()))
        with explained("MoGe"):
            out = self.model.infer(image.to(parameter.device), use_fp16=parameter.is_cuda)
        return depth_map(*(out[name].float().cpu().numpy() for name in ("points", "intrinsics")))
