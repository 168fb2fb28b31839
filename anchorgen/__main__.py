"""The command line: `python -m anchorgen data|train|bench|demo ...`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TRAINERS = (
    "vae", "decoder", "sampled_tokens", "vae_decoder", "scene_latents", "paper_latents", "prior", "encoder", "bundle",
    "flux2",
)  # fmt: skip
BENCHMARKS = ("startup", "world", "decoder", "sampling", "encoder", "editor", "faithful", "scale", "flux2")


def main(argv: list[str] | None = None) -> None:
    """Runs one command; heavy modules are imported only by the command that needs them."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    module, taken = _own_parser(arguments)
    if module:
        try:
            return importlib.import_module(module).main(arguments[taken:])
        except FileNotFoundError as error:
            raise SystemExit(f"anchorgen {' '.join(arguments[:taken])}: {error}") from None
    options = _parser().parse_args(arguments)
    options.run(options)


def _own_parser(arguments: list[str]) -> tuple[str, int]:
    """The module of a command that reads its own options, and how many words name it; "" for the others."""
    if arguments[:1] == ["train"] and arguments[1:2] and arguments[1] in TRAINERS:
        return f"anchorgen.train.{arguments[1]}", 2
    modules = {name: f"anchorgen.analysis.{name}" for name in ("demo", "sheet", "card", "scale", "flux2")}
    modules |= {"paper": "anchorgen.train.paper_folder", "ablate": "anchorgen.ablation.run"}
    name = arguments[0] if arguments else ""
    return modules.get(name, ""), 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m anchorgen", description="Anchored generation: data, training, benchmarks, demo."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = commands.add_parser("data", help="render rooms, look at them, pack them")
    _add_data_commands(data.add_subparsers(required=True, metavar="WHAT"))
    train = commands.add_parser("train", help=f"train a network: {', '.join(TRAINERS)} (each has --help)")
    train.add_argument("network", choices=TRAINERS)
    bench = commands.add_parser("bench", help=f"measure: {', '.join(BENCHMARKS)}")
    bench.add_argument("name", choices=BENCHMARKS)
    bench.add_argument("--quick", action="store_true", help="few rooms, one noise seed")
    bench.add_argument("--json", type=Path, help="write the result file")
    bench.add_argument("--scenes", type=_positive, help="of `decoder`: fewer scenes of the evaluation set")
    bench.add_argument("--workers", type=_positive, help="of `decoder`: processes")
    bench.set_defaults(run=_bench)
    commands.add_parser(
        "sheet", help="held-out rooms as the model draws them, or --what lamps, the light of their lamps"
    )
    commands.add_parser("card", help="model card and README figures out of docs/results")
    commands.add_parser("scale", help="hours, disk and GPUs of the paper's size, stage by stage")
    commands.add_parser("ablate", help="train and measure small decoders that differ in one thing each")
    commands.add_parser("flux2", help="the paper's decoder: sizes and memory, and its empty prompt, once")
    commands.add_parser("paper", help="put a pipeline of the paper's parts together: new, complete")
    commands.add_parser("demo", help="encode, edit, resample and draw a bundled room: writes out/demo.png")
    return parser


def _positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number of at least 1")
    return value


def _add_data_commands(data: Any) -> None:
    _add_render(data)
    _add_looking_and_packing(data)
    _add_layouts(data)
    _add_evaluation(data)
    _add_encode(data)


def _add_render(data: Any) -> None:
    from anchorgen.scene.truth import WORLD_VERSION

    render = data.add_parser("render", help="render rooms into shards; goes on where it stopped")
    render.add_argument(
        "--count", type=_positive, required=True, help="rooms in all; raise it later to extend the folder"
    )
    render.add_argument(
        "--split", choices=("train", "val", "test"), default="train", help="which seeds (default: train)"
    )
    render.add_argument("--seed", type=int, help="first seed, instead of the split's own; one of --split")
    render.add_argument("--out", type=Path, help=f"folder (default: worlds/{WORLD_VERSION}/SPLIT in the cache)")
    render.add_argument("--shard-size", type=_positive, default=64, help="rooms a shard")
    render.add_argument("--size", type=_positive, default=128, help="pixels a side")
    render.add_argument("--spp", type=_positive, default=20, help="samples a pixel")
    render.add_argument("--workers", type=_positive, default=1, help="processes")
    render.add_argument("--threads", type=_positive, default=1, help="renderer threads of each process")
    render.set_defaults(run=_render)


