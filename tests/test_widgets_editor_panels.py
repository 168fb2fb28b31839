"""The parts of the editor beside its picture, without a browser: each tells the session, and shows what it says."""

from __future__ import annotations

import numpy as np
import pytest
from editor_messages import WAIT_S, send

from anchorgen.geometry import floor_basis, opencv_to_three
from anchorgen_widgets import SceneEditor


def _panel(panel, **message) -> None:
    panel._handle_custom_msg(message, [])


def test_all_parts_select_the_same(editor: SceneEditor) -> None:
    panels, controls = editor._panels, editor._controls
    assert controls.remove.disabled and panels.collect.disabled and panels.inspector.subject["id"] == ""
    panels.anchors.selected = "rug-0"
    assert editor.view.overlay.selected == panels.plan.selected == panels.inspector.subject["id"] == "rug-0"
    assert not controls.remove.disabled
    controls.remove.click()
    assert editor.view.overlay.selected == panels.plan.selected == ""
    editor.session.undo()
    assert panels.anchors.selected == editor.view.overlay.selected == "rug-0"


def test_eye_and_sliders_of_the_list_are_undo_steps(editor: SceneEditor) -> None:
    _panel(editor._panels.anchors, type="visible", id="rug-0", visible=False)
    assert editor.session.undo_label == "remove rug-0"
    editor._panels.anchors.selected = "rug-0"  # a removed one can be looked at in the list, but not dragged
    assert editor._controls.error_text == "" and editor.session.selected == ""
    _panel(editor._panels.anchors, type="visible", id="rug-0", visible=True)
    assert editor.scene["rug-0"].present
    _panel(editor._panels.anchors, type="strength", id="bed-0", factor="layout", value=0.4)
    assert editor.session.undo_label == "release bed-0.layout 0.40"
    assert editor.scene.anchors.layout[0] == pytest.approx(0.6)
    assert editor._panels.variations.target.value == "released" and editor._panels.variations.strength.disabled


def test_numbers_and_plan_are_edits(editor: SceneEditor) -> None:
    editor.session.select("bed-0")
    editor._edit_number("bed-0", "width", 1.4)
    assert editor.scene["bed-0"].scale[0] == pytest.approx(1.4)
    before = editor.scene["bed-0"].translation[0]
    editor._move_in_plan("bed-0", 0.25, 0.0)
    assert editor.scene["bed-0"].translation[0] - before == pytest.approx(0.25, abs=1e-5)
    assert editor.to_python().splitlines()[-1] == "scene = scene.move('bed-0', right=0.25)"


def test_resample_uses_another_seed_each_time(editor: SceneEditor) -> None:
    asked = editor._panels.variations
    asked.resample.click()
    assert "nothing is selected" in editor._controls.error_text
    assert asked.seed.value == 0
    editor.session.select("bed-0")
    scenes = []
    for _ in range(2):
        asked.resample.click()
        assert editor.session.worker.wait_until_idle(WAIT_S)
        scenes.append(editor.scene)
    assert asked.seed.value == 2
    assert not np.array_equal(scenes[0].appearance, scenes[1].appearance)


def test_a_variation_is_looked_at_and_taken(editor: SceneEditor) -> None:
    asked, gallery = editor._panels.variations, editor._panels.variations.gallery
    editor.session.select("bed-0")
    asked.count.value = 3
    asked.choose.click()
    assert editor.session.worker.wait_until_idle(WAIT_S)
    assert len(gallery.items) == len(gallery.thumbnails) == 3 and editor.session.undo_label == ""
    shown = editor.view.picture
    editor._preview_variation(2)
    assert editor.view.picture is editor.session.variations[2].picture
    assert editor.view.scene is editor.session.variations[2].scene and editor.session.selected == "bed-0"
    editor._preview_variation(None)
    assert editor.view.picture is shown and editor.view.scene is editor.scene
    gallery.take(2)
    assert editor.session.undo_label == "take seed 2" and gallery.taken == 2


def test_what_is_collected_can_be_dropped_and_inserted(editor: SceneEditor) -> None:
    editor._panels.collect_all.click()
    assert len(editor.library) == 6
    key = next(item.key for item in editor.library if item.obj.label == "chair")
    floor = (np.array([1.5, float(editor.scene.floor), 3.0]) @ floor_basis(editor.scene.up)).astype(float)
    direction = opencv_to_three(floor / np.linalg.norm(floor)).tolist()
    send(editor, {"type": "drop", "key": key, "origin": [0, 0, 0], "direction": direction})
    assert editor.session.undo_label == "insert chair" and editor.session.selected not in ("", "chair-0")
    at = floor_basis(editor.scene.up) @ editor.scene[editor.session.selected].translation
    assert at[0] == pytest.approx(1.5, abs=1e-3) and at[2] == pytest.approx(3.0, abs=1e-3)
    send(editor, {"type": "drop", "key": "sofa", "origin": [0, 0, 0], "direction": direction})
    assert "sofa" in editor._controls.error_text


def test_comparing_and_looking_around(editor: SceneEditor) -> None:
    controls = editor._controls
    editor.scene = editor.scene.remove("wardrobe")
    editor.wait(WAIT_S)
    controls.compare.value = True
    assert editor._body.children[0] is editor._compare
    controls.compare.value = False
    assert editor._body.children[0] is editor.view
    controls.orbit.value = True
    assert editor.view.overlay.orbit != [0, 0, 1]
    editor.view.overlay.orbit = [0, 0, 1]
    assert not controls.orbit.value


def test_steps_have_pictures_and_can_be_jumped_to(editor: SceneEditor) -> None:
    for name in ("rug", "chair"):
        editor.scene = editor.scene.remove(name)
        editor.wait(WAIT_S)
    assert [step["label"] for step in editor._strip.steps] == ["start", "set in code", "set in code"]
    assert len(editor._strip.thumbnails) == 3 and editor._strip.current == 2
    editor._strip.jump(0)
    assert editor.scene.num_objects == 6 and editor._strip.current == 0


def test_saving_says_where(editor: SceneEditor, tmp_path) -> None:
    exports = editor._panels.exports
    exports.name.value = str(tmp_path / "room")
    for button in (exports.picture, exports.scene, exports.page):
        button.click()
    assert {path.name for path in tmp_path.iterdir()} == {"room.png", "room.safetensors", "room.html"}
    assert "room.html" in exports.saved.value
    exports.name.value = ""
    exports.scene.click()
    assert "no name" in editor._controls.error_text


def test_what_collides_is_marked(editor: SceneEditor) -> None:
    assert not any(box["problem"] for box in editor.view.overlay.boxes)
    editor.scene = editor.scene.move("chair", to=tuple(editor.scene["wardrobe"].translation))
    marked = {box["id"] for box in editor.view.overlay.boxes if box["problem"]}
    assert {"chair-0", "wardrobe-0"} <= marked
    assert {"chair-0", "wardrobe-0"} <= editor._panels.plan.problems
    assert "chair-0" in editor._controls._problems.value
    editor.view.overlay.webgl = True
    assert {"chair-0", "wardrobe-0"} <= {box["id"] for box in editor.view.overlay.boxes if box["problem"]}
    editor.session.undo()
    assert editor._controls._problems.layout.display == "none"
