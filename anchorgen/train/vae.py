"""Trains the picture autoencoder: `python -m anchorgen train vae --data DIR --out DIR`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm.auto import tqdm

from anchorgen.data.shards import read_records
from anchorgen.decode.autoencoder import Autoencoder, AutoencoderConfig
from anchorgen.train.loop import LoopConfig, fit
from anchorgen.train.run_record import write_run_record


@dataclass(frozen=True)
class VaeTraining:
    """Attributes:
    data: folder of rendered records.
    out: where checkpoints, metrics and `vae.safetensors` go.
    stop: use only the first records.
    batch_size, crop: pictures a step, and the side of the random crops it sees (the network is convolutional).
    edge_weight: of the L1 between picture gradients, against blur.
    kl_weight: of the KL divergence, a latent value.
    init: weights to start from.
    decoder_only: keeps the encoder and the statistics of `init`, so that networks trained on its latents stay valid.
    """

    data: Path
    out: Path
    stop: int | None = None
    batch_size: int = 24
    crop: int = 64
    edge_weight: float = 1.0
    kl_weight: float = 1e-3
    init: Path | None = None
    decoder_only: bool = False
    model: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=6000, learning_rate=1.5e-3, mixed_precision="bf16")
    )


class VaeLoss(nn.Module):
    """L1 + L1 of gradients + a little KL, in one call so that several processes can share it."""

    def __init__(self, autoencoder: Autoencoder, edge_weight: float, kl_weight: float):
        super().__init__()
        self.autoencoder, self.edge_weight, self.kl_weight = autoencoder, edge_weight, kl_weight

    def forward(self, images: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        posterior = self.autoencoder.posterior(images)
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        output = self.autoencoder.decode_raw(mean + (0.5 * logvar).exp() * noise).float()
        edges = sum(F.l1_loss(output.diff(dim=d), images.diff(dim=d)) for d in (-1, -2))
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        mse = F.mse_loss(output, images)
        return F.l1_loss(output, images) + self.edge_weight * edges + self.kl_weight * kl, mse, kl


def load_images(folder: Path, stop: int | None = None) -> torch.Tensor:
    """`[M, 3, H, W]` uint8."""
    return torch.stack(
        [torch.from_numpy(r.image.transpose(2, 0, 1).copy()) for r in tqdm(read_records(folder, stop=stop))]
    )


def crops(images: torch.Tensor, count: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Random square crops `[count, 3, size, size]` in [-1, 1], mirrored half the time, on the pixel grid of 4."""
    index = torch.randint(len(images), (count,), generator=generator).tolist()
    steps = (images.shape[-1] - size) // 4 + 1
    row, column = (torch.randint(steps, (2, count), generator=generator) * 4).tolist()
    mirror = (torch.rand(count, generator=generator) < 0.5).tolist()
    out = [images[i, :, r : r + size, c : c + size] for i, r, c in zip(index, row, column, strict=True)]
    out = [x.flip(-1) if m else x for x, m in zip(out, mirror, strict=True)]
    return torch.stack(out).float() / 127.5 - 1


def freeze_encoder(autoencoder: Autoencoder, init: Path | None) -> None:
    """Leaves only the decoding half to be trained.

    Raises:
        ValueError: there are no weights to keep.
    """
    if init is None:
        raise ValueError("--decoder-only keeps an encoder that is already trained; name its weights with --init")
    for part in (autoencoder.vae.encoder, autoencoder.vae.quant_conv):
        if part is not None:
            part.requires_grad_(False)


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(VaeTraining, args=argv)
    images = load_images(config.data, config.stop)
    torch.manual_seed(config.loop.seed)
    module = VaeLoss(Autoencoder(config.model), config.edge_weight, config.kl_weight)
    if config.init is not None:
        module.autoencoder.load_state_dict(load_file(config.init))
    if config.decoder_only:
        freeze_encoder(module.autoencoder, config.init)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side = config.crop // (config.model.downsample // 2)
    latent_shape = (config.batch_size, config.model.latent_channels, side, side)

    def make_batch(step: int, generator: torch.Generator):
        size = config.crop
        return crops(images, config.batch_size, size, generator), torch.randn(latent_shape, generator=generator)

    def loss_fn(module, batch, generator):
        loss, mse, kl = module(*batch)
        return loss, {"psnr_db": float(-10 * (mse.detach() / 4).log10()), "kl": float(kl.detach())}

    result = fit(config.loop, module, make_batch, loss_fn, config.out)
    autoencoder = result.ema.autoencoder.eval()
    if not config.decoder_only:
        chunks = [images[i : i + 64].float() / 127.5 - 1 for i in range(0, min(len(images), 1024), 64)]
        autoencoder.measure_statistics(chunks)
    save_file({k: v.contiguous() for k, v in autoencoder.state_dict().items()}, config.out / "vae.safetensors")
    facts = {"rooms": len(images), "mirrored": True, "batch_size": config.batch_size, "crop_px": config.crop}
    write_run_record(config.out, config.loop, result, autoencoder, **facts)
    print(f"wrote {config.out / 'vae.safetensors'} after {result.step} steps, {result.seconds:.0f} s")
