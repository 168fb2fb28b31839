"""Inline SVG drawings of the boxes of a scene: in perspective, and from above. Readable on light and dark pages."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping
from functools import cache
from html import escape

import numpy as np

from anchorgen.geometry import BOX_CORNER_SIGNS, box_corners, clip_convex, floor_basis, project, quat_to_matrix
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.values import SceneValues, Vector

_NEAR_M = 0.05
_GRID = "rgba(128,128,128,.35)"
_HALO = 'paint-order="stroke" stroke="var(--jp-layout-color1, transparent)" stroke-width="3" stroke-linejoin="round"'
# Corners of the six faces in drawing order, and the axis and sign of each.
_FACES = tuple(
    (axis, sign, [sum(bit << a for a, bit in zip((axis, (axis + 1) % 3, (axis + 2) % 3), (sign, i, j), strict=True))
                  for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))])
    for axis in range(3) for sign in (0, 1)
)  # fmt: skip


@cache
def slot_color(slot: int) -> str:
    """A CSS colour for a slot, the same in every drawing, that stands out by 3:1 from white and from nearly black."""
    hue, luminance = slot * 137.5 % 360, (0.25, 0.16)[slot // 3 % 2]
    lightness = np.linspace(0.0, 1.0, 101)
    wanted = next(step for step in lightness if relative_luminance(hue, step) >= luminance)
    return f"hsl({hue:.0f} 62% {100 * wanted:.0f}%)"


def relative_luminance(hue: float, lightness: float, saturation: float = 0.62) -> float:
    """Of an HSL colour (hue in degrees, the rest in [0, 1]), as the contrast of WCAG is made of."""
    rgb = np.array(colorsys.hls_to_rgb(hue / 360, lightness, saturation))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def perspective_svg(scene: SceneValues, width_px: int = 340, colors: Mapping[int, str] | None = None) -> str:
    """The present boxes as the camera sees them, over a floor grid of 1 m.

    Args:
        scene: what to draw.
        width_px: width of the drawing; its height follows from the focal lengths.
        colors: CSS colours of some slots, in place of `slot_color`.
    """
    aspect = float(np.clip(scene.focal[0] / scene.focal[1], 0.4, 2.5))
    size = np.array([width_px, round(width_px * aspect)], float)
    body = [_floor_grid(scene, size)]
    views = sorted(scene.objects, key=lambda view: -float(np.linalg.norm(view.translation)))
    for view in views:
        color = escape((colors or {}).get(view.index, slot_color(view.index)), quote=True)
        body.append(_box_faces(scene, view, size, color))
    places = [(view, project(view.translation, scene.focal) * size) for view in reversed(views)]
    return _svg("perspective", size, body + _labels(places, size))


def plan_svg(
    scene: SceneValues,
    height_px: int = 340,
    colors: Mapping[int, str] | None = None,
    walls: np.ndarray | None = None,
) -> str:
    """The present boxes from above: the camera at the bottom with its field of view, forward is up, a grid of 1 m.

    Args:
        scene: what to draw.
        height_px: most that its height can be.
        colors: CSS colours of some slots, in place of `slot_color`.
        walls: `[W, 4]` planes (n, d) with `n . p >= d` inside the room, camera frame, to outline the room.
    """
    basis = floor_basis(scene.up)
    footprints = {view.index: _footprint(view, basis) for view in scene.objects}
    room = np.zeros((0, 2)) if walls is None else _room_outline(walls, basis, float(scene.floor))
    points = np.concatenate([np.zeros((1, 2)), room, *(points for points, _ in footprints.values())])
    low, high = np.clip(points.min(0) - 0.4, -15.0, [-1.0, 0.0]), np.clip(points.max(0) + 0.4, [1.0, 3.0], 15.0)
    zoom = min(height_px / (high[1] - low[1]), 1.2 * height_px / (high[0] - low[0]))
    size = (high - low) * zoom

    def place(metres: Vector) -> np.ndarray:
        return (np.asarray(metres, float) - low) * [zoom, -zoom] + [0.0, size[1]]

    body = [_plan_grid(low, high, place), _field_of_view(scene, float(high[1]) + 5, place)]
    body += [_line(place(a), place(b), "currentColor", _WALL) for a, b in zip(room, np.roll(room, -1, 0), strict=True)]
    places = []
    for view in sorted(scene.objects, key=lambda view: float(view.translation @ basis[1])):
        color = escape((colors or {}).get(view.index, slot_color(view.index)), quote=True)
        corners, front = footprints[view.index]
        centre = corners.mean(0)
        body += [
            _polygon(place(corners[face]), color, _dash(scene, view.index), 0.18) for face in _hull_faces(view, basis)
        ]
        body.append(_line(place(centre), place(front), color, 'stroke-width="2.5" stroke-linecap="round"'))
        places.append((view, place(centre)))
    return _svg("plan", size, body + _labels(places[::-1], size))


def _svg(kind: str, size: np.ndarray, body: list[str]) -> str:
    width, height = (f"{side:.0f}" for side in size)
    title = {"perspective": "boxes as the camera sees them", "plan": "boxes from above; the camera is at the bottom"}[
        kind
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'style="overflow:hidden;border-radius:4px;background:rgba(128,128,128,.10);max-width:100%;height:auto" '
        f'font-family="var(--jp-ui-font-family, sans-serif)" font-size="11" role="img"><title>{title}</title>'
        + "".join(body)
        + "</svg>"
    )


def _box_faces(scene: SceneValues, view: ObjectView, size: np.ndarray, color: str) -> str:
    corners = box_corners(view.translation, view.quat_wxyz, view.scale)
    axes = quat_to_matrix(view.quat_wxyz)
    parts = []
    for axis, sign, face in _FACES:
        quad = corners[face]
        outward = axes[:, axis] * (1 if sign else -1)
        if quad.mean(0) @ outward >= 0:  # its back is towards the camera
            continue
        clipped = _in_front(quad)
        if len(clipped) >= 3:
            shade = 0.42 if axis == 1 and not sign else 0.25
            parts.append(_polygon(project(clipped, scene.focal) * size, color, _dash(scene, view.index), shade))
    return "".join(parts)


def _labels(places: list[tuple[ObjectView, np.ndarray]], size: np.ndarray) -> list[str]:
    """Names near their places, nudged up or down where they would cover one another."""
    taken: list[tuple[float, float, float]] = []
    parts = []
    for view, at in places:
        if not np.all((at > -20) & (at < size + 20)):
            continue
        name = view.label or view.id
        name = name if len(name) <= 18 else name[:17] + "…"
        half = 3.0 * len(name)
        x = float(np.clip(at[0], half + 2, max(half + 2, size[0] - half - 2)))
        for nudge in (0, -13, 13, -26, 26, -39, 39):
            y = float(np.clip(at[1] + 4 + nudge, 12, size[1] - 4))
            if all(abs(x - other_x) >= half + other or abs(y - other_y) >= 12 for other_x, other_y, other in taken):
                break
        taken.append((x, y, half))
        text = f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="currentColor" {_HALO}>'
        parts.append(f"{text}{escape(name)}</text>")
    return parts


def _in_front(polygon: np.ndarray) -> np.ndarray:
    """The part `[P, 3]` of a polygon in front of the near plane."""
    kept: list[np.ndarray] = []
    for point, after in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if point[2] >= _NEAR_M:
            kept.append(point)
        if (point[2] >= _NEAR_M) != (after[2] >= _NEAR_M):
            kept.append(point + (after - point) * (_NEAR_M - point[2]) / (after[2] - point[2]))
    return np.array(kept).reshape(-1, 3)


def _floor_grid(scene: SceneValues, size: np.ndarray) -> str:
    right, up, forward = floor_basis(scene.up)
    lines = [((x, 0.3), (x, 9.0)) for x in range(-6, 7)] + [((-6.0, z), (6.0, z)) for z in range(1, 10)]
    parts = []
    for ends in lines:
        points = np.array([x * right + float(scene.floor) * up + z * forward for x, z in ends])
        if np.all(points[:, 2] < _NEAR_M):
            continue
        start, stop = project(_in_front(points)[:2], scene.focal) * size
        parts.append(_line(start, stop, _GRID, 'stroke-width="0.7"'))
    return "".join(parts)


def _footprint(view: ObjectView, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All corners `[8, 2]` and the middle of the front `[2]` along right and forward, metres."""
    corners = box_corners(view.translation, view.quat_wxyz, view.scale)
    front = corners[BOX_CORNER_SIGNS[:, 1] < 0].mean(0)
    return corners @ basis[[0, 2]].T, basis[[0, 2]] @ front


