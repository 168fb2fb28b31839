"""CSS colours of objects: which one each has, and what Pillow and ipycanvas need of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PIL import ImageColor

from anchorgen.scene.drawing import slot_color
from anchorgen.scene.latent import SceneLatent

RGB = tuple[int, int, int]


def object_colors(scene: SceneLatent, colors: Mapping[str, str] | None = None) -> dict[str, str]:
    """CSS colour by id, removed objects too: what `colors` says, else `slot_color`.

    Raises:
        ValueError: a colour that cannot be read.
    """
    given = colors or {}
    for color in given.values():
        rgb_of(color)
    return {view.id: given.get(view.id) or slot_color(view.index) for view in (*scene.objects, *scene.removed)}


def rgb_of(css_color: str) -> RGB:
    """Red, green and blue, 0 to 255, of a name, `#rrggbb`, `rgb(...)` or `hsl(...)`, with commas or with spaces.

    Raises:
        ValueError: anything else.
    """
    plain = css_color.strip()
    if match := re.fullmatch(r"(rgb|hsl)\(\s*([^()]*?)\s*\)", plain):
        parts = re.split(r"[\s,]+", match[2])  # Pillow reads commas only
        plain = f"{match[1]}({','.join(parts)})"
    try:
        return ImageColor.getrgb(plain)[:3]
    except ValueError:
        raise ValueError(
            f"{css_color!r} is no colour; expected a CSS name, '#rrggbb', 'rgb(r g b)' or 'hsl(h s% l%)'"
        ) from None


def hex_of(rgb: RGB) -> str:
    """`#rrggbb`."""
    return "#" + "".join(f"{round(part):02x}" for part in rgb)


def slot_hex(slot: int) -> str:
    """`slot_color` as `#rrggbb`: three.js does not read CSS's newer notation."""
    return hex_of(rgb_of(slot_color(slot)))


def darker(rgb: RGB, highest: int = 120) -> RGB:
    """The colour, dark enough for white text: its brightest part is at most `highest`."""
    factor = min(1.0, highest / max(1, *rgb))
    red, green, blue = (round(part * factor) for part in rgb)
    return red, green, blue
