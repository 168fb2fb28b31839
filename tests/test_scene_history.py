"""Anchors, refusals and history of scenes."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES, make_scene, run_program, scenes, verbs

from anchorgen.geometry import canonical_quat
from anchorgen.scene import Anchors, EditError, LatentSpaceError, ObjectView, SceneLatent

# beartype draws random items while hypothesis builds scenes, which changes nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
IS_FULL_CHECK = NUM_EXAMPLES >= 1000
ROOM = make_scene(9)


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


@settings(
    max_examples=NUM_EXAMPLES if IS_FULL_CHECK else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(scenes(), st.lists(verbs(), min_size=50 if IS_FULL_CHECK else 0, max_size=50))
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