def _hull_faces(view: ObjectView, basis: np.ndarray) -> list[list[int]]:
    """Faces that are seen from above."""
    upward = basis[1] @ quat_to_matrix(view.quat_wxyz)
    return [face for axis, sign, face in _FACES if upward[axis] * (1 if sign else -1) > 0.02]


def _plan_grid(low: np.ndarray, high: np.ndarray, place: Callable[[Vector], np.ndarray]) -> str:
    lines = [((x, low[1]), (x, high[1])) for x in range(int(np.ceil(low[0])), int(high[0]) + 1)]
    lines += [((low[0], z), (high[0], z)) for z in range(int(np.ceil(low[1])), int(high[1]) + 1)]
    return "".join(_line(place(a), place(b), _GRID, 'stroke-width="0.7"') for a, b in lines)


def _field_of_view(scene: SceneValues, reach: float, place: Callable[[Vector], np.ndarray]) -> str:
    half = 0.5 / float(scene.focal[0])
    sides = [_line(place((0, 0)), place((sign * half * reach, reach)), "currentColor", _FIELD) for sign in (-1, 1)]
    x, y = place((0, 0))
    return "".join(sides) + f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="currentColor" opacity=".7"/>'


def _room_outline(walls: np.ndarray, basis: np.ndarray, floor: float) -> np.ndarray:
    """Corners `[P, 2]` of the room along right and forward, metres, cut off 15 m away from the camera."""
    outline = 15.0 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    for *normal, offset in np.asarray(walls, float):
        across, up, ahead = basis @ normal
        length = np.hypot(across, ahead)
        if length > 0.1:  # else it is a floor or a ceiling
            inward = np.array([across, ahead]) / length
            along, start = np.array([inward[1], -inward[0]]), inward * (offset - floor * up) / length
            far = 100.0 * np.stack([-along, along, along + inward, inward - along])
            outline = clip_convex(outline, start + far)
    return outline


_WALL = 'stroke-width="2" opacity=".45"'
_FIELD = 'stroke-width="1" stroke-dasharray="2 3" opacity=".6"'


def _dash(scene: SceneValues, slot: int) -> str:
    return 'stroke-dasharray="4 3"' if scene.anchors.layout[slot] < 1 else ""


def _polygon(points: np.ndarray, color: str, extra: str, fill_opacity: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in np.clip(points, -1e4, 1e4))
    return (
        f'<polygon points="{path}" fill="{color}" fill-opacity="{fill_opacity}" stroke="{color}" stroke-width="1.5" '
        f'stroke-linejoin="round" {extra}/>'
    )


def _line(start: np.ndarray, stop: np.ndarray, color: str, extra: str) -> str:
    (x1, y1), (x2, y2) = np.clip([start, stop], -1e4, 1e4)
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" {extra}/>'
