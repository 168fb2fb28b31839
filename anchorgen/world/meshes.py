"""A small mesh kit: bevelled boxes, lathes, cushions and sheets with vertex colours.

Every function returns a list of `Part`s. Faces are counter-clockwise seen from outside.
Shape legend: V vertices, F faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from anchorgen.world.types import Material, Part

Vector = Sequence[float] | np.ndarray
Colour = Vector
Paint = Callable[[np.ndarray], np.ndarray]  # vertices [V, 3] in metres -> linear RGB [V, 3]


def smooth_noise(points: np.ndarray, seed: int, frequency: float) -> np.ndarray:
    """`[V]` in [0, 1]: a sum of sines in random directions, five octaves."""
    rng = np.random.default_rng(seed)
    total = np.zeros(len(points))
    for octave in range(5):
        direction = rng.normal(size=3) * frequency * 1.6**octave
        total += np.sin(points @ direction + rng.uniform(0, 2 * np.pi)) / 1.4**octave
    return 0.5 + 0.5 * np.tanh(0.6 * total)


def solid(colour: Colour) -> Paint:
    """One colour everywhere."""
    return lambda p: np.broadcast_to(np.asarray(colour, float), p.shape).copy()


def fabric(colour: Colour, seed: int, amount: float = 0.06) -> Paint:
    """A colour with soft, fine variation."""
    return lambda p: np.asarray(colour, float) * (1 + amount * (2 * smooth_noise(p, seed, 9.0)[:, None] - 1))


def wood(colour: Colour, seed: int, axis: int = 0, amount: float = 0.28) -> Paint:
    """Grain that runs along `axis`."""

    def paint(p: np.ndarray) -> np.ndarray:
        stretch = np.full(3, 14.0)
        stretch[axis] = 1.2
        q = p * stretch
        grain = smooth_noise(q, seed, 1.0)
        rings = 0.5 + 0.5 * np.sin(6 * grain + 1.5 * q[:, (axis + 1) % 3])
        return np.asarray(colour, float) * (1 - amount * (0.5 - 0.6 * grain - 0.4 * rings))[:, None]

    return paint


def stripes(first: Colour, second: Colour, axis: int, period_m: float, duty: float = 0.5) -> Paint:
    """Two colours in turn along `axis`."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    return lambda p: np.where(((p[:, axis] / period_m) % 1 < duty)[:, None], a, b)


