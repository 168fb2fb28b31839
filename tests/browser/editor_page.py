"""`EditorPage`: a notebook page with an editor in it, as a test drives it."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CELL_TIMEOUT_S = 120.0


class EditorPage:
    """A notebook page with an editor in it, and what its kernel says.

    Attributes:
        page: of Playwright.
        errors: uncaught exceptions of the page.
        state_file: where the kernel writes what it knows; the notebook, room.ipynb, lies beside it.
        root: the part of the page that is looked at and driven: all of it, or one of several editors.
    """

    def __init__(self, page: Any, state_file: Path, errors: list[str], root: Any = None):
        self.page = page
        self.root = page if root is None else root
        self.errors = errors
        self.state_file = state_file

    def run_cell(self, index: int) -> None:
        """Runs a cell and waits for its number; asks again, since a kernel that is just starting drops requests."""
        cell = self.page.locator(".jp-CodeCell").nth(index)
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        deadline = time.monotonic() + CELL_TIMEOUT_S
        while time.monotonic() < deadline:
            self._dismiss_dialog()
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Shift+Enter")
            self.page.wait_for_timeout(1000)
            while "*" in prompt.inner_text() and time.monotonic() < deadline:
                self.page.wait_for_timeout(100)
            if prompt.inner_text() != before and re.search(r"\d", prompt.inner_text()):
                self._check_output(cell)
                return
        raise AssertionError(f"cell {index} did not run; its prompt reads {prompt.inner_text()!r}")

    def _dismiss_dialog(self) -> None:
        """Asked for a cell before its kernel is there, JupyterLab asks which one; and it says that it starts one again
        whose ports were taken meanwhile."""
        dialog = self.page.locator(".jp-Dialog")
        if dialog.count():
            words = dialog.first.inner_text()
            known = any(title in words for title in ("Select Kernel", "Kernel Restarting"))
            assert known, f"a dialog is in the way: {words}"
            dialog.locator(".jp-mod-accept").first.click()

    def _check_output(self, cell: Any) -> None:
        failure = cell.locator("[data-mime-type='application/vnd.jupyter.error']")
        if failure.count():
            raise AssertionError(f"the cell failed:\n{failure.first.inner_text()}")

    @property
    def overlay(self) -> Any:
        return self.root.get_by_test_id("scene-overlay")

    def on_page(self, number: int) -> EditorPage:
        """One of the editors on the page, from the top."""
        return EditorPage(self.page, self.state_file, self.errors, self.page.locator(".ag-editor").nth(number))

    def state(self) -> dict[str, Any]:
        return json.loads(self.state_file.read_text())

    def wait_for(self, holds: Callable[[dict[str, Any]], bool], what: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """The state as soon as `holds` of it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.state_file.exists() and holds(state := self.state()):
                return state
            self.page.wait_for_timeout(50)
        raise AssertionError(f"the Python side never got to: {what}; it is at {self.state()}")

    def picture(self) -> Image.Image:
        """The picture that the page shows, without boxes."""
        encoded = self.root.locator(".ag-view img").evaluate(
            """async (image) => {
                const bytes = await (await fetch(image.src)).arrayBuffer();
                return btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
            }"""
        )
        return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")

    def centre_of(self, test_id: str) -> tuple[float, float]:
        box = self.root.get_by_test_id(test_id).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, start: tuple[float, float], right: float, down: float, release: bool = True) -> None:
        """A drag with the real mouse, in pixels."""
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        for k in range(1, 11):
            mouse.move(start[0] + right * k / 10, start[1] + down * k / 10)
            self.page.wait_for_timeout(16)
        if release:
            mouse.up()

    def select(self, object_id: str) -> None:
        """Selects by Tab until the Python side agrees."""
        self.overlay.focus()
        self.page.keyboard.press("Escape")
        self.overlay.focus()
        for _ in self.state()["objects"]:
            self.page.keyboard.press("Tab")
            self.page.wait_for_timeout(150)
            if self.state()["selected"] == object_id:
                return
        self.wait_for(lambda state: state["selected"] == object_id, f"{object_id} selected", 5.0)

    def start_over(self) -> dict[str, Any]:
        """Goes back to the scene at the start by the history strip, with nothing selected and the eye at the camera."""
        self.page.get_by_test_id("step-0").click()
        self.overlay.focus()
        self.page.keyboard.press("Home")
        self.wait_for(lambda state: state["at"] == 0 and state["orbit"] == [0, 0, 1], "the start")
        for _ in range(20):  # the page may not have heard yet what going back has selected
            self.overlay.focus()
            self.page.keyboard.press("Escape")
            self.page.wait_for_timeout(100)
            if not self.state()["selected"] and not self.root.locator(".ag-label.ag-chosen").count():
                break
        self.overlay.focus()
        return self.wait_for(lambda state: not state["selected"] and not state["busy"], "nothing selected")

    def after_step(self, before: dict[str, Any], what: str) -> dict[str, Any]:
        """The state one step after `before`; fails if there come to be more."""
        self.wait_for(lambda state: state["steps"] > before["steps"], what)
        self.page.wait_for_timeout(200)  # one too many would come now
        after = self.state()
        assert after["steps"] == before["steps"] + 1, f"{what}: not one step but {after['labels']}"
        return after

    def quiet(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """The state once nothing is drawn any more and the picture is that of the scene."""
        return self.wait_for(
            lambda s: not s["busy"] and s["picture_is_of_scene"], "the picture of the scene", timeout_s
        )

    def handle(self, kind: str) -> str:
        """Test id of the first shown handle of a kind, "size-" or "yaw"."""
        return self.root.locator(f"[data-testid^=handle-{kind}]").first.get_attribute("data-testid")

    def movable(self) -> str:
        """An object whose box is well inside the picture and in front of the others."""
        frame = self.overlay.bounding_box()
        depths = {}
        for name, pose in self.state()["objects"].items():
            box = self.root.get_by_test_id(f"box-{name}").bounding_box()
            inside = box["x"] >= frame["x"] and box["x"] + box["width"] + 80 <= frame["x"] + frame["width"]
            if inside and box["height"] > 40:
                depths[name] = pose["translation"][2]
        assert depths, "no object to drag is wholly in the picture"
        return min(depths, key=depths.__getitem__)


def check_that_a_drag_brings_a_new_picture(editor: EditorPage) -> None:
    """Drags a box by hand: it moves, nothing else does, it is one verb, and the page shows another picture."""
    name, before, picture = editor.movable(), editor.state(), editor.picture()
    editor.drag(editor.centre_of(f"box-{name}"), 60, 4)
    editor.wait_for(lambda s: s["undo"] == f"move {name}", f"{name} moved")
    after = editor.wait_for(lambda s: s["final_pictures"] > before["final_pictures"], "a new picture", 60.0)
    shift = np.subtract(after["objects"][name]["translation"], before["objects"][name]["translation"])
    assert shift[0] > 0.1, f"dragged 60 px to the right, moved by {shift} m"
    others = {key: pose for key, pose in before["objects"].items() if key != name}
    assert others == {key: pose for key, pose in after["objects"].items() if key != name}
    assert [step["verb"] for step in after["verbs"]] == ["move"]
    editor.page.wait_for_timeout(500)
    changed = np.abs(np.asarray(editor.picture(), int) - np.asarray(picture, int)).max(-1)
    assert (changed > 16).mean() > 0.001, "the page still shows the old picture"
    assert editor.errors == []
