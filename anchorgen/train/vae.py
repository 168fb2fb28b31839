"""Trains the picture autoencoder: `python -m anchorgen train vae --data DIR --out DIR`.

A run may go on from another (`--init`), against an adversary (`--adversarial-weight`) and with noise on the latents
(`--latent-noise`); once there is a decoder, `vae_decoder.py` goes on with the decoding half alone.
"""

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
from anchorgen.decode.autoencoder import BUNDLED_AUTOENCODER, Autoencoder, AutoencoderConfig
from anchorgen.train.adversary import PatchDiscriminator, adversarial_losses
from anchorgen.train.device import training_device
from anchorgen.train.loop import LoopConfig, fit
from anchorgen.train.run_record import first_part, write_run_record
from anchorgen.train.run_settings import AUTOENCODER_WEIGHTS, write_settings
from anchorgen.train.tensors import smaller

_FIRST = 256  # pictures whose blocks tell the principal components


@dataclass(frozen=True)
class VaeTraining:
    """Attributes:
    data: folder of rendered records.
    out: where checkpoints, metrics and `vae.safetensors` go.
    stop: use only the first records.
    size: pixels a side of the pictures, which are made smaller for small experiments.
    batch_size, crop: pictures a step, and the side of the random crops it sees (the network is convolutional).
    edge_weight: of the L1 between picture gradients, against blur.
    kl_weight: of the KL divergence, a latent value.
    adversarial_weight: of the generator's hinge loss (`adversary.py`); 0 trains without an adversary. It grows to this
        over the first 500 steps, while the adversary learns.
    latent_noise: each picture is decoded from latents with noise of up to this many of their standard deviations
        (those of `init`) added.
    init: folder of a finished run to go on from.
    """

    data: Path
    out: Path
    stop: int | None = None
    size: int = 128
    batch_size: int = 24
    crop: int = 64
    edge_weight: float = 1.0
    kl_weight: float = 1e-5
    adversarial_weight: float = 0.0
    latent_noise: float = 0.0
    init: Path | None = None
    model: AutoencoderConfig = BUNDLED_AUTOENCODER
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=6000, learning_rate=1.5e-3, mixed_precision="bf16")
    )


class VaeLoss(nn.Module):
    """L1 + L1 of gradients + a little KL, and an adversary if there is one, in one call so that processes can share it."""

    def __init__(self, autoencoder: Autoencoder, config: VaeTraining):
        super().__init__()
        self.autoencoder, self.config = autoencoder, config
        self.adversary = PatchDiscriminator() if config.adversarial_weight else None

    def forward(self, images: torch.Tensor, noise: torch.Tensor, ramp: float = 1.0) -> dict[str, torch.Tensor]:
        """Terms of the loss (`loss` is their sum) and the output `[B, 3, H, W]`.

        Args:
            images: `[B, 3, H, W]` in [-1, 1].
            noise: `[2, B, C, h, w]`, of the posterior and of the latents.
            ramp: share of the adversarial weight.
        """
        config, posterior = self.config, self.autoencoder.posterior(images)
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        latents = self.autoencoder.add_noise(mean + (0.5 * logvar).exp() * noise[0], config.latent_noise * noise[1])
        output = self.autoencoder.decode_raw(latents).float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        loss = picture_error(output, images, config.edge_weight) + config.kl_weight * kl
        terms = {"kl": kl}
        if self.adversary is not None:
            fools, told_apart = adversarial_losses(self.adversary, output, images)
            loss = loss + config.adversarial_weight * ramp * fools + told_apart
            terms |= {"fools": fools, "told_apart": told_apart}
        return terms | {"loss": loss, "output": output}


def picture_error(output: torch.Tensor, images: torch.Tensor, edge_weight: float) -> torch.Tensor:
    """L1 of pictures `[B, 3, H, W]`, and of their gradients."""
    edges = sum(F.l1_loss(output.diff(dim=d), images.diff(dim=d)) for d in (-1, -2))
    return F.l1_loss(output, images) + edge_weight * edges


