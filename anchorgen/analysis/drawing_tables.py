"""Tables of docs/drawing.md, out of what `bench sampling` and `bench faithful` measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WAYS = {
    "copy": "the source itself, unedited",
    "plain": "plain render",
    "inversion": "flow inversion",
    "inversion_keep": "flow inversion, with what it misses put back as above",
    "keep": "`keep`",
    "keep_draft": "`keep`, draft",
}
_IDENTICAL_DB = 60.0  # what `psnr` gives for equal pictures


def sampling_table(figures: Mapping[str, Any]) -> str:
    """Every way to sample that was measured, as Markdown.

    Args:
        figures: `rooms`, and by way (`euler_4_guidance_1.6`) `psnr_db`, `ssim`, `laplacian_ratio`, `seconds`.
    """
    rows = [
        "| method | steps | guidance | PSNR (dB) | SSIM | Laplacian | seconds |",
        "| --- | ---: " + "| ---: " * 5 + "|",
    ]
    for way, values in figures.items():
        if way == "rooms":
            continue
        method, steps, _, guidance = way.split("_")
        cells = (f"{values['psnr_db']:.2f}", f"{values['ssim']:.3f}", f"{values['laplacian_ratio']:.2f}")
        rows.append(f"| {method} | {steps} | {guidance} | " + " | ".join(cells) + f" | {values['seconds']:.2f} |")
    return "\n".join(rows)


def faithful_table(figures: Mapping[str, Any]) -> str:
    """Ways to draw edits of a given picture, as Markdown; figures are those of `bench_faithful.compare`."""
    columns = {
        "edit_psnr_db": "edit: against the true after-picture, where the edit shows",
        "source_psnr_db": "against the source, where it does not",
        "round_trip_db": "unedited scene against the source",
    }
    rows = ["| " + " | ".join(["way", *columns.values()]) + " |", "| --- " + "| ---: " * 3 + "|"]
    for way, says in _WAYS.items():
        values = [_IDENTICAL_DB if way == "copy" and c != "edit_psnr_db" else figures[f"{c}_{way}"] for c in columns]
        cells = ["equal" if value >= _IDENTICAL_DB else f"{value:.1f}" for value in values]
        rows.append(f"| {says} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
