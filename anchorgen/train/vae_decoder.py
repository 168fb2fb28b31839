"""Goes on with the decoding half of the autoencoder, on tokens as a sampler draws them: `python -m anchorgen train vae_decoder`.

What a decoder run draws of its training rooms (`sampled_tokens.py`) is paired with their pictures; half of each batch
are the encoder's own tokens, so that these are still decoded as well. The encoder and its statistics stay as they are,
and with them all that was trained on its tokens.
Shape legend: M rooms, B pictures, D token channels, h w token grid, P pixels a token's side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro
from safetensors.torch import save_file
from torch import nn

from anchorgen.decode.autoencoder import Autoencoder
from anchorgen.train.adversary import PatchDiscriminator, adversarial_losses
from anchorgen.train.device import training_device
from anchorgen.train.loop import LoopConfig, fit
from anchorgen.train.run_record import first_part, write_run_record
from anchorgen.train.run_settings import AUTOENCODER_WEIGHTS, load_autoencoder, write_settings
from anchorgen.train.sampled_tokens import load_sampled
from anchorgen.train.vae import likeness, load_images, picture_error


@dataclass(frozen=True)
class VaeDecoderTraining:
    """Attributes:
    data: folder of rendered records; stop: use only the first, as many as `sampled` has.
    vae: folder of the autoencoder's run; sampled: file of `train sampled_tokens`.
    out: where checkpoints, metrics and `vae.safetensors` go.
    batch_size, crop: pictures a step, and the side of the random crops that it sees, in whole tokens.
    edge_weight, adversarial_weight: as for `train vae`.
    """

    data: Path
    vae: Path
    sampled: Path
    out: Path
    stop: int | None = None
    batch_size: int = 24
    crop: int = 64
    edge_weight: float = 1.0
    adversarial_weight: float = 0.02
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=1500, learning_rate=4e-4, mixed_precision="bf16"))


class VaeDecoderLoss(nn.Module):
    """The picture error of decoded tokens, and an adversary."""

    def __init__(self, autoencoder: Autoencoder, config: VaeDecoderTraining):
        super().__init__()
        self.autoencoder, self.config = autoencoder, config
        self.adversary = PatchDiscriminator()
        autoencoder.freeze_encoder()

    def forward(self, tokens: torch.Tensor, images: torch.Tensor, ramp: float) -> dict[str, torch.Tensor]:
        """Terms of the loss, `loss` their sum, and the output; `tokens` `[B, D, h, w]`, `images` `[B, 3, h P, w P]`."""
        output = self.autoencoder.decode(tokens).float()
        fools, told_apart = adversarial_losses(self.adversary, output, images)
        error = picture_error(output, images, self.config.edge_weight)
        loss = error + self.config.adversarial_weight * ramp * fools + told_apart
        return {"loss": loss, "fools": fools, "told_apart": told_apart, "output": output}


def token_crops(
    images: torch.Tensor, tokens: torch.Tensor, count: int, side: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random crops of whole tokens, the same of both.

    Args:
        images: `[M, 3, H, W]` uint8; tokens: `[M, S, D, h, w]`, S versions of which one is taken.
        count: how many; side: tokens a side.

    Returns:
        tokens `[count, D, side, side]` float32 and pictures `[count, 3, side P, side P]` in [-1, 1].
    """
    pixels, room = images.shape[-1] // tokens.shape[-1], tokens.shape[-1] - side + 1
    chosen = zip(
        torch.randint(len(images), (count,), generator=generator).tolist(),
        torch.randint(tokens.shape[1], (count,), generator=generator).tolist(),
        torch.randint(room, (count, 2), generator=generator).tolist(),
        strict=True,
    )
    small, large = [], []
    for i, k, (r, c) in chosen:
        small.append(tokens[i, k, :, r : r + side, c : c + side].float())
        rows, columns = (slice(at * pixels, (at + side) * pixels) for at in (r, c))
        large.append(images[i, :, rows, columns].float() / 127.5 - 1)
    return torch.stack(small), torch.stack(large)


@torch.no_grad()
def own_tokens(autoencoder: Autoencoder, images: torch.Tensor) -> torch.Tensor:
    """`[M, 1, D, h, w]` float16: the encoder's own."""
    device = next(autoencoder.parameters()).device
    chunks = [autoencoder.encode((part.float() / 127.5 - 1).to(device)).half().cpu() for part in images.split(64)]
    return torch.cat(chunks)[:, None]


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(VaeDecoderTraining, args=argv)
    autoencoder = load_autoencoder(config.vae).to(training_device())
    images = load_images(config.data, config.stop, autoencoder.config.image_size)
    torch.manual_seed(config.loop.seed)
    sampled, encoded = load_sampled(config.sampled, len(images)), own_tokens(autoencoder, images)
    module = VaeDecoderLoss(autoencoder, config)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side, half = config.crop * autoencoder.config.grid // autoencoder.config.image_size, config.batch_size // 2

    def make_batch(step: int, generator: torch.Generator):
        pairs = [token_crops(images, tokens, half, side, generator) for tokens in (sampled, encoded)]
        return (*(torch.cat(parts) for parts in zip(*pairs, strict=True)), min(1.0, step / 500))

    def loss_fn(module, batch, generator):
        terms = module(*batch)
        numbers = {name: float(terms[name].detach()) for name in ("fools", "told_apart")}
        output = terms["output"].detach()
        numbers |= {f"own_{name}": value for name, value in likeness(output[half:], batch[1][half:]).items()}
        return terms["loss"], numbers | likeness(output[:half], batch[1][:half])

    result = fit(config.loop, module, make_batch, loss_fn, config.out)
    if not result.is_main:
        return
    ema = result.ema.autoencoder.eval()
    save_file({k: v.contiguous() for k, v in ema.state_dict().items()}, config.out / AUTOENCODER_WEIGHTS)
    write_settings(config.out, autoencoder=autoencoder.config)
    facts = {"rooms": len(images), "batch_size": config.batch_size, "crop_px": config.crop}
    facts |= {"part": ", on sampled tokens"} | first_part(config.vae, "vae")
    write_run_record(config.out, config.loop, result, ema, **facts)
    print(f"wrote {config.out / AUTOENCODER_WEIGHTS} after {result.step} steps, {result.seconds:.0f} s")
