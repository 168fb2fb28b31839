"""Rooms obey the grammar: what stands where, what belongs together, and how often there is what."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from anchorgen.world.catalogue import CATEGORIES, build_furniture, size_of
from anchorgen.world.checks import impossibilities
from anchorgen.world.layout import Zone, fixtures, footprint, in_view, overlaps, zone
from anchorgen.world.rooms import refurnish, sample_scene
from anchorgen.world.types import Block, ObjectSpec, RoomSpec, Window, WorldScene

COUNT = 120
LAMPS = ("table lamp", "floor lamp", "pendant")


@pytest.fixture(scope="module")
def rooms() -> list[WorldScene]:
    return [sample_scene(seed) for seed in range(COUNT)]


def sizes(scene: WorldScene) -> list[np.ndarray]:
    return [size_of(build_furniture(o.category, o.params)) for o in scene.objects]


def test_rooms_are_reproducible_and_survive_json():
    for seed in (0, 5, 123456):
        scene = sample_scene(seed)
        assert scene.to_json() == sample_scene(seed).to_json()
        again = WorldScene.from_json(json.loads(json.dumps(scene.to_json())))
        assert json.dumps(again.to_json()) == json.dumps(scene.to_json())
        assert again.room == scene.room and again.camera == scene.camera
    assert sample_scene(0).to_json() != sample_scene(1).to_json()
    with pytest.raises(ValueError, match="seed"):
        sample_scene(-1)


def test_rooms_of_world_1_can_still_be_read(rooms):
    old = rooms[0].to_json()
    old["room"]["window"] = {"wall": "left", "start_m": 2.0, "end_m": 3.2, "sill_m": 0.9, "head_m": 2.1}
    del old["room"]["windows"], old["room"]["block"], old["style"]
    old["room"]["params"]["curtains"] = True
    scene = WorldScene.from_json(old)
    assert scene.room.windows == (Window("left", 2.0, 3.2, 0.9, 2.1),) and len(fixtures(scene.room)) == 3


def test_nothing_interpenetrates_and_everything_is_in_view(rooms):
    for scene in rooms:
        assert impossibilities(scene) == (), scene.seed
        taken = fixtures(scene.room)
        for spec, size in zip(scene.objects, sizes(scene), strict=True):
            assert in_view(spec, size, scene.camera)
            assert not any(zone(spec, size).meets(other) for other in taken), (scene.seed, spec.id)


def test_things_stand_where_they_belong(rooms):
    for scene in rooms:
        pieces = list(zip(scene.objects, sizes(scene), strict=True))
        for spec, size in pieces:
            bottom, top = spec.position[2], spec.position[2] + size[2]
            if spec.category == "table lamp":  # on a nightstand or a dresser, wholly
                assert any(
                    abs(bottom - s[2]) < 0.01 and np.all(np.abs(offset(spec, o)) < s[:2] / 2)
                    for o, s in pieces
                    if o.category in ("nightstand", "dresser")
                ), (scene.seed, spec.id)
            elif spec.category == "painting":
                assert bottom >= 1.4
            elif spec.category == "pendant":
                assert abs(top - scene.room.height_m) < 0.01
            elif spec.category != "mirror":
                assert bottom == 0
            if spec.category in ("bed", "wardrobe", "dresser", "bookshelf", "painting", "mirror"):
                assert back_gap(scene, spec, size) < 0.06, (scene.seed, spec.id)


def test_storage_has_a_free_front(rooms):
    for scene in rooms:
        pieces = list(zip(scene.objects, sizes(scene), strict=True))
        for spec, size in pieces:
            if spec.category not in ("wardrobe", "dresser", "bookshelf"):
                continue
            forward = np.array([*(rotation(spec) @ [0, -1]), 0.0])
            ahead = ObjectSpec(
                "", "", {}, tuple(np.asarray(spec.position) + forward * (size[1] / 2 + 0.2)), spec.quat_wxyz
            )
            front = Zone(footprint(ahead, np.array([size[0], 0.38, 1.0])), 0.05, 1.5)
            blocked = [o.id for o, s in pieces if o is not spec and front.meets(zone(o, s))]
            assert not blocked, (scene.seed, spec.id, blocked)


def test_the_chair_at_a_desk_faces_it(rooms):
    found = 0
    for scene in rooms:
        for desk in (o for o in scene.objects if o.category == "desk"):
            chairs = [o for o in scene.objects if o.category == "chair" and np.hypot(*offset(o, desk)) < 1.0]
            for chair in chairs:
                towards = np.asarray(desk.position)[:2] - np.asarray(chair.position)[:2]
                facing = rotation(chair) @ [0, -1]
                assert facing @ towards / np.linalg.norm(towards) > 0.7
                found += 1
    assert found >= 3


def test_there_is_as_much_of_everything_as_in_real_bedrooms(rooms):
    """3D-FRONT, per bed: 1.36 nightstands, .80 wardrobes, .94 ceiling lights, .1 desks, .1 chairs."""
    count = Counter(o.category for scene in rooms for o in scene.objects)
    beds = count["bed"]
    assert set(count) == set(CATEGORIES) and len(CATEGORIES) >= 15
    assert beds >= 0.97 * COUNT
    for category, expected, slack in (("nightstand", 1.36, 0.25), ("wardrobe", 0.8, 0.15), ("pendant", 0.94, 0.1),
                                      ("desk", 0.1, 0.09), ("chair", 0.13, 0.1)):  # fmt: skip
        assert abs(count[category] / beds - expected) < slack, (category, count[category] / beds)
    objects = [len(scene.objects) for scene in rooms]
    assert min(objects) >= 3 and max(objects) <= 12 and np.ptp(objects) >= 6


def test_rooms_and_cameras_vary(rooms):
    assert {w.wall for scene in rooms for w in scene.room.windows} == {"left", "right", "back", "front"}
    assert {len(scene.room.windows) for scene in rooms} == {1, 2}
    assert {scene.room.block.side for scene in rooms if scene.room.block} == {"left", "right"}
    assert {scene.room.params["floor"] for scene in rooms} == {"planks", "parquet", "carpet", "tiles"}
    assert {scene.style["period"] for scene in rooms} == {"modern", "classic", "country"}
    lit = [o.lit for scene in rooms for o in scene.objects if o.category in LAMPS]
    assert 0.2 < np.mean(lit) < 0.95
    for values, spread in (
        ([s.camera.yaw_rad for s in rooms], 0.15),
        ([s.camera.pitch_rad for s in rooms], 0.05),
        ([s.camera.position[2] for s in rooms], 0.12),
        ([s.camera.focal[0] for s in rooms], 0.06),
        ([s.room.width_m for s in rooms], 0.4),
    ):
        assert np.std(values) > spread
    assert any(abs(s.camera.focal[0] / s.camera.focal[1] - 1) > 0.05 for s in rooms)


def test_what_stands_in_one_room_shares_its_style(rooms):
    """Woods of one room are nearer to one another than those of different rooms."""
    woods = [
        [np.array(o.params["wood_colour"]) for o in s.objects if "wood_colour" in o.params and o.category != "ottoman"]
        for s in rooms
    ]
    woods = [w for w in woods if len(w) >= 2]
    within = np.mean([np.linalg.norm(w[0] - w[1]) for w in woods])
    between = np.mean([np.linalg.norm(a[0] - b[0]) for a, b in pairwise(woods)])
    assert within < 0.6 * between


def test_exposure_does_not_know_the_lamps():
    """It is drawn from daylight, windows and walls, before anything is furnished or lit."""
    scene = sample_scene(3)
    other = refurnish(scene, 77)
    assert other.exposure == scene.exposure and other.camera == scene.camera
    assert other.room.windows == scene.room.windows and other.room.block == scene.room.block
    assert other.objects != scene.objects and other.room.params != scene.room.params


def test_overlap_is_exact():
    size = np.array([1.0, 0.5, 1.0])
    square = ObjectSpec("a", "bed", {}, (0, 0, 0))
    turned = ObjectSpec("b", "bed", {}, (0.62, 0, 0), (np.cos(np.pi / 8), 0, 0, np.sin(np.pi / 8)))
    reach = 0.5 + 0.5 * (1.0 + 0.5) * np.sqrt(0.5)  # half a width and the turned box's half extent along x
    assert overlaps(square, size, turned, size)
    for x, expected in ((reach - 0.01, True), (reach + 0.01, False)):
        aside = ObjectSpec("b", "bed", {}, (x, 0.0, 0), turned.quat_wxyz)
        # The turned box's rightmost corner is off the axis; the square's side is straight, so contact is exact in x.
        assert overlaps(square, np.array([1.0, 5.0, 1.0]), aside, size) == expected
    above = ObjectSpec("c", "bed", {}, (0, 0, 1.0))
    assert not overlaps(square, size, above, size)


def test_a_walled_off_corner_is_nobodys_place():
    room = RoomSpec(4.0, 5.0, 2.6, (), Block("right", 1.0, 1.2), {"curtains": "none"})
    block = fixtures(room)[0]
    inside = Zone(np.array([[1.2, 4.0], [1.6, 4.0], [1.6, 4.4], [1.2, 4.4]]), 0, 1)
    beside = Zone(inside.corners - [0.8, 0], 0, 1)
    assert block.meets(inside) and not block.meets(beside)


def rotation(spec: ObjectSpec) -> np.ndarray:
    yaw = 2 * np.arctan2(spec.quat_wxyz[3], spec.quat_wxyz[0])
    return np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])


def offset(spec: ObjectSpec, other: ObjectSpec) -> np.ndarray:
    """Where `spec` stands in the frame of `other`, on the floor."""
    return rotation(other).T @ (np.asarray(spec.position) - other.position)[:2]


def back_gap(scene: WorldScene, spec: ObjectSpec, size: np.ndarray) -> float:
    """Metres from the back of an object to the wall behind it."""
    x, y = np.asarray(spec.position)[:2] + rotation(spec) @ [0, size[1] / 2]
    return min(scene.room.width_m / 2 - abs(x), scene.room.depth_m - y)


def test_the_fingerprint_covers_the_catalogue_and_changes_with_a_mesh(monkeypatch):
    from anchorgen.world import fingerprint

    probes = [sample_scene(seed) for seed in fingerprint._PROBES]
    assert {o.category for scene in probes for o in scene.objects} == set(CATEGORIES)
    assert {scene.room.params["floor"] for scene in probes} == {"planks", "parquet", "carpet", "tiles"}
    code = fingerprint.world_code()
    fingerprint.world_code.cache_clear()
    assert fingerprint.world_code() == code
    real = fingerprint.gather

    def shifted(scene):
        geometry = real(scene)
        geometry.surfaces["gloss"][0][0] += 1e-3
        return geometry

    fingerprint.world_code.cache_clear()
    monkeypatch.setattr(fingerprint, "gather", shifted)
    assert fingerprint.world_code() != code
    fingerprint.world_code.cache_clear()
