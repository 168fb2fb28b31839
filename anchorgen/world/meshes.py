"""A small mesh kit: bevelled boxes, lathes, cushions and sheets with vertex colours.

Every function returns a list of `Part`s. Faces are counter-clockwise seen from outside.
Shape legend: V vertices, F faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from anchorgen.world.types import Material, Part

Vector = Sequence[float] | np.ndarray
Colour = Vector
_FINE_M = 0.0175  # a bevel below this is a single strip: finer ones do not show
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
        return np.clip(np.asarray(colour, float) * (1 - amount * (0.5 - 0.6 * grain - 0.4 * rings))[:, None], 0, 1)

    return paint


def stripes(first: Colour, second: Colour, axis: int, period_m: float, duty: float = 0.5) -> Paint:
    """Two colours in turn along `axis`."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    return lambda p: np.where(((p[:, axis] / period_m) % 1 < duty)[:, None], a, b)


def checks(first: Colour, second: Colour, period_m: float) -> Paint:
    """Gingham along x and y: where the stripes of both cross, the colour is full."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    return lambda p: b + (a - b) * (((p[:, :2] / period_m) % 1 < 0.5).sum(1) / 2)[:, None]


def sheet(points: np.ndarray, paint: Paint, material: Material = "matte") -> list[Part]:
    """A surface through a grid of points `[U, W, 3]`, smooth-shaded; edges that meet share their normals."""
    rows, columns = points.shape[:2]
    vertices = points.reshape(-1, 3)
    normals = _grid_normals(points).reshape(-1, 3)
    return [Part(vertices, normals, _grid_faces(rows, columns), paint(vertices), material)]


@lru_cache(maxsize=256)
def _grid_faces(rows: int, columns: int) -> np.ndarray:
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _grid_normals(points: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals `[U, W, 3]` of a grid; at seams and poles, where edges meet, they are summed."""
    a, b, c, d = points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]
    diagonal = c - a
    first, second = _cross(b - a, diagonal), _cross(diagonal, d - a)
    total = np.zeros_like(points, dtype=float)
    total[:-1, :-1] += first + second
    total[1:, :-1] += first
    total[1:, 1:] += first + second
    total[:-1, 1:] += second
    for flat, place in ((total, points), (total.swapaxes(0, 1), points.swapaxes(0, 1))):
        if np.abs(place[0] - place[-1]).max() < 1e-4:  # a seam: the surface closes upon itself
            flat[0] = flat[-1] = flat[0] + flat[-1]
        for edge in (0, -1):  # a pole: a whole edge is one point
            if np.abs(place[edge] - place[edge, 0]).max() < 5e-4:
                flat[edge] = flat[edge].sum(0)
    length = np.sqrt((total**2).sum(-1, keepdims=True))
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`np.cross` of `[..., 3]`, without its bookkeeping: sheets are many and small."""
    return a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]


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
    index, faces = _box_grid(*(len(axis) for axis in axes))
    on_box = np.stack([axis[i] for axis, i in zip(axes, index, strict=True)], 1)
    inner = np.clip(on_box, -half + bevel, half - bevel)
    n = on_box - inner
    n /= np.sqrt((n**2).sum(1, keepdims=True))
    v = inner + bevel * n + [0, 0, half[2]]
    if bump is not None:
        v = v + n * bump(v)[:, None]
        n = smooth_normals(v, faces)
    return [Part(v + np.asarray(at, float), n, faces, paint(v), material)]


@lru_cache(maxsize=256)
def _box_grid(nx: int, ny: int, nz: int) -> tuple[np.ndarray, np.ndarray]:
    """Grid indices `[3, V]` and faces `[F, 3]` of the six sides of a box with so many coordinates along each axis."""
    lengths, index, faces, count = (nx, ny, nz), [], [], 0
    for axis in range(3):
        u, w = np.meshgrid(np.arange(lengths[(axis + 1) % 3]), np.arange(lengths[(axis + 2) % 3]), indexing="ij")
        for end in (0, lengths[axis] - 1):
            corner = np.empty((3, u.size), int)
            corner[(axis + 1) % 3], corner[(axis + 2) % 3], corner[axis] = u.ravel(), w.ravel(), end
            side = _grid_faces(*u.shape)
            faces.append((side if end else side[:, ::-1]) + count)
            index.append(corner)
            count += u.size
    return np.concatenate(index, 1), np.concatenate(faces)


def _box_axis(half: float, bevel: float, spacing: float) -> np.ndarray:
    """Coordinates along one side: the bevels (two rows each, one where it is small) and enough between for the paint."""
    angles = np.array([0.0, 1.0] if bevel < _FINE_M else [0.0, 0.5, 1.0])
    edge = bevel * np.tan(angles * np.pi / 4)
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


def cushion(size: Vector, paint: Paint, *, samples: int = 9) -> list[Part]:
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
    if rotation is None and tuple(scale) == (1, 1, 1):
        return Part(part.vertices + np.asarray(at, float), part.normals, part.faces, part.colors, part.material)
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
