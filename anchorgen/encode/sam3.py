"""SAM 3 by concept: a mask for every bed, every lamp, ... in a picture. (M masks.)

The picture's features are computed once; each concept is one short call on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anchorgen.encode.sam3d.explain import PerceptionError, PictureError, explained

REPOSITORY = "facebook/sam3"
INSTALL = "pip install 'anchorgen[paper]'"
BEDROOM_CONCEPTS = (
    "bed",
    "nightstand",
    "table lamp",
    "floor lamp",
    "pendant lamp",
    "wardrobe",
    "dresser",
    "desk",
    "chair",
    "bookshelf",
    "plant",
    "rug",
    "painting",
    "mirror",
    "ottoman",
)


@dataclass(frozen=True)
class ObjectMask:
    """Attributes:
    label: the concept. score: in [0, 1]. mask: `[H, W]` bool.
    """

    label: str
    score: float
    mask: np.ndarray


class Sam3Masks:
    """`Sam3Model` and `Sam3Processor` for a list of concepts.

    Args:
        model, processor: of transformers.
        concepts: noun phrases; they become the objects' labels.
        threshold: score from which an object is reported.
        max_overlap: of two masks that share more (intersection over union), the surer stays: a desk is found as a table.
        min_area: share of the picture below which a mask is left out (0.0018 is 30 px of 128 x 128).
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        concepts: Sequence[str] = BEDROOM_CONCEPTS,
        threshold: float = 0.5,
        max_overlap: float = 0.7,
        min_area: float = 0.0018,
    ):
        self.model, self.processor, self.concepts = model.eval().requires_grad_(False), processor, tuple(concepts)
        self.threshold, self.max_overlap, self.min_area = threshold, max_overlap, min_area
        self._words: dict[str, Any] = {}

    @staticmethod
    def load(
        repository: str = REPOSITORY, device: str | torch.device = "cuda", dtype: Any = None, **options: Any
    ) -> Any:
        """From the Hub or a folder; `options` as the class takes them.

        Raises:
            PerceptionError: gated, missing or incomplete weights, no usable GPU, no memory, no transformers.
        """
        with explained("SAM 3", repository, install=INSTALL):
            from transformers import Sam3Model, Sam3Processor  # type: ignore[import-not-found]

            model, report = Sam3Model.from_pretrained(
                repository, dtype=dtype or torch.bfloat16, output_loading_info=True
            )
            missing = sorted(report["missing_keys"])
            if missing:  # transformers would go on with random values there
                raise PerceptionError(
                    f"SAM 3: {repository} lacks {len(missing)} weights ({missing[0]}, ...); download it again, with the "
                    "transformers version that this package asks for"
                )
            return Sam3Masks(model.to(device), Sam3Processor.from_pretrained(repository), **options)

    @torch.no_grad()
    def __call__(self, picture: np.ndarray) -> list[ObjectMask]:
        """`picture` `[H, W, 3]` uint8 -> masks of its size, surest first."""
        with explained("SAM 3"):
            seen = self._look(picture)
            found = [item for concept in self.concepts for item in self._find(seen, concept, picture.shape[:2])]
        return self._apart([item for item in found if item.mask.mean() >= self.min_area])

    @torch.no_grad()
    def in_boxes(self, picture: np.ndarray, boxes: Sequence[tuple[str, Sequence[float]]]) -> list[ObjectMask]:
        """The object in each box: of what the concept and the box find, the mask that fills the box best.

        Args:
            boxes: (concept, (x0, y0, x1, y1) over picture width / height).

        Raises:
            PictureError: nothing is found for a box.
        """
        size, found = picture.shape[:2], []
        with explained("SAM 3"):
            seen = self._look(picture)
            for label, box in boxes:
                corners = np.asarray(box, float) * [size[1], size[0], size[1], size[0]]
                items = self._find(seen, label, size, corners.tolist())
                if not items:
                    raise PictureError(
                        f"SAM 3: no {label!r} in the box {list(box)}; lower the threshold ({self.threshold}), or give a mask"
                    )
                found.append(max(items, key=lambda item: _fill(item.mask, corners)))
        return found

    def _look(self, picture: np.ndarray) -> Any:
        pixels = self.processor(images=picture, return_tensors="pt").pixel_values
        return self.model.get_vision_features(pixel_values=pixels.to(self.model.device, self.model.dtype))

    def _find(self, seen: Any, concept: str, size: tuple[int, int], box: list[float] | None = None) -> list[ObjectMask]:
        """One call for one concept (and a box in pixels)."""
        device, prompt = self.model.device, {}
        if concept not in self._words:
            self._words[concept] = self.processor(text=concept, return_tensors="pt")
        words = self._words[concept]
        if box is not None:
            given = self.processor(text=concept, input_boxes=[[box]], original_sizes=[list(size)], return_tensors="pt")
            prompt = {
                "input_boxes": given["input_boxes"].to(device, self.model.dtype),
                "input_boxes_labels": given["input_boxes_labels"].to(device),
            }
        out = self.model(
            vision_embeds=seen,
            input_ids=words["input_ids"].to(device),
            attention_mask=words["attention_mask"].to(device),
            **prompt,
        )
        result = self.processor.post_process_instance_segmentation(
            out, threshold=self.threshold, mask_threshold=0.5, target_sizes=[size]
        )[0]
        masks, scores = result["masks"].cpu().numpy().astype(bool), result["scores"].float().cpu().tolist()
        return [ObjectMask(concept, score, mask) for score, mask in zip(scores, masks, strict=True) if mask.any()]

    def _apart(self, found: list[ObjectMask]) -> list[ObjectMask]:
        kept: list[ObjectMask] = []
        for item in sorted(found, key=lambda item: -item.score):
            if all(mask_iou(item.mask, other.mask) <= self.max_overlap for other in kept):
                kept.append(item)
        return kept


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks `[H, W]` bool; 0 where both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def _fill(mask: np.ndarray, corners: np.ndarray) -> float:
    """Intersection over union of a mask's own box and a box in pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    own = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)
    inner = np.minimum(own[2:], corners[2:]) - np.maximum(own[:2], corners[:2])
    shared = np.prod(inner.clip(0))
    areas = np.prod(own[2:] - own[:2]) + np.prod(corners[2:] - corners[:2])
    return float(shared / (areas - shared))
