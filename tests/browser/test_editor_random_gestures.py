"""500 random gestures by one hand: afterwards page, widgets, session and scene are the same, and the code makes it again."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from editor_page import EditorPage
from notebook_page import editor_cell, opened_notebook, show_editor, take_screenshot
from random_hand import RandomHand

from anchorgen.geometry import box_corners, project

pytestmark = pytest.mark.browser

NUM_GESTURES = 500
SEED = int(os.environ.get("ANCHORGEN_GESTURE_SEED", "0"))
SIDE_PX = 512
REPLAY_CELL = """
import json, pathlib
values = {"scene": make_room(), "pipe": FakePipeline()}
exec(editor.to_python(), values)
same = values["scene"].equals(editor.session.scene), editor.scene is editor.session.scene
pathlib.Path("replayed.json").write_text(json.dumps(same))"""
# What is no fault: a person is told why nothing happened.
REASONS = (
    r"nothing to (undo|redo)",
    r"no (object|empty slot|room|variation|present)",
    r"in front of the camera",
    r"is not a camera",
    r"sides?",
    r"every slot|all \d+ slots|slots? (is|are)",
    r"nothing (to resample|is selected)",
)


@pytest.fixture(scope="module")
def editor(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EditorPage]:
    """An editor whose pictures take 20 ms."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    with opened_notebook(browser_path, folder, [editor_cell(step_s=0.004), REPLAY_CELL]) as editor:
        show_editor(editor, folder / "no_editor.png")
        yield editor


def _settled(editor: EditorPage) -> dict[str, Any]:
    """The state once nothing has changed for more than a second."""
    since, state = time.monotonic(), editor.state()
    while time.monotonic() - since < 1.2:
        editor.page.wait_for_timeout(100)
        if (now := editor.state()) != state:
            since, state = time.monotonic(), now
    return state


def test_after_random_gestures_all_parts_agree_and_the_code_makes_the_scene_again(editor: EditorPage) -> None:
    hand = RandomHand(editor, SEED)
    begun = time.monotonic()
    hand.play(NUM_GESTURES)
    editor.overlay.focus()
    editor.page.keyboard.press("Home")
    seconds = time.monotonic() - begun
    state = _settled(editor)
    print(f"\n{dict(hand.done)} in {seconds:.0f} s: {state['steps']} steps, {state['draft_pictures']} drafts")
    take_screenshot(editor, "editor_after_random_gestures")
    assert all(hand.done[kind] for kind in hand.done) and len(hand.done) == 17, hand.done
    assert state["steps"] > NUM_GESTURES / 4, "hardly any gesture did something"
    _check_widgets(state)
    _check_page(editor, state)
    assert state["picture_is_of_scene"] and not state["busy"] and state["errors"] == 0
    editor.run_cell(1)
    same, is_one = json.loads((editor.state_file.parent / "replayed.json").read_text())
    assert is_one and same, f"the code makes another scene:\n{state['code']}"
    others = [text for text in hand.errors_shown if not re.search("|".join(REASONS), text)]
    assert not others and editor.errors == []


def _check_widgets(state: dict[str, Any]) -> None:
    """The traits of the overlay are the session's scene and selection."""
    assert state["overlay_selected"] == state["selected"]
    assert state["boxes"].keys() == state["objects"].keys()
    for name, pose in state["objects"].items():
        x, y, z = pose["translation"]
        assert state["boxes"][name][:3] == pytest.approx([x, -y, -z], abs=1e-6), name
        assert state["boxes"][name][7:] == pytest.approx(pose["scale"], abs=1e-6), name


def _check_page(editor: EditorPage, state: dict[str, Any]) -> None:
    """What the page draws is that, too: outlines, rows with their strengths, numbers, steps."""
    outlines = editor.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".ag-overlay [data-testid^=box-]")].map((node) =>
            [node.dataset.testid.slice(4), node.getAttribute("points").split(" ").map((p) => p.split(",").map(Number))]))"""
    )
    assert outlines.keys() == state["objects"].keys()
    for name, pose in state["objects"].items():
        corners = box_corners(*(np.array(pose[part]) for part in ("translation", "quat_wxyz", "scale")))
        if corners[:, 2].min() < 0.1:
            continue  # beside or behind the camera
        pixels = project(corners, np.array(state["focal"])) * SIDE_PX
        drawn = np.array(outlines[name])
        for got, expected in ((drawn.min(0), pixels.min(0)), (drawn.max(0), pixels.max(0))):
            assert got == pytest.approx(expected, abs=0.2), f"{name} is drawn elsewhere"
    value = "name => Number(document.querySelector(`[data-testid='${name}']`).value)"
    for name, strengths in state["strengths"].items():
        shown = {factor: editor.page.evaluate(value, f"strength-{name}-{factor}") for factor in strengths}
        assert shown == pytest.approx(strengths, abs=0.026), name  # sliders have steps of 0.05
    if state["selected"]:
        numbers = state["numbers"][state["selected"]]
        shown = {name: editor.page.evaluate(value, f"number-{name}") for name in numbers}
        assert shown == pytest.approx(numbers, abs=1e-3)
    current = editor.page.locator(".ag-history [aria-current=step]")
    assert current.get_attribute("data-testid") == f"step-{state['at']}"
    assert editor.page.locator(".ag-history [role=option]").count() == len(state["labels"])
