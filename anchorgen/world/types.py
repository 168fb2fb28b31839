"""The values that describe a procedural room, before anything is meshed or rendered.

World frame: x right, y into the room, z up, metres; the floor is z = 0. Object frame: origin at the bottom centre of
the object, x its width, z up, front = -y. All values are immutable and JSON-serialisable (`WorldScene.to_json`).

Shape legend: V vertices, F faces.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from anchorgen.json_values import tuples

Material = Literal["matte", "gloss", "mirror", "shade"]
MATERIALS: tuple[Material, ...] = ("matte", "gloss", "mirror", "shade")


@dataclass(frozen=True)
class Part:
    """One triangle mesh with vertex colours.

    Attributes:
        vertices: `[V, 3]` float64, metres, in the frame of whoever holds the part.
        normals: `[V, 3]` float64, unit.
        faces: `[F, 3]` int64.
        colors: `[V, 3]` float64, linear RGB reflectance in [0, 1].
        material: how light leaves it; "shade" is a lamp shade, which also emits when its lamp is lit.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    colors: np.ndarray
    material: Material = "matte"


@dataclass(frozen=True)
class Light:
    """The emitter inside a lamp shade, in the object frame: a disc facing down and a disc facing up.

    `radiance` belongs to the discs, `shade_radiance` to the faces of the "shade" part of the same object.
    """

    bottom: tuple[float, float, float]
    top: tuple[float, float, float]
    bottom_radius_m: float
    top_radius_m: float
    radiance: tuple[float, float, float]
    shade_radiance: tuple[float, float, float]


@dataclass(frozen=True)
class Furniture:
    """What the catalogue builds: meshes and, for lamps, one light, in the object frame."""

    parts: tuple[Part, ...]
    light: Light | None = None


@dataclass(frozen=True)
class ObjectSpec:
    """One object of a room.

    Attributes:
        id: stable name, e.g. "nightstand-1".
        category: a key of the catalogue, e.g. "table lamp".
        params: what the catalogue needs to build the mesh again, exactly.
        position: bottom centre in the world, metres.
        quat_wxyz: object frame to world.
        scale: factors along the object's own axes (`resize`).
        lit: lamps only.
    """

    id: str
    category: str
    params: dict[str, Any]
    position: tuple[float, float, float]
    quat_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    lit: bool = True


@dataclass(frozen=True)
class Window:
    """A hole in a wall: `wall` is "left", "right" or "back"; the span is along that wall, metres."""

    wall: Literal["left", "right", "back"]
    start_m: float
    end_m: float
    sill_m: float
    head_m: float


@dataclass(frozen=True)
class RoomSpec:
    """The shell: x in [-width/2, width/2], y in [0, depth], z in [0, height]."""

    width_m: float
    depth_m: float
    height_m: float
    window: Window
    params: dict[str, Any] = field(default_factory=dict)  # colours, floor kind, curtains


@dataclass(frozen=True)
class Camera:
    """A pinhole in the world. Yaw turns left about +z from looking along +y; positive pitch looks down.

    `focal` is (fx, fy) divided by picture width / height; the principal point is the centre.
    """

    position: tuple[float, float, float]
    yaw_rad: float
    pitch_rad: float
    focal: tuple[float, float]


@dataclass(frozen=True)
class WorldScene:
    """A whole room. `exposure` is drawn with the room and does not depend on its lamps or its picture."""

    seed: int
    room: RoomSpec
    objects: tuple[ObjectSpec, ...]
    camera: Camera
    daylight: float
    exposure: float

    def replace(self, **changes: Any) -> WorldScene:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> WorldScene:
        room = dict(value["room"], window=Window(**value["room"]["window"]))
        objects = tuple(ObjectSpec(**tuples(item)) for item in value["objects"])
        rest = {k: value[k] for k in ("seed", "daylight", "exposure")}
        return WorldScene(room=RoomSpec(**room), objects=objects, camera=Camera(**tuples(value["camera"])), **rest)
