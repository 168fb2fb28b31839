"""`python -m anchorgen scale`: hours, disk and GPUs of the paper's size, as Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import fill
from typing import Any

import tyro

from anchorgen.analysis.pages import fill_page
from anchorgen.analysis.scale_costs import adapter_flops, klein_costs, latent_row_bytes, prior_costs, vae_flops
from anchorgen.analysis.scale_plan import PEAK_TFLOPS, ScaleConfig, Stage, bends, num_scene_tokens, stages, train_flops
from anchorgen.prior.model import PRESETS

_WIDTH = 125
_CHECKS = (
    ("prior, batch 32 instead of 8, a step of training", "prior_batch_step_s", "{:.3f} s"),
    ("prior, twice as deep, a step of training", "prior_depth_step_s", "{:.3f} s"),
    ("decoder, batch 32 instead of 8, a pass", "decoder_batch_step_s", "{:.3f} s"),
    ("a record in a shard", "record_bytes", "{:,.0f} bytes"),
    ("a scene in the latents file", "latent_row_bytes", "{:,.0f} bytes"),
    ("a checkpoint of the prior", "checkpoint_bytes", "{:,.0f} bytes"),
)


@dataclass(frozen=True)
class Scale:
    """Attributes:
    encoded: folder that `data encode` wrote with the encoder in question: its seconds and bytes a picture and its objects
        take the place of what is assumed.
    page: also fill in the tables of that page, with what `bench scale` wrote to `results/scale.json` beside it.
    """

    plan: tyro.conf.OmitArgPrefixes[ScaleConfig] = field(default_factory=ScaleConfig)
    encoded: Path | None = None
    page: Path | None = None


def measured(plan: ScaleConfig, folder: Path) -> ScaleConfig:
    """The plan with what a folder of shards tells.

    Raises:
        ValueError: it holds no record.
    """
    from anchorgen.data.encoded_shards import EncodedFolder, list_encoded, read_report

    reports = [report for report in map(read_report, list_encoded(folder)) if report is not None]
    records = EncodedFolder(folder)
    some = [records[i] for i in range(0, len(records), max(1, len(records) // 200))]
    if not some:
        raise ValueError(f"no records in {folder}; let `data encode` go on")
    return replace(
        plan,
        encode_seconds=sum(r.seconds for r in reports) / sum(r.num_keys for r in reports),
        picture_bytes=sum(len(r.picture_bytes) for r in some) / len(some),
        objects=sum(r.scene.num_objects for r in some) / len(some),
    )


def plan_text(config: ScaleConfig) -> str:
    """Tables of stages for every number of pictures, unit costs, and where it bends."""
    parts = [units_table(config)]
    for column, count in enumerate(config.pictures):
        rows = stages(config, column)
        parts.append("\n".join([f"### {count:,} pictures", "", *_stage_table(config, rows)]))
        parts.append(
            "\n".join(fill(line, _WIDTH, initial_indent="- ", subsequent_indent="  ") for line in bends(config, column))
        )
    return "\n\n".join(parts) + "\n"


def units_table(config: ScaleConfig) -> str:
    """Operations and bytes of one picture or scene."""
    parameters, forward = klein_costs(config.size_px)
    prior, prior_forward = prior_costs()
    adapter = adapter_flops(config.size_px, config.num_sites, num_scene_tokens())
    rows = [
        ("backbone", f"{parameters:,} parameters; {forward / 1e12:.2f} T operations a forward pass at {config.size_px} px"),
        (f"adapter, {config.num_sites} sites", f"{adapter / 1e12:.3f} T ({adapter / forward:.1%} of the backbone)"),
        (f"training step, {config.trained}", f"{train_flops(config) / 1e12:.2f} T a picture"),
        ("autoencoder, encoding", f"{vae_flops(config.size_px) / 1e12:.2f} T a picture"),
        ("prior", f"{prior:,} parameters; {prior_forward / 1e9:.1f} G a forward pass, {3 * prior_forward / 1e9:.0f} G a "
                  "scene of training"),
        ("a scene's latents", f"{latent_row_bytes(PRESETS['paper']):,} bytes in the prior's file"),
        (f"{config.gpu}, {config.share:.0%} of its peak",
         f"{PEAK_TFLOPS[config.gpu] * config.share:.0f} T operations a second (share assumed)"),
    ]  # fmt: skip
    return "\n".join(["| one of | costs |", "| --- | --- |", *(f"| {name} | {cost} |" for name, cost in rows)])


def _stage_table(config: ScaleConfig, rows: list[Stage]) -> list[str]:
    head = f"| stage | GPU-hours | hours on {config.gpus} GPUs | disk, GB | from |"
    lines = [head, "| --- | --- | --- | --- | --- |"]
    for row in rows:
        hours = ("not measured",) * 2
        if row.gpu_hours is not None:
            hours = (_number(row.gpu_hours), _number(row.gpu_hours / config.gpus))
        lines.append(f"| {row.name} | {hours[0]} | {hours[1]} | {_number(row.gigabytes)} | {row.how} |")
    known = sum(row.gpu_hours or 0 for row in rows)
    disk = sum(row.gigabytes for row in rows)
    return [*lines, f"| all that is known | {_number(known)} | {_number(known / config.gpus)} | {_number(disk)} | |"]


def _number(value: float) -> str:
    return "-" if value == 0 else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def checks_table(figures: dict[str, Any]) -> str:
    """What `bench scale` predicted, and what it found."""
    lines = ["| | predicted | measured |", "| --- | --- | --- |"]
    for words, key, form in _CHECKS:
        lines.append(f"| {words} | {form.format(figures[f'{key}_predicted'])} | {form.format(figures[key])} |")
    return "\n".join(lines)


def page_text(page: str, plan: ScaleConfig, result: dict[str, Any]) -> str:
    """The page with its tables: of the plan, and of a result file of `bench scale`."""
    page = fill_page(page, plan_text(plan).strip("\n"), "plan")
    return fill_page(page, checks_table(result["figures"]), "checked")


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Scale, args=argv, description=__doc__)
    try:
        plan = config.plan if config.encoded is None else measured(config.plan, config.encoded)
    except ValueError as error:
        raise SystemExit(f"anchorgen scale: {error}") from None
    text = plan_text(plan)
    print(text, end="")
    if config.page is not None:
        result = json.loads((config.page.parent / "results" / "scale.json").read_text())
        config.page.write_text(page_text(config.page.read_text(encoding="utf-8"), plan, result), encoding="utf-8")