def _add_looking_and_packing(data: Any) -> None:
    inspect = data.add_parser("inspect", help="contact sheet, figures, tables and checksums of rooms or pictures")
    inspect.add_argument("folder", type=Path)
    inspect.add_argument("--out", type=Path, default=Path("out/rooms"), help="folder, or the contact sheet's name.png")
    inspect.add_argument("--limit", type=_positive, help="rooms to read (default: all)")
    inspect.set_defaults(run=_inspect)
    pack = data.add_parser("pack", help="a folder of rooms in a compact form, for training elsewhere")
    pack.add_argument("folder", type=Path)
    pack.add_argument("--out", type=Path, required=True, help="folder of the pack")
    pack.add_argument("--quality", type=int, default=92, help="of the WebP pictures")
    pack.add_argument("--voxels", type=_positive, default=96, help="at most, an object")
    pack.add_argument("--workers", type=_positive, default=1, help="processes")
    pack.set_defaults(run=_pack)


def _add_layouts(data: Any) -> None:
    from anchorgen.scene.truth import WORLD_VERSION

    layouts = data.add_parser("layouts", help="boxes and cameras of many rooms, without pictures")
    layouts.add_argument("--count", type=_positive, default=20_000, help="rooms")
    layouts.add_argument("--split", choices=("train", "val", "test"), default="test", help="which seeds")
    place = f"worlds/{WORLD_VERSION}/layouts-SPLIT.safetensors"
    layouts.add_argument("--out", type=Path, help=f"file (default: {place} in the cache)")
    layouts.add_argument("--workers", type=_positive, default=1, help="processes")
    layouts.set_defaults(run=_layouts)


def _add_evaluation(data: Any) -> None:
    from anchorgen.scene.truth import WORLD_VERSION

    evaluation = data.add_parser("evaluation", help="the fixed evaluation set: 100 test rooms, nine edits of each")
    evaluation.add_argument("--count", type=_positive, default=100, help="scenes; fewer make a prefix of the same set")
    evaluation.add_argument("--out", type=Path, help=f"folder (default: evaluation/{WORLD_VERSION} in the cache)")
    evaluation.add_argument("--size", type=_positive, default=128, help="pixels a side")
    evaluation.add_argument("--supersample", type=_positive, default=2, help="film pixels a side of each")
    evaluation.add_argument("--spp", type=_positive, default=64, help="samples a film pixel")
    evaluation.add_argument("--workers", type=_positive, default=1, help="processes")
    evaluation.add_argument("--checksum", action="store_true", help="print that of the specification, render nothing")
    evaluation.set_defaults(run=_evaluation)


def _add_encode(data: Any) -> None:
    from anchorgen.data.screening import Screening

    usual = Screening()
    encode = data.add_parser("encode", help="pictures (LSUN's lmdb or a folder) into shards of scene latents")
    encode.add_argument("source", type=Path, help="an unzipped LSUN lmdb, or a folder of jpg, png or webp files")
    encode.add_argument("--out", type=Path, required=True, help="folder of the shards")
    encode.add_argument("--encoder", default="bedrooms-128", help="a model, its folder, or module:function(device)")
    encode.add_argument("--device", help='"cpu", "cuda:1", ... (default: a GPU of its own for each process)')
    encode.add_argument("--count", type=_positive, help="pictures to look at; raise it later to go on (default: all)")
    encode.add_argument("--shard-size", type=_positive, default=512, help="pictures a shard")
    encode.add_argument("--workers", type=_positive, default=1, help="processes")
    encode.add_argument("--threads", type=_positive, default=1, help="threads of each process")
    encode.add_argument(
        "--keep-voxels", action="store_true", help="for `train flux2 --paper-tokens`: SAM 3D's voxels too"
    )
    screen = encode.add_argument_group("which pictures")
    screen.add_argument("--min-side-px", type=_positive, default=usual.min_side_px, help="shorter side")
    screen.add_argument("--max-aspect", type=float, default=usual.max_aspect, help="longer over shorter side")
    screen.add_argument("--max-side-px", type=_positive, default=usual.max_side_px, help="larger ones are kept smaller")
    screen.add_argument("--min-objects", type=int, default=usual.min_objects, help="that the encoder finds")
    encode.set_defaults(run=_encode)


def _encode(options: argparse.Namespace) -> None:
    from anchorgen.data.screening import Screening
    from anchorgen.train.encode_pictures import EncodeJob, encode_pictures, process_of

    with _plain_errors("data encode", options.out):
        names = ("min_side_px", "max_aspect", "max_side_px", "min_objects")
        screening = Screening(**{name: getattr(options, name) for name in names})
        names = ("source", "out", "encoder", "device", "count", "shard_size", "keep_voxels", "workers", "threads")
        job = EncodeJob(**{name: getattr(options, name) for name in names}, screening=screening)
        reports = encode_pictures(job)
    records, seen = sum(r.records for r in reports), sum(r.num_keys for r in reports)
    left_out, failed = (sum(len(getattr(r, name)) for r in reports) for name in ("left_out", "failures"))
    rank, world = process_of()
    so_far = f" so far (process {rank + 1} of {world} is done)" if world > 1 else ""
    print(f"{records:,} of {seen:,} pictures in {options.out}{so_far}: {left_out:,} left out, {failed:,} failed")


