"""D(true latents) against the pictures of held-out rooms, beside the mean training picture and the autoencoder alone.

Shape legend: H W picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from anchorgen.analysis.metrics import laplacian_energy, named_mean, psnr, ssim
from anchorgen.data.cache import split_folder
from anchorgen.data.records import Record
from anchorgen.data.shards import read_records
from anchorgen.pipeline.pipeline import AnchorgenPipeline

_AT_ONCE = 8
_NAMES = ("recon", "draft", "mean_picture", "vae")


def reconstruction(
    pipe: AnchorgenPipeline, records: list[Record], seeds: tuple[int, ...], mean_picture: np.ndarray
) -> dict[str, Any]:
    """PSNR, SSIM and Laplacian-energy ratio, means over rooms of means over noise seeds.

    Args:
        pipe: draws with its own steps and guidance.
        records: held-out rooms.
        seeds: of the noise.
        mean_picture: `[H, W, 3]` in [0, 1], what is drawn without looking.

    Returns:
        `recon_psnr_db`, `recon_ssim`, `laplacian_ratio`, the same of `draft`, `mean_picture` and `vae` (these with their
        name before `laplacian_ratio`), each with `_ci95`, and `gain_over_mean_picture_db`.
    """
    rows: dict[str, list[np.ndarray]] = {name: [] for name in _NAMES}
    for start in tqdm(range(0, len(records), _AT_ONCE), desc="reconstruction"):
        chunk = records[start : start + _AT_ONCE]
        scenes = [pipe.latents(r.truth, r.image, r.instance) for r in chunk]
        finals, drafts = ([pipe.render(scenes, seed=s, draft=draft) for s in seeds] for draft in (False, True))
        for i, record in enumerate(chunk):
            rows["recon"].append(np.mean([likeness(pictures[i], record.image) for pictures in finals], 0))
            rows["draft"].append(np.mean([likeness(pictures[i], record.image) for pictures in drafts], 0))
            rows["mean_picture"].append(likeness(mean_picture, record.image))
            rows["vae"].append(likeness(autoencoded(pipe, record.image), record.image))
    figures: dict[str, Any] = {}
    for name in _NAMES:
        ratio = "laplacian_ratio" if name == "recon" else f"{name}_laplacian_ratio"
        for key, values in zip((f"{name}_psnr_db", f"{name}_ssim", ratio), np.array(rows[name]).T, strict=True):
            figures |= named_mean(key, values)
    return figures | {"gain_over_mean_picture_db": figures["recon_psnr_db"] - figures["mean_picture_psnr_db"]}


def likeness(picture: Any, truth: np.ndarray) -> np.ndarray:
    """`[3]`: PSNR in dB, SSIM, and Laplacian energy as a share of the truth's."""
    return np.array(
        [psnr(picture, truth), ssim(picture, truth), laplacian_energy(picture) / max(laplacian_energy(truth), 1e-12)]
    )


def training_mean(pipe: AnchorgenPipeline, count: int = 2000) -> np.ndarray:
    """The mean training picture `[H, W, 3]` in [0, 1] at the size that `pipe` draws, over the first `count` rooms of the cache, or all there are.

    Raises:
        FileNotFoundError: none are rendered; the message gives the command.
    """
    total, found, size = np.zeros((1, 1, 3)), 0, pipe.image_size
    for record in read_records(split_folder("train"), stop=count):
        total, found = total + record.image, found + 1
    if not found:
        raise FileNotFoundError(
            f"no training rooms in the cache; render some: python -m anchorgen data render --split train --count {count}"
        )
    step = total.shape[0] // size
    return total.reshape(size, step, size, step, 3).mean((1, 3)) / found / 255


@torch.no_grad()
def autoencoded(pipe: AnchorgenPipeline, image: np.ndarray) -> np.ndarray:
    """A picture `[H, W, 3]` uint8 through the autoencoder alone: what the decoder cannot pass."""
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float().to(pipe.device) / 127.5 - 1
    auto = pipe.decoder.autoencoder
    y = auto.decode(auto.encode(x))[0].clamp(-1, 1).permute(1, 2, 0).cpu().numpy()
    return np.round((y + 1) * 127.5).astype(np.uint8)
