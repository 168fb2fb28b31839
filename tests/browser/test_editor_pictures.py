"""Pictures of the editor: before and after, steps, variations, stopping, and that no old one comes after a new one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from editor_page import EditorPage
from fake_pipeline import draw_flat, make_room
from notebook_page import take_screenshot

from anchorgen import SceneLatent

pytestmark = pytest.mark.browser

SLOW_CELL, FAST_CELL = 4, 5  # of conftest


@pytest.fixture
def editor(editor_page: EditorPage) -> EditorPage:
    """The editor with the scene at the start."""
    editor_page.start_over()
    return editor_page


@pytest.fixture
def slow(editor: EditorPage) -> Iterator[EditorPage]:
    """The same with pictures that take the better part of a second."""
    editor.run_cell(SLOW_CELL)
    editor.overlay.scroll_into_view_if_needed()
    editor.overlay.focus()
    yield editor
    editor.run_cell(FAST_CELL)
    editor.page.get_by_role("button", name="Render").click()
    editor.quiet()


def _difference(editor: EditorPage, scene: SceneLatent) -> float:
    """Share of the page's picture that is not as the scene's."""
    shown = np.asarray(editor.picture(), int)
    return float((np.abs(shown - np.asarray(draw_flat(scene, 128).resize((512, 512)), int)).max(-1) > 40).mean())


def _replayed(editor: EditorPage) -> SceneLatent:
    values = {"scene": make_room()}
    exec(editor.state()["code"], values)
    return values["scene"]


def _nudge(editor: EditorPage, times: int, wait_ms: int) -> None:
    for _ in range(times):
        steps = editor.state()["steps"]
        editor.page.keyboard.press("Control+ArrowRight")
        editor.wait_for(lambda s, steps=steps: s["steps"] > steps, "a nudge")
        editor.page.wait_for_timeout(wait_ms)


def test_no_render_that_began_before_an_edit_comes_after_it(slow: EditorPage) -> None:
    editor = slow
    editor.select("chair-0")
    seen = len(editor.state()["pictures"])
    _nudge(editor, 6, 190)  # each comes while the picture of the one before is drawn, at another step
    before = editor.state()
    editor.drag(editor.centre_of("box-chair-0"), 25, 10)
    editor.after_step(before, "a drag")
    last = editor.quiet()
    shown = last["pictures"][seen:]
    steps = [step for step, _ in shown if step >= 0]
    assert steps == sorted(steps), f"an older step was shown after a newer one: {shown}"
    assert steps[-1] == last["at"] == 7
    editor.page.wait_for_timeout(1200)  # what is left behind is drawn now, and must not be shown
    scene = _replayed(editor)
    assert _difference(editor, scene) < 0.01, "the page does not show the final scene"
    assert _difference(editor, scene.undo()) > 0.01, "the pictures are too alike to tell"
    assert editor.state()["picture_is_of_scene"]


def test_stop_leaves_the_picture_as_it_is_until_it_is_asked_for_again(slow: EditorPage) -> None:
    editor = slow
    stop = editor.page.get_by_role("button", name="Stop")
    assert stop.is_disabled(), "nothing is drawn, but Stop can be pressed"
    editor.select("chair-0")
    assert stop.is_disabled(), "selecting draws nothing"
    before, picture = editor.state(), np.asarray(editor.picture())
    editor.page.keyboard.press("Control+ArrowLeft")  # where it has not been drawn before
    editor.wait_for(lambda s: s["undo"] == "move chair-0", "a nudge")
    stop.click()
    editor.wait_for(lambda s: not s["busy"], "stopped")
    editor.page.wait_for_timeout(1500)
    after = editor.state()
    assert after["final_pictures"] == before["final_pictures"] and stop.is_disabled()
    assert after["at"] == 1, "stopping has taken the edit back"
    if after["draft_pictures"] == before["draft_pictures"]:
        assert np.array_equal(np.asarray(editor.picture()), picture)
    editor.page.get_by_role("button", name="Render").click()
    editor.quiet()
    editor.page.wait_for_timeout(300)
    assert _difference(editor, _replayed(editor)) < 0.01


def test_comparing_shows_the_start_beside_what_is_now(editor: EditorPage) -> None:
    editor.select("chair-0")
    _nudge(editor, 3, 0)
    editor.quiet()
    place = editor.overlay.bounding_box()
    toggle = editor.page.get_by_role("button", name="Compare")
    toggle.click()
    divider = editor.page.get_by_test_id("compare-divider")
    divider.wait_for()
    assert editor.overlay.count() == 0
    frame = editor.page.locator(".ag-compare .ag-frame").bounding_box()
    assert frame == pytest.approx(place, abs=1), "the picture jumps when it is compared"
    editor.drag(editor.centre_of("compare-divider"), 128, 4)
    assert divider.get_attribute("aria-valuenow") == "75"
    take_screenshot(editor, "editor_compare")
    pictures = [
        editor.page.get_by_test_id(f"compare-{side}").evaluate("image => [image.src, image.naturalWidth]")
        for side in ("before", "after")
    ]
    assert pictures[0][0] != pictures[1][0] and all(width > 0 for _, width in pictures)
    toggle.click()
    editor.overlay.wait_for()
    before = editor.state()
    editor.page.wait_for_timeout(500)
    editor.drag(editor.centre_of("box-chair-0"), -40, 0)
    assert editor.after_step(before, "a drag after comparing")["undo"] == "move chair-0"


def test_the_strip_jumps_back_and_forth(editor: EditorPage) -> None:
    editor.select("chair-0")
    scenes = [editor.state()["objects"]]
    for _ in range(3):
        _nudge(editor, 1, 0)
        scenes.append(editor.state()["objects"])
    editor.wait_for(lambda s: not s["busy"] and s["picture_is_of_scene"], "every picture")
    thumbnails = editor.page.locator(".ag-history [role=option] img:visible")
    for _ in range(50):
        if thumbnails.count() == 4:
            break
        editor.page.wait_for_timeout(100)
    assert thumbnails.count() == 4, "steps without a thumbnail"
    drawn = editor.state()["rendered"]
    for index in (1, 3, 0, 2):
        editor.page.get_by_test_id(f"step-{index}").click()
        state = editor.wait_for(lambda s, index=index: s["at"] == index, f"step {index}")
        assert state["objects"] == scenes[index] and len(state["labels"]) == 4
    editor.page.wait_for_timeout(300)
    assert editor.state()["rendered"] == drawn, "a step that has its picture was drawn again"
    assert _difference(editor, _replayed(editor)) < 0.01
    assert editor.page.locator(".ag-history .ag-later").count() == 1
    assert editor.page.get_by_test_id("step-2").get_attribute("aria-current") == "step"


def test_variations_are_looked_at_and_one_is_taken(editor: EditorPage) -> None:
    page, before = editor.page, editor.select("chair-0") or editor.state()
    page.get_by_role("tab", name="Variations").click()
    count = page.locator(".ag-variations input[type=number]").nth(1)
    count.fill("3")
    count.press("Tab")
    page.get_by_role("button", name="Show several").click()
    editor.wait_for(lambda s: s["variations"] == [True] * 3 and not s["busy"], "three variations with pictures")
    assert editor.state()["at"] == 0, "asking for variations is an edit"
    assert page.locator(".ag-gallery img:visible").count() == 3
    table = page.locator(".ag-gallery .ag-slots tbody th")
    assert table.all_inner_texts() == ["chair"]
    own = np.asarray(editor.picture(), int)
    page.get_by_test_id("variation-1").hover()
    page.wait_for_timeout(500)
    looked_at = np.abs(np.asarray(editor.picture(), int) - own).max(-1)
    assert (looked_at > 6).mean() > 0.002, "hovering shows nothing"
    take_screenshot(editor, "editor_variations")
    page.mouse.move(*editor.centre_of("box-bed-0"))
    page.wait_for_timeout(500)
    assert np.array_equal(np.asarray(editor.picture(), int), own), "the picture of the scene does not come back"
    page.get_by_test_id("variation-1").click()
    after = editor.after_step(before, "a click on a variation")
    assert after["undo"] == "take seed 1" and after["selected"] == "chair-0"
    assert after["code"].startswith("free = scene.anchor().release(['chair-0.appearance'], strength=0.6)")
    assert "pipe.sample(free, seed=1)" in after["code"]
    assert page.get_by_test_id("variation-1").get_attribute("aria-selected") == "true"
    page.mouse.move(*editor.centre_of("box-bed-0"))
    editor.quiet()
    page.get_by_role("button", name="Resample").click()
    again = editor.after_step(after, "a resample")
    assert again["undo"].startswith("resample appearance") and again["objects"].keys() == before["objects"].keys()
    assert editor.errors == []
