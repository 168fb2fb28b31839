"""Held-out rooms, not chosen: `python -m anchorgen sheet` draws the first test rooms beside their pictures.

With `--what lamps` it shows the light of the first lamps of the evaluation set, with `--what failures` the rooms that are
drawn worst of a hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from matplotlib.figure import Figure

from anchorgen.analysis.drawn_scene import draw, light_maps
from anchorgen.analysis.figures import picture_grid
from anchorgen.analysis.held_out import evaluation_scenes, test_records
from anchorgen.analysis.lamp_figure import LampExample, lamp_figure
from anchorgen.analysis.metrics import psnr
from anchorgen.analysis.reconstruction import autoencoded
from anchorgen.pipeline import load
from anchorgen.pipeline.pipeline import AnchorgenPipeline


@dataclass(frozen=True)
class Sheet:
    """Attributes:
    out: the PNG to write.
    model: a bundled model or a folder of one.
    count: how many; by default 8 rooms or 10 lamps.
    what: the first rooms, the light that goes with the first lamps, or the rooms that are drawn worst.
    """

    out: Path | None = None
    model: str = "bedrooms-128"
    count: int | None = None
    what: Literal["rooms", "lamps", "failures"] = "rooms"


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Sheet, args=argv)
    name, draw_sheet, count = _SHEETS[config.what]
    figure = draw_sheet(load(config.model), config.count or count)
    out = config.out or Path("out") / f"{name}.png"
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
    print(f"wrote {out}")


def rooms_sheet(pipe: AnchorgenPipeline, count: int) -> Figure:
    """The first test rooms: picture, autoencoder, decoder, draft, encoded, and without their lamps."""
    records = test_records(count)
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
    return picture_grid(rows, row_titles=names, caption="The first held-out test rooms, not chosen", cell_inch=1.3)


def lamps_sheet(pipe: AnchorgenPipeline, count: int) -> Figure:
    """The first scenes of the evaluation set whose lamp has a slot: the light that goes with it, true and drawn."""
    examples: list[LampExample] = []
    for scene in evaluation_scenes():
        drawn = draw(pipe, scene, (0,), ("remove_lit_lamp",))
        if "remove_lit_lamp" not in drawn.edited:
            continue
        true, guess, lights = light_maps(scene, drawn)
        with_lamp, without = drawn.unedited[0], drawn.edited["remove_lit_lamp"][0]
        examples.append(LampExample(scene.before, with_lamp, without, true, lights[0], guess))
        if len(examples) == count:
            break
    return lamp_figure(examples, "The first lamps of the evaluation set, not chosen")


def failures_sheet(pipe: AnchorgenPipeline, count: int, among: int = 100) -> Figure:
    """The rooms of the first `among` test rooms that are drawn worst by PSNR, the worst first."""
    records = test_records(among)
    pictures = pipe.render([pipe.latents(r.truth, r.image, r.instance) for r in records])
    scores = np.array([psnr(picture, r.image) for picture, r in zip(pictures, records, strict=True)])
    worst = np.argsort(scores)[:count]
    rows = [[records[i].image for i in worst], [pictures[i] for i in worst]]
    titles = [[""] * len(worst), [f"{scores[i]:.1f} dB" for i in worst]]
    caption = f"The worst of {among} held-out test rooms (mean {scores.mean():.1f} dB)"
    return picture_grid(rows, titles=titles, row_titles=["picture", "drawn"], caption=caption, cell_inch=1.3)


_SHEETS = {
    "rooms": ("held-out", rooms_sheet, 8),
    "lamps": ("lamp-light", lamps_sheet, 10),
    "failures": ("failures", failures_sheet, 8),
}
