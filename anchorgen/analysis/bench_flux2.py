"""`python -m anchorgen bench flux2`: the paper's decoder at real size with random weights, on a GPU.

Speed and memory do not depend on what weights are, so none are downloaded. `--quick` runs the same on a tiny configuration,
on a CPU too: a check of the benchmark, not of the model.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from anchorgen.analysis.adapter_cost import medians_in_turns
from anchorgen.analysis.flux2_sizes import GIB, meta_scene
from anchorgen.decode.autoencoder import AutoencoderConfig
from anchorgen.decode.flow import add_noise
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_config import FLUX2_AUTOENCODER, KleinConfig
from anchorgen.decode.flux2_errors import explained
from anchorgen.decode.velocity import grid_ids
from anchorgen.scene.batch import SceneBatch

# Dense bfloat16 TFLOP/s of data sheets, by a word in the card's name; the first that matches.
PEAK_TFLOPS = {"H100 PCIe": 756.0, "H100": 989.4, "H200": 989.4, "A100": 312.0, "L40S": 362.0, "RTX 4090": 165.2}
_TINY = KleinConfig(
    num_tokens=2, channels=8, image_size=64, context_width=32, num_text_tokens=4, repository="", dtype="float32",
    transformer={
        "in_channels": 16, "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 32,
        "num_attention_heads": 2, "joint_attention_dim": 24, "mlp_ratio": 3.0, "axes_dims_rope": (8, 8, 8, 8),
        "rope_theta": 2000, "guidance_embeds": False,
    },
)  # fmt: skip
_TINY_AUTOENCODER = replace(
    FLUX2_AUTOENCODER, image_size=64, block_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_groups=4
)


def run(quick: bool = False) -> dict[str, Any]:
    """Figures; see `bench_figures`.

    Raises:
        SystemExit: there is no GPU. BackboneError: its memory is full.
    """
    if not quick and not torch.cuda.is_available():
        raise SystemExit(
            f"anchorgen bench flux2: no GPU that this PyTorch ({torch.__version__}) can use; the paper's decoder is timed "
            "on one. Run it where nvidia-smi shows a card of 24 GB or more; --quick checks the benchmark itself on a CPU"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with explained("bench flux2"):
        if quick:
            return bench_figures(_TINY, _TINY_AUTOENCODER, device, batch_size=2, turns=3, steps=2)
        return bench_figures(KleinConfig(repository=""), FLUX2_AUTOENCODER, device)


def bench_figures(
    config: KleinConfig,
    autoencoder: AutoencoderConfig,
    device: torch.device,
    batch_size: int = 4,
    turns: int = 20,
    steps: int = 28,
) -> dict[str, Any]:
    """Times of steps, one whole picture, and training of the adapter with gradient checkpointing.

    Returns:
        `backbone_step_ms`, and `adapter_overhead` as a share of it (one picture, keys and values ready);
        `picture_seconds` of `steps` steps with guidance; `peak_gib` while drawing it and `train_peak_gib` (None on a CPU);
        `train_samples_per_second`; `peak_flops_share`: FLOP/s of training (recomputed ones count) over the card's data
        sheet (None if it is not listed), `matmul_flops_share` over the best of a large matrix product here.
    """
    decoder = random_decoder(config, autoencoder, device)
    scene = made_up_scene(config, device)
    with torch.no_grad():
        figures = _step_times(decoder, scene, device, turns) | _picture(decoder, scene, device, steps)
    return {
        "device": _name(device),
        "batch_size": batch_size,
        **figures,
        **_training(decoder, scene, device, batch_size, turns),
    }


def random_decoder(config: KleinConfig, autoencoder: AutoencoderConfig, device: torch.device) -> Flux2KleinDecoder:
    """The real classes with random weights, made on the device in their own precision: no copy in the CPU's memory."""
    with torch.device("meta"):
        decoder = Flux2KleinDecoder.random(config, autoencoder)
    decoder = decoder.to_empty(device=device).eval()
    torch.manual_seed(0)
    for name, parameter in decoder.named_parameters():
        one = parameter.ndim == 1 and "norm" in name and name.endswith("weight")
        parameter.data.fill_(1.0) if one else parameter.data.normal_(std=0.02)
    for name, buffer in decoder.named_buffers():
        buffer.fill_(1.0 if "running_var" in name else 0.0)
    velocity = decoder.velocity
    velocity.image_ids.copy_(grid_ids(config.grid))
    velocity.text_ids[:, 3] = torch.arange(config.num_text_tokens)
    return decoder


