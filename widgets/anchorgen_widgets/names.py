"""What people know an object by, the same in the picture and in lists: its name and its colour."""

from __future__ import annotations

import colorsys
import re

from anchorgen.scene.drawing import slot_color
from anchorgen.scene.latent import SceneLatent


def display_names(scene: SceneLatent) -> dict[str, str]:
    """Name by id, removed objects too: the label where it is the only one of its kind, else the id."""
    views = [*scene.objects, *scene.removed]
    labels = [view.label for view in views]
    return {view.id: view.label if view.label and labels.count(view.label) == 1 else view.id for view in views}


def slot_hex(slot: int) -> str:
    """`slot_color` as "#rrggbb": three.js and PIL do not read CSS's newer notation."""
    hue, saturation, lightness = (float(part) for part in re.findall(r"[\d.]+", slot_color(slot)))
    red, green, blue = colorsys.hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