def sheet(points: np.ndarray, paint: Paint, material: Material = "matte") -> list[Part]:
    """A surface through a grid of points `[U, W, 3]`, smooth-shaded."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    vertices = points.reshape(-1, 3)
    return [Part(vertices, smooth_normals(vertices, faces), faces, paint(vertices), material)]


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals `[V, 3]`; vertices at one place share theirs, so that seams do not show."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    place = np.unique(np.round(vertices / 1e-4).astype(np.int64), axis=0, return_inverse=True)[1].ravel()
    summed = np.zeros((place.max() + 1, 3))
    for corner in range(3):
        np.add.at(summed, place[faces[:, corner]], face_normals)
    normals = summed[place]
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-12, normals / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])


def rounded_box(
    size: Vector,
    paint: Paint,
    material: Material = "matte",
    *,
    at: Vector = (0, 0, 0),
    bevel_m: float = 0.015,
    spacing_m: float = 0.25,
    bump: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Part]:
    """A box with rounded edges, its bottom centre at `at`; `bump` pushes vertices along their normals (metres)."""
    half = np.asarray(size, float) / 2
    bevel = min(bevel_m, 0.98 * half.min())
    axes = [_box_axis(h, bevel, spacing_m) for h in half]
    vertices, normals, faces, count = [], [], [], 0
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, w = np.meshgrid(axes[(axis + 1) % 3], axes[(axis + 2) % 3], indexing="ij")
            points = np.empty((*u.shape, 3))
            points[..., (axis + 1) % 3], points[..., (axis + 2) % 3], points[..., axis] = u, w, sign * half[axis]
            points = points.reshape(-1, 3)
            inner = np.clip(points, -half + bevel, half - bevel)
            normal = points - inner
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            index = np.arange(u.size).reshape(u.shape)
            quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
            quads = quads if sign > 0 else quads[:, ::-1]
            faces.append(np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]) + count)
            vertices.append(inner + bevel * normal)
            normals.append(normal)
            count += len(points)
    v, n, f = np.concatenate(vertices) + [0, 0, half[2]], np.concatenate(normals), np.concatenate(faces)
    if bump is not None:
        v = v + n * bump(v)[:, None]
        n = smooth_normals(v, f)
    return [Part(v + np.asarray(at, float), n, f, paint(v), material)]


def _box_axis(half: float, bevel: float, spacing: float) -> np.ndarray:
    """Coordinates along one side: two rows in each bevel and enough between for the paint."""
    edge = bevel * np.tan(np.array([0.0, 0.5, 1.0]) * np.pi / 4)
    pieces = max(1, int(np.ceil((2 * half - 2 * bevel) / spacing)))
    middle = np.linspace(-half + bevel, half - bevel, pieces + 1)[1:-1]
    return np.concatenate([-half + bevel - edge[::-1], middle, half - bevel + edge])


def lathe(
    profile: Sequence[Sequence[float]] | np.ndarray,
    paint: Paint,
    material: Material = "matte",
    *,
    at: Vector = (0, 0, 0),
    sides: int = 20,
) -> list[Part]:
    """A surface of revolution about z; `profile` is (radius, height) from bottom to top of the outer side."""
    points = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None]
    radius, height = (
        np.maximum(points[None, :, 0], 1e-4),
        np.broadcast_to(points[None, :, 1], (sides + 1, len(points))),
    )
    surface = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], -1)
    return [moved(part, at) for part in sheet(surface, paint, material)]


def cylinder(radius_m: float, height_m: float, paint: Paint, material: Material = "matte", *, at=(0, 0, 0), sides=16):
    """A closed cylinder, bottom centre at `at`."""
    return taper(radius_m, radius_m, height_m, paint, material, at=at, sides=sides)


def taper(
    bottom_m: float,
    top_m: float,
    height_m: float,
    paint: Paint,
    material: Material = "matte",
    *,
    at=(0, 0, 0),
    sides=10,
):
    """A closed cone frustum, bottom centre at `at`: three surfaces, so that its edges stay sharp."""
    profiles = ([(0, 0), (bottom_m, 0)], [(bottom_m, 0), (top_m, height_m)], [(top_m, height_m), (0, height_m)])
    return [part for p in profiles for part in lathe(p, paint, material, at=at, sides=sides)]


def sphere(
    radius_m: float, paint: Paint, material: Material = "matte", *, at=(0, 0, 0), flatten: float = 1.0, sides=16
):
    """A sphere that stands on `at`, its height `2 radius flatten`."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    profile = np.stack([radius_m * np.cos(angle), radius_m * flatten * (np.sin(angle) + 1)], 1)
    return lathe(profile, paint, material, at=at, sides=sides)


def cushion(size: Vector, paint: Paint, *, samples: int = 11) -> list[Part]:
    """A pillow: a superellipse from above, a soft lens from the side; bottom centre at the origin."""
    width, depth, height = size
    u, w = np.meshgrid(np.linspace(-1, 1, samples), np.linspace(-1, 1, samples), indexing="ij")
    bulge = np.clip((1 - np.abs(u) ** 2.6) * (1 - np.abs(w) ** 2.6), 0, 1) ** 0.45
    pinch = 1 - 0.06 * (u**4 + w**4 - (u * w) ** 2)
    parts = []
    for sign in (1, -1):
        points = np.stack([u * width / 2 * pinch, w * depth / 2 * pinch, (1 + sign * bulge) * height / 2], -1)
        parts += sheet(points if sign > 0 else points[::-1], paint)
    return parts


def moved(part: Part, at: Vector, rotation: np.ndarray | None = None, scale: Vector = (1, 1, 1)) -> Part:
    """`rotation @ (scale * vertex) + at`; normals follow (inverse transpose)."""
    rotation = np.eye(3) if rotation is None else rotation
    factors = np.asarray(scale, float)
    vertices = (part.vertices * factors) @ rotation.T + np.asarray(at, float)
    normals = (part.normals / factors) @ rotation.T
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Part(vertices, normals, part.faces, part.colors, part.material)


def turned(parts: Sequence[Part], *, pitch: float = 0.0, yaw: float = 0.0, at: Vector = (0, 0, 0)) -> list[Part]:
    """Parts turned about x by `pitch`, then about z by `yaw` (radians), then moved."""
    cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return [moved(part, at, about_z @ about_x) for part in parts]
