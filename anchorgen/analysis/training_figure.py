"""How each network of a bundled set was trained: its logged losses over steps, one panel a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from anchorgen.analysis.figures import INK, QUIET, NotebookFigure

# What is drawn of each network, and how the axis calls it.
_PANELS = {
    "vae": ("psnr_db", "PSNR of training pictures (dB)"),
    "decoder": ("velocity_mse", "error of the velocity"),
    "prior": ("loss", "loss"),
    "encoder": ("loss", "loss"),
}
_COLOUR, _COLUMNS = "#3b6fb6", 2


def parts_of(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A run's record and those of the runs it went on from, the first one first."""
    parts = [run]
    while "first_part" in parts[0]:
        parts.insert(0, parts[0]["first_part"])
    return parts


def training_figure(training: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Curves of all networks that have one; where a run went on from another, a line stands between them.

    Args:
        training: records by network, as `training.json` has them.

    Raises:
        ValueError: none of them has a curve.
    """
    known = _known(training)
    if not known:
        raise ValueError(f"got records of {sorted(training)} without a curve; runs note one when they finish")
    rows = -(-len(known) // _COLUMNS)
    figure = NotebookFigure(figsize=(4.6 * _COLUMNS, 2.7 * rows), layout="constrained", dpi=120)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    for name, ax in zip(known, axes, strict=False):
        _draw(ax, name, parts_of(training[name]))
    for ax in axes[len(known) :]:
        ax.set_axis_off()
    return figure


def has_curves(training: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether there is something to draw: runs from before curves were noted have none."""
    return bool(_known(training))


def _known(training: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [name for name in _PANELS if any("curve" in part for part in parts_of(training.get(name, {})))]


def _draw(ax: Any, name: str, parts: Sequence[Mapping[str, Any]]) -> None:
    key, words = _PANELS[name]
    start = 0
    for part in parts:
        curve = part.get("curve", {})
        if key in curve:
            ax.plot([start + step for step in curve["step"]], curve[key], color=_COLOUR, linewidth=1.6)
        if start:
            ax.axvline(start, color=QUIET, linewidth=0.8, linestyle=(0, (2, 2)))
        start += part["steps"]
    ax.set_title(name, loc="left", fontsize=11, color=INK, fontweight="bold")
    ax.set_xlabel("step", color=QUIET, fontsize=9)
    ax.set_ylabel(words, color=QUIET, fontsize=9)
    ax.tick_params(colors=QUIET, labelsize=8)
    ax.grid(alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
