"""The small widgets in a real JupyterLab, with real mouse and keys, asserted on the Python side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from editor_page import EditorPage
from notebook_page import take_screenshot
from panels_page import num_requests, opened_panels, place_on_plan

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def panels(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EditorPage]:
    """The widgets in JupyterLab."""
    with opened_panels(browser_path, tmp_path_factory.mktemp("panels"), "JupyterLab Light", "jupyterlab") as panels:
        yield panels


def _asked(panels: EditorPage, name: str, count: int = 1) -> list[Any]:
    """The last request of a kind, once there are `count` more than `_mark` saw."""
    goal = panels.seen.get(name, 0) + count  # type: ignore[attr-defined]
    found = panels.wait_for(lambda s: num_requests(s, name) >= goal, f"{count} of {name}", 10.0)
    panels.page.wait_for_timeout(300)  # one too many would come now
    state = panels.state()
    assert num_requests(state, name) == goal, f"{name} was asked for more than {count} times: {state['requests']}"
    assert found is not None
    return [request[1:] for request in state["requests"] if request[0] == name][-1]


@pytest.fixture
def _mark(panels: EditorPage) -> None:
    names = ("select", "strength", "visible", "edit", "move", "insert")
    panels.seen = {name: num_requests(panels.state(), name) for name in names}  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_mark")
def test_a_dragged_slider_sends_its_end_value_once(panels: EditorPage) -> None:
    x, y = panels.centre_of("strength-bed-0-appearance")
    slider = panels.page.get_by_test_id("strength-bed-0-appearance").bounding_box()
    panels.drag((slider["x"] + 2, y), slider["width"] * 0.65 - 2, 12, release=False)
    assert num_requests(panels.state(), "strength") == panels.seen["strength"], "sent before it was let go"
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
    take_screenshot(panels, "panels_light")
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
    take_screenshot(panels, "refused_light")
    field.press("Escape")
    problem.wait_for(state="hidden")
    assert field.input_value() == "0.65" and field.get_attribute("aria-invalid") is None
    assert num_requests(panels.state(), "edit") == panels.seen["edit"]


@pytest.mark.usefixtures("_mark")
def test_a_click_on_the_plan_selects_and_again_what_lies_behind(panels: EditorPage) -> None:
    panels.page.mouse.click(*place_on_plan(panels, "table lamp-0"))
    assert _asked(panels, "select") == ["table lamp-0"]
    panels.page.mouse.click(*place_on_plan(panels, "rug-0"))
    assert _asked(panels, "select", 2) == ["rug-0"]
    panels.page.keyboard.press("Escape")
    assert _asked(panels, "select", 3) == [""]
    assert panels.page.get_by_test_id("inspector-name").inner_text() == "camera"


@pytest.mark.usefixtures("_mark")
def test_a_drag_on_the_plan_moves_once_also_when_it_leaves_the_plan(panels: EditorPage) -> None:
    before = panels.state()
    zoom = before["zoom"]
    panels.drag(place_on_plan(panels, "chair-0"), 40, -20, release=False)
    panels.page.wait_for_timeout(200)
    take_screenshot(panels, "drag_light")
    assert num_requests(panels.state(), "move") == panels.seen["move"]
    panels.page.mouse.up()
    name, right, forward = _asked(panels, "move")
    assert name == "chair-0"
    assert (right, forward) == pytest.approx((40 / zoom, 20 / zoom), abs=1.5 / zoom)
    moved = panels.state()["numbers"]["chair-0"]
    assert moved["right"] - before["numbers"]["chair-0"]["right"] == pytest.approx(right, abs=1e-3)
    start, plan = place_on_plan(panels, "chair-0"), panels.page.get_by_test_id("plan-view").bounding_box()
    out = plan["x"] - 30 - start[0]
    panels.drag(start, out, 0)
    name, right, _ = _asked(panels, "move", 2)
    assert right == pytest.approx(out / panels.state()["zoom"], rel=0.5) and right < -0.5


@pytest.mark.usefixtures("_mark")
def test_keys_on_the_plan_nudge_and_stay_out_of_the_notebook(panels: EditorPage) -> None:
    page = panels.page
    page.mouse.click(*place_on_plan(panels, "rug-0"))
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
    assert num_requests(panels.state(), "insert") == panels.seen["insert"] + 2


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
    page.get_by_test_id("keep-all").scroll_into_view_if_needed()
    page.mouse.move(*panels.centre_of("library-item-room 1/wardrobe-0"))
    take_screenshot(panels, "shelf_light")
    page.mouse.down()
    x, y = panels.centre_of("plan-view")
    for k in range(4):
        page.mouse.move(x + 5 * k, y)
    page.mouse.up()
    assert page.evaluate("window.droppedKey") == "room 1/wardrobe-0"
    assert num_requests(panels.state(), "insert") == panels.seen["insert"]


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


@pytest.mark.usefixtures("_mark")
def test_the_row_of_an_object_selected_elsewhere_scrolls_into_view(panels: EditorPage) -> None:
    page, before = panels.page, len(panels.state()["numbers"])
    page.get_by_test_id("library-search").fill("")
    tile = page.get_by_test_id("library-item-room 1/chair-0")
    for k in range(4):
        tile.click()
        panels.wait_for(lambda s, k=k: len(s["numbers"]) == before + k + 1, "one more chair")
    last = list(panels.state()["numbers"])[-1]
    page.evaluate("document.querySelector('.ag-list').scrollTop = 0")
    page.get_by_test_id("plan-view").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    panels.wait_for(lambda s: s["selected"] == last, f"{last} selected on the plan")
    page.wait_for_timeout(300)
    row, frame = page.get_by_test_id(f"anchor-row-{last}").bounding_box(), page.locator(".ag-list").bounding_box()
    assert page.evaluate("document.querySelector('.ag-list').scrollTop") > 0
    rows_end, foot_end = (
        page.get_by_test_id(f"strength-{name}").evaluate("(bar) => bar.getBoundingClientRect().right")
        for name in (f"{last}-presence", "camera")
    )
    assert rows_end == pytest.approx(foot_end, abs=1), "the columns are out of line while the rows scroll"
    assert frame["y"] - 1 <= row["y"] and row["y"] + row["height"] <= frame["y"] + frame["height"] + 1
    assert panels.errors == []