def _render(options: argparse.Namespace) -> None:
    from anchorgen.data.cache import split_folder
    from anchorgen.data.splits import FIRST_SEED, split_of
    from anchorgen.train.render_data import render_dataset

    seed = FIRST_SEED[options.split] if options.seed is None else options.seed
    out = options.out or split_folder(options.split)
    sizes = {name: getattr(options, name) for name in ("size", "spp", "workers", "threads", "shard_size")}
    with _plain_errors("data render", out):
        if split_of(seed) != options.split:
            raise ValueError(
                f"--seed: got {seed}, of split {split_of(seed)!r}; expected one of --split {options.split}, "
                f"which begins at {FIRST_SEED[options.split]}"
            )
        manifest = render_dataset(options.count, seed, out, **sizes)
    failures = {s: why for shard in manifest["shards"].values() for s, why in shard["failures"].items()}
    print(f"{manifest['records']} rooms in {out}" + (f"; {len(failures)} failed: {failures}" if failures else ""))


def _inspect(options: argparse.Namespace) -> None:
    from anchorgen.data.encoded_shards import is_encoded

    with _plain_errors("data inspect", options.out, resumes=False):
        if is_encoded(options.folder):
            from anchorgen.analysis.inspect_encoded import inspect_encoded as look
        else:
            from anchorgen.analysis.inspect_data import inspect_folder as look
        look(options.folder, options.out, options.limit)


def _pack(options: argparse.Namespace) -> None:
    from anchorgen.data.pack_folder import bytes_by_kind, pack_folder

    with _plain_errors("data pack", options.out):
        pack = pack_folder(
            options.folder,
            options.out,
            quality=options.quality,
            num_voxels=options.voxels,
            workers=options.workers,
        )
    rooms = max(pack["records"], 1)
    kinds = ", ".join(f"{name} {size / rooms:,.0f}" for name, size in bytes_by_kind(options.out).items())
    print(f"{pack['records']:,} rooms in {options.out}: {pack['bytes']:,} bytes, parts: {len(pack['parts'])}")
    print(f"{pack['bytes'] / rooms:,.0f} bytes a room: {kinds}")


def _layouts(options: argparse.Namespace) -> None:
    from anchorgen.data.cache import worlds_folder
    from anchorgen.train.render_layouts import render_layouts

    out = options.out or worlds_folder() / f"layouts-{options.split}.safetensors"
    with _plain_errors("data layouts", out, resumes=False):
        layouts = render_layouts(options.count, options.split, out, workers=options.workers)
    failures = layouts.facts["failures"]
    print(f"{len(layouts):,} rooms, {len(layouts.category):,} objects of {len(layouts.categories)} classes in {out}")
    if failures:
        print(f"{len(failures)} failed: {failures}")


def _evaluation(options: argparse.Namespace) -> None:
    from anchorgen.analysis.evaluation_render import render_evaluation, specification_checksum
    from anchorgen.analysis.evaluation_set import evaluation_folder

    out = options.out or evaluation_folder()
    if options.checksum:
        with _plain_errors("data evaluation --checksum", out, resumes=False):
            return print(specification_checksum(options.workers))
    sizes = {name: getattr(options, name) for name in ("size", "supersample", "spp", "workers")}
    with _plain_errors("data evaluation", out):
        made = render_evaluation(out, options.count, **sizes)
    print(f"{made['count']} scenes in {out}: {made['bytes']:,} bytes; edits that show little: {made['shows_little']}")


@contextmanager
def _plain_errors(command: str, out: Path, resumes: bool = True) -> Iterator[None]:
    """What ends a job as one line instead of a traceback."""
    from anchorgen.data.explain import ENDINGS, why_it_ended

    try:
        yield
    except ENDINGS as error:
        raise SystemExit(f"anchorgen {command}: {why_it_ended(error, out, resumes)}") from None


def _bench(options: argparse.Namespace) -> None:
    from anchorgen.analysis.results import run_benchmark

    asked = {name: getattr(options, name) for name in ("scenes", "workers") if getattr(options, name) is not None}
    if asked and options.name != "decoder":
        raise SystemExit(f"anchorgen bench {options.name}: got {', '.join(asked)}; only `decoder` takes these")
    run_benchmark(options.name, options.quick, options.json, **asked)


if __name__ == "__main__":
    main()
