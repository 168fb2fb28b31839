"""A `WorldScene` as a Mitsuba scene: one plugin tree for every room, so that all rooms share their kernels.

Three merged meshes (matte, gloss, mirror) with vertex colours, `MAX_LAMPS` lamp slots (a shade and its two discs each,
dark and out of sight where there is no lamp) and one mesh of sky portals behind the windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anchorgen.geometry import quat_to_matrix
from anchorgen.world.camera import world_to_camera
from anchorgen.world.catalogue import build_furniture
from anchorgen.world.layout import MAX_LAMPS
from anchorgen.world.meshes import lathe, moved, solid
from anchorgen.world.shell import build_shell, wall_frame
from anchorgen.world.types import Camera, Light, ObjectSpec, Part, WorldScene, check_scene

_SLIVER = np.array([[0, 0, -50.0], [0.01, 0, -50.0], [0, 0.01, -50.0]])  # a mesh that nobody sees
_INSET_M = 0.004  # of the discs from the ends of their shade
SURFACES = ("matte", "gloss", "mirror")
_SKY, _SKY_RADIANCE = (0.82, 0.93, 1.08), 4.0


@dataclass(frozen=True)
class Lamp:
    """Shade and bulb (two discs that shine out of the shade's openings) in the world, their radiances `[3]` (0 unless
    lit), and the index of the object."""

    shade: Part
    bulb: Part
    shade_radiance: np.ndarray
    bulb_radiance: np.ndarray
    owner: int


@dataclass(frozen=True)
class Geometry:
    """Attributes:
    surfaces: per name of `SURFACES`, vertices, normals, faces, colours and `[F]` index of the face's object (-1: shell).
    lamps: in the order of their objects.
    """

    surfaces: dict[str, tuple[np.ndarray, ...]]
    lamps: list[Lamp]


def world_parts(scene: WorldScene, index: int) -> tuple[list[Part], Light | None]:
    """Meshes of one object in the world frame, and its light as built (object frame)."""
    spec = scene.objects[index]
    furniture = build_furniture(spec.category, spec.params)
    rotation = quat_to_matrix(np.asarray(spec.quat_wxyz))
    return [moved(part, spec.position, rotation, spec.scale) for part in furniture.parts], furniture.light


def gather(scene: WorldScene) -> Geometry:
    """All meshes of a room, merged by surface.

    Raises:
        ValueError: more lamps than the renderer has slots for, or a pose or size that is no number.
    """
    check_scene(scene)
    rows: dict[str, list[tuple[Part, int]]] = {name: [] for name in SURFACES}
    lamps = []
    for part in build_shell(scene.room):
        rows[part.material].append((part, -1))
    for index, spec in enumerate(scene.objects):
        parts, light = world_parts(scene, index)
        for part in parts:
            if part.material == "shade" and light is not None:
                glow, radiance = (np.asarray(x) * spec.lit for x in (light.shade_radiance, light.radiance))
                lamps.append(Lamp(part, bulb(spec, light), glow, radiance, index))
            else:
                rows[part.material].append((part, index))
    if len(lamps) > MAX_LAMPS:
        raise ValueError(f"{len(lamps)} lamps in one room; the renderer has room for {MAX_LAMPS}: remove one")
    return Geometry({name: _merge(parts) for name, parts in rows.items()}, lamps)


def bulb(spec: ObjectSpec, light: Light, sides: int = 20) -> Part:
    """The discs of a lamp's light in the world: they turn, stretch and tilt with the lamp."""
    scale, rotation = np.asarray(spec.scale, float), quat_to_matrix(np.asarray(spec.quat_wxyz))
    # A round disc turned about its own axis is the same disc: then its corners stay where they are.
    round_and_upright = rotation[2, 2] > 1 - 1e-12 and scale[0] == scale[1]
    turn = np.eye(3) if round_and_upright else rotation
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    here, following, centre = np.arange(sides), np.roll(np.arange(sides), -1), np.full(sides, sides)
    inset = turn @ np.array([0, 0, _INSET_M])
    ends = []
    for end, radius, into in ((light.bottom, light.bottom_radius_m, inset), (light.top, light.top_radius_m, -inset)):
        middle = rotation @ (scale * np.asarray(end)) + np.asarray(spec.position)
        ends.append(np.concatenate([(circle * (radius * scale)) @ turn.T, np.zeros((1, 3))]) + middle + into)
    faces = np.concatenate([np.stack([centre, following, here], 1), np.stack([centre, here, following], 1) + sides + 1])
    normals = np.repeat([-turn[:, 2], turn[:, 2]], sides + 1, 0)
    return Part(np.concatenate(ends), normals, faces, np.full((2 * sides + 2, 3), 0.5))


