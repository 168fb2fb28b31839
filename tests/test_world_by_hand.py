"""A room built by hand: pieces stand where they were put, share the room's style, and are refused where they cannot be."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from anchorgen import world
from anchorgen.world import shell_params
from anchorgen.world.layout import fixtures
from anchorgen.world.shell import build_shell
from anchorgen.world.types import Block, check_scene


def furnished() -> world.WorldScene:
    room = world.empty_room(seed=3)
    room = world.put(room, "bed", wall="back", width_m=1.6)
    room = world.put(room, "nightstand", beside="bed", side="left")
    return world.put(room, "table lamp", on="nightstand")


def test_pieces_stand_where_they_were_put():
    room = world.put(furnished(), "pendant", at=(0.2, 2.0))
    bed, stand, lamp, pendant = room.objects
    assert [o.id for o in room.objects] == ["bed-0", "nightstand-0", "table lamp-0", "pendant-0"]
    assert bed.params["width_m"] == 1.6 and world.impossibilities(room) == ()
    assert stand.position[0] < bed.position[0] and lamp.position[:2] == stand.position[:2]
    assert lamp.position[2] > 0.4 and pendant.position[2] > 1.4
    turned = world.put(furnished(), "chair", at=(1.0, 2.0), yaw=90)
    np.testing.assert_allclose(turned.objects[-1].quat_wxyz, [np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    # Beside a bed at a side wall, "left" is still as one looks at the bed.
    side = world.put(world.put(world.empty_room(window="back"), "bed", wall="left"), "nightstand", beside="bed")
    assert side.objects[1].position[1] < side.objects[0].position[1]


def test_the_seed_decides_style_and_pieces():
    assert furnished().to_json() == furnished().to_json()
    assert furnished().style != world.empty_room(seed=4).style
    assert not world.empty_room(window=None).room.windows
    assert len(fixtures(world.empty_room(curtains="none").room)) == 1  # the sill


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"category": "sofa", "wall": "back"}, KeyError, "nightstand"),
        ({"category": "wardrobe", "at": (0.0, 3.9)}, ValueError, "wardrobe-0 and bed-0 overlap|bed-0 and wardrobe-0"),
        ({"category": "wardrobe", "at": (9.0, 2.0)}, ValueError, "through a wall"),
        ({"category": "chair"}, ValueError, "one of wall="),
        ({"category": "chair", "wall": "back", "at": (0, 1)}, ValueError, "one of wall="),
        ({"category": "chair", "wall": "north"}, ValueError, "'north'.*left"),
        ({"category": "chair", "beside": "bed", "side": "above"}, ValueError, "'above'"),
        ({"category": "table lamp", "on": "dresser"}, KeyError, "bed"),
        ({"category": "chair", "at": (0.8, 1.8), "legs": 3}, ValueError, "width_m"),
        ({"category": "chair", "at": (0.8, 1.8), "width_m": -1.0}, ValueError, "width_m is -1.0; expected"),
        ({"category": "chair", "at": (float("nan"), 1.0)}, ValueError, "at, .*nan.*expected 2 finite numbers"),
        ({"category": "chair", "at": (1.0,)}, ValueError, r"at, \(x, y\) in metres: got \(1.0,\); expected 2 finite"),
        ({"category": "chair", "at": "xy"}, ValueError, "at, .*'?xy'?; expected 2 finite"),
        ({"category": "chair", "at": (0.8, 1.8), "yaw": "east"}, ValueError, "yaw: got east; expected a finite number"),
        ({"category": "chair", "wall": "left", "yaw": 90.0}, ValueError, "yaw: got 90.0 with wall=; expected.* at="),
        ({"category": "chair", "beside": "bed", "yaw": 0.0}, ValueError, "yaw: got 0.0 with beside="),
        ({"category": "plant", "beside": "bed", "height_above_m": 1.0}, ValueError, "height_above_m.*wall= or at="),
        ({"category": "plant", "on": "nightstand", "height_above_m": 1.0}, ValueError, "height_above_m.* with on="),
        ({"category": "pendant", "at": (0.2, 2.0), "height_above_m": 1.0}, ValueError, "height_above_m.*drop_m"),
        ({"category": "chair", "at": (0.8, 1.8), "along_m": 1.0}, ValueError, "along_m: got 1.0 with at="),
        ({"category": "chair", "at": (0.8, 1.8), "side": "left"}, ValueError, "side: got 'left' with at="),
        ({"category": "table lamp", "at": (0.8, 1.8), "lit": "yes"}, ValueError, "lit: got 'yes'; expected True"),
        ({"category": "painting", "at": (0.0, 2.0)}, ValueError, "painting-0 cannot be there"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(arguments, error, match):
    with pytest.raises(error, match=match):
        world.put(furnished(), **arguments)


def test_a_shell_that_cannot_be_is_refused():
    for arguments, match in (
        ({"width_m": -2.0}, "width_m"),
        ({"width_m": 1.0, "window": "back"}, "does not fit"),
        ({"ceiling": "gold"}, "ceiling.*expected"),
        ({"daylight": float("nan")}, "daylight"),
        ({"daylight": "1.0"}, "daylight: got 1.0; expected a finite number"),
        ({"seed": 1.5}, "seed: got 1.5"),
        ({"curtains": "velvet"}, "curtains: got 'velvet'; expected one of.*short"),
        ({"accent_wall": "north"}, "accent_wall: got 'north'; expected one of.*back"),
        ({"floor": "lava"}, "floor: got 'lava'; expected one of.*parquet"),
        ({"floor": True}, "floor: got True"),
        ({"moulding": "yes"}, "moulding: got 'yes'"),
        ({"plank_m": 0.0}, "plank_m: got 0.0; expected a finite number above 0"),
        ({"wall": (0.5, 0.5)}, "wall: .*expected 3 finite numbers"),
        ({"accent": (0.5, 0.5, 1.5)}, "accent: .*<= 1"),
        ({"floor_colour": "red"}, "floor_colour: got red"),
        ({"curtain_colour": (0.5, 0.5, float("nan"))}, "curtain_colour"),
        ({"sky": (1.0, 1.0, -0.1)}, "sky: .*>= 0"),
        ({"camera": world.Camera((0.0, -0.5, 1.5), 0.0, 0.1, (0.7, 0.7))}, r"camera: .*y in \(0, 4.8\)"),
        ({"camera": world.Camera((0.0, 0.2, 2.7), 0.0, 0.1, (0.7, 0.7))}, r"camera: .*z in \(0, 2.6\)"),
        ({"camera": world.Camera((0.0, 0.2), 0.0, 0.1, (0.7, 0.7))}, "camera.position: .*expected 3"),
        ({"camera": world.Camera((0.0, 0.2, 1.5), 0.0, 0.1, (0.7,))}, "camera.focal: .*expected 2"),
    ):
        with pytest.raises(ValueError, match=match):
            world.empty_room(**arguments)


def test_a_piece_takes_its_parameters_from_its_name():
    room = world.put(world.put(world.empty_room(seed=3), "chair", at=(-1.0, 2.0)), "chair", at=(1.0, 2.0))
    first, second = room.objects
    without = world.put(room.replace(objects=(second,)), "chair", at=(-1.0, 2.0))
    assert [spec.id for spec in without.objects] == ["chair-1", "chair-0"]
    assert without.objects[1].params == first.params != second.params


def test_parameters_from_numpy_survive_json():
    room = world.put(world.empty_room(seed=3, wall=np.full(3, 0.5)), "wardrobe", wall="back", num_doors=np.int64(2))
    again = world.WorldScene.from_json(json.loads(json.dumps(room.to_json())))
    assert again == room and room.objects[0].params["num_doors"] == 2


def changed(room: world.WorldScene, **changes) -> world.WorldScene:
    """The first object with other values."""
    return room.replace(objects=(replace(room.objects[0], **changes), *room.objects[1:]))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda r: changed(r, id="nightstand-0"), "two with the id 'nightstand-0'"),
        (lambda r: changed(r, id=3), "the id 3"),
        (lambda r: changed(r, lit="yes"), "bed-0.lit: got 'yes'; expected True or False"),
        (lambda r: changed(r, position=(0.0, 1.0)), r"bed-0.position: got \(0.0, 1.0\); expected 3 finite numbers"),
        (lambda r: changed(r, position=("0", "1", "0")), "bed-0.position.*expected 3"),
        (lambda r: changed(r, scale=1.0), "bed-0.scale: got 1.0; expected 3 finite numbers above 0"),
        (lambda r: changed(r, quat_wxyz=(1.0, 0.0, 0.0)), "bed-0.quat_wxyz: .*expected 4"),
        (lambda r: r.replace(room=replace(r.room, block=Block("middle", 1.0, 1.0))), "block.side: got 'middle'"),
        (lambda r: r.replace(room=replace(r.room, block=Block("left", 9.0, 1.0))), "does not fit a room"),
        (lambda r: r.replace(room=replace(r.room, width_m=(4.0, 4.0))), "room.width_m: .*expected a finite number"),
        (lambda r: r.replace(room=replace(r.room, params={"wall": (1, 1, 1)})), "room.params: got none of .*accent"),
        (lambda r: r.replace(room=replace(r.room, params=None)), "room.params: got None; expected a dict"),
        (lambda r: r.replace(exposure=(1.0,)), "exposure"),
    ],
)
def test_a_room_that_nobody_could_build_is_refused(change, match):
    room = furnished()
    check_scene(room)
    with pytest.raises(ValueError, match=match):
        check_scene(change(room))


def test_rooms_of_world_1_are_rooms():
    room = furnished()
    params = {k: v for k, v in room.room.params.items() if k not in ("sky", "moulding")}
    for curtains in (True, False):
        check_scene(room.replace(room=replace(room.room, params={**params, "curtains": curtains})))


def test_the_words_of_a_shell_are_those_that_can_be_built():
    for name, words in shell_params._WORDS.items():
        for word in words:
            build_shell(world.empty_room(**{name: word}).room)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda v: v.pop("camera"), r"room: \['camera'\] missing"),
        (lambda v: v.update(room=3), "room.room: got int 3; expected a JSON object"),
        (lambda v: v["room"].pop("windows"), r"room.room: \['windows'\] missing"),
        (lambda v: v["room"].pop("width_m"), r"room.room: \['width_m'\] missing"),
        (lambda v: v["room"].update(windows=[3]), r"windows\[0\]: got int 3"),
        (lambda v: v["room"].update(block={"side": "left"}), r"block: \['width_m', 'depth_m'\] missing"),
        (lambda v: v.update(objects={"a": 1}), "objects: got dict.*expected a list"),
        (lambda v: v["objects"][1].pop("params"), r"objects\[1\]: \['params'\] missing"),
        (lambda v: v["objects"][1].update(mass=3), r"objects\[1\]: got the unknown \['mass'\]; expected of .*'lit'"),
        (lambda v: v.update(camera=None), "camera: got NoneType"),
        (lambda v: v.update(style=[]), "style: got list"),
    ],
)
def test_malformed_json_of_a_room_says_what_is_missing(change, match):
    value = json.loads(json.dumps(furnished().to_json()))
    assert world.WorldScene.from_json(value) == furnished()
    change(value)
    with pytest.raises(ValueError, match=match):
        world.WorldScene.from_json(value)
    with pytest.raises(ValueError, match="room: got list"):
        world.WorldScene.from_json([])  # type: ignore[arg-type]


def test_light_of_a_lamp_goes_with_it():
    room = world.empty_room(seed=3, daylight=0.2, exposure=2.5)
    room = world.put(room, "floor lamp", at=(0.5, 3.0))
    pair = world.counterfactual(room, {"verb": "remove", "id": "floor lamp-0"}, size=48, spp=32)
    delta = (pair.after.image.astype(float) - pair.before.image).mean(-1)
    assert delta.mean() < -10 and (delta > 5).mean() < 0.02 and pair.influence.mean() > 0.3


def test_a_removed_piece_keeps_its_name():
    room = world.put(world.empty_room(), "chair", at=(1.0, 2.4))
    gone = world.apply_edit(room, {"verb": "remove", "id": "chair-0"})
    again = world.put(gone, "chair", at=(-1.0, 2.4))
    assert [o.id for o in again.objects] == ["chair-1"]
    back = world.apply_edit(again, {"verb": "restore", "id": "chair-0"})
    assert {o.id for o in back.objects} == {"chair-0", "chair-1"} and world.impossibilities(back) == ()
