"""Model card and figures of pages out of result files: `python -m anchorgen card`. No figure in them is typed by hand.

The card of a bundled set is written whole; in README and docs/drawing.md only what stands between two markers is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from anchorgen.analysis.drawing_tables import faithful_table, sampling_table
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.pages import fill_page
from anchorgen.analysis.training_figure import has_curves, parts_of, training_figure
from anchorgen.pipeline.pretrained import bundled_folder

_PAGES = {"sampling": sampling_table, "faithful": faithful_table}  # of docs/drawing.md, by benchmark

# (benchmark, key, words, format, key of the half width of its 95% interval)
_FIGURES = (
    ("decoder", "recon_psnr_db", "held-out rooms, true latents -> picture, PSNR", "{:.2f} dB", "recon_psnr_db_ci95"),
    ("decoder", "mean_picture_psnr_db", "the mean training picture, for comparison", "{:.2f} dB", None),
    ("decoder", "vae_psnr_db", "the autoencoder alone, an upper limit", "{:.2f} dB", None),
    ("decoder", "recon_ssim", "SSIM", "{:.3f}", None),
    ("decoder", "laplacian_ratio", "Laplacian energy beside the true pictures (1 is as sharp)", "{:.2f}", None),
    ("decoder", "steer_share", "moves after which the picture is nearer to the truth", "{:.0%}", None),
    ("decoder", "edit_gain_db", "what edits gain inside the influence mask", "{:+.2f} dB", "edit_gain_db_ci95"),
    (
        "decoder",
        "edit_gap_db",
        "what they lack beside true latents of the edited room",
        "{:.2f} dB",
        "edit_gap_db_ci95",
    ),
    ("decoder", "collateral_psnr_db", "agreement outside the mask, edited with unedited", "{:.2f} dB", None),
    (
        "decoder",
        "lamp_correlation",
        "light that goes with a lamp, drawn with true, r",
        "{:.2f}",
        "lamp_correlation_ci95",
    ),
    ("decoder", "lamp_slope", "how bright it is beside the true (1 is as bright)", "{:.2f}", "lamp_slope_ci95"),
    ("decoder", "lamp_baseline_correlation", "r of light as 1 / distance², for comparison", "{:.2f}", None),
    ("decoder", "adapter_overhead", "what the scene adapter adds to a step of its backbone", "{:.0%}", None),
    ("decoder", "vae_decode_cpu_seconds", "the autoencoder alone, tokens to picture, on one thread", "{:.3f} s", None),
    ("decoder", "draft_seconds", "an edit's draft ({draft_steps} step)", "{:.2f} s", None),
    ("decoder", "final_seconds", "an edit's final picture ({steps} steps)", "{:.2f} s", None),
    ("encoder", "f1_iou25", "objects found (F1 at IoU 0.25)", "{:.2f}", None),
    ("encoder", "f1_iou50", "objects found (F1 at IoU 0.50)", "{:.2f}", None),
    ("encoder", "label_accuracy", "of those, named rightly", "{:.0%}", None),
    ("encoder", "centre_error_of_depth", "their centres' error, share of the depth", "{:.1%}", None),
    ("encoder", "roundtrip_gap_db", "what encoded latents lose beside true ones", "{:.2f} dB", None),
    ("startup", "import_ratio_to_torch", "`import anchorgen`, of `import torch`", "{:.2f}x", None),
)


@dataclass(frozen=True)
class Card:
    """Attributes:
    model: a bundled model.
    results: folder of the result files.
    readme, drawing: pages between whose markers figures go.
    curves: picture of how the networks were trained, where their records tell.
    """

    model: str = "bedrooms-128"
    results: Path = Path("docs/results")
    readme: Path = Path("README.md")
    drawing: Path = Path("docs/drawing.md")
    curves: Path = Path("docs/images/training.png")


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Result files by name.

    Raises:
        FileNotFoundError: one is missing; the message gives the command that writes it.
    """
    results = {}
    for name in dict.fromkeys(row[0] for row in _FIGURES):
        path = folder / f"{name}.json"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; write it: python -m anchorgen bench {name} --json {path}")
        results[name] = json.loads(path.read_text())
    return results


