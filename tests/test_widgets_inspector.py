"""`Inspector` without a browser: its numbers, what typing one does to a scene, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fake_pipeline import make_room
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scene_helpers import assert_close
from strategies import NUM_EXAMPLES, scenes

from anchorgen.geometry import floor_basis, quat_to_matrix
from anchorgen.scene import EditError, SceneLatent
from anchorgen_widgets.inspector import Inspector
from anchorgen_widgets.pose_numbers import CAMERA_NUMBERS, OBJECT_NUMBERS, camera_numbers, edited, object_numbers

VALUES = {
    "yaw": st.floats(-720, 720),
    "right": st.floats(-3, 3),
    "forward": st.floats(0.5, 6),
    "bottom": st.floats(-1, 2),
}


def _send(inspector: Inspector, name: str, text: str, object_id: str = "bed-0") -> None:
    inspector._handle_custom_msg({"type": "edit", "id": object_id, "name": name, "text": text}, [])


def _turn(degrees: float) -> float:
    return (degrees + 180) % 360 - 180


@settings(max_examples=NUM_EXAMPLES, deadline=None)
@given(scene=scenes(), data=st.data())
def test_a_number_reads_back_as_it_was_typed_and_the_others_stay(scene: SceneLatent, data) -> None:
    name = data.draw(st.sampled_from(OBJECT_NUMBERS))
    view = data.draw(st.sampled_from(scene.objects))
    value = data.draw(VALUES.get(name, st.floats(0.02, 3.0)))
    try:
        after = edited(scene, view.id, name, value)
    except EditError:
        assume(False)
        raise
    before, numbers = object_numbers(view), object_numbers(after[view.index])
    wrong = _turn(numbers[name] - value) if name == "yaw" else numbers[name] - value
    assert abs(wrong) < 1e-4
    for other in set(OBJECT_NUMBERS) - {name}:
        gap = numbers[other] - before[other]
        assert abs(_turn(gap) if other == "yaw" else gap) < 1e-4, other
    assert edited(after, view.id, name, numbers[name]) is after, "the same number is no edit"
    assert_close(edited(after, view.id, name, before[name]), scene, atol=2e-4)


@settings(max_examples=NUM_EXAMPLES, deadline=None)
@given(scene=scenes(), name=st.sampled_from(CAMERA_NUMBERS), value=st.floats(0.1, 10))
def test_focal_lengths_read_back_and_the_other_keeps_its_bits(scene: SceneLatent, name: str, value: float) -> None:
    after = edited(scene, "", name, value)
    other = 1 - CAMERA_NUMBERS.index(name)
    assert camera_numbers(after)[name] == pytest.approx(value, abs=1e-4)
    assert after.focal[other] == scene.focal[other]


def test_yaw_is_zero_for_what_faces_the_camera_and_grows_counter_clockwise() -> None:
    room = make_room()
    basis = floor_basis(room.up)
    front = basis @ -quat_to_matrix(room["bed"].quat_wxyz)[:, 1]
    assert object_numbers(room["bed"])["yaw"] == pytest.approx(0, abs=1e-4)
    assert front == pytest.approx([0, 0, -1], abs=1e-6)
    turned = edited(room, "bed-0", "yaw", 90)
    assert basis @ -quat_to_matrix(turned["bed"].quat_wxyz)[:, 1] == pytest.approx([1, 0, 0], abs=1e-6)
    tipped = room.rotate("chair", pitch=88)
    assert object_numbers(tipped["chair"])["yaw"] == pytest.approx(50, abs=1e-3)


def test_numbers_become_short_code() -> None:
    room = make_room()
    steps = [
        ("bed-0", "right", 0.5),
        ("bed-0", "bottom", 0.1),
        ("bed-0", "yaw", 30),
        ("bed-0", "width", 1.5),
        ("", "fx", 1.1),
    ]
    for object_id, name, value in steps:
        room = edited(room, object_id, name, value)
    assert [step.verb for step in room.history] == ["move", "move", "rotate", "resize", "with_focal"]
    assert room.history[0].arguments["right"] == pytest.approx(0.2, abs=1e-5)
    assert len(str(room.history[0].arguments["right"])) <= 8
    assert room.to_python().endswith("scene = scene.with_focal(fx=1.1, fy=0.9)\n")
    assert camera_numbers(room)["across"] == pytest.approx(math.degrees(2 * math.atan(1 / 2.2)), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        (("bed-0", "right", math.nan), ValueError, "right is nan; expected a finite number"),
        (("bed-0", "roll", 3.0), ValueError, "expected one of: right, forward"),
        (("", "width", 3.0), ValueError, "no number of the camera"),
        (("sofa", "right", 3.0), LookupError, "there are: bed-0"),
        (("bed-0", "width", -1.0), ValueError, "expected every side >= 0.01 m"),
        (("bed-0", "forward", -2.0), ValueError, "in front of the camera"),
        (("", "fx", 0.0), ValueError, "is not a camera"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(arguments: tuple, error: type, reason: str) -> None:
    with pytest.raises(error, match=reason):
        edited(make_room(), *arguments)


def test_the_inspector_shows_the_selected_object_or_the_camera() -> None:
    inspector = Inspector(make_room())
    assert inspector.subject["name"] == "camera"
    assert [number["name"] for number in inspector.numbers if number["editable"]] == ["fx", "fy"]
    inspector.show_scene(make_room(), "chair-0", colors={"chair-0": "teal"})
    assert inspector.subject == {"id": "chair-0", "name": "chair", "color": "teal", "editable": True}
    assert {number["name"]: round(number["value"], 4) for number in inspector.numbers} == {
        "right": -1.25, "forward": 3.4, "bottom": 0.0, "yaw": 50.0, "width": 0.5, "depth": 0.5, "height": 0.9,
    }  # fmt: skip
    inspector.show_scene(make_room().remove("chair"), "chair-0")
    assert not inspector.subject["editable"] and not any(number["editable"] for number in inspector.numbers)
    with pytest.raises(TypeError, match="Inspector shows a SceneLatent"):
        inspector.show_scene(None)  # type: ignore[arg-type]
    inspector.close()


@pytest.mark.parametrize("text", ["0.5", " 0,5 ", "+.5"])
def test_a_good_number_reaches_the_handler(text: str) -> None:
    inspector, heard = Inspector(make_room()), []
    inspector.on_edit(lambda *asked: heard.append(asked))
    inspector.show_scene(make_room(), "bed-0")
    _send(inspector, "right", text)
    assert heard == [("bed-0", "right", 0.5)] and inspector.problem == ""
    _send(inspector, "width", "1.6")
    assert len(heard) == 1, "the same number is no request"
    inspector.close()


@pytest.mark.parametrize(
    ("text", "reason"), [("wide", "not a number"), ("", "not a number"), ("nan", "finite"), ("-1", "0.01 m")]
)
def test_a_bad_number_stays_in_its_field_with_the_reason(text: str, reason: str) -> None:
    inspector, heard = Inspector(make_room()), []
    inspector.on_edit(lambda *asked: heard.append(asked))
    inspector.show_scene(make_room(), "bed-0")
    _send(inspector, "width", text)
    assert heard == [] and reason in inspector.problem
    assert inspector.refused == {"id": "bed-0", "name": "width", "text": text}
    inspector.show_scene(make_room().move("chair", right=0.1), "bed-0")
    assert inspector.refused["text"] == text, "an edit of something else took the text away"
    _send(inspector, "width", "1.5")
    assert inspector.refused == {} and inspector.problem == "" and heard == [("bed-0", "width", 1.5)]
    _send(inspector, "width", text)
    inspector.show_scene(make_room(), "chair-0")
    assert inspector.refused == {} and inspector.problem == ""
    inspector.close()


def test_a_snapshot_marks_the_field_that_was_refused() -> None:
    inspector = Inspector(make_room())
    inspector.show_scene(make_room(), "bed-0", colors={"bed-0": "#00ff00"})
    before = np.asarray(inspector.snapshot(), int)
    assert tuple(before[16, 12]) == (0, 255, 0)
    _send(inspector, "width", "wide")
    after = np.asarray(inspector.snapshot(), int)
    assert after.shape[0] > before.shape[0]
    reddish = (after[..., 0] - after[..., 2] > 60)[34 : 34 + 28]
    assert reddish.any() and np.flatnonzero(reddish.any(0)).min() > 150
    inspector.close()
