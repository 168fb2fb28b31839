"""One latent changed step by step, everything else anchored: what does it do to the picture?"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from anchorgen.analysis.figures import picture_grid, to_png
from anchorgen.analysis.metrics import change_map
from anchorgen.scene.errors import SelectionError
from anchorgen.scene.latent import SceneLatent

Apply = Callable[[SceneLatent, str, float], SceneLatent]


def _presence(scene: SceneLatent, target: str, value: float) -> SceneLatent:
    if value not in (0, 1):
        raise ValueError(f"presence: got {value}; expected 0 (removed) or 1 (there)")
    if target in scene:
        return scene if value else scene.remove(target)
    there = scene.restore(target)  # names what there is, if the target is not among the removed either
    return there if value else scene


FACTORS: dict[str, tuple[str, Apply]] = {
    "right": ("m", lambda s, t, v: s.move(t, right=v)),
    "up": ("m", lambda s, t, v: s.move(t, up=v)),
    "forward": ("m", lambda s, t, v: s.move(t, forward=v)),
    "yaw": ("°", lambda s, t, v: s.rotate(t, yaw=v)),
    "pitch": ("°", lambda s, t, v: s.rotate(t, pitch=v)),
    "roll": ("°", lambda s, t, v: s.rotate(t, roll=v)),
    "size": ("x", lambda s, t, v: s.resize(t, v)),
    "width": ("m", lambda s, t, v: s.resize(t, width=v)),
    "depth": ("m", lambda s, t, v: s.resize(t, depth=v)),
    "height": ("m", lambda s, t, v: s.resize(t, height=v)),
    "presence": ("", _presence),
}
CAMERA_FACTORS: dict[str, tuple[str, Apply]] = {
    "focal": ("x", lambda s, _, v: s.with_focal(float(s.focal[0]) * v, float(s.focal[1]) * v)),
    "fx": ("", lambda s, _, v: s.with_focal(v, float(s.focal[1]))),
    "fy": ("", lambda s, _, v: s.with_focal(float(s.focal[0]), v)),
}


@dataclass(frozen=True)
class Sweep:
    """Attributes:
    selector: what was changed, e.g. "nightstand.right".
    values, unit: how far.
    scenes: the edited scenes; images: their pictures, drawn with one noise seed.
    reference: picture of the scene as it was.
    """

    selector: str
    values: tuple[float, ...]
    unit: str
    scenes: tuple[SceneLatent, ...]
    images: tuple[Image.Image, ...]
    reference: Image.Image

    def __repr__(self) -> str:
        values = ", ".join(f"{value:g}" for value in self.values)
        return f"Sweep of {self.selector}: {len(self.images)} pictures at {values} {self.unit}".rstrip()

    def changes(self) -> list[np.ndarray]:
        """Per value, `[H, W]` in [0, 1]: how much each pixel differs from the reference."""
        return [change_map(image, self.reference) for image in self.images]

    def figure(self, changes: bool = True) -> Figure:
        """A strip of the pictures, and below it what changed."""
        titles = [
            f"{value:+g} {self.unit}".strip() if self.unit in ("m", "°") else f"{value:g}{self.unit}"
            for value in self.values
        ]
        rows: list[Sequence[Any]] = [self.images, self.changes()] if changes else [self.images]
        names = ["picture", "change"] if changes else []
        return picture_grid(rows, titles=titles, row_titles=names, caption=self.selector)

    def _repr_png_(self) -> bytes:
        return to_png(self.figure())

    def _repr_html_(self) -> str:
        data = base64.b64encode(self._repr_png_()).decode()
        return f'<img alt="sweep of {html.escape(self.selector)}" src="data:image/png;base64,{data}">'


def sweep(
    pipe: Any, scene: SceneLatent, selector: str, values: Sequence[float], *, seed: int = 0, **options: Any
) -> Sweep:
    """Draws a scene once per value of one factor.

    Args:
        pipe: draws the pictures (`pipe.render`).
        scene: where to start; it is not changed.
        selector: object and factor, "nightstand.right" (metres along the floor; also up, forward), "chair.yaw"
            (degrees; pitch, roll), "bed.width" (metres; depth, height), "bed.size" (a factor), "lamp.presence"
            (0 or 1; a removed lamp comes back at 1), or "camera.focal" (a factor; "camera.fx", "camera.fy" are values).
        values: of the factor, relative to the scene as it is where that makes sense.
        seed: of the noise, the same for all pictures.
        options: passed to `pipe.render`, e.g. `draft=True`.

    Raises:
        LookupError: no such object or factor; the message lists those there are.
        ValueError: values is not a sequence, or has none.
    """
    target, _, factor = selector.rpartition(".")
    table = CAMERA_FACTORS if target == "camera" else FACTORS
    if not target or factor not in table:
        raise SelectionError(
            f"{selector!r} names no factor to sweep; expected an object and one of {list(FACTORS)}, "
            f"or 'camera' and one of {list(CAMERA_FACTORS)}: e.g. 'bed.right'"
        )
    if np.ndim(values) != 1 or not len(values):
        raise ValueError(
            f"values is empty or no list: got {values!r}; expected one or more, e.g. numpy.linspace(-0.5, 0.5, 5)"
        )
    unit, apply = table[factor]
    scenes = [apply(scene, target, value.item() if isinstance(value, np.generic) else value) for value in values]
    reference, *images = pipe.render([scene, *scenes], seed=seed, **options)
    return Sweep(selector, tuple(float(v) for v in values), unit, tuple(scenes), tuple(images), reference)
