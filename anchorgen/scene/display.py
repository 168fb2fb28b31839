"""How a scene shows itself: a table of text, and in notebooks two drawings and a table."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.drawing import perspective_svg, plan_svg, slot_color
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.values import SceneValues

FRAME = "color:var(--jp-content-font-color1, inherit);font-size:12px;font-family:var(--jp-ui-font-family, sans-serif)"
_DIM = "opacity:.55"
_CELL = "padding:2px 10px 2px 0;text-align:left;white-space:nowrap;font-variant-numeric:tabular-nums"


def scene_text(scene: SceneValues) -> str:
    """A few lines of text: what is in the scene and what is released."""
    lines = [_title(scene)]
    rows = [("object", "label", "centre x, y, z (m)", "width x depth x height (m)", "released")]
    rows += [(v.name, v.label or "-", _centre(v), _size(v), _released_factors(scene, v.index)) for v in scene.objects]
    if len(rows) > 1:
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines + ["  " + line for line in _remarks(scene)])


def scene_html(scene: SceneValues) -> str:
    """HTML with the boxes in perspective and from above, and a table with the anchors."""
    return (
        f'<div class="anchorgen-scene" style="{FRAME}">'
        f'<div style="margin:2px 0 6px">{escape(_title(scene))}</div>'
        f"{drawings_html(scene)}{_table(scene)}"
        + "".join(f'<div style="margin-top:3px;opacity:.75">{escape(line)}</div>' for line in _remarks(scene))
        + "</div>"
    )


def drawings_html(scene: SceneValues, colors: Mapping[int, str] | None = None, walls: np.ndarray | None = None) -> str:
    """Both drawings side by side; see `drawing` for the arguments."""
    try:
        drawings = perspective_svg(scene, colors=colors) + plan_svg(scene, colors=colors, walls=walls)
    except ValueError as error:  # the camera looks straight down: there is no "forward" to draw
        drawings = f'<div style="{_DIM}">no drawing: {escape(str(error))}</div>'
    return f'<div style="display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start">{drawings}</div>'


def _table(scene: SceneValues) -> str:
    if not scene.num_objects:
        return ""
    titles = ("object", "label", "centre x, y, z (m)", "width × depth × height (m)", *FACTORS)
    head = "".join(f'<th style="{_CELL};font-weight:600">{title}</th>' for title in titles)
    rows = []
    for view in scene.objects:
        mark = f'<span style="color:{slot_color(view.index)}">■</span> '
        cells = [mark + escape(view.name), escape(view.label), _centre(view), _size(view).replace(" x ", " × ")]
        row = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
        rows.append(f"<tr>{row}{''.join(_strength_cell(_strength(scene, f, view.index)) for f in FACTORS)}</tr>")
    style = "border-collapse:collapse;margin:8px 0 2px;font-size:12px"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _strength_cell(strength: float) -> str:
    if strength <= 0:
        return f'<td style="{_CELL};{_DIM}">keep</td>'
    bar = f"linear-gradient(90deg,rgba(230,140,30,.45) {100 * strength:.0f}%,rgba(128,128,128,.15) 0)"
    return f'<td style="{_CELL}"><span style="display:inline-block;width:64px;padding-left:4px;background:{bar}">' + (
        f"{strength:.2f}</span></td>"
    )


def _title(scene: SceneValues) -> str:
    count = f"{scene.num_objects} object{'' if scene.num_objects == 1 else 's'}"
    focal = f"focal {scene.focal[0]:.3f}, {scene.focal[1]:.3f}"
    return f"SceneLatent: {count} in {scene.num_slots} slots, {focal}, latent space {scene.latent_space or '-'}"


def _remarks(scene: SceneValues) -> list[str]:
    empty = np.flatnonzero(~scene.presence)
    free = int(np.sum(scene.anchors.presence[empty] < 1))
    released = [f"{free} empty slot{'' if free == 1 else 's'}"] if free else []
    for name, alpha in (("camera", scene.anchors.focal), ("background", scene.anchors.background)):
        released += [f"{name} {1 - alpha:.2f}"] if alpha < 1 else []
    removed = [view.id for view in scene.removed]
    verbs = [step.verb for step in scene.history]
    shown = ["..."] * (len(verbs) > 8) + verbs[-8:]
    remarks = {"removed": removed, "also released": released, "history": shown}
    return [f"{name}: {', '.join(items)}" for name, items in remarks.items() if items]


def _strength(scene: SceneValues, factor: str, slot: int) -> float:
    return 1.0 - float(getattr(scene.anchors, factor)[slot])


def _released_factors(scene: SceneValues, slot: int) -> str:
    strengths = {factor: _strength(scene, factor, slot) for factor in FACTORS}
    return ", ".join(f"{factor} {value:.2f}" for factor, value in strengths.items() if value > 0) or "-"


def _centre(view: ObjectView) -> str:
    return ", ".join(f"{value:.2f}" for value in np.where(np.abs(view.translation) < 0.005, 0.0, view.translation))


def _size(view: ObjectView) -> str:
    return " x ".join(f"{side:.2f}" for side in view.scale)
