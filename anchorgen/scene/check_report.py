"""`SceneCheck`: the findings about a scene as a value that shows itself, in text and as a coloured drawing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from anchorgen.scene.checks import Finding, findings
from anchorgen.scene.display import FRAME, drawings_html
from anchorgen.scene.selection import Selector
from anchorgen.scene.values import SceneValues

WRONG, FINE = "#e5484d", "#8b8d98"  # both stand out from white and from nearly black


@dataclass(frozen=True, eq=False, repr=False)
class SceneCheck:
    """What `scene.check()` returns; false if nothing is wrong.

    Attributes:
        scene: what was checked.
        findings: one a problem; see `Finding`.
        walls: `[W, 4]` planes it was checked against, or None.
    """

    scene: SceneValues
    findings: tuple[Finding, ...]
    walls: np.ndarray | None = None

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def of(self, selector: Selector) -> tuple[Finding, ...]:
        """The findings that name one of the selected objects. Raises SelectionError if nothing matches."""
        ids = {self.scene.ids[slot] for slot in self.scene.select(selector)}
        return tuple(finding for finding in self.findings if ids & set(finding.ids))

    def __repr__(self) -> str:
        width = max((len(finding.kind) for finding in self.findings), default=0)
        lines = [f"  {finding.kind.ljust(width)}  {finding.text}" for finding in self.findings]
        return "\n".join([f"SceneCheck: {self._summary()}", *lines])

    def _repr_html_(self) -> str:
        wrong = {name for finding in self.findings for name in finding.ids}
        colors = {view.index: WRONG if view.id in wrong else FINE for view in self.scene.objects}
        mark = f'<span style="color:{WRONG}">■</span> '
        items = "".join(
            f'<div style="margin-top:3px">{mark}<span style="display:inline-block;min-width:9em;opacity:.75">'
            f"{escape(finding.kind)}</span>{escape(finding.text)}</div>"
            for finding in self.findings
        )
        return (
            f'<div class="anchorgen-check" style="{FRAME}"><div style="margin:2px 0 6px">{escape(self._summary())}</div>'
            f'{drawings_html(self.scene, colors, self.walls)}<div style="margin-top:6px">{items}</div></div>'
        )

    def _summary(self) -> str:
        problems, objects = _counted(len(self), "problem"), _counted(self.scene.num_objects, "object")
        unknown = "" if self.walls is not None else "; walls not given, so not checked"
        return f"{problems} in {objects}{unknown}"


def check_scene(scene: SceneValues, walls: np.ndarray | None = None) -> SceneCheck:
    """Everything that is wrong with the boxes of `scene`; see `checks.findings` for the arguments and errors."""
    return SceneCheck(scene, tuple(findings(scene, walls)), walls)


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
