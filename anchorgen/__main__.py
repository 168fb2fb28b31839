"""The command line: `python -m anchorgen data|train|bench|demo ...`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

TRAINERS = ("vae", "decoder", "scene_latents", "prior", "encoder", "bundle")
BENCHMARKS = ("startup", "decoder", "encoder")


def main(argv: list[str] | None = None) -> None:
    """Runs one command; heavy modules are imported only by the command that needs them."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"] and len(arguments) > 1 and arguments[1] in TRAINERS:
        return importlib.import_module(f"anchorgen.train.{arguments[1]}").main(arguments[2:])
    if arguments[:1] in (["demo"], ["sheet"], ["card"]):
        return importlib.import_module(f"anchorgen.analysis.{arguments[0]}").main(arguments[1:])
    options = _parser().parse_args(arguments)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m anchorgen", description="Anchored generation: data, training, benchmarks, demo."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = commands.add_parser("data", help="render rooms, look at them").add_subparsers(required=True, metavar="WHAT")
    render = data.add_parser("render", help="render rooms into shards; goes on where it stopped")
    render.add_argument("--count", type=int, required=True, help="rooms in all; raise it later to extend the folder")
    render.add_argument(
        "--split", choices=("train", "val", "test"), default="train", help="which seeds (default: train)"
    )
    render.add_argument("--seed", type=int, help="first seed, instead of the split's own")
    render.add_argument("--out", type=Path, help="folder (default: worlds/SPLIT in the cache)")
    render.add_argument("--size", type=int, default=128, help="pixels a side")
    render.add_argument("--spp", type=int, default=16, help="samples a pixel")
    render.add_argument("--workers", type=int, default=1, help="processes")
    render.add_argument("--threads", type=int, default=1, help="renderer threads of each process")
    render.set_defaults(run=_render)
    inspect = data.add_parser("inspect", help="contact sheet and counts of a folder of rooms")
    inspect.add_argument("folder", type=Path)
    inspect.add_argument("--out", type=Path, default=Path("out/contact-sheet.png"))
    inspect.set_defaults(run=_inspect)
    train = commands.add_parser("train", help=f"train a network: {', '.join(TRAINERS)} (each has --help)")
    train.add_argument("network", choices=TRAINERS)
    bench = commands.add_parser("bench", help=f"measure: {', '.join(BENCHMARKS)}")
    bench.add_argument("name", choices=BENCHMARKS)
    bench.add_argument("--quick", action="store_true", help="few rooms, one noise seed")
    bench.add_argument("--json", type=Path, help="write the result file")
    bench.set_defaults(run=_bench)
    commands.add_parser("sheet", help="the first held-out rooms as the model draws them: writes out/held-out.png")
    commands.add_parser("card", help="model card and README figures out of docs/results")
    commands.add_parser("demo", help="encode, edit, resample and draw a bundled room: writes out/demo.png")
    return parser


def _render(options: argparse.Namespace) -> None:
    from anchorgen.analysis.held_out import cache_folder
    from anchorgen.data.splits import FIRST_SEED
    from anchorgen.train.render_data import render_dataset

    seed = FIRST_SEED[options.split] if options.seed is None else options.seed
    out = options.out or cache_folder() / "worlds" / options.split
    sizes = {name: getattr(options, name) for name in ("size", "spp", "workers", "threads")}
    try:
        manifest = render_dataset(options.count, seed, out, **sizes)
    except ValueError as error:
        raise SystemExit(f"anchorgen data render: {error}") from None
    failures = {s: why for shard in manifest["shards"].values() for s, why in shard["failures"].items()}
    rooms = sum(shard["records"] for shard in manifest["shards"].values())
    print(f"{rooms} rooms in {out}" + (f"; {len(failures)} failed: {failures}" if failures else ""))


def _inspect(options: argparse.Namespace) -> None:
    from anchorgen.analysis.inspect_data import inspect_folder

    inspect_folder(options.folder, options.out)


def _bench(options: argparse.Namespace) -> None:
    from anchorgen.analysis.results import run_benchmark

    run_benchmark(options.name, options.quick, options.json)


if __name__ == "__main__":
    main()
