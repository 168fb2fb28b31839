"""Scenes as glTF 2.0: boxes and camera for any 3D viewer. y is up, metres, the floor is at y = 0.

The nodes: "room" turns the camera's frame so that gravity points down; below it "camera", one node for each present
object, named by its id, whose translation, rotation and scale are its box in the three.js camera frame (around a shared
unit cube, z up, front -y), and "floor", a grid of 1 m.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageColor

from anchorgen.geometry import MIN_DEPTH_M, opencv_to_three, quat_between
from anchorgen.scene.boxes import boxes_of
from anchorgen.scene.drawing import slot_color
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.safetensors_file import write_atomically

_FLOAT, _UINT16 = 5126, 5123
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_TRIANGLES, _LINES = 4, 1
_GRID_REACH_M = 6


def save_gltf(scene: SceneLatent, path: str | os.PathLike[str], floor_grid: bool) -> None:
    """Writes `path`: .glb is one binary file, .gltf is JSON with the buffer inside.

    Raises:
        ValueError: another ending.
        OSError: the folder does not exist or cannot be written to.
    """
    ending = Path(path).suffix.lower()
    if ending not in (".glb", ".gltf"):
        raise ValueError(f"{os.fspath(path)!r} ends in {ending or 'nothing'}; expected .glb or .gltf")
    tree, buffer = gltf_of(scene, floor_grid)
    if ending == ".gltf":
        tree["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(buffer).decode()
        write_atomically(Path(path), json.dumps(tree, indent=1).encode())
    else:
        write_atomically(Path(path), _binary(tree, buffer))


def gltf_of(scene: SceneLatent, floor_grid: bool) -> tuple[dict[str, Any], bytes]:
    """The glTF tree of `scene`, and its one buffer."""
    buffer, views, accessors = bytearray(), [], []

    def accessor(array: np.ndarray, target: int) -> int:
        """The index of a new accessor of vectors `[V, 3]` float32 or of indices `[I]` uint16."""
        views.append({"buffer": 0, "byteOffset": len(buffer), "byteLength": array.nbytes, "target": target})
        buffer.extend(array.tobytes() + bytes(-array.nbytes % 4))
        kind = (
            {"componentType": _FLOAT, "type": "VEC3"}
            if array.ndim == 2
            else {"componentType": _UINT16, "type": "SCALAR"}
        )
        rows = array.reshape(len(array), -1)
        bounds = {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        accessors.append({"bufferView": len(views) - 1, "count": len(array), **kind, **bounds})
        return len(accessors) - 1

    points, normals, indices = _unit_cube()
    attributes = {"POSITION": accessor(points, _ARRAY_BUFFER), "NORMAL": accessor(normals, _ARRAY_BUFFER)}
    cube = {"attributes": attributes, "indices": accessor(indices, _ELEMENT_BUFFER), "mode": _TRIANGLES}
    slots = np.flatnonzero(scene.presence).tolist()
    materials = [_material(scene.ids[slot], slot_color(slot)) for slot in slots]
    meshes = [{"name": scene.ids[slot], "primitives": [{**cube, "material": i}]} for i, slot in enumerate(slots)]
    nodes = [_room(scene), {"name": "camera", "camera": 0}, *_box_nodes(scene)]
    if floor_grid:
        grid = {
            "attributes": {"POSITION": accessor(_grid(), _ARRAY_BUFFER)},
            "mode": _LINES,
            "material": len(materials),
        }
        materials.append({**_material("floor", "#909090"), "extensions": {"KHR_materials_unlit": {}}})
        nodes.append({"name": "floor", "mesh": len(meshes)})
        meshes.append({"name": "floor", "primitives": [grid]})
    below_room = len(slots) + 2  # the grid lies in the viewer's frame, on y = 0
    nodes[0]["children"] = list(range(1, below_room))
    tree = {
        "asset": {"version": "2.0", "generator": "anchorgen"},
        "scene": 0,
        "scenes": [{"name": "scene", "nodes": [0, *range(below_room, len(nodes))]}],
        "nodes": nodes,
        "cameras": [{"type": "perspective", "perspective": _perspective(scene)}],
        "meshes": meshes,
        "materials": materials,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(buffer)}],
        **({"extensionsUsed": ["KHR_materials_unlit"]} if floor_grid else {}),
    }
    return {name: part for name, part in tree.items() if part != []}, bytes(buffer)


def _room(scene: SceneLatent) -> dict[str, Any]:
    up = opencv_to_three(scene.up)
    quat = quat_between(up / np.linalg.norm(up), np.array([0.0, 1.0, 0.0]))
    return {"name": "room", "rotation": np.roll(quat, -1).tolist(), "translation": [0.0, -float(scene.floor), 0.0]}


def _box_nodes(scene: SceneLatent) -> list[dict[str, Any]]:
    boxes = boxes_of(scene, "three")
    rotation = boxes.quat / np.linalg.norm(boxes.quat, axis=-1, keepdims=True)
    rows = zip(boxes.ids, boxes.labels, boxes.translation, rotation, boxes.scale)
    return [
        {"name": name, "mesh": index, "translation": t.tolist(), "rotation": q.tolist(), "scale": s.tolist()}
        | {"extras": {"label": label}}
        for index, (name, label, t, q, s) in enumerate(rows)
    ]


def _perspective(scene: SceneLatent) -> dict[str, float]:
    fx, fy = (float(x) for x in scene.focal)
    return {"yfov": 2 * np.arctan(0.5 / fy), "aspectRatio": fy / fx, "znear": MIN_DEPTH_M}


def _material(name: str, color: str) -> dict[str, Any]:
    srgb = np.array(ImageColor.getrgb(color.replace(" ", ","))) / 255  # Pillow reads hsl(1,2%,3%), CSS hsl(1 2% 3%)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    surface = {"baseColorFactor": [*linear.round(5).tolist(), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.9}
    return {"name": name, "pbrMetallicRoughness": surface}


def _unit_cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices and normals `[24, 3]` and indices `[36]`: every face has its own corners, so that edges are sharp."""
    points, normals = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal, u, v = sign * np.eye(3)[axis], np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            turn = 1 if sign > 0 else -1  # counter-clockwise seen from outside
            points += [0.5 * (normal + a * u + turn * b * v) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            normals += [normal] * 4
    faces = 4 * np.arange(6)[:, None] + [0, 1, 2, 0, 2, 3]
    return np.array(points, "<f4"), np.array(normals, "<f4"), faces.ravel().astype("<u2")


def _grid() -> np.ndarray:
    """Ends of lines `[V, 3]` on y = 0, a metre apart, around and in front of the camera (which looks along -z)."""
    reach, near, far = _GRID_REACH_M, 1, -2 * _GRID_REACH_M + 2
    ends = [((x, 0, near), (x, 0, far)) for x in range(-reach, reach + 1)]
    ends += [((-reach, 0, z), (reach, 0, z)) for z in range(far, near + 1)]
    return np.array(ends, "<f4").reshape(-1, 3)


def _binary(tree: dict[str, Any], buffer: bytes) -> bytes:
    """The .glb container: a header and two chunks, each padded to 4 bytes."""
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    buffer += bytes(-len(buffer) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(buffer), b"BIN\0") + buffer
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
