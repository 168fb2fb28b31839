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

Wall = Literal["left", "right", "back", "front"]
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
    """A hole in a wall; the span runs along that wall from its start (`shell.wall_frame`), metres."""

    wall: Wall
    start_m: float
    end_m: float
    sill_m: float
    head_m: float


@dataclass(frozen=True)
class Block:
    """A part of the room that is walled off, floor to ceiling, in a far corner: what is left is L-shaped."""

    side: Literal["left", "right"]
    width_m: float
    depth_m: float


@dataclass(frozen=True)
class RoomSpec:
    """The shell: x in [-width/2, width/2], y in [0, depth], z in [0, height]; the camera's back is to the wall y = 0."""

    width_m: float
    depth_m: float
    height_m: float
    windows: tuple[Window, ...]
    block: Block | None = None
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
    """A whole room. `exposure` is drawn with the room and does not depend on its lamps or its picture.

    `style` is what the furniture of the room has in common (`catalogue.sample_style`).
    """

    seed: int
    room: RoomSpec
    objects: tuple[ObjectSpec, ...]
    camera: Camera
    daylight: float
    exposure: float
    style: dict[str, Any] = field(default_factory=dict)

    def replace(self, **changes: Any) -> WorldScene:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> WorldScene:
        """Inverse of `to_json`; rooms of world 1 had one window and no style."""
        room = dict(value["room"])
        windows = [room.pop("window")] if "window" in room else room["windows"]
        room["windows"] = tuple(Window(**window) for window in windows)
        room["block"] = Block(**room["block"]) if room.get("block") else None
        objects = tuple(ObjectSpec(**tuples(item)) for item in value["objects"])
        rest = {k: value[k] for k in ("seed", "daylight", "exposure")}
        return WorldScene(
            room=RoomSpec(**room),
            objects=objects,
            camera=Camera(**tuples(value["camera"])),
            style=value.get("style", {}),
            **rest,
        )


def check_scene(scene: WorldScene) -> None:
    """Raises ValueError for a room that nobody could build: it says what, got, expected."""
    room, camera = scene.room, scene.camera
    for name in ("width_m", "depth_m", "height_m"):
        _expect(f"room.{name}", getattr(room, name), above=0.0)
    lengths = {"left": room.depth_m, "right": room.depth_m, "back": room.width_m, "front": room.width_m}
    for window in room.windows:
        length = lengths.get(window.wall)
        if length is None:
            raise ValueError(f"window: got the wall {window.wall!r}; expected one of {list(lengths)}")
        across = 0 <= window.start_m < window.end_m <= length
        if not (across and 0 <= window.sill_m < window.head_m <= room.height_m):
            raise ValueError(f"{window} does not fit its wall of {length:g} x {room.height_m:g} m")
    if room.block is not None and not (0 < room.block.width_m < room.width_m and 0 < room.block.depth_m < room.depth_m):
        raise ValueError(f"{room.block} does not fit a room of {room.width_m:g} x {room.depth_m:g} m")
    _expect("daylight", scene.daylight, above=-1e-9)
    _expect("exposure", scene.exposure, above=0.0)
    for name in ("position", "yaw_rad", "pitch_rad"):
        _expect(f"camera.{name}", getattr(camera, name))
    _expect("camera.focal", camera.focal, above=0.0)
    for spec in scene.objects:
        _expect(f"{spec.id}.position", spec.position)
        _expect(f"{spec.id}.scale", spec.scale, above=0.0)
        _expect(f"{spec.id}.quat_wxyz", spec.quat_wxyz)
        norm = float(np.linalg.norm(spec.quat_wxyz))
        if abs(norm - 1) > 1e-3:
            raise ValueError(f"{spec.id}.quat_wxyz: got {spec.quat_wxyz} of length {norm:g}; expected length 1")


def _expect(name: str, value: Any, above: float = -np.inf) -> None:
    try:
        numbers = np.asarray(value, float)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.all(np.isfinite(numbers)) or np.any(numbers <= above):
        what = "finite numbers" if above == -np.inf else f"finite numbers above {max(above, 0.0):g}"
        raise ValueError(f"{name}: got {value}; expected {what}")
