"""Steps: jumping among them, what is selected on the way, anchors that draw nothing, two editors of one session."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from fake_pipeline import FakePipeline, drawn, make_room

from anchorgen_widgets.picture_cache import PictureCache, latent_digest
from anchorgen_widgets.session import EditorSession
from anchorgen_widgets.undo_stack import MAX_UNDO_STEPS, EditState, UndoStack


def test_a_jump_is_exact_and_keeps_what_can_be_redone(session: EditorSession) -> None:
    scenes = [session.scene]
    for _ in range(5):
        scenes.append(session.edit("nudge", lambda scene: scene.move("bed", right=0.1)))
    for index in (2, 5, 0, 4, 4):
        assert session.jump(index) is scenes[index]
        assert session.steps.at == index and len(session.steps.states) == 6
    with pytest.raises(LookupError, match="there are 0"):
        session.jump(6)
    session.remove("rug-0")
    assert len(session.steps.states) == 6 and session.redo_label == ""


def test_undo_of_a_removal_selects_what_comes_back(session: EditorSession) -> None:
    session.select("chair-0")
    session.remove()
    assert session.selected == ""
    session.undo()
    assert session.selected == "chair-0"
    session.redo()
    assert session.selected == ""


def test_anchors_are_steps_that_draw_nothing(session: EditorSession) -> None:
    session.render()
    picture, count = drawn(session).image, len(session.pipe.rendered)
    session.set_strength(["bed-0.layout"], 0.4)
    assert session.scene.anchors.layout[0] == pytest.approx(0.6)
    assert session.undo_label == "release bed-0.layout 0.40"
    session.set_strength("background", 1.0)
    session.set_strength("everything", 0.0)
    assert session.scene.anchors.equals(make_room().anchors)
    assert drawn(session).image is picture and len(session.pipe.rendered) == count


def test_steps_left_before_their_picture_get_it_when_nothing_else_is_drawn() -> None:
    session = EditorSession(FakePipeline(step_s=0.01), make_room())
    told = []
    session.observe(lambda event: told.append(event.step) if event.kind == "step" else None)
    for _ in range(4):
        session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    drawn(session)
    assert all(session.picture_of(state.scene) is not None for state in session.steps.states)
    assert told == [0, 1, 2, 3] and session.drawer.shown is session.scene
    session.pipe.fails = True
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    drawn(session)
    session.pipe.fails = False
    session.undo()
    assert drawn(session).worker.last_error is None, "a thumbnail is no reason to complain"
    session.close()


def test_every_picture_stays_faithful_to_the_one_that_was_given() -> None:
    source = SimpleNamespace(scene=make_room())
    session = EditorSession(FakePipeline(), make_room(), keep=source)
    session.render()
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    session.sample_variations(2, "appearance", object_id="bed-0")
    drawn(session)
    assert len(session.pipe.kept) >= 4 and all(keep is source for keep in session.pipe.kept)
    session.close()
    with pytest.raises(TypeError, match=r"pipe.source\(image, scene\)"):
        EditorSession(FakePipeline(), make_room(), keep="picture.png")


def test_the_oldest_steps_are_dropped() -> None:
    stack = UndoStack(EditState(make_room(), "start"))
    for number in range(MAX_UNDO_STEPS + 20):
        stack.push(EditState(make_room(), str(number)))
    assert len(stack.states) == MAX_UNDO_STEPS + 1 and stack.states[0].label == "19"
    assert len({state.key for state in stack.states}) == len(stack.states)
    room = make_room()
    stack = UndoStack(EditState(room, "start"))
    for _ in range(MAX_UNDO_STEPS + 20):
        room = room.move("bed", right=0.001)
        stack.push(EditState(room, "nudge"))
    oldest, held = stack.states[0].scene, 0
    assert oldest.previous is None and oldest.undo().equals(oldest.undo()), "what it came from is made again"
    while room.previous is not None:
        room, held = room.previous, held + 1
    assert held == MAX_UNDO_STEPS


def test_the_code_of_more_steps_than_are_kept_still_begins_at_the_start(session: EditorSession) -> None:
    start = session.scene
    for number in range(MAX_UNDO_STEPS + 5):
        session.edit("nudge", lambda scene, step=0.001 * (number + 1): scene.move("bed", right=step))
    session.undo()
    values = {"scene": start}
    exec(session.to_python(), values)
    assert values["scene"].equals(session.scene)
    assert len(session.to_python().splitlines()) == MAX_UNDO_STEPS + 4


def test_closing_while_a_picture_is_drawn_ends_quietly(monkeypatch) -> None:
    failures = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    session = EditorSession(FakePipeline(step_s=0.05), make_room())
    session.render()
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))  # the start is left without its picture
    session.worker.end()
    assert not failures, "the render thread asked a closed worker for the next picture"


def test_pictures_are_found_by_what_they_show() -> None:
    cache, room = PictureCache(capacity=2), make_room()
    picture = FakePipeline().render(room)
    cache.put(room, 0, picture)
    assert cache.get(room.release("bed").replace(), 0) is picture, "anchors do not show"
    assert cache.get(room, 1) is None and cache.get(room.move("bed", right=1e-4), 0) is None
    for number in range(2):
        cache.put(room.move("bed", right=number + 1), 0, picture)
    assert cache.get(room, 0) is None


def test_a_digest_sees_every_array() -> None:
    room = make_room()
    for name in ("translation", "scale", "appearance", "focal", "background"):
        array = getattr(room, name).copy()
        array.flat[0] = np.nextafter(array.flat[0], np.float32(9))
        assert latent_digest(room.replace(**{name: array})) != latent_digest(room), name
    assert latent_digest(room.remove("bed")) != latent_digest(room)