def made_up_scene(config: KleinConfig, device: torch.device) -> SceneBatch:
    """Sixteen boxes before the camera, with random latents."""
    shapes = meta_scene(config)
    generator = torch.Generator().manual_seed(0)
    drawn = {n: torch.randn(v.shape, generator=generator) for n, v in vars(shapes).items() if v.is_floating_point()}
    drawn["translation"] = drawn["translation"] * 0.5 + torch.tensor([0.0, 0.0, 3.0])
    drawn["quat_wxyz"] = torch.nn.functional.normalize(drawn["quat_wxyz"], dim=-1)
    drawn |= {"scale": drawn["scale"].abs() + 0.1, "focal": torch.ones(1, 2)}
    return SceneBatch(**drawn, presence=torch.ones(shapes.presence.shape, dtype=torch.bool)).to(device)


def _step_times(decoder: Flux2KleinDecoder, scene: SceneBatch, device: torch.device, turns: int) -> dict[str, Any]:
    velocity = decoder.velocity
    context, _ = velocity.context(scene)
    velocity.prepare(context)
    x, sigma = decoder.noise([0]).to(device), torch.ones(1, device=device)

    def timed(which):
        return lambda: (velocity(x, sigma, which), _wait(device))

    with_adapter, bare = medians_in_turns(timed(context), timed(None), turns=turns, warm=3)
    return {"backbone_step_ms": 1000 * bare, "adapter_overhead": with_adapter / bare - 1}


def _picture(decoder: Flux2KleinDecoder, scene: SceneBatch, device: torch.device, steps: int) -> dict[str, Any]:
    decoder.render(scene, [0], 1)
    _forget_peak(device)
    started = time.perf_counter()
    decoder.render(scene, [0], steps, guidance=2.0)
    return {"steps": steps, "picture_seconds": time.perf_counter() - started, "peak_gib": _peak(device)}


def _training(decoder, scene: SceneBatch, device: torch.device, batch_size: int, turns: int) -> dict[str, Any]:
    velocity = decoder.velocity.train()
    velocity.transformer.enable_gradient_checkpointing()
    for name, parameter in velocity.named_parameters():
        trained = ".processor." in name or name.startswith("scene.")
        parameter.requires_grad_(trained)
        parameter.data = parameter.data.float() if trained else parameter.data
    optimizer = torch.optim.AdamW([p for p in velocity.parameters() if p.requires_grad])
    batch, clean = scene[[0] * batch_size], decoder.noise(range(batch_size)).to(device)
    sigma = torch.linspace(0.2, 1.0, batch_size, device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            context, _ = velocity.context(batch)
            predicted = velocity(add_noise(clean, clean.flip(0), sigma), sigma, context)
        (predicted.float() - clean).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _wait(device)

    with FlopCounterMode(display=False) as counter:
        step()
    _forget_peak(device)
    seconds, _ = medians_in_turns(step, lambda: None, turns=turns, warm=2)
    rate, sheet = counter.get_total_flops() / seconds, _sheet_flops(device)
    return {
        "train_samples_per_second": batch_size / seconds,
        "train_peak_gib": _peak(device),
        "train_tflops": rate / 1e12,
        "peak_flops_share": rate / sheet if sheet else None,
        "matmul_flops_share": rate / _matmul_flops(device),
    }


def _matmul_flops(device: torch.device) -> float:
    """FLOP/s of a large bfloat16 matrix product (a small float32 one on a CPU)."""
    side, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (256, torch.float32)
    a = torch.randn(side, side, device=device, dtype=dtype)
    seconds, _ = medians_in_turns(lambda: (a @ a, _wait(device)), lambda: None, turns=10, warm=3)
    return 2 * side**3 / seconds


def _sheet_flops(device: torch.device) -> float | None:
    return next((1e12 * peak for word, peak in PEAK_TFLOPS.items() if word in _name(device)), None)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float | None:
    return float(np.round(torch.cuda.max_memory_allocated(device) / GIB, 3)) if device.type == "cuda" else None
