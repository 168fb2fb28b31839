"""The verbs: inverses, what stays where, what is refused, and the history."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scene_helpers import assert_close, edited, lowest
from scipy.spatial.transform import Rotation
from strategies import NUM_EXAMPLES, degrees, make_scene, metres, run_program, scenes, verbs

from anchorgen.geometry import box_extent, floor_basis
from anchorgen.scene import EditError

# beartype draws random items while hypothesis builds scenes, which changes nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
ROOM = make_scene(9)


# Run apart: the types that these tests check at run time would refuse the calls before the verbs do.
ODD_NUMBERS = """
import numpy as np, torch
from decimal import Decimal
from fractions import Fraction
from strategies import make_scene
from anchorgen.scene import EditError, SceneLatent
room = make_scene(9)
scene = room.move(0, right=torch.tensor(0.3), up=room.floor * 0, forward=Decimal("0.25"))
scene = scene.move(np.array(1), right=Fraction(1, 4)).release(0, strength=np.array(0.5))
scene = scene.with_background(torch.zeros(room.background.shape))
scene.save("room.safetensors")
again = SceneLatent.load("room.safetensors")
assert again.equals(scene) and again.history == scene.history and again.undo().equals(scene.undo())
calls = [lambda v=v: room.move(0, right=v) for v in (10**400, 1e20, -1e20, float("inf"), "far", None)]
calls += [lambda: room.resize(0, 1e30), lambda: room.with_background([[1, 2], [3]])]
calls += [lambda: room.restyle(0, ["bed"]), lambda: room.restyle(0, 5), lambda: room.restyle(0, [])]
for call in calls:
    try:
        call()
    except EditError as error:
        print(error)
    else:
        raise AssertionError("accepted")
