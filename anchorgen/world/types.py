"""The values that describe a procedural room, before anything is meshed or rendered.

World frame: x right, y into the room, z up, metres; the floor is z = 0. Object frame: origin at the bottom centre of
the object, x its width, z up, front = -y. All values are immutable and JSON-serialisable (`WorldScene.to_json`).

Shape legend: V vertices, F faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from anchorgen.json_values import tuples
from anchorgen.world.shell_params import check_numbers, check_shell_params

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

    @staticmethod
    def from_json(value: Mapping[str, Any], what: str = "object") -> ObjectSpec:
        """Inverse of `dataclasses.asdict`. Raises ValueError that names what is missing or unknown in `what`."""
        return _made(ObjectSpec, what, value)


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

    `style` is what the furniture of the room has in common (`catalogue.sample_style`); `removed` are objects that were
    taken out, so that `restore` can bring them back and their ids stay theirs.
    """

    seed: int
    room: RoomSpec
    objects: tuple[ObjectSpec, ...]
    camera: Camera
    daylight: float
    exposure: float
    style: dict[str, Any] = field(default_factory=dict)
    removed: tuple[ObjectSpec, ...] = ()

    def replace(self, **changes: Any) -> WorldScene:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """JSON values; `removed` only where there are any."""
        value = asdict(self)
        return value if self.removed else {key: item for key, item in value.items() if key != "removed"}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> WorldScene:
        """Inverse of `to_json`; rooms of world 1 had one window and no style.

        Raises:
            ValueError: something is missing, unknown or no JSON object; the message says what.
        """
        _needs("room", value, ("seed", "room", "objects", "camera", "daylight", "exposure"))
        style = value.get("style", {})
        _needs("room's style", style, ())
        objects, removed = (
            tuple(ObjectSpec.from_json(item, f"{name}[{i}]") for i, item in enumerate(_list(name, value.get(name, ()))))
            for name in ("objects", "removed")
        )
        return WorldScene(
            seed=value["seed"],
            room=_room(value["room"]),
            objects=objects,
            removed=removed,
            camera=_made(Camera, "camera", value["camera"]),
            daylight=value["daylight"],
            exposure=value["exposure"],
            style=style,
        )


def _room(value: Any) -> RoomSpec:
    _needs("room.room", value, ())
    room = dict(value)
    if "window" in room:
        room["windows"] = [room.pop("window")]
    _needs("room.room", room, ("windows",))
    windows = enumerate(_list("windows", room["windows"]))
    room["windows"] = tuple(_made(Window, f"windows[{i}]", window) for i, window in windows)
    room["block"] = _made(Block, "block", room["block"]) if room.get("block") else None
    return _made(RoomSpec, "room.room", room)


def _made(kind: Any, what: str, value: Any) -> Any:
    """A dataclass from its JSON object."""
    known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(kind)}
    _needs(what, value, [name for name, needed in known.items() if needed])
    unknown = [name for name in value if name not in known]
    if unknown:
        raise ValueError(f"{what}: got the unknown {unknown}; expected of {list(known)}")
    return kind(**tuples(value))


def _needs(what: str, value: Any, names: Sequence[str]) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what}: got {type(value).__name__} {value!r:.60}; expected a JSON object")
    missing = [name for name in names if name not in value]
    if missing:
        raise ValueError(f"{what}: {missing} missing in {list(value)}; expected all of {list(names)}")


def _list(what: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{what}: got {type(value).__name__} {value!r:.60}; expected a list")
    return value


def check_scene(scene: WorldScene) -> None:
    """Raises ValueError for a room that nobody could build: it says what, got, expected."""
    _check_room(scene.room)
    check_numbers("daylight", scene.daylight, least=0.0)
    check_numbers("exposure", scene.exposure, above=0.0)
    check_numbers("camera.position", scene.camera.position, (3,))
    check_numbers("camera.yaw_rad", scene.camera.yaw_rad)
    check_numbers("camera.pitch_rad", scene.camera.pitch_rad)
    check_numbers("camera.focal", scene.camera.focal, (2,), above=0.0)
    seen: set[str] = set()
    for spec in scene.objects:
        _check_object(spec)
        if spec.id in seen:
            raise ValueError(f"objects: got two with the id {spec.id!r}; expected one: give the other another id")
        seen.add(spec.id)


def _check_room(room: RoomSpec) -> None:
    for name in ("width_m", "depth_m", "height_m"):
        check_numbers(f"room.{name}", getattr(room, name), above=0.0)
    lengths = {"left": room.depth_m, "right": room.depth_m, "back": room.width_m, "front": room.width_m}
    for window in room.windows:
        if not isinstance(window.wall, str) or window.wall not in lengths:
            raise ValueError(f"window: got the wall {window.wall!r}; expected one of {list(lengths)}")
        for name in ("start_m", "end_m", "sill_m", "head_m"):
            check_numbers(f"window.{name}", getattr(window, name))
        length = lengths[window.wall]
        across = 0 <= window.start_m < window.end_m <= length
        if not (across and 0 <= window.sill_m < window.head_m <= room.height_m):
            raise ValueError(f"{window} does not fit its wall of {length:g} x {room.height_m:g} m")
    block = room.block
    if block is not None:
        if block.side not in ("left", "right"):
            raise ValueError(f"block.side: got {block.side!r}; expected 'left' or 'right'")
        check_numbers("block.width_m", block.width_m, above=0.0)
        check_numbers("block.depth_m", block.depth_m, above=0.0)
        if block.width_m >= room.width_m or block.depth_m >= room.depth_m:
            raise ValueError(f"{block} does not fit a room of {room.width_m:g} x {room.depth_m:g} m")
    check_shell_params(room.params)


def _check_object(spec: ObjectSpec) -> None:
    if not isinstance(spec.id, str) or not spec.id:
        raise ValueError(f"objects: got the id {spec.id!r}; expected a word, such as 'bed-0'")
    if not isinstance(spec.lit, bool):
        raise ValueError(f"{spec.id}.lit: got {spec.lit!r}; expected True or False")
    check_numbers(f"{spec.id}.position", spec.position, (3,))
    check_numbers(f"{spec.id}.scale", spec.scale, (3,), above=0.0)
    check_numbers(f"{spec.id}.quat_wxyz", spec.quat_wxyz, (4,))
    norm = float(np.linalg.norm(spec.quat_wxyz))
    if abs(norm - 1) > 1e-3:
        raise ValueError(f"{spec.id}.quat_wxyz: got {spec.quat_wxyz} of length {norm:g}; expected length 1")
