"""The embedding of the empty prompt: computed once by the repository's text encoder, then read from disk.

At run time there is no text encoder: every scene is drawn with this embedding.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors import safe_open
from safetensors.torch import save_file

from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.flux2_errors import BackboneError, explained, needed

_LAYERS = (9, 18, 27)  # of whose outputs FLUX.2-klein's text embedding is made
_IDENTITY = (
    "text_encoder/config.json",
    "text_encoder/model.safetensors.index.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/chat_template.jinja",
)
_HEAD_BYTES = 1 << 20


def prompt_cache() -> Path:
    """`$ANCHORGEN_CACHE/prompts`, or `~/.cache/anchorgen/prompts`."""
    return Path(os.environ.get("ANCHORGEN_CACHE", Path.home() / ".cache" / "anchorgen")) / "prompts"


def empty_prompt(config: KleinConfig, cache: Path | None = None, device: str | torch.device = "cpu") -> torch.Tensor:
    """`[L, text width]` bfloat16, from the cache where it is.

    Args:
        config: repository, revision and the number of tokens L.
        cache: folder; default `prompt_cache()`.
        device: on which the text encoder runs, should it have to.

    Raises:
        BackboneError: no text encoder there, no access, or `transformers` is missing; the message says what to do.
    """
    if config.num_text_tokens == 0:
        return torch.zeros(0, int(config.transformer["joint_attention_dim"]), dtype=torch.bfloat16)
    with explained("the empty prompt's embedding", config.repository):
        key = text_encoder_identity(config.repository, config.revision)
        path = (cache or prompt_cache()) / f"empty-{key}-{config.num_text_tokens}.safetensors"
        if not path.is_file():
            embedding = _compute(config, device)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}.tmp")
            save_file({"embedding": embedding}, partial, metadata={"text_encoder": key, "layers": json.dumps(_LAYERS)})
            partial.replace(path)
        with safe_open(str(path), "pt") as file:
            return file.get_tensor("embedding")


def text_encoder_identity(repository: str, revision: str | None = None) -> str:
    """16 hex digits that name text encoder and tokenizer, without loading either.

    Of a folder: its small files, and names, sizes and first MiB of its weights. Of a repository on the hub: its small
    files and the commit they came from.

    Raises:
        BackboneError: there is no text encoder.
    """
    digest, root = hashlib.sha256(), Path(repository)
    for name in _IDENTITY:
        path = root / name if root.is_dir() else _downloaded(repository, name, revision)
        if path is None or not path.is_file():
            continue
        digest.update(name.encode() + path.read_bytes())
        if not root.is_dir() and name == _IDENTITY[0]:
            digest.update(path.parents[1].name.encode())  # .../snapshots/COMMIT/text_encoder/config.json
    if root.is_dir():
        weights = sorted((root / "text_encoder").glob("*.safetensors"))
        if not weights:
            raise BackboneError(
                f"{repository}/text_encoder holds no weights, and the empty prompt's embedding is not in the cache. "
                "Download the repository whole once; afterwards the text encoder is not needed"
            )
        for path in weights:
            digest.update(f"{path.name} {path.stat().st_size}".encode())
            with open(path, "rb") as stream:
                digest.update(stream.read(_HEAD_BYTES))
    return digest.hexdigest()[:16]


def _downloaded(repository: str, name: str, revision: str | None) -> Path | None:
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except EntryNotFoundError:
        if name == _IDENTITY[0]:
            raise
        return None


@torch.no_grad()
def _compute(config: KleinConfig, device: str | torch.device) -> torch.Tensor:
    transformers = needed("transformers", "the empty prompt's embedding (once)")
    from diffusers import Flux2KleinPipeline

    where = {"revision": config.revision} if not Path(config.repository).is_dir() else {}
    tokenizer = transformers.AutoTokenizer.from_pretrained(config.repository, subfolder="tokenizer", **where)
    encoder = transformers.Qwen3ForCausalLM.from_pretrained(
        config.repository, subfolder="text_encoder", dtype=torch.bfloat16, **where
    )
    embedding = Flux2KleinPipeline._get_qwen3_prompt_embeds(
        encoder.to(device).eval(),  # type: ignore[arg-type]
        tokenizer,
        "",
        max_sequence_length=config.num_text_tokens,
        hidden_states_layers=list(_LAYERS),
    )
    del encoder
    gc.collect()
    return embedding[0].to("cpu", torch.bfloat16).contiguous()
