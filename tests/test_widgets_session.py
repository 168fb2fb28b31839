"""The editor without widgets: gestures become verbs, one undo step each, and pictures follow."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from fake_pipeline import FakePipeline, drawn, make_room
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorgen.geometry import box_corners, floor_basis, quat_from_axis_angle, quat_multiply
from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.gestures import scene_after_gesture
from anchorgen_widgets.session import EditorSession

WAIT_S = 20.0
NAMES = make_room().ids[: make_room().num_objects]


def _dragged(scene: SceneLatent, name: str, right: float = 0.0, up: float = 0.0, forward: float = 0.0) -> tuple:
    view = scene[name]
    offset = np.array([right, up, forward]) @ floor_basis(scene.up)
    return name, view.translation + offset, view.quat_wxyz, view.scale


def test_a_drag_on_the_floor_reads_as_a_move_along_it(session: EditorSession) -> None:
    before = session.scene
    after = session.apply_pose(*_dragged(before, "bed-0", right=0.3, forward=-0.2), "move")
    assert after.to_python() == "scene = scene.move('bed-0', right=0.3, forward=-0.2)\n"
    assert session.scene is after
    assert session.undo_label == "move bed-0"


def test_a_drag_on_the_floor_never_lifts(session: EditorSession) -> None:
    scene = session.apply_pose(*_dragged(session.scene, "bed-0", right=0.3, up=0.5), "move")
    assert scene.history[0].arguments == {"selector": "bed-0", "right": 0.3}


def test_a_lift_reads_as_a_move_up(session: EditorSession) -> None:
    scene = session.apply_pose(*_dragged(session.scene, "table lamp-0", up=0.25), "lift")
    assert scene.to_python() == "scene = scene.move('table lamp-0', up=0.25)\n"


@pytest.mark.parametrize("degrees", [-170.0, -15.0, 0.5, 90.0, 179.0])
def test_the_ring_reads_as_a_yaw(session: EditorSession, degrees: float) -> None:
    view, up = session.scene["chair-0"], session.scene.up
    turned = quat_multiply(quat_from_axis_angle(up, np.radians(degrees)), view.quat_wxyz)
    scene = session.apply_pose("chair-0", view.translation, turned, view.scale, "rotate")
    assert scene.history[-1].verb == "rotate"
    assert scene.history[-1].arguments["yaw"] == pytest.approx(degrees, abs=0.011)
    assert abs(np.dot(scene["chair-0"].quat_wxyz, turned)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("axis", "sign"), [(0, 1), (0, -1), (1, 1), (2, 1), (2, -1)])
def test_pulling_a_face_keeps_the_opposite_one(session: EditorSession, axis: int, sign: int) -> None:
    view = session.scene["wardrobe-0"]
    corners = box_corners(view.translation, view.quat_wxyz, view.scale)
    outward = np.zeros(3)
    outward[axis] = sign * 0.1
    rotated = box_corners(np.zeros(3), view.quat_wxyz, 2 * outward)[7]
    scale = view.scale + 2 * np.abs(outward)
    after = session.apply_pose("wardrobe-0", view.translation + rotated, view.quat_wxyz, scale, "resize")["wardrobe-0"]
    moved = np.linalg.norm(box_corners(after.translation, after.quat_wxyz, after.scale) - corners, axis=-1)
    assert np.sort(moved)[:4] == pytest.approx(0.0, abs=3e-4)
    assert np.sort(moved)[4:] == pytest.approx(0.2, abs=3e-4)


def test_a_gesture_that_ends_where_it_began_is_no_step(session: EditorSession) -> None:
    view = session.scene["bed-0"]
    for kind in ("move", "lift", "rotate", "resize"):
        session.apply_pose("bed-0", view.translation, view.quat_wxyz, view.scale, kind)
    assert session.undo_label == ""


@pytest.mark.parametrize(
    ("name", "translation", "kind", "error", "words"),
    [
        ("bed-0", [0.0, 0.0, -1.0], "move", ValueError, "in front of the camera"),
        ("bed-0", [0.0, np.nan, 3.0], "move", ValueError, "expected 3 finite numbers"),
        ("bed-0", [0.0, 3.0], "move", ValueError, "expected 3 finite numbers"),
        ("bed-0", [0.0, 0.0, 3.0], "shake", ValueError, "expected one of: move, lift, rotate, resize"),
        ("sofa-0", [0.0, 0.0, 3.0], "move", LookupError, "there are: bed-0"),
    ],
)
def test_a_pose_that_cannot_be_is_refused_and_nothing_is_lost(session, name, translation, kind, error, words) -> None:
    before = session.scene
    with pytest.raises(error, match=words):
        session.apply_pose(name, translation, [1, 0, 0, 0], [1, 1, 1], kind)
    assert session.scene is before
    assert session.undo_label == ""


def test_an_id_that_is_also_a_label_moves_only_its_own_object() -> None:
    room = make_room()
    scene = room.replace(labels=("lamp", *room.labels[1:]), ids=("bed-0", "lamp", *room.ids[2:]))
    view = scene.view(1)
    translation = view.translation + np.array([0.2, 0.0, 0.0]) @ floor_basis(scene.up)
    after = scene_after_gesture(scene, "lamp", translation, view.quat_wxyz, view.scale, "move")
    moved = np.any(after.translation != scene.translation, axis=-1)
    assert np.flatnonzero(moved).tolist() == [1]


gestures = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["move", "lift", "rotate", "resize"]),
    st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3),
    st.floats(-180, 180),
)


def _gesture_pose(scene: SceneLatent, name: str, kind: str, offset: list[float], degrees: float) -> tuple:
    view = scene[name]
    translation, quat, scale = view.translation.astype(float), view.quat_wxyz, view.scale.astype(float)
    if kind in ("move", "lift"):
        used = [offset[0], 0.0, offset[2]] if kind == "move" else [0.0, offset[1], 0.0]
        translation = translation + np.array(used) @ floor_basis(scene.up)
    elif kind == "rotate":
        quat = quat_multiply(quat_from_axis_angle(scene.up, np.radians(degrees)), quat)
    else:
        scale, translation = scale + np.abs(offset), translation + 0.3 * np.array(offset)
    return translation, quat, scale


@settings(max_examples=150, deadline=None)
@given(gestures)
def test_a_gesture_leaves_the_box_where_the_mouse_did(gesture) -> None:
    scene = make_room()
    name, kind, *_ = gesture
    translation, quat, scale = _gesture_pose(scene, *gesture)
    after = scene_after_gesture(scene, name, translation, quat, scale, kind)[name]
    assert after.translation == pytest.approx(translation, abs=2e-4)
    assert after.scale == pytest.approx(scale, abs=2e-4)
    assert abs(np.dot(after.quat_wxyz, quat)) == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(gestures, st.sampled_from(["undo", "redo", "remove", "duplicate"])), max_size=25))
def test_undo_and_redo_are_exact_over_random_programs(program) -> None:
    session = EditorSession(FakePipeline(), make_room(), draws_drafts=False)
    scenes, at = [session.scene], 0
    for item in program:
        try:
            if item in ("undo", "redo"):
                getattr(session, item)()
                at += 1 if item == "redo" else -1
                assert session.scene is scenes[at]
                continue
            if isinstance(item, str):
                getattr(session, item)(session.scene.objects[0].id)
            else:
                session.apply_pose(item[0], *_gesture_pose(session.scene, *item), item[1])
        except (ValueError, LookupError, IndexError):
            assert session.scene is scenes[at]
            continue
        if session.scene is not scenes[at]:
            scenes, at = [*scenes[: at + 1], session.scene], at + 1
    session.close()


def test_undo_shows_the_picture_it_had_without_drawing_again(session: EditorSession) -> None:
    session.render()
    first = drawn(session).image
    session.apply_pose(*_dragged(session.scene, "bed-0", right=0.3), "move")
    assert drawn(session).image is not first
    count = len(session.pipe.rendered)
    session.undo()
    assert drawn(session).image is first
    assert len(session.pipe.rendered) == count


def test_a_draft_comes_first_then_the_final_picture(session: EditorSession) -> None:
    seen: list[str] = []
    session.observe(lambda event: seen.append(event.message) if event.kind == "image" else None)
    session.render()
    drawn(session)
    assert seen == ["draft", "final"]
    assert [draft for _, _, draft in session.pipe.rendered] == [True, False]
    assert not session.image_is_draft


def test_pictures_of_older_scenes_never_come_after_newer_ones() -> None:
    session = EditorSession(FakePipeline(step_s=0.005), make_room())
    shown: list[float] = []
    pictures = {}
    original = session.pipe.render

    def remembering(scene, **options):
        picture = original(scene, **options)
        pictures[id(picture)] = (picture, float(scene["bed-0"].translation[0]))
        return picture

    session.pipe.render = remembering
    session.observe(lambda event: shown.append(pictures[id(session.image)][1]) if event.kind == "image" else None)
    for _ in range(30):
        session.apply_pose(*_dragged(session.scene, "bed-0", right=0.01), "move")
        threading.Event().wait(0.004)
    drawn(session)
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(float(session.scene["bed-0"].translation[0]))
    assert session.worker.counts.cancelled + session.worker.counts.dropped > 0


def test_a_preview_draws_a_draft_and_leaves_the_scene_alone(session: EditorSession) -> None:
    before = session.scene
    session.preview_pose(*_dragged(before, "bed-0", right=0.3), "move")
    drawn(session)
    assert session.scene is before and session.undo_label == ""
    assert session.image_is_draft
    session.preview_pose("bed-0", [0, 0, -5], [1, 0, 0, 0], [1, 1, 1], "move")
    session.cancel_preview()
    assert not drawn(session).image_is_draft


def test_selection_follows_what_is_there(session: EditorSession) -> None:
    session.select("bed-0")
    session.duplicate()
    assert session.selected == "bed-1"
    session.remove()
    assert session.selected == ""
    session.restore("bed-1")
    assert session.selected == "bed-1"
    with pytest.raises(LookupError, match="no object 'sofa'"):
        session.select("sofa")
    session.select("")
    with pytest.raises(ValueError, match="nothing is selected"):
        session.remove()


def test_nothing_to_undo_says_so(session: EditorSession) -> None:
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()
    with pytest.raises(ValueError, match="nothing to redo"):
        session.redo()


def test_a_failing_observer_stops_neither_the_others_nor_the_renderer(session: EditorSession, caplog) -> None:
    told: list[SessionEvent] = []

    def fails(event: SessionEvent) -> None:
        raise RuntimeError(f"cannot watch {event.kind}")

    session.observe(fails)
    session.observe(told.append)
    session.remove("chair-0")
    drawn(session)
    session.undo()
    drawn(session)
    assert [event.kind for event in told].count("idle") == 2
    assert "an observer of the editor failed" in caplog.text


def test_an_error_of_the_pipeline_reaches_the_observers(session: EditorSession) -> None:
    errors: list[Exception | None] = []
    session.observe(lambda event: errors.append(event.error) if event.kind == "error" else None)
    session.pipe.fails = True
    session.render()
    drawn(session)
    assert [str(error) for error in errors] == ["the decoder <broke>"]


def test_edits_from_many_threads_are_all_there(session: EditorSession) -> None:
    def nudge(name: str) -> None:
        for _ in range(20):
            session.edit("nudge", lambda scene: scene.move(name, right=0.01))

    threads = [threading.Thread(target=nudge, args=(name,)) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    drawn(session)
    assert len(session.scene.history) == 20 * len(NAMES)
    moved = session.scene.translation[: len(NAMES), 0] - make_room().translation[: len(NAMES), 0]
    assert moved == pytest.approx(0.2, abs=1e-5)


def test_an_editor_of_something_else_says_what_it_needs() -> None:
    with pytest.raises(TypeError, match="encode the picture first"):
        EditorSession(FakePipeline(), "room.png")


def test_a_session_needs_no_widget_library() -> None:
    code = "import sys, anchorgen_widgets.session; sys.exit(any(n in sys.modules for n in ('ipywidgets', 'IPython')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
