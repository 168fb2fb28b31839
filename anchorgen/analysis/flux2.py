"""`python -m anchorgen flux2 sizes|prompt`: what the paper's decoder needs, and its empty prompt, once."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchorgen.decode.flux2_config import REPOSITORY, KleinConfig
from anchorgen.decode.flux2_errors import BackboneError


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m anchorgen flux2", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    sizes = commands.add_parser("sizes", help="parameters and GPU memory, derived from shapes: no weights, no GPU")
    sizes.add_argument("--sites", choices=("double", "all"), default="double", help="blocks with an adapter")
    sizes.add_argument("--image-size", type=int, default=512, help="pixels a side")
    sizes.set_defaults(run=_sizes)
    prompt = commands.add_parser("prompt", help="compute the empty prompt's embedding, the text encoder's only use")
    prompt.add_argument("--repository", default=REPOSITORY, help="on the hub, or a folder")
    prompt.add_argument("--tokens", type=int, default=512, help="of the embedding")
    prompt.add_argument("--device", default="cpu", help="on which the text encoder runs")
    prompt.add_argument("--cache", type=Path, help="folder (default: prompts in the cache)")
    prompt.set_defaults(run=_prompt)
    options = parser.parse_args(argv)
    try:
        options.run(options)
    except (BackboneError, ValueError) as error:
        raise SystemExit(f"anchorgen flux2: {error}") from None


def _sizes(options: argparse.Namespace) -> None:
    from anchorgen.analysis.flux2_sizes import report

    print(report(KleinConfig(sites=options.sites, image_size=options.image_size)))


def _prompt(options: argparse.Namespace) -> None:
    from anchorgen.decode.flux2_prompt import empty_prompt

    config = KleinConfig(repository=options.repository, num_text_tokens=options.tokens)
    found = empty_prompt(config, options.cache, options.device)
    print(
        f"empty prompt of {options.repository}: {found.shape[0]} tokens of {found.shape[1]} channels are in the cache"
    )
