"""The verbs: inverses, what stays where, what is refused, and the history."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anchorgen.geometry import box_corners, box_extent, canonical_quat, floor_basis
from anchorgen.scene import Anchors, EditError, LatentSpaceError, ObjectView, SceneLatent
from strategies import NUM_EXAMPLES, degrees, make_scene, metres, run_program, scenes, verbs

# beartype draws random items while hypothesis builds scenes, which changes nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
ROOM = make_scene(9)


def assert_close(scene: SceneLatent, other: SceneLatent, atol: float = 1e-5) -> None:
    for name in ("translation", "scale", "appearance", "focal", "background"):
        np.testing.assert_allclose(getattr(scene, name), getattr(other, name), atol=atol, err_msg=name)
    turned = np.abs(np.sum(scene.quat_wxyz.astype(float) * other.quat_wxyz, axis=-1))
    np.testing.assert_allclose(turned, 1.0, atol=atol)
    np.testing.assert_array_equal(scene.presence, other.presence)
    assert (scene.labels, scene.ids) == (other.labels, other.ids)
    assert scene.anchors.equals(other.anchors)


def lowest(scene: SceneLatent, slot: int) -> float:
    corners = box_corners(scene.translation[slot], scene.quat_wxyz[slot], scene.scale[slot])
    return float((corners @ scene.up.astype(float)).min())


def edited(scene: SceneLatent, verb: str, **arguments) -> SceneLatent:
    try:
        return getattr(scene, verb)(**arguments)
    except EditError:
        assume(False)
        raise


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
@given(scenes(min_objects=2), verbs(), verbs())
def test_edits_of_different_objects_commute(scene, first, second):
    one, other = (view.id for view in scene.objects[:2])
    steps = []
    for name, (verb, arguments) in ((one, first), (other, second)):
        assume("selector" in arguments and verb not in ("only", "duplicate"))
        steps.append((verb, {**arguments, "selector": name}))
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


# -- anchors ----------------------------------------------------------------------------------------------------------


def test_release_is_one_minus_strength():
    free = ROOM.release("bed.layout").release("bed.appearance", strength=0.6).release("camera", 0.25)
    assert free.anchors.layout[0] == 0.0
    assert free.anchors.appearance[0] == pytest.approx(0.4)
    assert free.anchors.presence[0] == 1.0
    assert free.anchors.focal == pytest.approx(0.75)
    assert free.anchor("bed").anchor("camera").equals(ROOM)


@pytest.mark.parametrize("strength", [-0.1, 1.1, np.nan, np.inf])
def test_strength_outside_0_to_1_is_refused(strength):
    with pytest.raises(EditError, match="strength"):
        ROOM.release("bed", strength=strength)


def test_complete_and_only():
    bed = ROOM.only("bed")
    assert [view.id for view in bed.objects] == ["bed-1"]
    assert len(bed.removed) == 8
    free = bed.complete()
    assert (free.anchors.presence < 1).sum() == 15
    assert free.anchors.presence[0] == free.anchors.layout[0] == 1.0
    some = free.complete(max_objects=4)
    assert np.flatnonzero(some.anchors.presence < 1).tolist() == [9, 10, 11]
    assert some.complete(max_objects=1).equals(bed)


def test_blank_is_unconditional():
    blank = SceneLatent.blank(5, 2, 3, 1, focal=(0.8, 0.9), latent_space="x")
    assert blank.num_objects == 0
    assert blank.appearance.shape == (5, 2, 3)
    assert blank.background.shape == (1, 3)
    assert blank.anchors.equals(Anchors.free(5))
    assert blank.equals(blank.release())


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("move", {"selector": "bed", "forward": -9.0}, "z >= 0.05 m"),
        ("move", {"selector": "bed", "to": (0.0, 0.0, 0.04)}, "z >= 0.05 m"),
        ("move", {"selector": "bed", "to": (0.0, 1.0)}, "expected 3 numbers"),
        ("move", {"selector": "lamp", "to": (0.0, 0.0, 2.0)}, "matches 2 objects"),
        ("move", {"selector": "bed", "right": 1.0, "to": (0.0, 0.0, 2.0)}, "expected one"),
        ("move", {"selector": "bed", "right": np.nan}, "finite"),
        ("move", {"selector": "bed", "right": 1e39}, "finite"),
        ("rotate", {"selector": "bed", "yaw": np.inf}, "finite"),
        ("resize", {"selector": "bed", "factor": 1e-4}, ">= 0.01 m"),
        ("resize", {"selector": "bed", "factor": -1.0}, ">= 0.01 m"),
        ("resize", {"selector": "bed", "height": 0.0}, ">= 0.01 m"),
        ("resize", {"selector": "bed"}, "one of"),
        ("resize", {"selector": "bed", "factor": 2.0, "width": 1.0}, "one of"),
        ("with_focal", {"fx": 0.0, "fy": 1.0}, "not a camera"),
        ("with_background", {"other": np.zeros((1, 2))}, "background tokens"),
        ("with_background", {"other": np.full((4, 64), np.nan)}, "background tokens"),
        ("insert", {"obj": ROOM["bed"], "at": (0.0, 0.0, -1.0)}, "z >= 0.05 m"),
        ("insert", {"obj": ROOM["bed"], "at": {"left": 1.0}}, "right, forward"),
        ("complete", {"max_objects": -1}, "count"),
    ],
)
def test_refused_edits_say_why_and_leave_the_scene(verb, arguments, message):
    before = copy.copy(ROOM.translation), ROOM.history
    with pytest.raises(EditError, match=message):
        getattr(ROOM, verb)(**arguments)
    np.testing.assert_array_equal(ROOM.translation, before[0])
    assert ROOM.history == before[1]


def test_other_latent_spaces_are_refused():
    foreign = make_scene(3, latent_space="other")
    for edit in (
        lambda: ROOM.insert(foreign["bed"]),
        lambda: ROOM.swap("bed", foreign["bed"]),
        lambda: ROOM.paint("bed", foreign["bed"]),
        lambda: ROOM.with_background(foreign),
    ):
        with pytest.raises(LatentSpaceError, match="same pipeline"):
            edit()
    other_size = make_scene(1, num_tokens=2)
    with pytest.raises(EditError, match="appearance tokens"):
        ROOM.insert(other_size["bed"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"translation": np.zeros((16, 2))}, r"translation has shape \[16, 2\]"),
        ({"quat_wxyz": np.zeros((16, 4))}, "unit quaternion"),
        ({"scale": np.zeros((16, 3))}, "0.01 m"),
        ({"translation": np.zeros((16, 3))}, r"bed-1 has its centre at z = 0 m"),
        ({"appearance": np.full((16, 4, 64), np.nan)}, "appearance must be finite"),
        ({"appearance": np.zeros((16, 4))}, "appearance has shape"),
        ({"background": np.zeros((4, 63))}, "background has shape"),
        ({"presence": np.ones(3, bool)}, "presence has shape"),
        ({"focal": np.array([0.0, 1.0])}, "focal"),
        ({"up": np.array([0.0, -2.0, 0.0])}, "unit vector"),
        ({"floor": np.array(np.inf)}, "floor must be finite"),
        ({"labels": ("bed",)}, "labels has 1 entries"),
        ({"ids": ("a",) * 16}, "more than once"),
        ({"anchors": Anchors.keep(3)}, "anchors are for 3 slots"),
    ],
)
def test_a_scene_of_wrong_values_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ROOM.replace(**change)


def test_anchors_outside_0_to_1_are_refused():
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        Anchors(np.array([0.0, 2.0]), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="shape"):
        Anchors(np.zeros(2), np.zeros(3), np.zeros(2))


def test_limits_themselves_are_allowed():
    assert ROOM.move("bed", to=(0, 0, 0.05)).resize("bed", width=0.01)["bed"].scale[0] == np.float32(0.01)


def test_pack_refuses_too_many_objects():
    with pytest.raises(ValueError, match="do not fit into 4 slots"):
        make_scene(5, num_slots=4)


# -- values and history -----------------------------------------------------------------------------------------------


def test_arrays_are_read_only_and_nobody_elses():
    with pytest.raises(ValueError, match="read-only"):
        ROOM.translation[0] = 0
    mine = ROOM.translation.copy()
    scene = ROOM.replace(translation=mine)
    mine[0] = 99
    assert scene.equals(ROOM)
    mine.flags.writeable = False
    assert ROOM.anchors.layout.flags.writeable is False


@examples
@given(st.integers(0, 2**32 - 1))
def test_stored_quaternions_are_canonical_and_keep_their_bits(seed):
    quat = np.random.default_rng(seed).normal(size=(16, 4))
    quat[0] = (0, -1, 0, 0)
    scene = ROOM.replace(quat_wxyz=quat / np.linalg.norm(quat, axis=-1, keepdims=True))
    np.testing.assert_allclose(scene.quat_wxyz, canonical_quat(quat), atol=1e-6)
    np.testing.assert_array_equal(scene.replace(quat_wxyz=scene.quat_wxyz.copy()).quat_wxyz, scene.quat_wxyz)


@settings(max_examples=max(20, NUM_EXAMPLES // 4), deadline=None)
@given(scenes(), st.lists(verbs(), max_size=50))
def test_undo_redo_and_replay_are_exact(scene, program):
    end = run_program(scene, program)
    states, here = [end], end
    while here.history:
        here = here.undo()
        states.append(here)
    assert here.equals(scene)
    assert len(states) == len(end.history) + 1
    for state in states[::-1][1:]:
        here = here.redo()
        assert here.equals(state)
        assert here.history == state.history
    names = {"scene": end.origin or end}
    exec(end.to_python(), names)
    assert names["scene"].equals(end)
    assert json.loads(json.dumps([step.to_json() for step in end.history])) == [step.to_json() for step in end.history]


def test_history_reads_well():
    scene = ROOM.move("nightstand", right=0.3).rotate("chair", yaw=30.0).remove("lamp").release("bed.layout")
    assert scene.to_python("room") == (
        "room = room.move('nightstand', right=0.3)\n"
        "room = room.rotate('chair', yaw=30.0)\n"
        "room = room.remove('lamp')\n"
        "room = room.release('bed.layout')\n"
    )
    assert ROOM.history == ()
    with pytest.raises(EditError, match="identifier"):
        scene.to_python("not a name")


def test_an_edit_forgets_what_was_undone_and_ends_are_said():
    scene = ROOM.move("bed", right=0.1).move("bed", right=0.2).undo()
    assert scene.redo().history[-1].arguments["right"] == 0.2
    with pytest.raises(EditError, match="nothing to redo"):
        scene.move("bed", right=0.3).redo()
    with pytest.raises(EditError, match="nothing to undo"):
        ROOM.undo()


def test_replace_and_labels_are_new_starts():
    scene = ROOM.move("bed", right=0.1).with_labels({0: "table lamp", 3: "sofa"})
    assert scene.history == ()
    assert scene.ids[:4] == ("table-lamp-2", "nightstand-1", "table-lamp-1", "sofa-1")


def test_diff_says_what_changed():
    changed = ROOM.move("bed", right=0.5).rotate("chair", yaw=30).resize("rug", 1.5).remove("painting")
    assert str(ROOM.diff(changed.release("bed.layout"))) == (
        "bed-1: moved right 0.500, up 0.000, forward 0.000 m\n"
        "bed-1: anchors strength of layout 0.00 -> 1.00\n"
        "chair-1: turned by 30.00 degrees\n"
        "rug-1: resized 2.000 x 1.400 x 0.020 -> 3.000 x 2.100 x 0.030 m\n"
        "painting-1: removed"
    )
    assert not ROOM.diff(ROOM)
    assert len(ROOM.diff(ROOM.insert(ROOM["bed"]))) == 1


def test_objects_survive_json():
    view = ROOM["bed"]
    again = ObjectView.from_json(json.loads(json.dumps(view.to_json())))
    assert ROOM.insert(again).equals(ROOM.insert(view))
    with pytest.raises(EditError, match="not an object"):
        ObjectView.from_json({"id": "x"})


def test_scene_is_a_collection_of_present_objects():
    bare = ROOM.remove("bed")
    assert [view.id for view in bare] == [view.id for view in bare.objects] == list(ROOM.ids[1:9])
    assert bare.num_objects == 8
    assert [view.id for view in bare.removed] == ["bed-1"]
    assert copy.deepcopy(bare) is bare