def _merge(rows: list[tuple[Part, int]]) -> tuple[np.ndarray, ...]:
    if not rows:  # a sliver far below the floor keeps the plugin tree the same
        corner = _SLIVER
        return corner, np.tile([0, 0, 1.0], (3, 1)), np.array([[0, 1, 2]]), np.full((3, 3), 0.5), np.array([-1])
    offsets = np.cumsum([0] + [len(part.vertices) for part, _ in rows[:-1]])
    faces = [part.faces + offset for (part, _), offset in zip(rows, offsets, strict=True)]
    owner = [np.full(len(part.faces), index) for part, index in rows]
    columns = [[getattr(part, name) for part, _ in rows] for name in ("vertices", "normals")]
    colours = [part.colors for part, _ in rows]
    return tuple(np.concatenate(x) for x in (*columns, faces, colours, owner))


def build_scene(mi: Any, scene: WorldScene, geometry: Geometry, side: int, depth: int) -> tuple[Any, list[str]]:
    """The Mitsuba scene, and the name of each of its shapes in Mitsuba's order."""
    bsdfs = _bsdfs(mi)
    plugins: dict[str, Any] = {"type": "scene", "integrator": {"type": "path", "max_depth": depth}}
    plugins["sensor"] = _sensor(mi, scene, side)
    for name in SURFACES:
        plugins[name] = _mesh(mi, name, *geometry.surfaces[name][:4], bsdf=bsdfs[name])
    for slot in range(MAX_LAMPS):
        plugins |= _lamp(mi, slot, geometry.lamps[slot] if slot < len(geometry.lamps) else None, bsdfs)
    plugins["sky"] = _portal(mi, scene, bsdfs)
    loaded = mi.load_dict(plugins, parallel=False, optimize=False)
    return loaded, [shape.id() for shape in loaded.shapes()]


def film_focal(camera: Camera) -> float:
    """Focal length over the side of the square film: wide enough for both sides of the picture."""
    return min(camera.focal)


def _sensor(mi: Any, scene: WorldScene, side: int) -> dict[str, Any]:
    camera = scene.camera
    _, down, forward = world_to_camera(camera)
    origin = np.asarray(camera.position)
    fov = float(np.degrees(2 * np.arctan(0.5 / film_focal(camera))))
    look_at = mi.ScalarTransform4f().look_at(
        origin=origin.tolist(), target=(origin + forward).tolist(), up=(-down).tolist()
    )
    film = {"type": "hdrfilm", "width": side, "height": side, "pixel_format": "rgb", "rfilter": {"type": "box"}}
    return {"type": "perspective", "fov": fov, "fov_axis": "x", "near_clip": 0.02, "far_clip": 100.0,
            "to_world": look_at, "film": film, "sampler": {"type": "independent", "sample_count": 16}}  # fmt: skip


def _bsdfs(mi: Any) -> dict[str, Any]:
    colour = {"type": "mesh_attribute", "name": "vertex_color"}
    nested = {
        "matte": {"type": "diffuse", "reflectance": colour},
        "gloss": {"type": "principled", "base_color": colour, "roughness": 0.38, "specular": 0.45},
        "mirror": {"type": "conductor", "material": "none", "specular_reflectance": 0.9},
    }
    out = {name: mi.load_dict({"type": "twosided", "inside": bsdf}) for name, bsdf in nested.items()}
    out["shade"] = mi.load_dict({"type": "diffuse", "reflectance": colour})
    # What closes a shade: white, so that an unlit lamp is no black hole.
    out["diffuser"] = mi.load_dict({"type": "diffuse", "reflectance": 0.75})
    return out | {"black": mi.load_dict({"type": "diffuse", "reflectance": 0.0})}


