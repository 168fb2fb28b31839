"""Several samples to choose from: drawn when nothing else is, taken as one undo step."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from fake_pipeline import FakePipeline, drawn, make_room

from anchorgen_widgets.events import SessionEvent
from anchorgen_widgets.session import EditorSession


def test_variations_leave_the_scene_and_are_drawn_best_first(session: EditorSession) -> None:
    told: list[SessionEvent] = []
    session.observe(told.append)
    before = session.scene
    session.sample_variations(4, "both", object_id="chair-0")
    drawn(session)
    assert session.scene is before and session.undo_label == ""
    assert [v.picture is not None for v in session.variations] == [True] * 4
    arrived = [event.step for event in told if event.kind == "variation"]
    assert arrived == [int(k) for k in session.sampler.summary.order]
    changed = [np.any(v.scene.translation != before.translation, axis=-1) for v in session.variations]
    assert all(np.flatnonzero(row).tolist() == [4] for row in changed)


def test_taking_one_is_one_undo_step_with_its_picture_at_once(session: EditorSession) -> None:
    session.scene = session.scene.release("chair.layout", strength=0.5)
    before = session.scene
    session.sample_variations(3, "released")
    drawn(session)
    count = len(session.pipe.rendered)
    after = session.take_variation(1)
    assert drawn(session).image is session.variations[1].picture
    assert len(session.pipe.rendered) == count, "it was drawn before"
    assert after.anchors.equals(before.anchors), "what was released stays so"
    assert session.undo_label == "take seed 1" and session.sampler.taken == 1
    assert session.undo() is before
    with pytest.raises(LookupError, match="there are 0 to 2"):
        session.take_variation(3)


def test_an_edit_comes_first_and_the_rest_is_drawn_after_it() -> None:
    session = EditorSession(FakePipeline(step_s=0.02), make_room())
    session.sample_variations(4, "appearance", object_id="bed-0")
    while not session.variations:
        threading.Event().wait(0.005)
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    edited = session.scene
    drawn(session)
    assert all(v.picture is not None for v in session.variations)
    assert session.drawer.shown is edited and not session.image_is_draft
    session.close()


def test_stopping_leaves_the_rest_without_pictures() -> None:
    session = EditorSession(FakePipeline(step_s=0.02), make_room())
    session.sample_variations(6, "appearance", object_id="bed-0")
    while not session.variations:
        threading.Event().wait(0.005)
    session.cancel()
    drawn(session)
    assert any(v.picture is None for v in session.variations)
    session.take_variation(5)
    assert drawn(session).drawer.shown is session.scene, "one without a picture can be taken all the same"
    session.close()


def test_a_variation_that_cannot_be_drawn_is_said_once(session: EditorSession) -> None:
    errors: list[str] = []
    session.observe(lambda event: errors.append(event.message) if event.kind == "error" else None)
    original, calls = session.pipe.render, []

    def breaking(scene, **options):
        calls.append(scene)
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return original(scene, **options)

    session.pipe.render = breaking
    session.sample_variations(2, "appearance", object_id="bed-0")
    drawn(session)
    assert errors == ["out of memory"]
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    drawn(session)
    assert errors == ["out of memory"]
    assert sum(v.picture is not None for v in session.variations) == 1


def test_more_objects_releases_the_empty_slots_alone(session: EditorSession) -> None:
    free = []
    sample = session.pipe.sample
    session.pipe.sample = lambda scene, **options: (free.append(scene), sample(scene, **options))[1]
    session.resample("more objects")
    drawn(session)
    assert np.flatnonzero(free[0].anchors.presence < 1).tolist() == list(range(6, 16))
    assert np.all(free[0].anchors.layout[:6] == 1)
