"""docs/ablations.md, written from the measured rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anchorgen.ablation.rows import BATCH, ROWS, SIZE, STEPS

_COLUMNS = {
    "recon_psnr_db": "PSNR (dB)",
    "draft_psnr_db": "1 step (dB)",
    "recon_ssim": "SSIM",
    "laplacian_ratio": "Laplacian",
    "edit_gain_db": "edit gain (dB)",
    "edit_gap_db": "edit gap (dB)",
    "collateral_psnr_db": "collateral (dB)",
    "revealed_psnr_db": "revealed (dB)",
    "lamp_correlation": "lamp r",
    "lamp_slope": "lamp slope",
}
_HEAD = f"""# Ablations of the decoder

What the paper leaves open, settled at one small equal budget: pictures of {SIZE} px, {STEPS * BATCH:,} samples seen ({STEPS:,} steps of
{BATCH} rooms), the bundled decoder made smaller, one training seed and one noise seed. Reconstruction is of 64 validation rooms, edits are of the
first 40 scenes of the evaluation set. So differences of a few tenths of a dB say little; what is compared is trained the same.
This file is written by the commands it names, from `docs/results/ablations.json`.

"""


def write_table(rows: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Writes the rows that there are, in the order of `rows.py`.

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
    commands = [f"- {ROWS[name].says}: `{rows[name]['command']}`" for name in ROWS if name in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_HEAD + "\n".join(lines) + "\n\n## Commands\n\n" + "\n".join(commands) + "\n")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
