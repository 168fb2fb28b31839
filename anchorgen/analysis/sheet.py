"""Held-out rooms, not chosen: `python -m anchorgen sheet` draws the first test rooms beside their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from anchorgen.analysis.bench_decoder import autoencoded
from anchorgen.analysis.figures import picture_grid
from anchorgen.analysis.held_out import test_records
from anchorgen.pipeline import load


@dataclass(frozen=True)
class Sheet:
    """Attributes:
    out: the PNG to write.
    model: a bundled model or a folder of one.
    count: how many test rooms, from the first on.
    """

    out: Path = Path("out/held-out.png")
    model: str = "bedrooms-128"
    count: int = 8


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Sheet, args=argv)
    records = test_records(config.count)
    pipe = load(config.model)
    scenes = [pipe.latents(r.truth, r.image, r.instance) for r in records]
    rows = [
        [r.image for r in records],
        [autoencoded(pipe, r.image) for r in records],
        pipe.render(scenes),
        pipe.render(scenes, draft=True),
        pipe.render([pipe.encode(r.image) for r in records]),
        pipe.render([s.remove("lamp") if "lamp" in s else s for s in scenes]),
    ]
    names = [
        "picture",
        "autoencoder\nalone",
        f"true latents\n{pipe.config.steps} steps",
        "draft",
        "encoded",
        "lamps\nremoved",
    ]
    figure = picture_grid(rows, row_titles=names, caption="The first held-out test rooms, not chosen", cell_inch=1.3)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(config.out)
    print(f"wrote {config.out}")
