"""The four small widgets in a real JupyterLab, driven by real mouse and keys, asserted on the Python side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from editor_page import EditorPage
from jupyter_lab import BROWSER_ARGUMENTS, running_jupyter_lab, write_notebook

pytestmark = pytest.mark.browser

SHOW_CELL = """
from report_small_widgets import SmallWidgets
w = SmallWidgets("state.json")
w.layout()"""
ARRIVE_CELL = "w.gallery.set_picture(5, w.images[0]); w.history.set_thumbnail(199, w.images[1])"
BREAK_CELL = "w.fails = True"
REPAIR_CELL = "w.fails = False"
ANOTHER_VIEW_CELL = "w.history"
EMPTY_CELL = "w.gallery.clear(); w.history.show([], -1)"
CELLS = [SHOW_CELL, ARRIVE_CELL, BREAK_CELL, REPAIR_CELL, ANOTHER_VIEW_CELL, EMPTY_CELL]
THEME = os.environ.get("ANCHORGEN_BROWSER_THEME", "JupyterLab Light")
SCREENSHOTS = os.environ.get("ANCHORGEN_BROWSER_SCREENSHOTS")


@pytest.fixture(scope="module")
def small(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EditorPage]:
    """A notebook with the four widgets in its first cell."""
    from playwright import sync_api as playwright

    folder = tmp_path_factory.mktemp("jupyterlab")
    with running_jupyter_lab(folder, THEME) as lab, playwright.sync_playwright() as driver:
        write_notebook(lab.folder / "room.ipynb", CELLS)
        browser = driver.chromium.launch(executable_path=browser_path, args=[*BROWSER_ARGUMENTS])
        try:
            page = browser.new_context(viewport={"width": 1280, "height": 1300}, has_touch=True).new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(lab.url("lab/tree/room.ipynb"))
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=90_000)
            small = EditorPage(page, lab.folder / "state.json", errors)
            try:
                show(small)
            except playwright.Error:
                page.screenshot(path=folder / "no_widgets.png")
                raise
            page.wait_for_timeout(1000)
            screenshot(small, "small_widgets")
            yield small
        finally:
            browser.close()


def show(small: EditorPage) -> None:
    """Runs the first cell; again where a page that is still loading its widgets has lost the output."""
    from playwright import sync_api as playwright

    for attempt in range(3):
        small.run_cell(0)
        try:
            small.page.get_by_test_id("history-strip").wait_for(timeout=30_000)
            return
        except playwright.TimeoutError:
            if attempt == 2:
                raise


def screenshot(small: EditorPage, name: str) -> None:
    if SCREENSHOTS:
        small.page.screenshot(path=Path(SCREENSHOTS) / f"{name}_{THEME.split()[-1].lower()}.png")


def part(small: EditorPage, test_id: str) -> Any:
    return small.page.get_by_test_id(test_id)


def press(small: EditorPage, *keys: str) -> None:
    for key in keys:
        small.page.keyboard.press(key)


def test_the_divider_follows_mouse_and_keys(small: EditorPage) -> None:
    frame = part(small, "compare-slider").locator(".ag-frame").bounding_box()
    divider = part(small, "compare-divider")
    small.drag(small.centre_of("compare-divider"), -0.25 * frame["width"], 5)
    small.wait_for(lambda s: s["position"] == pytest.approx(0.25, abs=0.01), "dragged to a quarter")
    assert divider.get_attribute("aria-valuenow") == "25"
    assert "25" in part(small, "compare-after").evaluate("image => image.style.clipPath")
    for keys, position in (
        (["ArrowRight"] * 3, 0.31),
        (["Shift+ArrowRight"], 0.41),
        (["Home"], 0.0),
        (["End"], 1.0),
        (["ArrowRight", "ArrowLeft"], 0.98),
    ):
        press(small, *keys)
        small.wait_for(lambda s, p=position: s["position"] == pytest.approx(p, abs=0.012), f"{keys}: {position}")
    small.page.mouse.dblclick(frame["x"] + 40, frame["y"] + 20)
    after = small.wait_for(lambda s: s["position"] == 0.5, "a double click goes to the middle")
    assert after["calls"]["move"][-1] == 0.5


def test_a_drag_sends_a_few_messages_and_loses_no_last_one(small: EditorPage) -> None:
    before = len(small.state()["calls"]["move"])
    frame = part(small, "compare-slider").locator(".ag-frame").bounding_box()
    x, y = small.centre_of("compare-divider")
    small.page.mouse.move(x, y)
    small.page.mouse.down()
    for k in range(120):
        small.page.mouse.move(x + (k % 40), y)
    small.page.mouse.move(frame["x"] + 0.8 * frame["width"], y)
    small.page.mouse.up()
    after = small.wait_for(lambda s: s["position"] == pytest.approx(0.8, abs=0.005), "where the mouse was let go")
    assert len(after["calls"]["move"]) - before < 100


def test_a_tap_takes_without_a_preview_and_a_finger_drags_the_divider(small: EditorPage) -> None:
    before = len(small.state()["calls"]["preview"])
    small.page.touchscreen.tap(*small.centre_of("variation-4"))
    small.wait_for(lambda s: s["taken"] == 4, "a tap takes")
    small.page.wait_for_timeout(200)
    assert len(small.state()["calls"]["preview"]) == before
    devtools = small.page.context.new_cdp_session(small.page)  # playwright's finger only taps
    frame = part(small, "compare-slider").locator(".ag-frame").bounding_box()
    for k in range(10):
        at = {"x": frame["x"] + (0.5 - 0.025 * min(k, 8)) * frame["width"], "y": frame["y"] + 0.7 * frame["height"]}
        kind = "touchStart" if k == 0 else "touchMove" if k < 9 else "touchEnd"
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if k == 9 else [at]})
    devtools.detach()
    small.wait_for(lambda s: s["position"] == pytest.approx(0.3, abs=0.01), "dragged by a finger")


def test_a_player_steps_by_keys_and_by_its_slider(small: EditorPage) -> None:
    part(small, "sweep-picture").click()
    press(small, "ArrowRight", "ArrowRight")
    small.wait_for(lambda s: s["index"] == 2, "two steps on")
    assert part(small, "sweep-value").inner_text() == "+0 m"
    press(small, "End", "ArrowRight")
    small.wait_for(lambda s: s["index"] == 4, "the last one, and no further")
    slider = part(small, "sweep-range").bounding_box()
    small.page.mouse.click(slider["x"] + slider["width"] * 0.27, slider["y"] + slider["height"] / 2)
    small.wait_for(lambda s: s["index"] == 1, "a click on the slider")
    shown = part(small, "sweep-picture").locator("img.ag-shown")
    assert shown.count() == 1 and shown.get_attribute("alt") == "bed.right -0.25 m"
    press(small, "Home")
    assert small.wait_for(lambda s: s["index"] == 0, "the first")["calls"]["change"][:2] == [1, 2]


def test_a_player_plays_round_and_back_and_forth(small: EditorPage) -> None:
    part(small, "sweep-range").focus()
    before = len(small.state()["calls"]["change"])
    press(small, " ")
    small.wait_for(lambda s: len(s["calls"]["change"]) >= before + 6, "six steps")
    press(small, " ")
    stopped = small.wait_for(lambda s: not s["playing"], "paused")
    seen = stopped["calls"]["change"][before:]
    assert seen == [(k + 1) % 5 for k in range(len(seen))]
    part(small, "sweep-mode").click()
    small.wait_for(lambda s: s["mode"] == "ping-pong", "back and forth")
    part(small, "sweep-range").focus()
    press(small, "Home")
    before = len(small.wait_for(lambda s: s["index"] == 0, "the first")["calls"]["change"])
    part(small, "sweep-play").click()
    small.wait_for(lambda s: len(s["calls"]["change"]) >= before + 6, "six steps")
    part(small, "sweep-range").focus()
    press(small, "ArrowLeft")  # a step by hand pauses
    stopped = small.wait_for(lambda s: not s["playing"], "paused")
    assert stopped["calls"]["change"][before : before + 6] == [1, 2, 3, 4, 3, 2]


def test_a_click_or_enter_takes_a_variation(small: EditorPage) -> None:
    part(small, "variation-1").click()
    small.wait_for(lambda s: s["taken"] == 1, "a click takes")
    small.page.locator("[data-testid=variation-1][aria-selected=true]").wait_for(timeout=5000)
    press(small, "ArrowRight", "ArrowDown", "ArrowLeft", "Enter")
    # In rank order 3 1 0 2 / 4 5: from 1 right to 0; below it is nothing, so it stays; left to 1 again.
    small.wait_for(lambda s: s["calls"]["take"][-2:] == [1, 1], "Enter takes the same again")
    press(small, "ArrowDown", "Enter")
    small.wait_for(lambda s: s["taken"] == 5, "the one below")
    order = small.page.locator("[data-testid^=variation-][role=option]")
    assert [order.nth(k).get_attribute("data-testid")[-1] for k in range(6)] == list("310245")


def test_looking_at_a_variation_previews_it(small: EditorPage) -> None:
    small.page.mouse.move(*small.centre_of("compare-slider"))
    part(small, "compare-divider").focus()
    small.page.wait_for_timeout(300)
    before = len(small.state()["calls"]["preview"])
    for test_id in ("variation-3", "variation-0"):
        small.page.mouse.move(*small.centre_of(test_id))
        small.page.wait_for_timeout(200)
    small.page.mouse.move(*small.centre_of("compare-slider"))
    small.wait_for(lambda s: s["calls"]["preview"][before:] == [3, 0, None], "3, 0, none")
    part(small, "variation-5").focus()
    press(small, "ArrowLeft")
    small.wait_for(lambda s: s["calls"]["preview"][-1] == 4, "previewed by keys")
    part(small, "compare-divider").focus()
    small.wait_for(lambda s: s["calls"]["preview"][-1] is None, "left by keys")


def test_pictures_that_arrive_later_take_their_places(small: EditorPage) -> None:
    waiting = part(small, "variation-gallery").locator(".ag-waiting")
    assert waiting.count() == 1
    assert "being drawn" in part(small, "variation-5").get_attribute("aria-label")
    assert part(small, "step-198").locator("img:not([hidden])").count() == 1, "one sent before the page could hear"
    assert part(small, "step-199").locator("img:not([hidden])").count() == 0
    small.run_cell(1)
    waiting.wait_for(state="detached")
    part(small, "step-199").locator("img:not([hidden])").wait_for(state="attached")


def test_the_table_tells_what_varies(small: EditorPage) -> None:
    rows = part(small, "slot-table").locator("tbody tr")
    assert [rows.nth(k).inner_text().split() for k in range(rows.count())] == [
        ["bed", "100%", "0.12", "m", "0.40"],
        ["lamp", "38%", "0.80", "m", "-"],
        ["rug", "0%", "-", "-"],
    ]
    share, whole = (rows.nth(1).locator(f".ag-share{part}").bounding_box()["width"] for part in (" span", ""))
    assert share == pytest.approx(0.38 * whole, abs=1) and whole > 40


def test_the_present_step_is_in_view_and_a_click_jumps(small: EditorPage) -> None:
    strip = part(small, "history-strip").first.bounding_box()

    def inside(test_id: str) -> bool:
        box = part(small, test_id).first.bounding_box()
        return strip["x"] <= box["x"] and box["x"] + box["width"] <= strip["x"] + strip["width"]

    assert inside("step-120") and not inside("step-0")
    assert part(small, "step-120").get_attribute("aria-current") == "step"
    opacity = "node => getComputedStyle(node).opacity"
    later, earlier = (float(part(small, f"step-{k}").locator(".ag-thumb").evaluate(opacity)) for k in (121, 119))
    assert later < 0.6 < earlier
    assert part(small, "step-119").get_attribute("title") == "move bed, the 119th time"
    part(small, "step-118").click()
    small.wait_for(lambda s: s["current"] == 118, "a click jumps")
    press(small, "ArrowLeft", "ArrowLeft", "Enter")
    small.wait_for(lambda s: s["calls"]["jump"] == [118, 116], "Enter jumps")
    press(small, "Home", " ")
    small.wait_for(lambda s: s["current"] == 0, "the start")
    small.page.wait_for_timeout(800)
    assert inside("step-0") and not inside("step-120")


def test_letters_do_not_reach_jupyterlab_and_saving_does(small: EditorPage) -> None:
    notebook = small.state_file.with_name("room.ipynb")
    saved, cells = notebook.stat().st_mtime_ns, small.page.locator(".jp-CodeCell").count()
    for test_id in ("compare-divider", "sweep-range", "variation-0", "step-0"):
        part(small, test_id).first.focus()
        press(small, "b", "ArrowRight")
    assert small.page.locator(".jp-CodeCell").count() == cells
    press(small, "Control+s")
    for _ in range(100):
        if notebook.stat().st_mtime_ns != saved:
            break
        small.page.wait_for_timeout(100)
    assert notebook.stat().st_mtime_ns != saved, "Control+S did not save the notebook"


def test_what_a_handler_raises_is_seen(small: EditorPage) -> None:
    before = small.state()
    small.run_cell(2)
    part(small, "variation-2").click()
    part(small, "step-3").click()
    part(small, "compare-divider").focus()
    press(small, "Home")
    alerts = small.page.locator("[data-testid=handler-error]:visible span")
    small.wait_for(lambda s: len(s["calls"]["jump"]) > len(before["calls"]["jump"]), "the jump")
    small.page.wait_for_timeout(500)
    messages = {line for k in range(alerts.count()) for line in alerts.nth(k).inner_text().splitlines()}
    assert {f"RuntimeError: the handler of {name} <broke>" for name in ("move", "take", "jump")} <= messages
    after = small.state()
    assert (after["taken"], after["current"]) == (before["taken"], before["current"])
    screenshot(small, "small_widgets_errors")
    small.run_cell(3)
    small.page.get_by_role("button", name="dismiss the error").first.click()
    small.wait_for(lambda s: s["errors"][0] == "", "dismissed")
    part(small, "variation-2").click()
    small.page.wait_for_timeout(200)
    part(small, "step-3").click()
    small.wait_for(lambda s: s["current"] == 3 and not any(s["errors"]), "handlers that work clear the errors")
    assert small.state()["taken"] == 2


def test_a_second_view_has_all_thumbnails(small: EditorPage) -> None:
    small.run_cell(4)
    second = part(small, "history-strip").nth(1)
    second.locator("img:not([hidden])").nth(199).wait_for(state="attached")
    second.get_by_test_id("step-1").click()
    small.wait_for(lambda s: s["current"] == 1, "the second view jumps")
    small.page.locator("[data-testid=step-1][aria-current=step]").nth(1).wait_for(state="attached", timeout=5000)


def test_a_page_that_loads_anew_shows_the_same(small: EditorPage) -> None:
    part(small, "compare-divider").focus()
    press(small, "Home", "Shift+ArrowRight")
    small.wait_for(lambda s: s["position"] == pytest.approx(0.1), "a tenth")
    press(small, "Control+s")
    small.page.wait_for_timeout(1500)
    before = small.state()
    small.page.reload()
    part(small, "history-strip").first.wait_for(timeout=60_000)
    small.page.wait_for_timeout(2000)
    assert part(small, "compare-divider").get_attribute("aria-valuenow") == "10"
    assert (
        part(small, "sweep-value").inner_text() == ["-0.5 m", "-0.25 m", "+0 m", "+0.25 m", "+0.5 m"][before["index"]]
    )
    assert part(small, f"variation-{before['taken']}").get_attribute("aria-selected") == "true"
    assert part(small, "step-1").first.get_attribute("aria-current") == "step"
    assert part(small, "history-strip").first.locator("img:not([hidden])").count() == 200
    assert part(small, "variation-gallery").locator("img:not([hidden])").count() == 6
    part(small, "step-2").first.click()
    small.wait_for(lambda s: s["current"] == 2, "handlers go on after a reload")


def test_notebook_7_shows_the_same(small: EditorPage) -> None:
    pytest.importorskip("notebook")
    url = small.page.url.replace("/lab/tree/", "/notebooks/")
    page = small.page.context.new_page()
    try:
        page.goto(url)
        page.get_by_test_id("history-strip").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1500)
        assert page.get_by_test_id("history-strip").first.locator("img:not([hidden])").count() == 200
        page.get_by_test_id("step-4").first.click()
        small.wait_for(lambda s: s["current"] == 4, "a click in Notebook 7 jumps")
        page.get_by_test_id("compare-divider").focus()
        page.keyboard.press("End")
        small.wait_for(lambda s: s["position"] == 1.0, "keys move the divider in Notebook 7")
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"notebook7_{THEME.split()[-1].lower()}.png")
    finally:
        page.close()


def test_widgets_can_be_emptied(small: EditorPage) -> None:
    small.run_cell(5)
    small.page.get_by_text("no variations yet").wait_for()
    small.page.get_by_text("no steps yet").first.wait_for()
    assert part(small, "slot-table").is_hidden()
    assert small.errors == []
