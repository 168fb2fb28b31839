"""Resampling in the editor: what is asked of the prior, what comes back, and what becomes of it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fake_pipeline import FakePipeline, drawn, make_room

from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.session import EditorSession


def test_a_newer_edit_stops_a_running_resample() -> None:
    session = EditorSession(FakePipeline(step_s=0.05, num_steps=200), make_room())
    session.select("bed-0")
    session.resample("appearance")
    while not session.pipe.started:
        threading.Event().wait(0.01)
    session.edit("move", lambda scene: scene.move("chair", right=0.1))
    session.cancel()
    assert session.worker.wait_until_idle(5.0), "200 steps of 50 ms would take 10 s"
    assert [step.verb for step in session.scene.history] == ["move"]


def test_resampling_an_appearance_changes_only_that(session: EditorSession) -> None:
    before = session.scene
    session.select("bed-0")
    session.resample("appearance", strength=0.5, seed=3)
    after = drawn(session).scene
    changed = np.any(after.appearance != before.appearance, axis=(1, 2))
    assert np.flatnonzero(changed).tolist() == [0]
    assert np.array_equal(after.translation, before.translation)
    assert after.anchors.equals(before.anchors)
    assert session.undo_label == "resample appearance, seed 3"
    assert session.undo() is before


def test_resampling_everything_else_keeps_the_selected_object(session: EditorSession) -> None:
    before = session.scene
    session.resample("everything else", object_id="bed-0")
    after = drawn(session).scene
    assert np.array_equal(after.appearance[0], before.appearance[0])
    assert not np.array_equal(after.appearance[1], before.appearance[1])
    assert np.array_equal(after.background, before.background)


def test_resampling_what_code_released(session: EditorSession) -> None:
    with pytest.raises(ValueError, match="nothing is released"):
        session.resample("released")
    session.scene = session.scene.release("chair.layout")
    free = session.scene
    session.resample("released")
    after = drawn(session).scene
    assert np.flatnonzero(np.any(after.translation != free.translation, axis=-1)).tolist() == [4]
    assert after.anchors.equals(free.anchors)
    session.resample("appearance", object_id="bed-0")
    assert drawn(session).scene.anchors.equals(free.anchors)  # what was released in code is not lost on the way
    session.resample("released", seed=1)
    assert not np.array_equal(drawn(session).scene.translation, after.translation)


@pytest.mark.parametrize(
    ("target", "strength", "words"),
    [("colour", 1.0, "expected one of"), ("appearance", 1.5, "strength"), ("layout", -0.1, "strength")],
)
def test_resampling_refuses_nonsense(session: EditorSession, target: str, strength: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        session.resample(target, strength=strength, object_id="bed-0")


def test_an_edit_during_resampling_wins_and_the_sample_is_dropped() -> None:
    session = EditorSession(FakePipeline(step_s=0.2), make_room())
    told: list[SessionEvent] = []
    session.observe(told.append)
    session.resample("both", object_id="bed-0")
    threading.Event().wait(0.05)
    session.remove("chair-0")
    drawn(session)
    assert session.undo_label == "remove chair-0"
    assert len(session.scene.history) == 1
    assert any("dropped" in event.message for event in told if event.kind == "idle")
    assert not any(event.kind == "sampled" for event in told)


def test_what_became_another_kind_stays_selected(session: EditorSession) -> None:
    sample = session.pipe.sample
    session.pipe.sample = lambda *args, **more: [scene.with_labels({0: "wardrobe"}) for scene in sample(*args, **more)]
    session.select("bed-0")
    session.resample("appearance")
    after = drawn(session).scene
    assert after.labels[0] == "wardrobe"
    assert session.selected == after.ids[0] != "bed-0"
    session.resample("layout")  # there is still something to resample
    drawn(session)


def test_what_changes_no_scene_stops_no_sample() -> None:
    session = EditorSession(FakePipeline(step_s=0.05), make_room())
    session.render()
    drawn(session)
    session.resample("appearance", object_id="bed-0")
    view = session.scene["bed-0"]
    session.preview_pose("bed-0", view.translation + np.array([0.1, 0, 0]), view.quat_wxyz, view.scale, "move")
    session.cancel_preview()
    session.render(again=True)
    assert drawn(session).undo_label == "resample appearance, seed 0"
    session.close()


def test_a_stopped_sample_says_stopped_and_a_dropped_one_why() -> None:
    session = EditorSession(FakePipeline(step_s=0.05), make_room())
    notes: list[str] = []
    session.observe(lambda event: notes.append(event.message) if event.kind == "idle" and event.message else None)
    session.sample_variations(2, "appearance", object_id="bed-0")
    threading.Event().wait(0.02)
    session.cancel()
    drawn(session)
    assert set(notes) == {"stopped"}
    session.sample_variations(2, "appearance", object_id="bed-0")
    threading.Event().wait(0.02)
    session.set_strength("bed.layout", 0.5)
    drawn(session)
    assert notes[-1] == "sampling variations was dropped, since the scene changed before it was done"
    session.close()
