"""Small random configurations of FLUX.2-klein's real classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_decode import make_batch

from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.scene.batch import SceneBatch

TRANSFORMER: dict[str, Any] = {
    "in_channels": 16, "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 24, "mlp_ratio": 3.0, "axes_dims_rope": (4, 4, 4, 4), "rope_theta": 2000,
    "guidance_embeds": False,
}  # fmt: skip
VAE = AutoencoderConfig(
    image_size=64, pixel_block=1, block_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_groups=4,
    attention=True,
)  # fmt: skip
TINY = KleinConfig(
    num_tokens=2, channels=8, num_background=1, background_patch=4, image_size=64, sites="all", context_width=32, num_text_tokens=5,
    repository="", dtype="float32", transformer=TRANSFORMER,
)  # fmt: skip


def tiny_decoder(**changes: Any) -> Flux2KleinDecoder:
    """A decoder with random weights, whitening statistics and prompt; its adapter adds nothing yet."""
    torch.manual_seed(0)
    decoder = Flux2KleinDecoder.random(replace(TINY, **changes), VAE).eval().requires_grad_(False)
    bn = decoder.autoencoder.vae.bn
    bn.get_buffer("running_mean").normal_()
    bn.get_buffer("running_var").uniform_(0.5, 2.0)
    decoder.velocity.prompt.embedding.normal_()
    return decoder


def awake(decoder: Flux2KleinDecoder) -> Flux2KleinDecoder:
    """With an adapter that adds something."""
    g = torch.Generator().manual_seed(1)
    for processor in decoder.velocity.adapter.processors.values():
        weight = processor.scene_out.weight
        weight.data = torch.randn(weight.shape, generator=g).to(weight.dtype) * 0.2
    return decoder


def scenes(count: int = 2) -> SceneBatch:
    batch = make_batch(count)
    return batch.replace(background=batch.background[:, :1])


def save_repository(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """A folder laid out as the hub's repository: random transformer, autoencoder, scheduler, text encoder, tokenizer."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    from diffusers import Flux2KleinPipeline, Flux2Transformer2DModel

    letters = [chr(c) for c in range(33, 127)] + ["Ġ", "Ċ"]
    words = {letter: number for number, letter in enumerate(["<|endoftext|>", *letters])}
    raw = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=words, merges=[]))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = transformers.Qwen2TokenizerFast(
        tokenizer_object=raw, pad_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"
    )
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    torch.manual_seed(3)
    text_encoder = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=len(words),
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=28,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=4,
            max_position_embeddings=64,
        )
    )
    decoder = tiny_decoder()
    bare = Flux2Transformer2DModel(**TRANSFORMER)
    pipe = Flux2KleinPipeline(decoder.scheduler, decoder.autoencoder.vae, text_encoder, tokenizer, bare)
    pipe.to(dtype).save_pretrained(folder)
    return folder
