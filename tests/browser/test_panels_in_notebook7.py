"""The small widgets in Notebook 7, in the dark theme."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebook_page import take_screenshot
from panels_page import num_requests, opened_panels, place_on_plan

pytestmark = pytest.mark.browser


def test_the_widgets_work_in_notebook_7_in_the_dark_theme(browser_path: str, tmp_path: Path) -> None:
    with opened_panels(browser_path, tmp_path, "JupyterLab Dark", "notebook") as panels:
        page = panels.page
        panels.errors.clear()  # Notebook throws one of its own while it loads
        page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
        page.get_by_test_id("anchor-row-chair-0").locator(".ag-name").click()
        panels.drag(place_on_plan(panels, "chair-0"), 30, 0)
        panels.wait_for(lambda s: num_requests(s, "move") == 1, "a move on the plan")
        page.get_by_test_id("strength-chair-0-layout").focus()
        page.keyboard.press("End")
        panels.wait_for(lambda s: s["strength"]["chair-0"]["layout"] == 1, "the layout released")
        page.get_by_test_id("visible-rug-0").click()
        panels.wait_for(lambda s: "rug-0" not in s["numbers"], "the rug removed")
        take_screenshot(panels, "panels_dark")
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
