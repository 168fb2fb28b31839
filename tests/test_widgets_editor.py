"""The editor's widgets without a browser: what the front end would send goes in, what it would show comes out."""

from __future__ import annotations

import io
import re

import ipywidgets
import numpy as np
import pytest
from editor_messages import WAIT_S, message, send
from fake_pipeline import FakePipeline, make_room
from ipywidgets.widgets.widget import _instances
from PIL import Image

from anchorgen.geometry import box_corners, opencv_to_three, project
from anchorgen_widgets import SceneEditor
from anchorgen_widgets.overlay import SceneOverlay


def test_a_commit_of_the_front_end_edits_the_scene_and_brings_a_picture(editor: SceneEditor) -> None:
    picture, settled = editor.view._image.value, editor.view.overlay.settled
    send(editor, message(editor.scene, "bed-0", 0.3, type="commit"))
    assert editor.scene.to_python() == "scene = scene.move('bed-0', right=0.3)\n"
    assert editor.view._image.value != picture
    assert editor.view.overlay.settled > settled
    box = next(box for box in editor.view.overlay.boxes if box["id"] == "bed-0")
    assert box["t"] == pytest.approx(opencv_to_three(editor.scene["bed-0"].translation).tolist())


def test_a_refused_commit_is_explained_and_the_box_goes_back(editor: SceneEditor) -> None:
    before, settled = editor.scene, editor.view.overlay.settled
    send(editor, {**message(before, "bed-0", 0.0, type="commit"), "t": [0.0, 0.0, 5.0]})
    assert editor.scene is before
    assert "in front of the camera" in editor._controls.error_text
    assert editor.view.overlay.settled > settled
    send(editor, message(before, "bed-0", 0.1, type="commit"))
    assert editor._controls.error_text == ""


def test_errors_of_the_renderer_are_shown_as_text_not_markup(editor: SceneEditor) -> None:
    editor.session.pipe.fails = True
    send(editor, message(editor.scene, "bed-0", 0.3, type="commit"))
    assert "the decoder &lt;broke&gt;" in editor._controls.error_text
    editor._controls.dismiss.click()
    assert editor._controls.error_text == ""


def test_live_poses_draw_drafts_until_their_gesture_has_ended(editor: SceneEditor) -> None:
    drawn = len(editor.session.pipe.rendered)
    editor.view.overlay.live = message(editor.scene, "bed-0", 0.2)
    assert editor.session.worker.wait_until_idle(WAIT_S)
    assert [draft for *_, draft in editor.session.pipe.rendered[drawn:]] == [True]
    send(editor, message(editor.scene, "bed-0", 0.3, type="commit"))
    drawn = len(editor.session.pipe.rendered)
    editor.view.overlay.live = message(editor.scene, "bed-0", 0.9)
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
        send(editor, {"type": "command", "name": name, "id": at})
        assert editor.session.undo_label == undo and editor._controls.error_text == ""


def test_a_click_on_what_has_just_gone_selects_nothing(editor: SceneEditor) -> None:
    overlay = editor.view.overlay
    overlay.selected = "chair-0"
    send(editor, {"type": "command", "name": "remove", "id": "bed-0"})
    overlay.selected = "bed-0"
    assert overlay.selected == editor.session.selected == "" and editor._controls.error_text == ""


def test_boxes_say_which_gestures_they_answer(editor: SceneEditor) -> None:
    overlay, before = editor.view.overlay, editor.scene
    send(editor, message(before, "bed-0", 0.3, type="commit", gesture="moved"))
    send(editor, message(before, "bed-0", 0.3, type="commit", gesture="moved nothing"))
    send(editor, {**message(before, "bed-0", 0.0, type="commit", gesture="refused"), "t": [0.0, 0.0, 5.0]})
    send(editor, message(before, "bed-0", 0.3, type="cancel", gesture="given up"))
    assert overlay.answered == ["moved", "moved nothing", "refused", "given up"]
    drawn = len(editor.session.pipe.rendered)
    overlay.live = message(editor.scene, "bed-0", 0.5, gesture="moved")
    assert editor.session.worker.wait_until_idle(WAIT_S)
    assert len(editor.session.pipe.rendered) == drawn, "a late pose of an older gesture was drawn"


def test_two_editors_of_one_session_agree_and_outlive_one_another(editor: SceneEditor) -> None:
    other = SceneEditor(editor.session)
    send(other, message(other.scene, "bed-0", 0.3, type="commit"))
    assert editor.scene is other.scene
    assert editor.view.overlay.boxes == other.view.overlay.boxes
    editor.session.select("chair-0")
    assert other.view.overlay.selected == "chair-0"
    other.close()
    editor.scene = editor.scene.remove("rug")
    assert editor.wait(WAIT_S).image is not None
    for given in ({"scene": editor.scene}, {"keep": object()}, {"seed": 7}):
        with pytest.raises(TypeError, match=r"SceneEditor\(session\)"):
            SceneEditor(editor.session, **given)


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
