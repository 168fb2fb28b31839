"""Scenes as JSON: exact, readable, and refused like files where something is wrong."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from damaged_files import EDITED, ROOM
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES, make_scene, run_program, scenes, verbs

from anchorgen.scene import SceneFileError, SceneLatent
from anchorgen.scene.latent import LATENT_ARRAYS

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)


@examples
@given(scenes(), st.lists(verbs(), max_size=8))
def test_json_is_exact(scene, program):
    end = run_program(scene, program)
    value = end.to_json()
    loaded = SceneLatent.from_json(json.dumps(value, allow_nan=False))
    assert loaded.equals(end)
    for name in LATENT_ARRAYS:
        assert getattr(loaded, name).tobytes() == getattr(end, name).tobytes()
    assert loaded.history == end.history
    assert loaded.to_json() == value
    assert SceneLatent.from_json(value).equals(end)
    if end.history:
        assert loaded.origin.equals(scene)
        assert loaded.undo().equals(end.undo())


@examples
@given(st.lists(st.floats(-9e3, 9e3, width=32), min_size=3, max_size=3), st.floats(2**-16, 2**13, width=32))
def test_every_float32_survives(translation, focal):
    moved = ROOM.translation.copy()
    moved[4] = translation  # an empty slot: it may hold anything
    scene = ROOM.replace(translation=moved, focal=np.array([focal, 1.0]))
    loaded = SceneLatent.from_json(json.dumps(scene.to_json()))
    assert loaded.translation.tobytes() == scene.translation.tobytes()
    assert loaded.focal.tobytes() == scene.focal.tobytes()


def test_numbers_are_for_people():
    value = EDITED.to_json()
    bed = value["slots"][0]
    assert (bed["id"], bed["label"], bed["presence"]) == ("bed-1", "bed", True)
    assert bed["scale"] == [1.6, 2.0, 0.9]
    assert bed["anchors"] == {"layout": 0.7, "appearance": 1.0, "presence": 1.0}
    assert value["focal"] == [0.9, 0.9]
    assert value["floor"] == -1.5
    assert [step["verb"] for step in value["history"]] == ["move", "insert", "remove", "release"]
    assert set(value["origin"]) == {"slots", "appearance"}


def test_a_scene_written_by_hand_is_read():
    value = copy.deepcopy(ROOM.to_json())
    value["slots"][0]["translation"] = [0, 1, 3]
    value["anchors"]["focal"] = 0
    scene = SceneLatent.from_json(value)
    assert scene["bed-1"].translation.tolist() == [0, 1, 3]
    assert scene.anchors.focal == 0
    assert scene.history == ()


def changed(*path, to) -> dict:
    value = copy.deepcopy(EDITED.to_json())
    part = value
    for key in path[:-1]:
        part = part[key]
    if to is None:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (changed("format_version", to=2), "update it"),
        (changed("format_version", to=0), "format_version is 0"),
        (changed("format_version", to="1"), "whole number"),
        (changed("format_version", to=True), "whole number"),
        (changed("format_version", to=None), "no format_version"),
        (changed("kind", to="library"), "kind 'library'"),
        (changed("slots", to=[]), "1 to 256 slots"),
        (changed("slots", to=[{}] * 257), "1 to 256 slots"),
        (changed("slots", to="abc"), "not a scene"),
        (changed("slots", 0, "translation", to=[0, 1]), "3 numbers"),
        (changed("slots", 0, "translation", to=[0, 1, "3"]), "3 numbers"),
        (changed("slots", 0, "translation", to=[0, 1, True]), "3 numbers"),
        (changed("slots", 0, "translation", to=[0, 1, 1e300]), "finite"),
        (changed("slots", 0, "translation", to=[0, 1, 10**400]), "not a scene"),
        (changed("slots", 0, "translation", to=[0, 1, float("nan")]), "finite"),
        (changed("slots", 0, "translation", to=[0, 1, 0]), "z >= 0.05 m"),
        (changed("slots", 0, "translation", to=None), "translation"),
        (changed("slots", 0, "presence", to=1), "true or false"),
        (changed("slots", 0, "label", to=3), "strings"),
        (changed("slots", 0, "id", to="table-lamp-1"), "unique"),
        (changed("slots", 0, "anchors", "layout", to=2), r"\[0, 1\]"),
        (changed("anchors", "focal", to=[1]), "a number"),
        (changed("floor", to="low"), "a number"),
        (changed("latent_space", to=1), "strings"),
        (changed("appearance", "shape", to=[6, 2]), "not a scene"),
        (changed("appearance", "float32", to="AAAA"), "not a scene"),
        (changed("appearance", to=[1.0]), "not a scene"),
        (changed("history", 0, "verb", to="explode"), "unknown verb"),
        (changed("history", 0, "arguments", to={"x": 1}), "does not fit"),
        (changed("history", 0, "arguments", "right", to=float("inf")), "not a scene"),
        (changed("history", to=5), "not a scene"),
        (changed("origin", to=None), "origin"),
        ([], "no format_version"),
        ("null", "no format_version"),
        ("{", "not a scene"),
        (b"\xff\xfe\x00", "not a scene"),
        ('{"format_version": ' + "9" * 5000 + "}", "not a scene"),
    ],
)
def test_wrong_contents_say_what(value, message):
    with pytest.raises(SceneFileError, match=message):
        SceneLatent.from_json(value if isinstance(value, (dict, str, bytes)) else json.dumps(value))


def test_too_many_slots():
    with pytest.raises(SceneFileError, match="257 slots; expected 1 to 256"):
        make_scene(1, num_slots=257, num_tokens=1, num_channels=1).to_json()
