"""SAM 3 and DINOv2 of transformers with small random weights."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

# PyPI's torchvision is built for CUDA; beside a torch for CPU its operators are missing. Their names are enough to import
# it, and SAM 3's processor uses only its resizing, which is torch. The Library must live as long as the process.
_OPERATORS: list[torch.library.Library] = []
_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _import_torchvision() -> bool:
    """Before transformers and diffusers are imported, which import it where it is installed."""
    if find_spec("transformers") is None or find_spec("torchvision") is None:
        return False
    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(name + _NMS)
        _OPERATORS.append(library)
        import torchvision  # noqa: F401
    return True


HAS_TORCHVISION = _import_torchvision()


def need_transformers():
    return pytest.importorskip("transformers", reason="extra 'paper'")


def need_torchvision() -> None:
    if not HAS_TORCHVISION:
        pytest.skip("extra 'paper': torchvision")


def small_sam3(seed: int = 0):
    """(model, processor): 56 px pictures, 5 queries."""
    transformers = need_transformers()
    need_torchvision()
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(c + "</w>" for c in letters)]
    tokenizer = transformers.CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=[])
    pixels = transformers.Sam3ImageProcessor(size={"height": 56, "width": 56})
    layers = {"hidden_size": 16, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    vit = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    text = {
        "model_type": "clip_text_model",
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 64,
        "projection_dim": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
    }
    config = transformers.Sam3Config(
        vision_config={
            "backbone_config": vit,
            "fpn_hidden_size": 16,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config=text,
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 5},
        mask_decoder_config={"hidden_size": 16, "num_attention_heads": 2},
    )
    torch.manual_seed(seed)
    return transformers.Sam3Model(config).eval(), transformers.Sam3Processor(pixels, tokenizer)


def small_dinov2(seed: int = 0):
    transformers = need_transformers()
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    torch.manual_seed(seed)
    return transformers.Dinov2Model(config)
