"""Trains and measures rows of the ablation: `python -m anchorgen ablate --row paper`.

A row that is interrupted goes on where it stopped; one that is measured is not trained again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import tyro

from anchorgen.ablation.crop import CROP_EDITS, CropPipeline, crop_record
from anchorgen.ablation.rows import AUTOENCODER, BATCH, ROOMS, ROWS, SIZE, STEPS, TRAINING
from anchorgen.ablation.small import small_record, small_scene
from anchorgen.ablation.table import write_table
from anchorgen.analysis.bench_decoder import edits
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.held_out import evaluation_scenes
from anchorgen.analysis.reconstruction import reconstruction, training_mean
from anchorgen.analysis.results import commit
from anchorgen.data.cache import cache_folder, split_folder
from anchorgen.data.shards import read_records
from anchorgen.decode.velocity import DecoderConfig
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.train import decoder, vae
from anchorgen.train.run_pipeline import pipeline_of_run
from anchorgen.train.run_record import read_run_records

RESULTS = Path("docs/results/ablations.json")
TABLE = Path("docs/ablations.md")


@dataclass(frozen=True)
class Ablation:
    """Attributes:
    row: which rows (`rows.py`); none trains and measures all.
    runs: where runs go (default: runs/ablations in the cache).
    data: rendered rooms (default: the training split in the cache).
    seed: of the training.
    steps, vae_steps: fewer for a trial.
    mixed_precision: "bf16", or "no" for machines that are slow in it.
    num_rooms, num_scenes: validation rooms for reconstruction, evaluation scenes for edits.
    again: measures rows again that are in the results; finished runs are not trained again.
    results, table: files that the measured rows are written to.
    """

    row: tuple[str, ...] = ()
    runs: Path = field(default_factory=lambda: cache_folder() / "runs" / "ablations")
    data: Path = field(default_factory=lambda: split_folder("train"))
    seed: int = 0
    steps: int = STEPS
    vae_steps: int = 1500
    mixed_precision: str = "bf16"
    num_rooms: int = 64
    num_scenes: int = 40
    again: bool = False
    results: Path = RESULTS
    table: Path = TABLE


def train_row(config: Ablation, name: str) -> Path:
    """The folder of the finished run."""
    autoencoder, out = config.runs / "vae", config.runs / name
    data = ["--data", str(config.data), "--stop", str(ROOMS), "--size", str(SIZE)]
    data += ["--loop.mixed-precision", config.mixed_precision]
    if not (autoencoder / "vae.safetensors").is_file():
        steps = ["--loop.steps", str(config.vae_steps), "--crop", "32", "--kl-weight", "1e-3"]
        vae.main([*data, "--out", str(autoencoder), *steps, *_options("model", AUTOENCODER)])
    if not (out / "run.json").is_file():
        row = ROWS[name]
        command = [*data, "--vae", str(autoencoder), "--out", str(out), "--batch-size", str(BATCH)]
        command += ["--loop.steps", str(config.steps), "--loop.seed", str(config.seed)]
        command += [text for key, value in (TRAINING | dict(row.training)).items() for text in (f"--{key}", value)]
        decoder.main(
            [*command, *_model_options(row.model)], (lambda record: crop_record(record, SIZE)) if row.crop else None
        )
    return out


def measure_row(config: Ablation, pipe: AnchorgenPipeline, crop: bool = False) -> dict[str, Any]:
    """Figures at 64 px, one noise seed, with the pipeline's steps and guidance; `crop` pools f from visible pixels."""
    pipe = CropPipeline.of(pipe) if crop else pipe
    stored = read_records(split_folder("val"), stop=config.num_rooms)
    records = [small_record(record, SIZE) for record in stored]
    figures = reconstruction(pipe, records, (0,), training_mean(pipe))
    scenes = (small_scene(scene, SIZE) for scene in evaluation_scenes(config.num_scenes))
    return figures | edits(pipe, scenes, (0,), CROP_EDITS if crop else EDITS)


def _model_options(model: DecoderConfig) -> list[str]:
    """All of them, so that a row does not change with what the bundled decoder is."""
    options = []
    for key, value in asdict(model).items():
        texts = map(str, value) if isinstance(value, tuple) else [str(value)]
        options += [f"--model.{key.replace('_', '-')}", *texts]
    return options


def _options(group: str, texts: Sequence[str]) -> list[str]:
    return [text.replace("--", f"--{group}.") if text.startswith("--") else text for text in texts]


def main(argv: list[str] | None = None) -> None:
    config = tyro.cli(Ablation, args=argv)
    if unknown := set(config.row) - set(ROWS):
        raise SystemExit(f"anchorgen ablate: no row {', '.join(sorted(unknown))}; expected some of {', '.join(ROWS)}")
    for name in config.row or tuple(ROWS):
        known = json.loads(config.results.read_text())["rows"] if config.results.is_file() else {}
        if name in known and not config.again:
            continue
        run = train_row(config, name)
        figures = measure_row(config, pipeline_of_run(run, config.runs / "vae"), ROWS[name].crop)
        facts = read_run_records(run.parent, (run.name,))[run.name]
        command = f"python -m anchorgen ablate --row {name}"
        known[name] = {"command": command, "commit": commit(), "training": facts, "figures": figures}
        config.results.parent.mkdir(parents=True, exist_ok=True)
        config.results.write_text(json.dumps({"rows": known}, indent=1) + "\n")
        write_table(known, config.table)