"""


def test_numbers_of_every_kind_are_stored_or_refused(tmp_path):
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])}
    command = [sys.executable, "-c", ODD_NUMBERS]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "lengths are in metres" in done.stdout
    assert "restyle got int; expected a scene, or a list of objects" in done.stdout


# -- inverses ---------------------------------------------------------------------------------------------------------


@examples
@given(scenes(), metres(2.0), metres(1.0), metres(2.0))
def test_move_and_back(scene, right, up, forward):
    there = edited(scene, "move", selector="everything", right=right, up=up, forward=forward)
    assert_close(there.move("everything", right=-right, up=-up, forward=-forward), scene)


@examples
@given(scenes(), degrees(), degrees(), degrees())
def test_rotate_and_back(scene, yaw, pitch, roll):
    there = scene.rotate("everything", yaw=yaw, pitch=pitch, roll=roll)
    back = there.rotate("everything", roll=-roll).rotate("everything", pitch=-pitch).rotate("everything", yaw=-yaw)
    assert_close(back, scene)


@examples
@given(scenes(), st.floats(0.5, 2.0), st.tuples(*[st.floats(0.5, 2.0)] * 3))
def test_resize_and_back(scene, factor, factors):
    larger = edited(scene, "resize", selector="everything", factor=factor)
    assert_close(larger.resize("everything", 1 / factor), scene)
    stretched = edited(scene, "resize", selector="everything", factors=factors)
    assert_close(stretched.resize("everything", factors=1 / np.array(factors)), scene)


@examples
@given(scenes(), st.data())
def test_remove_and_restore_is_exact(scene, data):
    name = data.draw(st.sampled_from([view.id for view in scene.objects]))
    assert scene.remove(name).restore(name).equals(scene)
    assert scene.release("background").anchor("background").equals(scene)


@examples
@given(scenes(), st.data())
def test_swap_and_paint_and_back(scene, data):
    one, other = (data.draw(st.sampled_from(scene.objects)) for _ in range(2))
    assert_close(scene.swap(one.id, other).swap(one.id, one), scene)
    assert scene.paint(one.id, other).paint(one.id, one).equals(scene)
    assert scene.with_focal(2, 1).with_focal(*scene.focal).equals(scene)


@examples
@given(scenes(min_objects=3), verbs(), verbs())
def test_edits_of_different_objects_commute(scene, first, second):
    one, other, third = (view.id for view in scene.objects[:3])
    steps = []
    for name, (verb, arguments) in ((one, first), (other, second)):
        assume("selector" in arguments and verb not in ("only", "duplicate"))
        by = {"place_on": {"other": third}, "align": {"to": third}}.get(verb, {})
        steps.append((verb, {**arguments, "selector": name, **by}))
    assert run_program(scene, steps).equals(run_program(scene, steps[::-1]))


# -- what a verb means ------------------------------------------------------------------------------------------------


@examples
@given(scenes(), metres(1.0), metres(1.0))
def test_move_along_the_floor_keeps_heights_and_touches_nothing_else(scene, right, forward):
    name = scene.objects[0].id
    moved = edited(scene, "move", selector=name, right=right, forward=forward)
    slot = scene.objects[0].index
    assert lowest(moved, slot) == pytest.approx(lowest(scene, slot), abs=1e-5)
    offset = floor_basis(scene.up) @ (moved.translation[slot].astype(float) - scene.translation[slot])
    np.testing.assert_allclose(offset, [right, 0, forward], atol=1e-5)
    others = np.arange(scene.num_slots) != slot
    np.testing.assert_array_equal(moved.translation[others], scene.translation[others])
    for field in ("quat_wxyz", "scale", "appearance", "presence", "background"):
        np.testing.assert_array_equal(getattr(moved, field), getattr(scene, field))


def test_move_to_is_a_place_in_the_camera_frame():
    np.testing.assert_array_equal(ROOM.move("bed", to=(1, 0.5, 4))["bed"].translation, np.float32([1, 0.5, 4]))


@examples
@given(scenes(), degrees(), degrees(), degrees())
def test_rotate_agrees_with_scipy(scene, yaw, pitch, roll):
    turned = scene.rotate("everything", yaw=yaw, pitch=pitch, roll=roll)
    about_up = Rotation.from_rotvec(np.radians(yaw) * scene.up.astype(float) / np.linalg.norm(scene.up.astype(float)))
    own = Rotation.from_euler("XY", [pitch, roll], degrees=True)
    for view in scene.objects:
        before = Rotation.from_quat(view.quat_wxyz.astype(float), scalar_first=True)
        after = Rotation.from_quat(turned.quat_wxyz[view.index].astype(float), scalar_first=True)
        assert (after.inv() * about_up * before * own).magnitude() < 1e-5
    np.testing.assert_array_equal(turned.translation, scene.translation)


def test_positive_yaw_is_counter_clockwise_from_above():
    right, up, forward = floor_basis(ROOM.up)
    before, after = (
        Rotation.from_quat(s["chair"].quat_wxyz, scalar_first=True) for s in (ROOM, ROOM.rotate("chair", yaw=90))
    )
    turn = after * before.inv()
    np.testing.assert_allclose(turn.apply(right), forward, atol=1e-6)
    np.testing.assert_allclose(turn.apply(up), up, atol=1e-6)


@examples
@given(scenes(), st.floats(0.3, 2.0), st.floats(0.02, 3.0))
def test_resize_keeps_the_floor_contact(scene, factor, height):
    for larger in (
        edited(scene, "resize", selector="everything", factor=factor),
        edited(scene, "resize", selector="everything", height=height, width=factor),
    ):
        for view in scene.objects:
            assert lowest(larger, view.index) == pytest.approx(lowest(scene, view.index), abs=1e-5)
            across = floor_basis(scene.up)[[0, 2]] @ (larger.translation[view.index].astype(float) - view.translation)
            np.testing.assert_allclose(across, 0.0, atol=1e-5)


def test_resize_to_metres_changes_the_named_sides():
    np.testing.assert_allclose(ROOM.resize("bed", width=1.0, height=0.5)["bed"].scale, [1.0, 2.0, 0.5])


def test_a_verb_applies_to_all_that_match():
    brighter = ROOM.move("lamp", up=0.1).remove("nightstand")
    assert {view.id for view in ROOM.objects} - {view.id for view in brighter.objects} == {
        "nightstand-1",
        "nightstand-2",
    }
    assert {c.name for c in ROOM.diff(brighter) if c.kind == "moved"} == {"table-lamp-1", "floor-lamp-1"}


def test_duplicate_stands_beside_under_a_new_id():
    twice = ROOM.duplicate("nightstand")
    assert [view.id for view in twice.objects][9:] == ["nightstand-3", "nightstand-4"]
    copy_, original = twice["nightstand-3"], twice["nightstand-1"]
    gap = floor_basis(ROOM.up) @ (copy_.translation.astype(float) - original.translation)
    extent = box_extent(floor_basis(ROOM.up)[0], original.quat_wxyz, original.scale)
    np.testing.assert_allclose(gap, [extent + 0.05, 0, 0], atol=1e-5)
    np.testing.assert_array_equal(copy_.appearance, original.appearance)
    placed = ROOM.duplicate("bed", right=0.0, forward=1.0)["bed-2"].translation.astype(float) - ROOM["bed"].translation
    np.testing.assert_allclose(floor_basis(ROOM.up) @ placed, [0, 0, 1], atol=1e-5)


@examples
@given(scenes(), scenes())
def test_insert_stands_as_high_above_the_floor_as_in_its_own_scene(scene, other):
    obj = other.objects[-1]
    more = edited(scene, "insert", obj=obj)
    new = next(view for view in more.objects if view.id not in scene.ids)
    assert lowest(more, new.index) - float(more.floor) == pytest.approx(
        lowest(other, obj.index) - float(other.floor), abs=1e-4
    )
    np.testing.assert_allclose(
        (floor_basis(more.up) @ new.translation.astype(float))[[0, 2]],
        (floor_basis(other.up) @ obj.translation.astype(float))[[0, 2]],
        atol=1e-5,
    )
    np.testing.assert_array_equal(new.appearance, obj.appearance)
    assert new.label == obj.label
    assert new.index not in {view.index for view in scene.objects}


def test_insert_into_its_own_scene_is_exact():
    again = ROOM.insert(ROOM["bed"])
    for name in ("translation", "quat_wxyz", "scale", "appearance"):
        np.testing.assert_array_equal(getattr(again["bed-2"], name), getattr(ROOM["bed"], name))


def test_insert_at_a_floor_spot_or_a_camera_point():
    plant = make_scene(5, seed=3, pitch_rad=0.5)["chair"]
    more = ROOM.insert(plant, at={"right": 0.5, "forward": 3.0})
    new = more["chair-2"]
    assert lowest(more, new.index) == pytest.approx(float(ROOM.floor), abs=1e-5)
    spot = floor_basis(ROOM.up) @ new.translation.astype(float)
    np.testing.assert_allclose(spot[[0, 2]], [0.5, 3.0], atol=1e-5)
    shelf = ROOM.insert(plant, at={"right": 0.5, "forward": 3.0, "up": 0.8})
    assert lowest(shelf, new.index) == pytest.approx(float(ROOM.floor) + 0.8, abs=1e-5)
    np.testing.assert_array_equal(ROOM.insert(plant, at=(0, 0, 2))["chair-2"].translation, [0, 0, 2])


def test_insert_takes_unused_slots_first_and_is_anchored():
    small = make_scene(2, num_slots=4).remove("bed").complete()
    lamp = make_scene(3)["lamp"]
    one = small.insert(lamp)
    assert one["table-lamp-1"].index == 2
    assert one.anchors.layout[2] == one.anchors.presence[2] == 1.0
    three = one.insert(lamp).insert(lamp)
    assert [view.id for view in three.objects] == ["table-lamp-3", "nightstand-1", "table-lamp-1", "table-lamp-2"]
    with pytest.raises(EditError, match="all 4 slots .* remove one first"):
        three.insert(lamp)


def test_insert_without_a_label():
    nameless = make_scene(1).replace(labels=("",) * 16, ids=("",) * 16)
    assert nameless.ids[0] == "object-1"
    assert ROOM.insert(nameless.objects[0]).ids[9] == "object-1"


@examples
@given(scenes(), scenes())
def test_swap_takes_looks_and_size_and_keeps_the_spot(scene, other):
    obj, target = other.objects[-1], scene.objects[0]
    swapped = edited(scene, "swap", selector=target.id, obj=obj)
    new = swapped.view(target.index)
    np.testing.assert_array_equal(new.scale, obj.scale)
    np.testing.assert_array_equal(new.appearance, obj.appearance)
    np.testing.assert_array_equal(new.quat_wxyz, target.quat_wxyz)
    assert lowest(swapped, target.index) == pytest.approx(lowest(scene, target.index), abs=1e-5)
    assert (new.label, new.id) == (obj.label, target.id)


def test_paint_and_background_change_only_that():
    other = make_scene(3, seed=7)
    assert {change.kind for change in ROOM.diff(ROOM.paint("lamp", other["bed"]))} == {"painted"}
    assert [change.name for change in ROOM.diff(ROOM.with_background(other))] == ["background"]
    np.testing.assert_array_equal(ROOM.with_background(other.background).background, other.background)
    assert [change.kind for change in ROOM.diff(ROOM.with_focal(1, 1.2))] == ["focal"]
