"""docs/ablations.md, written from the measured rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anchorgen.ablation.crop import CROP_EDITS, NO_PICTURE
from anchorgen.ablation.rows import BATCH, ROWS, SIZE, STEPS
from anchorgen.analysis.hidden import MAX_SHARE
from anchorgen.analysis.pages import fill_page

_COLUMNS = {
    "recon_psnr_db": "PSNR (dB)",
    "draft_psnr_db": "1 step (dB)",
    "recon_ssim": "SSIM",
    "laplacian_ratio": "Laplacian",
    "edit_gain_db": "edit gain (dB)",
    "edit_gap_db": "edit gap (dB)",
    "collateral_psnr_db": "collateral (dB)",
    "revealed_psnr_db": "revealed (dB)",
    "revealed_gain_db": "revealed gain (dB)",
    "hidden_psnr_db": "hidden (dB)",
    "lamp_correlation": "lamp r",
    "lamp_slope": "lamp slope",
}
_BY_EDIT = ("edit_gain_db", "edit_gap_db", "collateral_psnr_db")
_PIXELS = ("revealed", "hidden")
_HEAD = f"""# Ablations of the decoder

What the paper leaves open, measured at one small equal budget: pictures of {SIZE} px, {STEPS * BATCH:,} samples seen ({STEPS:,} steps of
{BATCH} rooms), the bundled decoder made smaller, one training seed and one noise seed. Reconstruction is of 64 validation
rooms, edits are of the first 40 scenes of the evaluation set. So differences of a few tenths of a dB say little; what is
compared is trained the same. Minutes are by the clock, and the machine had other work.
"Revealed" are pixels that showed an object which an edit takes away, moves, turns or resizes, and show another
object after; "hidden" are the pixels of moved objects of which less than {MAX_SHARE:.0%} had shown.
Rows of `anchorgen/ablation/rows.py` that are not here are not measured yet.
The tables are written by the commands they name, from `docs/results/ablations.json`.

<!-- rows -->
<!-- /rows -->
"""


def write_table(rows: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Writes the rows that there are, in the order of `rows.py`; what the page says outside its markers stays.

    Args:
        rows: by name, `{"command", "training", "figures"}`.
        path: the Markdown file.
    """
    lines = [" | ".join(["", "question", "what", *_COLUMNS.values(), "minutes", ""]).strip()]
    lines.append("|" + " --- |" * (len(_COLUMNS) + 3))
    for name in (name for name in ROWS if name in rows):
        row, known = ROWS[name], rows[name]
        cells = [_number(known["figures"].get(key)) for key in _COLUMNS]
        minutes = f"{known['training']['seconds'] / 60:.0f}"
        lines.append("| " + " | ".join([row.question, row.says, *cells, minutes]) + " |")
    lines += _same_edits(rows)
    commands = [f"- {ROWS[name].says}: `{rows[name]['command']}`" for name in ROWS if name in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    page = path.read_text() if path.is_file() else _HEAD
    path.write_text(fill_page(page, "\n".join([*lines, "", "## Commands", "", *commands]), "rows"))


def _same_edits(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Rows that cannot make all edits, beside the baseline on those that they can make; nothing until all are there."""
    if not {"baseline", "crop"} <= set(rows):
        return []
    figures = {name: rows[name]["figures"] for name in ("baseline", "crop")}
    # Rows that were measured by another version may have other pixels: those figures are not put beside each other.
    same = [what for what in _PIXELS if len({own.get(f"{what}_px") for own in figures.values()}) == 1]
    told = [key for key in _COLUMNS if key.partition("_")[0] in same]
    counts = ", ".join(
        f"{figures['crop'].get(f'{what}_scenes')} scenes and {figures['crop'].get(f'{what}_px')} pixels {what}"
        if what in same
        else f"not of the same pixels {what}: measure both rows with `--again`"
        for what in _PIXELS
    )
    lines = ["", "## f of the visible pixels", ""]
    lines.append(f"The row has no {' and '.join(NO_PICTURE)}, since there is no picture of what these bring, so that")
    lines.append("above its edit columns are over fewer edits than the others'. Here both rows are over the same")
    lines += [f"{len(CROP_EDITS)} edits, as means over edits of means over scenes ({counts}).", ""]
    lines.append("| " + " | ".join(["what", *(_COLUMNS[key] for key in (*_BY_EDIT, *told))]) + " |")
    lines.append("|" + " --- |" * (1 + len(_BY_EDIT) + len(told)))
    for name, own in figures.items():
        cells = [_number(_mean(own.get(f"{key}_{edit}") for edit in CROP_EDITS)) for key in _BY_EDIT]
        lines.append("| " + " | ".join([ROWS[name].says, *cells, *(_number(own.get(key)) for key in told)]) + " |")
    return lines


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
