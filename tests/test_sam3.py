"""SAM 3 by concept, with transformers' own classes and small random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sam3d_helpers import block, picture
from small_transformers import need_transformers, small_sam3

from anchorgen.encode.sam3 import BEDROOM_CONCEPTS, ObjectMask, Sam3Masks, mask_iou
from anchorgen.encode.sam3d.explain import PerceptionError
from anchorgen.world.catalogue import CATEGORIES


@pytest.fixture(scope="module")
def parts():
    return small_sam3()


def seeing(parts, **options) -> Sam3Masks:
    settings = {"concepts": ("bed", "lamp"), "threshold": 0.0, "min_area": 0.0, "max_overlap": 1.0} | options
    return Sam3Masks(*parts, **settings)


def test_features_are_computed_once_and_give_what_whole_calls_give(parts, monkeypatch):
    model, processor = parts
    calls, look = [], model.vision_encoder.forward
    monkeypatch.setattr(model.vision_encoder, "forward", lambda *a, **k: calls.append(1) or look(*a, **k))
    found = seeing(parts)(picture())
    assert len(calls) == 1
    for concept in ("bed", "lamp"):
        inputs = processor(images=picture(), text=concept, return_tensors="pt")
        with torch.no_grad():
            out = model(**{k: v for k, v in inputs.items() if k != "original_sizes"})
        whole = processor.post_process_instance_segmentation(out, threshold=0.0, target_sizes=[(56, 56)])[0]
        ours = {round(item.score, 6): item.mask for item in found if item.label == concept}
        for score, mask in zip(whole["scores"].tolist(), whole["masks"].numpy().astype(bool), strict=True):
            if mask.any():
                np.testing.assert_array_equal(ours[round(score, 6)], mask)


def test_masks_have_the_size_of_the_picture_whatever_its_shape(parts):
    wide = np.random.default_rng(0).integers(0, 256, (40, 72, 3), dtype=np.uint8)
    found = seeing(parts)(wide)
    assert found
    assert {item.mask.shape for item in found} == {(40, 72)}
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_small_and_doubtful_masks_are_left_out(parts):
    assert seeing(parts, threshold=1.0)(picture()) == []
    assert seeing(parts, min_area=1.1)(picture()) == []


def test_of_two_concepts_for_one_object_the_surer_stays():
    masks = Sam3Masks.__new__(Sam3Masks)
    masks.max_overlap = 0.7
    a, b, c = block(0, 0), block(0, 1), block(28, 28)
    found = [ObjectMask("table", 0.6, a), ObjectMask("desk", 0.9, b), ObjectMask("bed", 0.3, c)]
    assert [item.label for item in masks._apart(found)] == ["desk", "bed"]
    assert mask_iou(a, b) == 13 / 15
    assert mask_iou(a & c, a & c) == 0


@torch.compiler.set_stance("force_eager")  # torchvision would compile its own stand-in for a missing operator
def test_a_box_gives_one_mask(parts):
    found = seeing(parts).in_boxes(picture(), [("bed", (0.1, 0.1, 0.6, 0.5)), ("lamp", (0.5, 0.5, 0.9, 0.9))])
    assert [item.label for item in found] == ["bed", "lamp"]
    with pytest.raises(PerceptionError, match="no 'bed' in the box"):
        seeing(parts, threshold=1.0).in_boxes(picture(), [("bed", (0.1, 0.1, 0.6, 0.5))])


def test_weights_come_back_from_a_folder_and_missing_ones_are_refused(parts, tmp_path):
    from safetensors.torch import load_file, save_file

    model, processor = parts
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again = Sam3Masks.load(str(tmp_path), device="cpu", dtype=torch.float32, concepts=("bed",), threshold=0.0)
    assert torch.equal(again.model.text_projection.weight, model.text_projection.weight)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(PerceptionError, match=r"lacks 1 weights \(text_projection.weight, ...\); download it again"):
        Sam3Masks.load(str(tmp_path), device="cpu")


def test_a_folder_without_weights_is_explained(tmp_path):
    need_transformers()
    with pytest.raises(PerceptionError, match="no weights in .*, or not all: check the path, or `hf download"):
        Sam3Masks.load(str(tmp_path / "nothing-here"), device="cpu")


def test_the_concepts_are_those_of_the_catalogue():
    """Same words as the bundled model's, so that the editor's groups (\"lamp\") work for both."""
    ours = {name.replace(" lamp", "") for name in BEDROOM_CONCEPTS}
    assert {name.replace(" lamp", "") for name in CATEGORIES} == ours
