"""A verb does the same to a room as to its scene latent, so that the true picture of an edit is of that edit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from world_helpers import assert_alike, latents, room_with

from anchorgen.scene.errors import EditError
from anchorgen.world.boxes import box_of
from anchorgen.world.edits import VERBS, apply_edit, apply_edits, brought, is_lamp
from anchorgen.world.programs import edit_from_json, edit_to_json, program
from anchorgen.world.rooms import refurnish
from anchorgen.world.types import ObjectSpec, WorldScene


@pytest.fixture(scope="module")
def room() -> WorldScene:
    return room_with("bed", "nightstand", "table lamp", "pendant", "wardrobe")


@pytest.fixture(scope="module")
def other(room) -> WorldScene:
    return room_with("bed", "nightstand", "plant", "table lamp", start=room.seed + 1)


TILT = ("rotate", {"pitch": 25.0, "roll": -40.0})


@pytest.mark.parametrize("id", ["nightstand-0", "bed", "lamp", "nightstand#1"])
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("move", {"right": 0.3, "up": 0.2, "forward": -0.1}),
        ("rotate", {"yaw": 35.0}),
        TILT,
        ("rotate", {"yaw": -20.0, "pitch": 10.0}),
        ("resize", {"factor": 1.3}),
        ("resize", {"factors": (1.2, 0.7, 1.1)}),
        ("resize", {"width": 0.9}),
        ("resize", {"depth": 0.5, "height": 1.4}),
        ("remove", {}),
        ("only", {}),
    ],
)
def test_a_verb_does_the_same_to_both_upright_and_tilted(room, id, verb, arguments):
    scene = latents(room)
    assert_alike(getattr(scene, verb)(id, **arguments), apply_edit(room, {"verb": verb, "id": id, **arguments}))
    edits = [{"verb": "rotate", "id": "everything", **TILT[1]}, {"verb": verb, "id": id, **arguments}]
    tilted = scene.rotate("everything", **TILT[1])
    assert_alike(getattr(tilted, verb)(id, **arguments), apply_edits(room, edits))


@pytest.mark.parametrize("arguments", [{}, {"right": 0.7, "forward": 0.2}])
def test_duplicates_stand_where_those_of_latents_do(room, arguments):
    few = apply_edit(room, {"verb": "only", "id": ["bed", "nightstand", "table lamp"]})
    few = apply_edit(few, {"verb": "rotate", "id": "bed", "yaw": 33, "pitch": 5})
    for id in ("bed", "nightstand", "table lamp"):
        edit = {"verb": "duplicate", "id": id, **arguments}
        assert_alike(latents(few).duplicate(id, **arguments), apply_edit(few, edit))


def test_moving_to_a_place_is_of_the_centre_in_the_camera_frame(room):
    tilted = apply_edit(room, {"verb": "rotate", "id": "bed-0", "pitch": 20})
    to = (0.2, 0.4, 2.5)
    assert_alike(latents(tilted).move("bed-0", to=to), apply_edit(tilted, {"verb": "move", "id": "bed-0", "to": to}))
    with pytest.raises(ValueError, match="`to` is a place"):
        apply_edit(room, {"verb": "move", "id": "bed-0", "to": to, "up": 1})
    with pytest.raises(ValueError, match="several"):
        apply_edit(room, {"verb": "move", "id": "lamp", "to": to})


@pytest.mark.parametrize(
    "at", [None, {"right": 0.4, "forward": 2.2}, {"right": -0.3, "up": 0.5, "forward": 2}, (0, 0.1, 2)]
)
def test_objects_come_from_another_room_to_the_same_place(room, other, at):
    for spec in other.objects[:5]:
        inserted = apply_edit(room, {"verb": "insert", "object": brought(room, other, spec.id), "at": at})
        assert_alike(latents(room).insert(latents(other)[spec.id], at=at), inserted)
        assert inserted.objects[-1].params == spec.params and inserted.objects[:-1] == room.objects


def test_swap_and_paint_keep_what_they_say(room, other):
    guest = next(o for o in other.objects if o.category == "plant")
    tilted = apply_edit(room, {"verb": "rotate", "id": "nightstand", "yaw": 20, "pitch": 15})
    swapped = apply_edit(tilted, {"verb": "swap", "id": "nightstand", "object": guest})
    assert_alike(latents(tilted).swap("nightstand", latents(other)[guest.id]), swapped)
    painted = apply_edit(tilted, {"verb": "paint", "id": "nightstand", "object": guest})
    assert_alike(latents(tilted).paint("nightstand", latents(other)[guest.id]), painted)
    for after in (swapped, painted):
        assert all(o.category == "plant" and o.params == guest.params for o in after.objects if "night" in o.id)


def test_restore_brings_back_what_was_removed(room):
    for spec in room.objects:
        gone = apply_edit(room, {"verb": "remove", "id": spec.id})
        again = WorldScene.from_json(json.loads(json.dumps(gone.to_json())))
        for back in (apply_edit(again, {"verb": "restore", "id": spec.id}), apply_edit(gone, {"verb": "restore"})):
            assert {o.id: box_of(o).centre.tolist() for o in back.objects} == {
                o.id: box_of(o).centre.tolist() for o in room.objects
            }
            assert back.removed == ()
    with pytest.raises(KeyError, match="bed-0"):
        apply_edit(apply_edit(room, {"verb": "remove", "id": "bed-0"}), {"verb": "restore", "id": "wardrobe"})
    assert "removed" not in room.to_json()


def test_ids_of_what_was_removed_stay_taken_as_with_latents(room):
    scene = latents(room)
    one = scene.remove("nightstand#2").duplicate("nightstand-0").duplicate("nightstand-0", right=0.9)
    several = scene.duplicate("bed-0").remove("bed-0").duplicate("bed").move("bed-2", forward=0.2).restore("bed-0")
    for latent in (one, several):
        assert_alike(latent, apply_edits(room, program(latent.history)))


def test_the_camera_and_the_background_change_alone(room):
    donor = refurnish(room, 5)
    after = apply_edit(room, {"verb": "with_background", "room": donor})
    assert (after.objects, after.camera, after.exposure) == (room.objects, room.camera, room.exposure)
    assert (after.room, after.daylight, after.style) == (donor.room, donor.daylight, donor.style)
    zoomed = apply_edit(room, {"verb": "with_focal", "fx": 0.9, "fy": 1.1})
    assert_alike(latents(room).with_focal(0.9, 1.1), zoomed)
    elsewhere = room_with("bed", start=room.seed + 50)
    with pytest.raises(ValueError, match="width_m"):
        apply_edit(room, {"verb": "with_background", "room": elsewhere})


def test_a_background_of_another_view_is_refused(room):
    donor = refurnish(room, 5)
    turned = donor.replace(camera=replace(donor.camera, yaw_rad=1.5))
    with pytest.raises(ValueError, match=r"camera yaw_rad 1\.5"):
        apply_edit(room, {"verb": "with_background", "room": turned})


def test_nothing_goes_behind_the_camera_as_with_latents(room):
    scene = latents(room)
    for edit in ({"forward": -9.0}, {"to": (0.0, 0.0, 0.01)}):
        with pytest.raises(EditError):
            scene.move(0, **edit)
        with pytest.raises(ValueError, match="in front of the camera"):
            apply_edit(room, {"verb": "move", "id": room.objects[0].id, **edit})


def test_lamps_are_switched(room):
    dark = apply_edit(room, {"verb": "lit", "id": "lamp", "on": False})
    assert not any(o.lit for o in dark.objects if o.category.endswith("lamp"))
    with pytest.raises(ValueError, match="no light"):
        apply_edit(room, {"verb": "lit", "id": "bed-0", "on": True})
    with pytest.raises(ValueError, match="at most"):
        apply_edits(room, [{"verb": "duplicate", "id": "lamp"}] * 3)


def test_edits_are_json(room, other):
    guest = other.objects[0]
    edits = [
        {"verb": "insert", "object": guest, "at": {"right": np.float64(0.2), "forward": 2}},
        {"verb": "swap", "id": ["bed"], "object": guest},
        {"verb": "with_background", "room": refurnish(room, 2)},
        {"verb": "restyle", "id": guest.category, "source": [guest]},
        {"verb": "restyle", "id": ["bed", "lamp"], "source": other},
        {"verb": "align", "id": "everything", "to": "bed-0", "by": "front"},
        {"verb": "resize", "id": "bed", "factors": np.array([1.0, 2.0, 0.5])},
    ]
    for edit in edits:
        again = edit_from_json(json.loads(json.dumps(edit_to_json(edit))))
        one, two = (apply_edit(room, e).to_json() for e in (edit, again))
        assert json.loads(json.dumps(one)) == json.loads(json.dumps(two))


def test_verbs_invert(room):
    spec = room.objects[0]
    there = apply_edit(room, {"verb": "move", "id": spec.id, "right": 0.3, "forward": -0.2})
    back = apply_edit(there, {"verb": "move", "id": spec.id, "right": -0.3, "forward": 0.2})
    np.testing.assert_allclose(back.objects[0].position, spec.position, atol=1e-12)
    turned = apply_edits(room, [{"verb": "rotate", "id": spec.id, "yaw": yaw} for yaw in (50, -50)])
    np.testing.assert_allclose(np.abs(turned.objects[0].quat_wxyz), np.abs(spec.quat_wxyz), atol=1e-9)
    sized = apply_edits(room, [{"verb": "resize", "id": spec.id, "factor": factor} for factor in (2, 0.5)])
    np.testing.assert_allclose(sized.objects[0].position, spec.position, atol=1e-12)


def test_a_history_of_latents_is_a_list_of_edits(room):
    scene = latents(room).move("lamp", right=0.1).rotate("bed-0", yaw=20).resize("wardrobe", 0.9)
    scene = scene.duplicate("nightstand#1").release("bed.layout").remove(["pendant"]).with_focal(0.8, 0.8)
    assert_alike(scene, apply_edits(room, program(scene.history)))
    with pytest.raises(ValueError, match=r"step 2 .*insert"):
        program(scene.undo().insert(scene["bed-0"]).history[-2:])
    with pytest.raises(ValueError, match="slot"):
        program(scene.move(0, right=0.1).history[-1:])


def test_what_is_not_there_is_named(room):
    first = room.objects[0].id
    with pytest.raises(KeyError, match=first):
        apply_edit(room, {"verb": "move", "id": "sofa-0"})
    with pytest.raises(ValueError, match="rotate"):
        apply_edit(room, {"verb": "explode", "id": first})
    with pytest.raises(ValueError, match="right, up, forward"):
        apply_edit(room, {"verb": "move", "id": first, "left": 1})
    with pytest.raises(ValueError, match="expected an id"):
        apply_edit(room, {"verb": "remove", "id": 0})
    with pytest.raises(ValueError, match="ObjectSpec"):
        apply_edit(room, {"verb": "insert", "object": {"category": "bed"}})
    with pytest.raises(KeyError, match="expected one"):
        brought(room, room, "nightstand" if sum("night" in o.id for o in room.objects) > 1 else "lamp")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"verb": "move", "right": float("nan")}, "finite"),
        ({"verb": "rotate", "yaw": "left"}, "finite"),
        ({"verb": "resize", "factor": -1}, "0.01"),
        ({"verb": "resize", "width": 0.001}, "0.01"),
        ({"verb": "resize", "factors": (1, 2)}, "3 numbers"),
        ({"verb": "resize"}, "one of"),
        ({"verb": "resize", "factor": 1.1, "width": 1.0}, "one of"),
        ({"verb": "move", "right": 1e6}, "10000 m"),
        ({"verb": "lit", "on": 1}, "True or False"),
    ],
)
def test_numbers_that_are_none_are_refused(room, edit, message):
    with pytest.raises(ValueError, match=message):
        apply_edit(room, {"id": room.objects[0].id, **edit})


@pytest.mark.parametrize(
    "changes",
    [
        {"position": (0.0, float("nan"), 0.0)},
        {"quat_wxyz": (2.0, 0.0, 0.0, 0.0)},
        {"scale": (1.0, -1.0, 1.0)},
        {"params": {"unicorn": 1}},
    ],
)
def test_objects_that_cannot_be_are_refused(room, changes):
    good = room.objects[0]
    fields = {name: getattr(good, name) for name in ("id", "category", "params", "position")}
    bad = ObjectSpec(**{**fields, **changes})
    for edit in ({"verb": "insert"}, {"verb": "swap", "id": good.id}):
        with pytest.raises(ValueError, match=r"position|quat_wxyz|scale|measure|unicorn"):
            apply_edit(room, {**edit, "object": bad})
    with pytest.raises(KeyError, match="catalogue"):
        apply_edit(room, {"verb": "insert", "object": ObjectSpec("sofa-0", "sofa", {}, (0, 2, 0))})


def test_every_verb_of_latents_that_changes_a_picture_is_here():
    from anchorgen.scene.history import VERBS as LATENT_VERBS

    assert set(LATENT_VERBS) - set(VERBS) == {"anchor", "release", "complete"}
    assert set(VERBS) - set(LATENT_VERBS) == {"lit"}


def test_boxes_stand_on_their_lowest_point(room):
    tilted = apply_edit(room, {"verb": "rotate", "id": "bed-0", "pitch": 30})
    taller = apply_edit(tilted, {"verb": "resize", "id": "bed-0", "factors": (1, 1.2, 1.5)})
    low = [box_of(next(o for o in r.objects if o.id == "bed-0")).bottom_m for r in (tilted, taller)]
    np.testing.assert_allclose(low[0], low[1], atol=1e-9)
    assert is_lamp(next(o for o in room.objects if o.category == "pendant"))