def figures_table(results: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of the figures, and how they were got. What a result file does not hold (it is older than the
    figure) or could not tell (None) has no row."""
    rows = ["| | |", "| --- | --- |"]
    for name, key, words, form, interval in _FIGURES:
        figures = results[name]["figures"]
        if figures.get(key) is None:
            continue
        value = form.format(figures[key])
        if interval and figures.get(interval) is not None:
            value += f" ± {figures[interval]:.2f}"
        rows.append(f"| {words.format(**figures)} | {value} |")
    commands = ", ".join(f"`{result['command']}`" for result in results.values())
    figures, machine = results["decoder"]["figures"], results["decoder"]["machine"]
    how = (
        f"{figures['rooms']} held-out rooms and {edits_measured(figures)}; the decoder's pictures over "
        f"{figures['noise_seeds']} noise seeds, the encoder's over one; ± 95% by room; {machine}. Printed by "
        f"{commands}; whole in `docs/results`."
    )
    return "\n".join([*rows, "", how])


def edits_measured(figures: dict[str, Any]) -> str:
    """Which edits the figures of the decoder are of: before the evaluation set there were only moves, of 0.5 m."""
    if "edit_pairs" not in figures:
        return f"{figures['moves']} moves of 0.5 m"
    pairs, scenes = figures["edit_pairs"], figures["edit_scenes"]
    return f"{pairs} edits of {scenes} more, of nine kinds (moves of 0.3 to 0.8 m)"


def edits_table(figures: Mapping[str, Any]) -> str:
    """A Markdown table of every edit of the evaluation set, in dB: what it gains and lacks, and what it has to show."""
    columns = ("edit_gain_db", "edit_gap_db", "collateral_psnr_db", "edit_psnr_db", "edit_change_db")
    rows = [
        "| edit | gain | lacks | agreement outside | picture | change |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for edit in EDITS:
        values = [figures.get(f"{column}_{edit}") for column in columns]
        cells = ["" if value is None else f"{value:.1f}" for value in values]
        rows.append(f"| {edit.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def training_table(training: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of what each network was trained on."""
    rows = [
        "| network | parameters | trained on | steps x batch | seed | time | machine |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, run in _parts(training):
        mirrored = " and their mirror images" if run.get("mirrored") else ""
        data = f"{run['scenes']} scenes" if "scenes" in run else f"{run['rooms']} rooms{mirrored}"
        size, time = f"{run['parameters'] / 1e6:.1f} M", f"{run['seconds'] / 60:.1f} min"
        much = f"{run['steps']} x {run['batch_size']} | {run['seed']} | {time} | {run['machine']}"
        rows.append(f"| {name} | {size} | {data} | {much} |")
    return "\n".join(rows)


_PART_SAYS = {  # of runs that go on and whose records do not say what they are (`part`), the first one first
    "vae": ("", ", against an adversary", ", on sampled tokens"),
    "decoder": (" with pooling and background", ", going on"),
}


def _parts(training: dict[str, dict[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Runs by name; one that went on from another comes after it."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for name, run in training.items():
        parts = parts_of(run)
        says = _PART_SAYS.get(name, ()) if len(parts) > 1 else ("",)
        for k, part in enumerate(parts):
            by_place = says[k] if k < len(says) else f", part {k + 1}"
            rows.append((name + part.get("part", by_place), part))
    return rows


def card_text(template: str, training: dict[str, Any], results: dict[str, Any]) -> str:
    """The card: `template` with its tables filled in."""
    tables = {"training": training_table(training), "figures": figures_table(results)}
    tables["edits"] = edits_table(results["decoder"]["figures"])
    for name, table in tables.items():
        template = template.replace(f"{{{name}}}", table)
    return template


def fill_drawing_page(text: str, results: Path) -> str:
    """docs/drawing.md with its tables, where their result files are there."""
    for name, table in _PAGES.items():
        path = results / f"{name}.json"
        if path.is_file():
            text = fill_page(text, table(json.loads(path.read_text())["figures"]), name)
    return text


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Card, args=argv)
    folder = bundled_folder(config.model)
    results, training = read_results(config.results), json.loads((folder / "training.json").read_text())
    template = (folder / "card.md").read_text()
    (folder / "README.md").write_text(card_text(template, training, results))
    config.readme.write_text(fill_page(config.readme.read_text(), figures_table(results)))
    config.drawing.write_text(fill_drawing_page(config.drawing.read_text(), config.results))
    if has_curves(training):
        config.curves.parent.mkdir(parents=True, exist_ok=True)
        training_figure(training).savefig(config.curves)
    print(f"wrote {folder / 'README.md'} and the figures of {config.readme} and {config.drawing}")
