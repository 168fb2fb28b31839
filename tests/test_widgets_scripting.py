"""What was done in an editor runs again as the code that it shows."""

from __future__ import annotations

import numpy as np
import pytest
from fake_pipeline import FakePipeline, drawn, make_room
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.scripting import step_code
from anchorgen_widgets.session import EditorSession

ITEMS = (
    "move",
    "rotate",
    "paint",
    "insert",
    "release",
    "remove",
    "duplicate",
    "undo",
    "redo",
    "jump",
    "sample",
    "take",
)


def _run(code: str, scene: SceneLatent) -> SceneLatent:
    names = {"scene": scene, "pipe": FakePipeline()}
    exec(code, names)
    return names["scene"]


def _do(session: EditorSession, item: str, number: int) -> None:
    scene = session.scene
    name = scene.objects[number % scene.num_objects].id
    if item in ("undo", "redo"):
        getattr(session, item)()
    elif item == "jump":
        session.jump(number % len(session.steps.states))
    elif item == "sample":
        session.resample("both", strength=0.5, seed=number, object_id=name)
        drawn(session)
    elif item == "several":
        session.sample_variations(3, "appearance", strength=0.5, seed=number, object_id=name)
        drawn(session)
    elif item == "take":
        session.take_variation(number % 3)
    elif item in ("remove", "duplicate"):
        getattr(session, item)(name)
    else:
        other = make_room().objects[number % 6]
        verbs = {
            "move": lambda s: s.move(name, right=0.01 * number).move(name, up=0.1),
            "rotate": lambda s: s.rotate(name, yaw=number),
            "paint": lambda s: s.paint(name, other),
            "insert": lambda s: s.insert(other, {"right": 0.1, "forward": 3}),
            "release": lambda s: s.release(f"{name}.layout", strength=0.25),
        }
        session.edit(item, verbs[item])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(0, 40)), max_size=12))
def test_the_code_of_any_program_makes_its_scene(program) -> None:
    session = EditorSession(FakePipeline(), make_room(), draws_drafts=False)
    for item, number in program:
        try:
            _do(session, item, number)
        except (ValueError, LookupError):
            continue
    assert _run(session.to_python(), make_room()).equals(session.scene)
    session.close()


def test_code_imports_once_what_it_needs_and_only_then(session: EditorSession) -> None:
    assert session.to_python() == ""
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    assert session.to_python() == "scene = scene.move('bed', right=0.1)\n"
    for _ in range(2):
        session.edit("paint", lambda scene: scene.paint("bed", make_room()["chair"]))
    assert session.to_python().count("import") == 1
    assert session.to_python().startswith("from anchorgen.scene import decode_argument\n")


def test_a_scene_from_elsewhere_is_a_remark_and_what_follows_is_code(session: EditorSession) -> None:
    session.scene = make_room().remove("rug").replace()
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    lines = session.to_python().splitlines()
    assert lines[0].startswith("# set in code:") and lines[1] == "scene = scene.move('bed', right=0.1)"


def test_verbs_of_a_scene_set_in_code_are_its_code(session: EditorSession) -> None:
    session.scene = session.scene.remove("rug").rotate("chair", yaw=10)
    assert session.to_python() == "scene = scene.remove('rug')\nscene = scene.rotate('chair', yaw=10)\n"


def test_a_step_between_unrelated_scenes_is_no_code() -> None:
    one, other = make_room(), make_room()
    assert step_code(one, other, "x").startswith("# x:")
    assert step_code(one, one, "x") == ""


def test_a_variation_taken_after_an_edit_is_still_the_one_that_was_sampled(session: EditorSession) -> None:
    session.edit("nudge", lambda scene: scene.move("chair", right=0.1))
    session.sample_variations(3, "appearance", strength=0.5, object_id="bed-0")
    drawn(session)
    session.edit("nudge", lambda scene: scene.move("bed", right=0.1))
    for index in (0, 1):
        session.take_variation(index)
        assert _run(session.to_python(), make_room()).equals(session.scene)
    assert session.to_python().startswith("start = scene\n")


def test_the_k_th_variation_is_the_sample_of_its_own_seed(session: EditorSession) -> None:
    session.sample_variations(3, "appearance", seed=5, object_id="bed-0")
    third = drawn(session).variations[2]
    alone = FakePipeline().sample(session.scene.anchor("everything").release("bed-0.appearance"), seed=7)[0]
    assert np.array_equal(third.scene.appearance, alone.appearance)
    with pytest.raises(ValueError, match="1 to 64"):
        session.sample_variations(0, "appearance", object_id="bed-0")
