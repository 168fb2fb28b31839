"""E_psi of the paper: SAM 3 masks, SAM 3D Objects' latents, MoGe's camera, pooled to a scene (Eq. 4 to 9).

Shape legend: M objects, N slots, V voxels, K tokens, C channels, (G, G') patches.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anchorgen.encode.dinov2 import outside_grid
from anchorgen.encode.gravity import estimate_floor, estimate_up
from anchorgen.encode.moge import Moge
from anchorgen.encode.pooling import AttentionPooling
from anchorgen.encode.protocol import EncodedScene
from anchorgen.encode.sam3 import ObjectMask, Sam3Masks
from anchorgen.encode.sam3d import folder
from anchorgen.encode.sam3d.explain import PerceptionError, PictureError
from anchorgen.encode.sam3d.results import Failure, PictureResult, read_picture
from anchorgen.encode.sam3d.workers import Sam3dWorkers
from anchorgen.encode.slat import SlatObject, pack_slat
from anchorgen.geometry import opencv_to_pytorch3d


class SkippedObjectsWarning(UserWarning):
    """Objects that were found in a picture, but are not in its scene."""


@dataclass(frozen=True)
class Sam3dSettings:
    """Attributes:
    max_objects: the largest masks are kept.
    num_voxels: voxels of an object that the pooling sees.
    grid: (G, G') patches that DINOv2 makes of the picture (`Dinov2Patches.grid`).
    timeout_s: to wait for a picture; None for ever.
    seed: of SAM 3D's sampling.
    """

    max_objects: int = 16
    num_voxels: int = 4096
    grid: tuple[int, int] = (37, 37)
    timeout_s: float | None = None
    seed: int = 0


class Sam3dEncoder:
    """A `SceneEncoder` of the paper's parts.

    Args:
        pooling: trained with the decoder, as it defines the latent space.
        workers: of SAM 3D Objects; None to only `read` finished jobs.
        masks: finds the objects; None if masks are always given.
        depth: MoGe in this environment (metres with MoGe-2); None: SAM 3D's own depth model, of unknown scale.
        settings: see there.
    """

    def __init__(
        self,
        pooling: AttentionPooling,
        workers: Sam3dWorkers | None = None,
        masks: Sam3Masks | None = None,
        depth: Moge | None = None,
        settings: Sam3dSettings | None = None,
    ):
        self.pooling, self.workers, self.masks, self.depth = pooling, workers, masks, depth
        self.settings = settings or Sam3dSettings()

    def encode(self, picture: np.ndarray, *, boxes: Any = None, masks: Any = None) -> EncodedScene:
        """Finds the objects of one picture, surest first. A picture that was encoded before is read from the job.

        Args:
            picture: `[H, W, 3]` uint8.
            boxes: (label, (x0, y0, x1, y1) over width / height) each, in which SAM 3 looks.
            masks: (label, `[H, W]` bool) each, in place of SAM 3.

        Raises:
            PerceptionError: a model cannot be used; the message has the next step.
            PictureError: nothing can be made of this picture.
            ValueError: boxes and masks at once, or masks of another size.

        Warns:
            SkippedObjectsWarning: objects that failed, do not fit into the slots, or have a box that a scene refuses.
        """
        if self.workers is None:
            raise PerceptionError("SAM 3D Objects: this encoder only reads jobs; pass workers=Sam3dWorkers(...)")
        found, left = self._largest(self._find(picture, boxes, masks))
        path = self.add(picture, found)
        self.workers.wait([path.name], self.settings.timeout_s)
        scene, failures = self.read(path, [item.mask for item in left])
        if left or failures:
            said = [f"{item.label} (over {self.settings.max_objects} objects)" for item in left]
            said += [f"{failure.label} ({failure.reason})" for failure in failures]
            warnings.warn(f"not in the scene: {'; '.join(said)}", SkippedObjectsWarning, stacklevel=2)
        return scene

    def add(self, picture: np.ndarray, found: Sequence[ObjectMask], name: str | None = None) -> Path:
        """Puts a picture and its masks into the job without waiting; the same ones come under the same name."""
        assert self.workers is not None, "an encoder without workers has no job"
        masks = np.array([item.mask for item in found], bool).reshape(-1, *picture.shape[:2])
        if name is None:
            digest = hashlib.sha256(repr((picture.shape, self.settings.seed, [m.label for m in found])).encode())
            digest.update(np.ascontiguousarray(picture).tobytes() + np.packbits(masks).tobytes())
            name = digest.hexdigest()[:20]
        if (self.workers.job / "pictures" / name).exists():
            return self.workers.job / "pictures" / name
        depth = None
        if self.depth is not None:
            seen = self.depth(picture)
            intrinsics = np.array([[seen.focal[0], 0, 0.5], [0, seen.focal[1], 0.5], [0, 0, 1]])
            depth = {"points": opencv_to_pytorch3d(seen.points), "intrinsics": intrinsics}
        labels, scores = [m.label for m in found], [m.score for m in found]
        return folder.add_picture(self.workers.job, name, picture, masks, labels, scores, depth, self.settings.seed)

    def read(self, path: Path, more_masks: Sequence[np.ndarray] = ()) -> tuple[EncodedScene, list[Failure]]:
        """A finished picture of a job as a scene, and what is not in it.

        Args:
            path: `job/pictures/NAME`. more_masks: `[H, W]` bool, of objects outside the job, for the background.

        Raises:
            PictureError: not even the camera is known: the picture failed as a whole, or was not begun.
        """
        result = read_picture(path)
        failures = list(result.failures)
        objects = []
        for index, item in result.objects.items():
            if item.is_placeable:
                objects.append(item)
            else:
                where = f"centre {item.translation.round(3).tolist()}, size {item.scale.round(3).tolist()}"
                failures.append(Failure(path.name, index, item.label, f"no scene takes this box: {where}"))
        objects.sort(key=lambda item: -item.score)
        if result.depth is None:
            said = "; ".join(f.reason for f in failures) or "no worker has begun it"
            raise PictureError(f"{path.name}: its camera is unknown: {said}")
        return self._scene(objects, result, path, more_masks), failures

    def _scene(
        self, objects: list[SlatObject], result: PictureResult, path: Path, more_masks: Sequence[np.ndarray]
    ) -> EncodedScene:
        assert result.depth is not None
        stack = {
            name: np.array([getattr(item, name) for item in objects], np.float32).reshape(-1, size)
            for name, size in (("translation", 3), ("quat_wxyz", 4), ("scale", 3))
        }
        scores = np.array([item.score for item in objects], np.float32)
        points, voxels = result.depth.points, tuple(self._voxels(item) for item in objects)
        up, _ = estimate_up(points, stack["quat_wxyz"], scores)
        floor, _ = estimate_floor(points, up, **stack)
        masks = [*folder.masks_of(path), *more_masks]
        return EncodedScene(
            **stack,
            appearance=self._pool(voxels),
            voxels=voxels,
            labels=tuple(item.label for item in objects),
            scores=scores,
            focal=result.depth.focal,
            up=up.astype(np.float32),
            floor=floor,
            outside=outside_grid(np.array(masks, bool).reshape(-1, *result.size), *self.settings.grid),
        )

    def _voxels(self, item: SlatObject) -> tuple[np.ndarray, np.ndarray]:
        """Coords `[V, 3]` and feats `[V, 8]` float16, as records keep them, so that f is that of the record."""
        count = min(self.settings.num_voxels, len(item.coords))
        coords, feats, _ = pack_slat([item], 1, count, self.settings.seed)
        return coords[0].astype(np.float16), feats[0].astype(np.float16)

    @torch.no_grad()
    def _pool(self, voxels: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """`[M, K, C]` (Eq. 7), one object at a time: V varies by an order of magnitude."""
        device, found = self.pooling.queries.device, []
        for arrays in voxels:
            coords, feats = (torch.from_numpy(x)[None, None].to(device).float() for x in arrays)
            mask = torch.ones(coords.shape[:3], dtype=torch.bool, device=device)
            found.append(self.pooling(coords, feats, mask)[0, 0].float().cpu().numpy())
        tokens, channels = self.pooling.queries.shape[0], self.pooling.normalise.normalized_shape[0]
        return np.array(found, np.float32).reshape(-1, tokens, channels)

    def _find(self, picture: np.ndarray, boxes: Any, masks: Any) -> list[ObjectMask]:
        if boxes is not None and masks is not None:
            raise ValueError("got boxes and masks; expected one of them: a mask says more")
        if masks is not None:
            found = [ObjectMask(str(label), 1.0, np.asarray(mask, bool)) for label, mask in masks]
            for item in found:
                if item.mask.shape != picture.shape[:2]:
                    raise ValueError(
                        f"a mask is {list(item.mask.shape)}; expected {list(picture.shape[:2])}, as the picture"
                    )
            return found
        if self.masks is None:
            raise PerceptionError("SAM 3: this encoder has none; pass masks=Sam3Masks.load(...), or masks to `encode`")
        return self.masks(picture) if boxes is None else self.masks.in_boxes(picture, boxes)

    def _largest(self, found: list[ObjectMask]) -> tuple[list[ObjectMask], list[ObjectMask]]:
        order = sorted(range(len(found)), key=lambda i: -int(found[i].mask.sum()))
        kept = set(order[: self.settings.max_objects])
        return [m for i, m in enumerate(found) if i in kept], [m for i, m in enumerate(found) if i not in kept]
