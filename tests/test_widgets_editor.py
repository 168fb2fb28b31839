"""The editor's widgets without a browser: what the front end would send goes in, what it would show comes out."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import ipywidgets
import numpy as np
import pytest
from fake_pipeline import FakePipeline, make_room
from ipywidgets.widgets.widget import _instances
from PIL import Image

from anchorgen.geometry import box_corners, floor_basis, opencv_to_three, project, quat_opencv_to_three_xyzw
from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets import SceneEditor
from anchorgen_widgets.overlay import SceneOverlay

WAIT_S = 20.0


@pytest.fixture
def editor() -> Iterator[SceneEditor]:
    editor = SceneEditor(FakePipeline(), make_room())
    assert editor.session.worker.wait_until_idle(WAIT_S)
    yield editor
    editor.close()


def _message(scene: SceneLatent, name: str, right: float, kind: str = "move", **more: str) -> dict:
    view = scene[name]
    offset = np.array([right, 0.0, 0.0]) @ floor_basis(scene.up)
    return {
        "id": name,
        "kind": kind,
        "gesture": "g1",
        "t": opencv_to_three(view.translation + offset).tolist(),
        "q": quat_opencv_to_three_xyzw(view.quat_wxyz).tolist(),
        "s": view.scale.tolist(),
        **more,
    }


def _send(editor: SceneEditor, message: dict) -> None:
    editor.view.overlay._handle_custom_msg(message, [])
    assert editor.session.worker.wait_until_idle(WAIT_S)


def _panel(panel, **message) -> None:
    panel._handle_custom_msg(message, [])


def test_a_commit_of_the_front_end_edits_the_scene_and_brings_a_picture(editor: SceneEditor) -> None:
    picture, settled = editor.view._image.value, editor.view.overlay.settled
    _send(editor, _message(editor.scene, "bed-0", 0.3, type="commit"))
    assert editor.scene.to_python() == "scene = scene.move('bed-0', right=0.3)\n"
    assert editor.view._image.value != picture
    assert editor.view.overlay.settled > settled
    box = next(box for box in editor.view.overlay.boxes if box["id"] == "bed-0")
    assert box["t"] == pytest.approx(opencv_to_three(editor.scene["bed-0"].translation).tolist())


def test_a_refused_commit_is_explained_and_the_box_goes_back(editor: SceneEditor) -> None:
    before, settled = editor.scene, editor.view.overlay.settled
    _send(editor, {**_message(before, "bed-0", 0.0, type="commit"), "t": [0.0, 0.0, 5.0]})
    assert editor.scene is before
    assert "in front of the camera" in editor._controls.error_text
    assert editor.view.overlay.settled > settled
    _send(editor, _message(before, "bed-0", 0.1, type="commit"))
    assert editor._controls.error_text == ""


def test_errors_of_the_renderer_are_shown_as_text_not_markup(editor: SceneEditor) -> None:
    editor.session.pipe.fails = True
    _send(editor, _message(editor.scene, "bed-0", 0.3, type="commit"))
    assert "the decoder &lt;broke&gt;" in editor._controls.error_text
    editor._controls.dismiss.click()
    assert editor._controls.error_text == ""


def test_live_poses_draw_drafts_until_their_gesture_has_ended(editor: SceneEditor) -> None:
    drawn = len(editor.session.pipe.rendered)
    editor.view.overlay.live = _message(editor.scene, "bed-0", 0.2)
    assert editor.session.worker.wait_until_idle(WAIT_S)
    assert [draft for *_, draft in editor.session.pipe.rendered[drawn:]] == [True]
    _send(editor, _message(editor.scene, "bed-0", 0.3, type="commit"))
    drawn = len(editor.session.pipe.rendered)
    editor.view.overlay.live = _message(editor.scene, "bed-0", 0.9)
    assert editor.session.worker.wait_until_idle(WAIT_S)
    assert len(editor.session.pipe.rendered) == drawn, "a late live pose drew over its own commit"


def test_keys_become_commands(editor: SceneEditor) -> None:
    editor.view.overlay.selected = "chair-0"
    assert editor.session.selected == "chair-0"
    for name, at, undo in (
        ("duplicate", "chair-0", "duplicate chair-0"),
        ("remove", "bed-0", "remove bed-0"),  # the kernel has not heard yet that the bed was clicked
        ("remove", "bed-0", "remove bed-0"),  # pressed again before the page knew: not an error
        ("undo", "bed-0", "duplicate chair-0"),
    ):
        _send(editor, {"type": "command", "name": name, "id": at})
        assert editor.session.undo_label == undo and editor._controls.error_text == ""


def test_a_click_on_what_has_just_gone_selects_nothing(editor: SceneEditor) -> None:
    overlay = editor.view.overlay
    overlay.selected = "chair-0"
    _send(editor, {"type": "command", "name": "remove", "id": "bed-0"})
    overlay.selected = "bed-0"
    assert overlay.selected == editor.session.selected == "" and editor._controls.error_text == ""


def test_boxes_say_which_gestures_they_answer(editor: SceneEditor) -> None:
    overlay, before = editor.view.overlay, editor.scene
    _send(editor, _message(before, "bed-0", 0.3, type="commit", gesture="moved"))
    _send(editor, _message(before, "bed-0", 0.3, type="commit", gesture="moved nothing"))
    _send(editor, {**_message(before, "bed-0", 0.0, type="commit", gesture="refused"), "t": [0.0, 0.0, 5.0]})
    _send(editor, _message(before, "bed-0", 0.3, type="cancel", gesture="given up"))
    assert overlay.answered == ["moved", "moved nothing", "refused", "given up"]
    drawn = len(editor.session.pipe.rendered)
    overlay.live = _message(editor.scene, "bed-0", 0.5, gesture="moved")
    assert editor.session.worker.wait_until_idle(WAIT_S)
    assert len(editor.session.pipe.rendered) == drawn, "a late pose of an older gesture was drawn"


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
    editor._preview_variation(None)
    assert editor.view.picture is shown
    gallery.take(2)
    assert editor.session.undo_label == "take variation 3" and gallery.taken == 2


def test_what_is_collected_can_be_dropped_and_inserted(editor: SceneEditor) -> None:
    editor._panels.collect_all.click()
    assert len(editor.library) == 6
    key = next(item.key for item in editor.library if item.obj.label == "chair")
    floor = (np.array([1.0, float(editor.scene.floor), 4.0]) @ floor_basis(editor.scene.up)).astype(float)
    direction = opencv_to_three(floor / np.linalg.norm(floor)).tolist()
    _send(editor, {"type": "drop", "key": key, "origin": [0, 0, 0], "direction": direction})
    assert editor.session.undo_label == "insert chair" and editor.session.selected not in ("", "chair-0")
    at = floor_basis(editor.scene.up) @ editor.scene[editor.session.selected].translation
    assert at[0] == pytest.approx(1.0, abs=1e-3) and at[2] == pytest.approx(4.0, abs=1e-3)
    _send(editor, {"type": "drop", "key": "sofa", "origin": [0, 0, 0], "direction": direction})
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


def test_two_editors_of_one_session_agree_and_outlive_one_another(editor: SceneEditor) -> None:
    other = SceneEditor(editor.session)
    _send(other, _message(other.scene, "bed-0", 0.3, type="commit"))
    assert editor.scene is other.scene
    assert editor.view.overlay.boxes == other.view.overlay.boxes
    editor.session.select("chair-0")
    assert other.view.overlay.selected == "chair-0"
    other.close()
    editor.scene = editor.scene.remove("rug")
    assert editor.wait(WAIT_S).image is not None
    with pytest.raises(TypeError, match=r"SceneEditor\(session\)"):
        SceneEditor(editor.session, editor.scene)


def test_what_collides_is_marked(editor: SceneEditor) -> None:
    assert not any(box["problem"] for box in editor.view.overlay.boxes)
    editor.scene = editor.scene.move("chair", to=tuple(editor.scene["wardrobe"].translation))
    marked = {box["id"] for box in editor.view.overlay.boxes if box["problem"]}
    assert {"chair-0", "wardrobe-0"} <= marked
    assert {"chair-0", "wardrobe-0"} <= editor._panels.plan.problems
    assert "chair-0" in editor._controls._problems.value
    editor.session.undo()
    assert editor._controls._problems.layout.display == "none"


def test_a_scene_set_in_code_is_one_undo_step_and_shows(editor: SceneEditor) -> None:
    editor.scene = editor.scene.remove("chair")
    assert [box["id"] for box in editor.view.overlay.boxes].count("chair-0") == 0
    assert not editor._controls.undo.disabled
    editor._controls.undo.click()
    assert any(box["id"] == "chair-0" for box in editor.view.overlay.boxes)


def test_boxes_on_the_page_lie_on_the_objects_of_the_picture(editor: SceneEditor) -> None:
    overlay = editor.view.overlay
    scene, (fx, fy), (width, height) = editor.scene, overlay.focal, overlay.size_px
    for box, view in zip(overlay.boxes, scene.objects, strict=True):
        x, y, z = box["t"]
        pixel = np.array([fx * width * x / -z + width / 2, -fy * height * y / -z + height / 2])
        assert pixel == pytest.approx(project(view.translation, scene.focal) * [width, height], abs=1e-3)
    right, up, forward = (np.array(row) for row in overlay.floor_basis)
    assert up == pytest.approx(opencv_to_three(scene.up), abs=1e-6)
    assert forward[2] < 0 < right[0]


def test_webgl_swaps_the_drawn_edges_for_the_3d_view(editor: SceneEditor) -> None:
    view = editor.view
    assert view.overlay.draws_edges and len(view.children) == 2 and view.overlay.mirror == {}
    view.overlay.webgl = True
    assert not view.overlay.draws_edges and len(view.children) == 3
    assert set(view.overlay.mirror) == {"/camera", "/root", *(obj.id for obj in editor.scene.objects)}
    editor.session.remove("chair-0")
    assert "chair-0" not in view.overlay.mirror


def test_the_3d_camera_sees_what_the_scene_s_camera_does(editor: SceneEditor) -> None:
    editor.scene = editor.scene.with_focal(0.8, 1.2)
    camera = editor.view._boxes3d._camera
    assert np.tan(np.radians(camera.fov) / 2) == pytest.approx(1 / (2 * 1.2))
    assert camera.aspect == pytest.approx(1.2 / 0.8)


def test_pictures_are_small_webp_at_the_size_of_the_page(editor: SceneEditor) -> None:
    encoded = editor.view._image.value
    picture = Image.open(io.BytesIO(encoded))
    assert picture.format == "WEBP" and picture.size == (512, 512)
    assert len(encoded) < 60_000


def test_a_snapshot_draws_the_boxes_over_the_picture(editor: SceneEditor) -> None:
    snapshot = editor.snapshot()
    assert snapshot.size == (512, 512)
    view = editor.scene["wardrobe-0"]
    corner = project(box_corners(view.translation, view.quat_wxyz, view.scale)[4], editor.scene.focal) * 512
    plain = editor.image.resize((512, 512), Image.Resampling.LANCZOS)
    at = tuple(int(value) for value in corner)
    assert np.abs(np.subtract(snapshot.getpixel(at), plain.getpixel(at))).max() > 20


def test_waiting_ends_with_the_picture_of_the_present_scene(editor: SceneEditor) -> None:
    before = np.asarray(editor.image)
    editor.scene = editor.scene.remove("wardrobe")
    assert editor.wait(WAIT_S) is editor
    assert not editor.session.image_is_draft
    assert not np.array_equal(np.asarray(editor.image), before)
    editor.session.pipe.step_s = 1.0
    editor.scene = editor.scene.remove("chair")
    with pytest.raises(TimeoutError, match="wait longer"):
        editor.wait(0.05)
    editor.wait(WAIT_S).session.pipe.fails = True
    editor.scene = editor.scene.remove("rug")
    with pytest.raises(RuntimeError, match="broke"):
        editor.wait(WAIT_S)
    editor.session.undo()  # back to a picture that is kept: what failed is no longer what is shown
    editor.wait(WAIT_S)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_size_that_fits_no_page_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="expected 192 to 1600 px"):
        SceneEditor(FakePipeline(), make_room(), size=size)


def test_a_closed_editor_keeps_its_scene_and_leaves_no_widgets() -> None:
    def open_widgets() -> set[str]:
        plain = (ipywidgets.Layout, ipywidgets.Style)  # ipywidgets itself never closes those
        return {key for key, widget in _instances.items() if not isinstance(widget, plain)}

    before = open_widgets()
    editor = SceneEditor(FakePipeline(), make_room())
    assert editor.session.worker.wait_until_idle(WAIT_S)
    editor.scene = editor.scene.remove("chair")
    editor.close()
    editor.close()
    assert editor.scene.num_objects == 5 and editor.image is not None
    assert open_widgets() == before


def test_the_front_end_is_one_module_that_asks_no_network() -> None:
    module = str(SceneOverlay._esm)
    assert module.count("export default") == 1
    assert not re.search(r"^\s*import\s", module, re.MULTILINE)
    assert set(re.findall(r"https?://[^\s\"'`]+", module)) == {"http://www.w3.org/2000/svg"}
