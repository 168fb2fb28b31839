"""`python -m anchorgen flux2 sizes`: parameters of the paper's decoder and the memory they need, without any weights.

Everything is counted on the meta device: tensors have shapes there, and no values. Activations are what is alive at once
while the real forward pass runs there. What a GPU really takes is more, by its context and its allocator's gaps;
`bench flux2` measures that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from anchorgen.decode.adapter import Sites
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_config import FLUX2_AUTOENCODER, KleinConfig
from anchorgen.decode.flux2_memory import SKIPPED, is_quantised
from anchorgen.scene.batch import SceneBatch

CARDS_GIB = (12, 16, 24, 80)
RESERVE_GIB = 1.5  # left for CUDA's context and the allocator's gaps: an allowance, not a measurement
GIB = 2**30


@dataclass(frozen=True)
class Need:
    """Attributes:
    what: the use.
    weights, activations: bytes on the GPU.
    """

    what: str
    weights: float
    activations: float

    @property
    def gib(self) -> float:
        return (self.weights + self.activations) / GIB

    def fits(self) -> list[int]:
        """The cards of `CARDS_GIB` that it leaves `RESERVE_GIB` on."""
        return [card for card in CARDS_GIB if self.gib + RESERVE_GIB <= card]


def meta_decoder(config: KleinConfig) -> Flux2KleinDecoder:
    """The real classes at real size, without values."""
    with torch.device("meta"):
        return Flux2KleinDecoder.random(config, replace(FLUX2_AUTOENCODER, image_size=config.image_size)).eval()


def count(module: nn.Module, part: Callable[[str], bool] = lambda name: True) -> int:
    """Parameters whose names are asked for."""
    return sum(p.numel() for name, p in module.named_parameters() if part(name))


def parameter_counts(config: KleinConfig | None = None) -> dict[str, int]:
    """Of the backbone, the autoencoder, and the adapter with scene tokens for both site choices."""
    config, counts = config or KleinConfig(), {}
    choices: tuple[Sites, ...] = ("double", "all")
    for sites in choices:
        decoder = meta_decoder(replace(config, sites=sites))
        transformer = decoder.velocity.transformer
        counts["backbone"] = count(transformer, lambda name: ".processor." not in name)
        counts["autoencoder"] = count(decoder.autoencoder)
        counts["scene tokens"] = count(decoder.velocity.scene)
        counts[f"adapter ({sites})"] = count(transformer, lambda name: ".processor." in name)
    return counts


def memory_needs(config: KleinConfig | None = None, batch_size: int = 1) -> list[Need]:
    """Ways to draw one picture and to train, in descending memory of their kind."""
    decoder = meta_decoder(config or KleinConfig())
    transformer, backbone = decoder.velocity.transformer, decoder.velocity.transformer.named_parameters()
    sizes = {name: p.numel() for name, p in backbone}
    eight_bit = sum(n for name, n in sizes.items() if not any(word in name for word in SKIPPED))
    linear = {f"{name}.weight" for name, module in transformer.named_modules() if is_quantised(module, name)}
    quantised = sum(sizes[name] for name in linear)
    block = max(count(b) for b in [*transformer.transformer_blocks, *transformer.single_transformer_blocks])
    outside = sum(n for name, n in sizes.items() if "transformer_blocks" not in name)
    total, prompt = sum(sizes.values()), decoder.velocity.prompt.embedding.numel()
    others = 2 * (count(decoder.autoencoder) + prompt) + 4 * count(decoder.velocity.scene)
    drawing = max(step_activations(decoder), decoding_activations(decoder))
    drawn = [
        Need("draw, bfloat16", 2 * total + others, drawing),
        Need("draw, fp8 weights", 2 * total - eight_bit + others, drawing),
        Need("draw, int8 weights (torchao)", 2 * total - quantised + others, drawing),
        Need("draw, blocks offloaded", 2 * (2 * block + outside) + others, drawing),
    ]
    return drawn + _training_needs(decoder, batch_size)


def _training_needs(decoder: Flux2KleinDecoder, batch_size: int) -> list[Need]:
    """What is trained, in float32: 20 bytes (weight, gradient, two moments, average). A frozen backbone: 2 bytes."""
    transformer = decoder.velocity.transformer
    adapter = count(transformer, lambda name: ".processor." in name) + count(decoder.velocity.scene)
    frozen, vae = count(transformer, lambda name: ".processor." not in name), 2 * count(decoder.autoencoder)
    plain, less = (batch_size * training_activations(decoder, checkpointing) for checkpointing in (False, True))
    whole = batch_size * training_activations(decoder, True, full=True)
    alone, gathered = 2 * frozen + 20 * adapter, block_bytes(decoder)
    eighth, eighth_full = alone / 8 + gathered, 20 * (frozen + adapter) / 8 + 2 * gathered
    batch = f"batch {batch_size}"
    return [
        Need(f"train adapter, {batch}", alone + vae, plain),
        Need(f"train adapter, {batch}, gradient checkpointing", alone + vae, less),
        Need(f"train adapter, {batch} a GPU, gradient checkpointing, 8 GPUs sharded", eighth + vae, less),
        Need(f"train full, {batch} a GPU, gradient checkpointing, 8 GPUs sharded", eighth_full + vae, whole),
    ]


def block_bytes(decoder: Flux2KleinDecoder) -> int:
    """What is gathered at a time in shards: the largest two blocks in bfloat16 (one runs, one is fetched)."""
    transformer = decoder.velocity.transformer
    blocks = [count(b) for b in [*transformer.transformer_blocks, *transformer.single_transformer_blocks]]
    return 2 * sum(sorted(blocks)[-2:])


# -- activations ------------------------------------------------------------------------------------------------------


class _Alive(TorchDispatchMode):
    """Bytes of tensors that operations made and that are still there; `peak` is the most at once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[Any, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        self.alive = {key: item for key, item in self.alive.items() if not item[0].expired()}
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in given:
                storage = tensor.untyped_storage()
                self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return out


def meta_scene(config: KleinConfig, num_slots: int = 16) -> SceneBatch:
    """One scene's shapes."""
    k, c = config.num_tokens, config.channels
    with torch.device("meta"):
        return SceneBatch(
            torch.zeros(1, num_slots, 3), torch.zeros(1, num_slots, 4), torch.zeros(1, num_slots, 3),
            torch.zeros(1, num_slots, k, c), torch.ones(1, num_slots, dtype=torch.bool), torch.zeros(1, 2),
            torch.zeros(1, config.num_background, c), torch.zeros(1, 3), torch.zeros(1),
        )  # fmt: skip


def _step(decoder: Flux2KleinDecoder) -> torch.Tensor:
    """One velocity of one picture."""
    config = decoder.velocity.config
    context, _ = decoder.velocity.context(meta_scene(config))
    x = torch.zeros(1, config.token_channels, config.grid, config.grid, device="meta")
    return decoder.velocity(x, torch.ones(1, device="meta"), context)


@torch.no_grad()
def step_activations(decoder: Flux2KleinDecoder) -> int:
    """Peak bytes of one step of the sampler for one picture."""
    with _Alive() as alive:
        _step(decoder)
    return alive.peak


@torch.no_grad()
def decoding_activations(decoder: Flux2KleinDecoder) -> int:
    """Peak bytes of decoding one picture's tokens."""
    config = decoder.velocity.config
    tokens = torch.zeros(1, config.token_channels, config.grid, config.grid, device="meta")
    with _Alive() as alive:
        decoder.autoencoder.decode(tokens)
    return alive.peak


def training_activations(decoder: Flux2KleinDecoder, checkpointing: bool, full: bool = False) -> int:
    """Peak bytes of one picture's forward pass and back. Gradients of weights leave as they come; `Need.weights` has them.

    Args:
        decoder: on the meta device; what is trained in it changes.
        checkpointing: computes blocks again on the way back.
        full: everything is trained, not only the adapter and scene tokens.
    """
    transformer: Any = decoder.velocity.transformer
    decoder.requires_grad_(False)
    for name, parameter in decoder.velocity.named_parameters():
        parameter.requires_grad_(full or ".processor." in name or name.startswith("scene."))
    (transformer.enable_gradient_checkpointing if checkpointing else transformer.disable_gradient_checkpointing)()
    transformer.train()
    trained = [p for p in decoder.velocity.parameters() if p.requires_grad]
    hooks = [p.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None)) for p in trained]
    with _Alive() as alive:
        _step(decoder).float().square().mean().backward()
    for hook in hooks:
        hook.remove()
    return alive.peak


def report(config: KleinConfig | None = None) -> str:
    """The parameters and the table, as text."""
    config = config or KleinConfig()
    counts = parameter_counts(config)
    lines = [f"{name:<16} {number / 1e6:>9,.1f} M parameters" for name, number in counts.items()]
    lines += [
        "",
        f"GPU memory at {config.image_size} px, adapter sites {config.sites!r}, {config.num_text_tokens} text tokens.",
    ]
    lines += ["Derived from shapes on the meta device, not measured on a GPU;"]
    lines += [f"a card fits where {RESERVE_GIB} GiB are left for CUDA's context and gaps.", ""]
    lines += ["| use | weights GiB | activations GiB | sum | fits on (GB) |", "| --- | ---: | ---: | ---: | --- |"]
    for need in memory_needs(config):
        cards = ", ".join(map(str, need.fits())) or "none"
        weights, activations = need.weights / GIB, need.activations / GIB
        lines.append(f"| {need.what} | {weights:.1f} | {activations:.1f} | {need.gib:.1f} | {cards} |")
    return "\n".join(lines)
