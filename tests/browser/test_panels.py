"""The small widgets in a real JupyterLab, with real mouse and keys, asserted on the Python side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor_page import EditorPage
from jupyter_lab import BROWSER_ARGUMENTS, running_jupyter_lab, write_notebook

pytestmark = [pytest.mark.browser]

CELL = """
from fake_pipeline import make_room
from panels_host import PanelsHost, ShelfLibrary
library = ShelfLibrary({"room 1": make_room(), "elsewhere": make_room("another-space").only("chair")})
host = PanelsHost(make_room(), library, "state.json")
host.box"""
VIEWPORT = {"width": 1280, "height": 900}


@contextlib.contextmanager
def _opened(browser_path: str, folder: Path, theme: str, app: str) -> Iterator[EditorPage]:
    """A notebook with the four widgets around one scene, in JupyterLab ("lab/tree") or Notebook 7 ("notebooks")."""
    from playwright import sync_api as playwright

    with running_jupyter_lab(folder, theme) as lab, playwright.sync_playwright() as driver:
        write_notebook(lab.folder / "room.ipynb", [CELL])
        browser = driver.chromium.launch(executable_path=browser_path, args=[*BROWSER_ARGUMENTS])
        try:
            page = browser.new_page(viewport=VIEWPORT)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(lab.url(f"{app}/room.ipynb"))
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=90_000)
            panels = EditorPage(page, lab.folder / "state.json", errors)
            _show_widgets(panels)
            yield panels
        finally:
            browser.close()


@pytest.fixture(scope="module")
def panels(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EditorPage]:
    """The widgets in JupyterLab. ANCHORGEN_SCREENSHOTS names a folder for pictures of them."""
    with _opened(browser_path, tmp_path_factory.mktemp("panels"), "JupyterLab Light", "lab/tree") as panels:
        yield panels


def _show_widgets(panels: EditorPage, attempts: int = 3) -> None:
    """Runs the cell; again where a page that is still loading its widgets has lost the output."""
    from playwright import sync_api as playwright

    for attempt in range(attempts):
        panels.run_cell(0)
        try:
            for test_id in ("anchor-panel", "inspector", "plan-view", "library-shelf"):
                panels.page.get_by_test_id(test_id).wait_for(timeout=20_000)
            return
        except playwright.TimeoutError:
            if attempt + 1 == attempts:
                raise


def _asked(panels: EditorPage, name: str, count: int = 1) -> list[Any]:
    """The last request of a kind, once there are `count` more than `_mark` saw."""
    goal = panels.seen.get(name, 0) + count  # type: ignore[attr-defined]
    found = panels.wait_for(lambda s: _count(s, name) >= goal, f"{count} of {name}", 10.0)
    panels.page.wait_for_timeout(300)  # one too many would come now
    state = panels.state()
    assert _count(state, name) == goal, f"{name} was asked for more than {count} times: {state['requests']}"
    assert found is not None
    return [request[1:] for request in state["requests"] if request[0] == name][-1]


def _count(state: dict[str, Any], name: str) -> int:
    return sum(request[0] == name for request in state["requests"])


@pytest.fixture
def _mark(panels: EditorPage) -> None:
    names = ("select", "strength", "visible", "edit", "move", "insert")
    panels.seen = {name: _count(panels.state(), name) for name in names}  # type: ignore[attr-defined]


def _screenshot(panels: EditorPage, name: str) -> None:
    if folder := os.environ.get("ANCHORGEN_SCREENSHOTS"):
        panels.page.wait_for_timeout(300)
        panels.page.screenshot(path=str(Path(folder) / f"{name}.png"))


@pytest.mark.usefixtures("_mark")
def test_a_dragged_slider_sends_its_end_value_once(panels: EditorPage) -> None:
    x, y = panels.centre_of("strength-bed-0-appearance")
    slider = panels.page.get_by_test_id("strength-bed-0-appearance").bounding_box()
    panels.drag((slider["x"] + 2, y), slider["width"] * 0.65 - 2, 12, release=False)
    assert _count(panels.state(), "strength") == panels.seen["strength"], "sent before it was let go"
    panels.page.mouse.up()
    targets, strength = _asked(panels, "strength")
    assert targets == ["bed-0.appearance"]
    assert strength == pytest.approx(0.65, abs=0.06)
    assert panels.state()["strength"]["bed-0"] == {"layout": 0.0, "appearance": strength, "presence": 0.0}
    assert x > slider["x"]


@pytest.mark.usefixtures("_mark")
def test_a_slider_held_by_a_key_sends_once(panels: EditorPage) -> None:
    panels.page.get_by_test_id("strength-camera").focus()
    for _ in range(4):
        panels.page.keyboard.down("ArrowRight")
    panels.page.keyboard.up("ArrowRight")
    assert _asked(panels, "strength") == [["camera"], 0.2]
    assert panels.state()["shared"]["camera"] == pytest.approx(0.2)


@pytest.mark.usefixtures("_mark")
def test_locks_eyes_and_header_buttons(panels: EditorPage) -> None:
    page = panels.page
    page.get_by_test_id("lock-rug-0").click()
    assert _asked(panels, "strength") == [["rug-0"], 1]
    page.get_by_test_id("strength-empty").focus()
    page.keyboard.press("End")
    targets, strength = _asked(panels, "strength", 2)
    assert strength == 1 and targets == list(range(6, 16))
    page.get_by_test_id("visible-chair-0").click()
    assert _asked(panels, "visible") == ["chair-0", False]
    page.locator("[data-testid='visible-chair-0'][aria-pressed=false]").wait_for()
    _screenshot(panels, "panels_light")
    page.get_by_test_id("visible-chair-0").click()
    assert _asked(panels, "visible", 2) == ["chair-0", True]
    page.get_by_test_id("keep-all").click()
    assert _asked(panels, "strength", 3)[1] == 0
    assert panels.state()["shared"] == {"camera": 0.0, "background": 0.0, "empty": 0.0}
    assert not any(panels.state()["strength"]["bed-0"].values())


@pytest.mark.usefixtures("_mark")
def test_rows_are_selected_by_mouse_and_arrow_keys(panels: EditorPage) -> None:
    row = panels.page.get_by_test_id("anchor-row-nightstand-0")
    row.locator(".ag-name").click()
    assert _asked(panels, "select") == ["nightstand-0"]
    cells = panels.page.locator(".jp-CodeCell.jp-mod-selected").count()
    panels.page.keyboard.press("ArrowDown")
    assert _asked(panels, "select", 2) == ["table lamp-0"]
    panels.page.keyboard.press("ArrowUp")
    assert _asked(panels, "select", 3) == ["nightstand-0"]
    assert panels.page.locator(".jp-CodeCell.jp-mod-selected").count() == cells
    assert panels.page.get_by_test_id("inspector-name").inner_text() == "nightstand"


@pytest.mark.usefixtures("_mark")
def test_numbers_are_edited_by_enter_blur_and_steps(panels: EditorPage) -> None:
    page = panels.page
    field = page.get_by_test_id("number-right")
    field.fill("-0.5")
    field.press("Enter")
    assert _asked(panels, "edit") == ["nightstand-0", "right", -0.5]
    assert panels.state()["numbers"]["nightstand-0"]["right"] == pytest.approx(-0.5, abs=1e-4)
    page.get_by_test_id("number-yaw").fill("30")
    page.get_by_test_id("number-width").focus()
    assert _asked(panels, "edit", 2) == ["nightstand-0", "yaw", 30]
    for _ in range(3):
        page.keyboard.down("ArrowUp")
    page.keyboard.up("ArrowUp")
    assert _asked(panels, "edit", 3) == ["nightstand-0", "width", pytest.approx(0.65)]
    assert page.get_by_test_id("number-width").input_value() == "0.65"


@pytest.mark.usefixtures("_mark")
@pytest.mark.parametrize(("text", "reason"), [("wide", "not a number"), ("-1", "expected every side >= 0.01 m")])
def test_a_bad_number_stays_marked_until_it_is_given_up(panels: EditorPage, text: str, reason: str) -> None:
    page = panels.page
    field = page.get_by_test_id("number-width")
    field.fill(text)
    field.press("Enter")
    problem = page.get_by_test_id("inspector-problem")
    problem.filter(has_text=reason).wait_for(timeout=10_000)
    assert field.input_value() == text and field.get_attribute("aria-invalid") == "true"
    _screenshot(panels, "refused_light")
    field.press("Escape")
    problem.wait_for(state="hidden")
    assert field.input_value() == "0.65" and field.get_attribute("aria-invalid") is None
    assert _count(panels.state(), "edit") == panels.seen["edit"]


def _on_plan(panels: EditorPage, object_id: str) -> tuple[float, float]:
    plan = panels.page.get_by_test_id("plan-view").bounding_box()
    right, down = panels.state()["places"][object_id]
    return plan["x"] + right, plan["y"] + down


@pytest.mark.usefixtures("_mark")
def test_a_click_on_the_plan_selects_and_again_what_lies_behind(panels: EditorPage) -> None:
    panels.page.mouse.click(*_on_plan(panels, "table lamp-0"))
    assert _asked(panels, "select") == ["table lamp-0"]
    panels.page.mouse.click(*_on_plan(panels, "rug-0"))
    assert _asked(panels, "select", 2) == ["rug-0"]
    panels.page.keyboard.press("Escape")
    assert _asked(panels, "select", 3) == [""]
    assert panels.page.get_by_test_id("inspector-name").inner_text() == "camera"


@pytest.mark.usefixtures("_mark")
def test_a_drag_on_the_plan_moves_once_also_when_it_leaves_the_plan(panels: EditorPage) -> None:
    before = panels.state()
    zoom = before["zoom"]
    panels.drag(_on_plan(panels, "chair-0"), 40, -20, release=False)
    panels.page.wait_for_timeout(200)
    _screenshot(panels, "drag_light")
    assert _count(panels.state(), "move") == panels.seen["move"]
    panels.page.mouse.up()
    name, right, forward = _asked(panels, "move")
    assert name == "chair-0"
    assert (right, forward) == pytest.approx((40 / zoom, 20 / zoom), abs=1.5 / zoom)
    moved = panels.state()["numbers"]["chair-0"]
    assert moved["right"] - before["numbers"]["chair-0"]["right"] == pytest.approx(right, abs=1e-3)
    start, plan = _on_plan(panels, "chair-0"), panels.page.get_by_test_id("plan-view").bounding_box()
    out = plan["x"] - 30 - start[0]
    panels.drag(start, out, 0)
    name, right, _ = _asked(panels, "move", 2)
    assert right == pytest.approx(out / panels.state()["zoom"], rel=0.5) and right < -0.5


@pytest.mark.usefixtures("_mark")
def test_keys_on_the_plan_nudge_and_stay_out_of_the_notebook(panels: EditorPage) -> None:
    page = panels.page
    page.mouse.click(*_on_plan(panels, "rug-0"))
    cells = page.locator(".jp-CodeCell").count()
    for key in ("ArrowRight", "ArrowUp", "b"):
        page.keyboard.press(key)
    assert _asked(panels, "move", 2) == ["rug-0", 0.0, 0.05]
    page.keyboard.press("PageDown")
    panels.wait_for(lambda s: s["selected"] == "bed-0", "the next object, from the last to the first")
    assert page.locator(".jp-CodeCell").count() == cells
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.testid") != "plan-view", "Tab does not leave the plan"


@pytest.mark.usefixtures("_mark")
def test_the_shelf_searches_inserts_and_refuses_other_spaces(panels: EditorPage) -> None:
    page = panels.page
    before = len(panels.state()["numbers"])
    page.get_by_test_id("library-search").fill("lamp")
    page.get_by_test_id("library-item-room 1/bed-0").wait_for(state="hidden")
    page.get_by_test_id("library-search").press("ArrowDown")
    page.keyboard.press("Enter")
    assert _asked(panels, "insert") == ["room 1/table lamp-0"]
    assert len(panels.state()["numbers"]) == before + 1
    page.get_by_test_id("library-search").press("Escape")
    page.get_by_test_id("library-item-room 1/chair-0").click()
    assert _asked(panels, "insert", 2) == ["room 1/chair-0"]
    page.get_by_test_id("library-item-elsewhere/chair-0").click(force=True)
    page.get_by_test_id("library-problem").filter(has_text="latent space 'another-space'").wait_for()
    assert _count(panels.state(), "insert") == panels.seen["insert"] + 2


@pytest.mark.usefixtures("_mark")
def test_a_tile_carries_its_key_when_it_is_dragged(panels: EditorPage) -> None:
    page = panels.page
    page.evaluate(
        """() => {
            const plan = document.querySelector("[data-testid=plan-view]");
            plan.addEventListener("dragover", (event) => event.preventDefault());
            plan.addEventListener("drop", (event) => {
                event.preventDefault();
                window.droppedKey = event.dataTransfer.getData("application/x-anchorgen-object");
            });
        }"""
    )
    page.get_by_test_id("library-item-room 1/wardrobe-0").drag_to(page.get_by_test_id("plan-view"))
    assert page.evaluate("window.droppedKey") == "room 1/wardrobe-0"
    assert _count(panels.state(), "insert") == panels.seen["insert"]


@pytest.mark.usefixtures("_mark")
def test_a_page_that_is_loaded_again_shows_the_same(panels: EditorPage) -> None:
    page = panels.page
    page.get_by_test_id("anchor-row-bed-0").locator(".ag-name").click()
    page.get_by_test_id("library-search").fill("chair")
    page.get_by_test_id("library-item-room 1/bed-0").wait_for(state="hidden")
    page.get_by_test_id("number-depth").fill("deep")
    page.get_by_test_id("number-depth").press("Enter")
    page.get_by_test_id("inspector-problem").wait_for()
    plan = _plan_pixels(panels)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)
    page.reload()
    page.get_by_test_id("plan-view").wait_for(timeout=60_000)
    page.get_by_test_id("inspector-problem").wait_for()
    assert page.get_by_test_id("number-depth").input_value() == "deep"
    assert page.get_by_test_id("anchor-row-bed-0").get_attribute("aria-selected") == "true"
    assert page.get_by_test_id("library-search").input_value() == "chair"
    assert page.get_by_test_id("library-item-room 1/bed-0").is_hidden()
    for _ in range(50):
        if _plan_pixels(panels) == plan:
            break
        page.wait_for_timeout(100)
    assert _plan_pixels(panels) == plan, "the plan is not drawn again"
    assert panels.errors == []


def _plan_pixels(panels: EditorPage) -> str:
    return panels.page.get_by_test_id("plan-view").evaluate("(canvas) => canvas.toDataURL()")


def test_the_widgets_work_in_notebook_7_in_the_dark_theme(browser_path: str, tmp_path: Path) -> None:
    with _opened(browser_path, tmp_path, "JupyterLab Dark", "notebooks") as panels:
        page = panels.page
        page.locator("body[data-jp-theme-light=false]").wait_for()
        page.get_by_test_id("anchor-row-chair-0").locator(".ag-name").click()
        panels.drag(_on_plan(panels, "chair-0"), 30, 0)
        panels.wait_for(lambda s: _count(s, "move") == 1, "a move on the plan")
        page.get_by_test_id("strength-chair-0-layout").focus()
        page.keyboard.press("End")
        panels.wait_for(lambda s: s["strength"]["chair-0"]["layout"] == 1, "the layout released")
        page.get_by_test_id("visible-rug-0").click()
        panels.wait_for(lambda s: "rug-0" not in s["numbers"], "the rug removed")
        _screenshot(panels, "panels_dark")
        colors = [
            page.locator(selector).first.evaluate("(node, name) => getComputedStyle(node)[name]", name)
            for selector, name in (
                (".ag-anchors .ag-name", "color"),
                (".ag-inspector input", "color"),
                (".ag-inspector input", "backgroundColor"),
            )
        ]
        name, text, field = (_luminance(color) for color in colors)
        assert name > 0.5 and text - field > 0.5, f"dark on dark: {colors}"
        assert panels.errors == []


def _luminance(color: str) -> float:
    parts = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3 / 255
