"""glTF out: a file that follows the format, whose nodes are the boxes and whose camera is the camera."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from scipy.spatial.transform import Rotation
from strategies import NUM_EXAMPLES, make_scene, scenes

from anchorgen.geometry import box_corners
from anchorgen.scene import SceneLatent

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
ROOM = make_scene(5).remove("wardrobe")
FLOATS, COUNTS = {5126: "<f4", 5123: "<u2"}, {"SCALAR": 1, "VEC3": 3}


def parsed(path) -> tuple[dict, bytes]:
    """Tree and buffer of a .glb or .gltf, read by the letter of the format."""
    data = path.read_bytes()
    if path.suffix == ".gltf":
        tree = json.loads(data)
        return tree, base64.b64decode(tree["buffers"][0]["uri"].removeprefix("data:application/octet-stream;base64,"))
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    chunks, at = {}, 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", data, at)
        assert size % 4 == 0
        chunks[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size
    assert list(chunks) == [b"JSON", b"BIN\0"]
    return json.loads(chunks[b"JSON"]), chunks[b"BIN\0"]


def accessor(tree: dict, buffer: bytes, index: int) -> np.ndarray:
    entry = tree["accessors"][index]
    view, dtype = tree["bufferViews"][entry["bufferView"]], np.dtype(FLOATS[entry["componentType"]])
    assert view["byteOffset"] % dtype.itemsize == 0
    assert view["byteOffset"] + view["byteLength"] <= tree["buffers"][0]["byteLength"] <= len(buffer)
    count = entry["count"] * COUNTS[entry["type"]]
    assert count * dtype.itemsize == view["byteLength"]
    array = np.frombuffer(buffer, dtype, count, view["byteOffset"]).reshape(entry["count"], -1)
    assert array.min(0).tolist() == entry["min"]
    assert array.max(0).tolist() == entry["max"]
    return array


def matrix(node: dict) -> np.ndarray:
    """`[4, 4]` of a node's translation, rotation and scale."""
    assert np.linalg.norm(node.get("rotation", [0, 0, 0, 1])) == pytest.approx(1.0, abs=1e-9)
    result = np.eye(4)
    result[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix() * node.get("scale", [1, 1, 1])
    result[:3, 3] = node.get("translation", [0, 0, 0])
    return result


@pytest.mark.parametrize("ending", ["glb", "gltf"])
@pytest.mark.parametrize("floor_grid", [True, False])
def test_the_file_follows_the_format(tmp_path, ending, floor_grid):
    path = tmp_path / f"room.{ending}"
    ROOM.to_gltf(path, floor_grid=floor_grid)
    tree, buffer = parsed(path)
    assert tree["asset"]["version"] == "2.0"
    assert len(tree["bufferViews"]) == len(tree["accessors"]) == 3 + floor_grid
    used = set()
    for mesh in tree["meshes"]:
        (primitive,) = mesh["primitives"]
        arrays = {name: accessor(tree, buffer, i) for name, i in primitive["attributes"].items()}
        used |= {*primitive["attributes"].values(), *([primitive["indices"]] if "indices" in primitive else [])}
        assert primitive["material"] < len(tree["materials"])
        if primitive["mode"] == 4:
            check_cube(arrays, accessor(tree, buffer, primitive["indices"]).ravel())
        else:
            assert mesh["name"] == "floor"
            assert len(arrays["POSITION"]) % 2 == 0
            assert np.all(arrays["POSITION"][:, 1] == 0)
    assert used == set(range(len(tree["accessors"])))
    children = [child for node in tree["nodes"] for child in node.get("children", [])]
    assert sorted([*children, *tree["scenes"][0]["nodes"]]) == list(range(len(tree["nodes"])))
    colors = [tuple(m["pbrMetallicRoughness"]["baseColorFactor"]) for m in tree["materials"]]
    assert len(set(colors)) == len(colors) == 4 + floor_grid
    assert all(0 <= value <= 1 for color in colors for value in color)


def check_cube(arrays: dict[str, np.ndarray], indices: np.ndarray) -> None:
    """A closed unit cube whose faces look outwards."""
    points, normals = arrays["POSITION"], arrays["NORMAL"]
    assert (len(points), len(normals), len(indices)) == (24, 24, 36)
    assert np.all(np.abs(points) == 0.5)
    assert len({tuple(p) for p in points.tolist()}) == 8
    volume = 0.0
    for a, b, c in points[indices].reshape(-1, 3, 3):
        normal = np.cross(b - a, c - a)
        assert normal @ (a + b + c) > 0
        volume += a @ np.cross(b, c) / 6
    assert volume == pytest.approx(1.0)
    face_normals = normals[indices].reshape(-1, 3, 3)
    assert np.all(face_normals[:, 0] == face_normals[:, 1])
    np.testing.assert_allclose(np.einsum("vi,vi->v", points, normals), 0.5)


@settings(max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes())
def test_nodes_are_the_boxes(tmp_path, scene: SceneLatent):
    scene.to_gltf(tmp_path / "room.glb")
    tree, buffer = parsed(tmp_path / "room.glb")
    nodes = {node["name"]: node for node in tree["nodes"]}
    assert set(nodes) == {"room", "camera", "floor", *(view.id for view in scene)}
    room = matrix(nodes["room"])
    below_room = [tree["nodes"][index]["name"] for index in nodes["room"]["children"]]
    assert below_room == ["camera", *(view.id for view in scene)]
    boxes = scene.boxes("three")
    for row, view in enumerate(scene):
        node = nodes[view.id]
        assert node["translation"] == boxes.translation[row].tolist()
        assert node["scale"] == boxes.scale[row].tolist()
        np.testing.assert_allclose(node["rotation"], boxes.quat[row], atol=1e-6)
        assert node["extras"] == {"label": view.label}
        cube = accessor(tree, buffer, tree["meshes"][node["mesh"]]["primitives"][0]["attributes"]["POSITION"])
        corners = cube @ (room @ matrix(node))[:3, :3].T + (room @ matrix(node))[:3, 3]
        ours = box_corners(view.translation, view.quat_wxyz, view.scale)
        heights = ours @ scene.up.astype(float) - float(scene.floor)  # y is up, and 0 on the floor
        np.testing.assert_allclose(
            [corners[:, 1].min(), corners[:, 1].max()], [heights.min(), heights.max()], atol=1e-5
        )
        assert np.linalg.norm(corners.mean(0) - room[:3, 3]) == pytest.approx(
            float(np.linalg.norm(view.translation)), abs=1e-4
        )


def test_the_camera_sees_the_same(tmp_path):
    scene = ROOM.with_focal(0.8, 1.3)
    scene.to_gltf(tmp_path / "room.glb")
    tree, _ = parsed(tmp_path / "room.glb")
    lens = tree["cameras"][0]["perspective"]
    height = np.tan(lens["yfov"] / 2)
    assert 0.5 / height == pytest.approx(1.3)
    assert 0.5 / (height * lens["aspectRatio"]) == pytest.approx(0.8)
    camera = next(node for node in tree["nodes"] if "camera" in node)
    np.testing.assert_array_equal(matrix(camera), np.eye(4))
    looks = matrix(tree["nodes"][0])[:3, :3] @ [0, 0, -1]
    assert looks[1] == pytest.approx(-np.sin(0.2), abs=1e-6)  # the room's camera is pitched down by 0.2 rad
    assert looks[2] < 0


def test_other_tools_open_it(tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="pip install trimesh")
    for name in ("room.glb", "room.gltf"):
        ROOM.to_gltf(tmp_path / name)
        opened = trimesh.load(tmp_path / name)
        assert set(opened.graph.nodes_geometry) == {"floor", *(view.id for view in ROOM)}
        for view in ROOM:
            transform, geometry = opened.graph[view.id]
            box = opened.geometry[geometry].copy().apply_transform(transform)
            ours = box_corners(view.translation, view.quat_wxyz, view.scale) @ ROOM.up.astype(float) - float(ROOM.floor)
            np.testing.assert_allclose(box.bounds[:, 1], [ours.min(), ours.max()], atol=1e-5)
            assert box.volume == pytest.approx(float(np.prod(view.scale)), rel=1e-5)


def test_scenes_without_objects_or_with_a_camera_that_looks_down(tmp_path):
    for name, scene in (
        ("blank", SceneLatent.blank(3)),
        ("down", ROOM.replace(up=np.array([0.0, 0.0, -1.0]))),
        ("over", ROOM.replace(up=np.array([0.0, 1.0, 0.0]))),
    ):
        scene.to_gltf(tmp_path / f"{name}.glb", floor_grid=False)
        tree, _ = parsed(tmp_path / f"{name}.glb")
        assert len(tree["nodes"]) == 2 + scene.num_objects
        assert [] not in tree.values()
        up = matrix(tree["nodes"][0])[:3, :3] @ (scene.up * [1, -1, -1])
        np.testing.assert_allclose(up, [0, 1, 0], atol=1e-6)


def test_wrong_places_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.obj; expected \.glb or \.gltf"):
        ROOM.to_gltf(tmp_path / "room.obj")
    with pytest.raises(FileNotFoundError, match="make it first"):
        ROOM.to_gltf(tmp_path / "none" / "room.glb")
    assert list(tmp_path.iterdir()) == []