def load_images(folder: Path, stop: int | None, size: int) -> torch.Tensor:
    """`[M, 3, size, size]` uint8."""
    records = tqdm(read_records(folder, stop=stop), desc="read")
    return torch.stack([smaller(torch.from_numpy(r.image.transpose(2, 0, 1).copy()), size) for r in records])


def crops(images: torch.Tensor, count: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Random square crops `[count, 3, size, size]` in [-1, 1], mirrored half the time, on the pixel grid of 4."""
    index = torch.randint(len(images), (count,), generator=generator).tolist()
    steps = (images.shape[-1] - size) // 4 + 1
    row, column = (torch.randint(steps, (2, count), generator=generator) * 4).tolist()
    mirror = (torch.rand(count, generator=generator) < 0.5).tolist()
    out = [images[i, :, r : r + size, c : c + size] for i, r, c in zip(index, row, column, strict=True)]
    out = [x.flip(-1) if m else x for x, m in zip(out, mirror, strict=True)]
    return torch.stack(out).float() / 127.5 - 1


def likeness(output: torch.Tensor, images: torch.Tensor) -> dict[str, float]:
    """PSNR, and the output's Laplacian energy as a share of the pictures' own."""
    laplacian = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).expand(3, 1, 3, 3).to(images.device)
    ours, theirs = (float(F.conv2d(x, laplacian, groups=3).square().mean()) for x in (output, images))
    psnr_db = float(-10 * (F.mse_loss(output, images) / 4).log10())
    return {"psnr_db": psnr_db, "laplacian_ratio": ours / max(theirs, 1e-12)}


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(VaeTraining, args=argv)
    images = load_images(config.data, config.stop, config.size)
    torch.manual_seed(config.loop.seed)
    module = VaeLoss(Autoencoder(config.model), config)
    if config.init is None and config.model.shortcut:
        module.autoencoder.start_linear(images[:_FIRST].float() / 127.5 - 1)
    if config.init is not None:
        module.autoencoder.load_state_dict(load_file(config.init / AUTOENCODER_WEIGHTS))
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side = config.crop // (config.model.downsample // 2)
    latent_shape = (2, config.batch_size, config.model.latent_channels, side, side)

    def make_batch(step: int, generator: torch.Generator):
        real = crops(images, config.batch_size, config.crop, generator)
        noise = torch.randn(latent_shape, generator=generator)
        noise[1] *= torch.rand(config.batch_size, 1, 1, 1, generator=generator)
        return real, noise, min(1.0, step / 500)

    def loss_fn(module, batch, generator):
        terms = module(*batch)
        numbers = {name: float(value.detach()) for name, value in terms.items() if name not in ("loss", "output")}
        return terms["loss"], numbers | likeness(terms["output"].detach(), batch[0])

    result = fit(config.loop, module, make_batch, loss_fn, config.out)
    if not result.is_main:
        return
    autoencoder = result.ema.autoencoder.eval()
    autoencoder.to(training_device())
    chunks = [
        (images[i : i + 64].float() / 127.5 - 1).to(training_device()) for i in range(0, min(len(images), 1024), 64)
    ]
    autoencoder.measure_statistics(chunks)
    save_file({k: v.contiguous() for k, v in autoencoder.state_dict().items()}, config.out / AUTOENCODER_WEIGHTS)
    write_settings(config.out, autoencoder=config.model)
    facts = {"rooms": len(images), "mirrored": True, "batch_size": config.batch_size, "crop_px": config.crop}
    facts |= {"part": ", against an adversary" if config.adversarial_weight else ""} | first_part(config.init, "vae")
    write_run_record(config.out, config.loop, result, autoencoder, **facts)
    print(f"wrote {config.out / AUTOENCODER_WEIGHTS} after {result.step} steps, {result.seconds:.0f} s")