def _mesh(mi: Any, name: str, vertices, normals, faces, colours, *, bsdf: Any, emitter: Any = None) -> Any:
    properties = mi.Properties()
    properties["bsdf"] = bsdf
    if emitter is not None:
        properties["emitter"] = emitter
    mesh = mi.Mesh(name, len(vertices), len(faces), has_vertex_normals=True, props=properties)
    values = mi.traverse(mesh)
    values["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
    values["vertex_normals"] = np.ascontiguousarray(normals, np.float32).ravel()
    values["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
    mesh.add_attribute("vertex_color", 3, np.ascontiguousarray(np.clip(colours, 0.02, 0.95), np.float32).ravel())
    values.update()
    return mesh


def _emitter(mi: Any, radiance: np.ndarray, weight: float, number: int) -> Any:
    """An area light. A dark one has a radiance of its own that nobody sees: were all lamps exactly 0, the compiler
    would make a constant of it, and another kernel."""
    lit = float(np.sum(radiance)) > 0
    dark = 1e-6 * (number + np.array([1.0, 1.3, 1.7]))
    value = {"type": "rgb", "value": [float(x) for x in (radiance if lit else dark)]}
    return mi.load_dict({"type": "area", "sampling_weight": weight if lit else 1e-6 * (number + 1), "radiance": value})


def _lamp(mi: Any, slot: int, lamp: Lamp | None, bsdfs: dict[str, Any]) -> dict[str, Any]:
    """The two meshes of a slot; where there is no lamp, a whole dark one that nobody sees: shapes that are all alike
    would make another kernel."""
    if lamp is None:
        light = Light((0, 0, -60.0 - slot), (0, 0, -59.0 - slot), 0.03, 0.03, (0, 0, 0), (0, 0, 0))
        shade = lathe([(0.1, 0), (0.08, 0.2)], solid((0.5, 0.5, 0.5)), "shade", at=(slot, 0, -60.0))[0]
        lamp = Lamp(shade, bulb(ObjectSpec("", "", {}, (0, 0, 0)), light), np.zeros(3), np.zeros(3), -1)
    meshes = {}
    for kind, part, bsdf, radiance, weight, number in (
        ("shade", lamp.shade, "shade", lamp.shade_radiance, 0.35, 2 * slot + 1),
        ("bulb", lamp.bulb, "diffuser", lamp.bulb_radiance, 1.0, 2 * slot + 2),
    ):
        arrays = (part.vertices, part.normals, part.faces, part.colors)
        emitter = _emitter(mi, radiance, weight, number)
        meshes[f"{kind}{slot}"] = _mesh(mi, f"{kind}{slot}", *arrays, bsdf=bsdfs[bsdf], emitter=emitter)
    return meshes


def _portal(mi: Any, scene: WorldScene, bsdfs: dict[str, Any]) -> Any:
    """The sky behind every window, one mesh; a sliver far below where a room has none."""
    vertices, normals, faces = [], [], []
    for window in scene.room.windows:
        origin, along, inward, _ = wall_frame(scene.room, window.wall)
        spans = ((window.start_m, window.sill_m), (window.end_m, window.sill_m))
        spans += ((window.end_m, window.head_m), (window.start_m, window.head_m))
        points = np.array([origin + along * a - inward * 0.16 + [0, 0, z] for a, z in spans])
        quad = np.array([[0, 1, 2], [0, 2, 3]])
        facing = np.dot(np.cross(points[1] - points[0], points[2] - points[0]), inward) > 0
        faces.append((quad if facing else quad[:, ::-1]) + 4 * len(vertices))
        vertices.append(points)
        normals.append(np.tile(inward, (4, 1)))
    if not vertices:
        vertices, normals = [_SLIVER - [0, 0, 30.0]], [np.tile([0, 0, 1.0], (3, 1))]
        faces = [np.array([[0, 1, 2]])]
    corners = np.concatenate(vertices)
    sky = np.asarray(scene.room.params.get("sky", _SKY)) * _SKY_RADIANCE * scene.daylight * bool(scene.room.windows)
    arrays = (corners, np.concatenate(normals), np.concatenate(faces), np.full((len(corners), 3), 0.5))
    return _mesh(mi, "sky", *arrays, bsdf=bsdfs["black"], emitter=_emitter(mi, sky, 1.5, 0))
