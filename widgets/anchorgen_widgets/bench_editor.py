"""`python -m anchorgen bench editor`: drags of a real mouse in a real JupyterLab, with the bundled model behind them.

Needs JupyterLab, Playwright and a Chromium. The machine must be idle: these are times of the clock.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from anchorgen_widgets.lab_in_browser import JupyterServer, open_browser, running_jupyter, write_notebook

DRAG_S, RATE_HZ = 3.0, 60
VIEWPORT = {"width": 1280, "height": 900}
_CELL = """
import anchorgen as ag
from anchorgen_widgets import SceneEditor
from anchorgen_widgets.bench_probe import watch
editor = SceneEditor(ag.load(), ag.examples()[0].scene)
watch(editor, "heard.jsonl")
editor"""

# What the page spends on a move: from the first listener of the window to the last, and on the frames drawn meanwhile.
_TIMING = """() => {
  const log = (window.agTimes = { moves: [], frames: [] });
  let started = 0;
  addEventListener("pointermove", () => (started = performance.now()), true);
  addEventListener("pointermove", () => log.moves.push(performance.now() - started));
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) =>
    ask((at) => {
      const begun = performance.now();
      draw(at);
      log.frames.push(performance.now() - begun);
    });
}"""


def run(quick: bool = False) -> dict[str, Any]:
    """All figures: times in the page, on the way to the kernel, and to the first picture.

    Raises:
        FileNotFoundError: there is no Chromium.
    """
    num_drags = 3 if quick else 20
    with tempfile.TemporaryDirectory() as folder, running_jupyter(Path(folder)) as server, open_browser() as browser:
        write_notebook(server.folder / "room.ipynb", [_CELL])
        page = browser.new_page(viewport=VIEWPORT)
        _open_editor(page, server)
        log = server.folder / "heard.jsonl"
        page.evaluate(_TIMING)
        drags = [_drag(page, log, number) for number in range(num_drags)]
        times = page.evaluate("agTimes")
    delays, first_pictures, lost, live, seconds = (np.array([drag[k] for drag in drags], float) for k in range(5))
    return {
        "handler_ms_p95": float(np.percentile(times["moves"], 95)),
        "handler_ms_p50": float(np.median(times["moves"])),
        "frame_ms_p95": float(np.percentile(times["frames"], 95)),
        "moves": len(times["moves"]),
        "commit_ms_p50": float(np.median(delays)),
        "commit_ms_max": float(np.max(delays)),
        "edit_to_draft_seconds_p50": float(np.median(first_pictures)) / 1000,
        "lost_final_poses": int(lost.sum()),
        "live_pictures_per_second": float(live.sum() / seconds.sum()),
        "drags": num_drags,
        "drag_seconds": float(seconds.mean()),  # more than DRAG_S where the page cannot keep up with RATE_HZ
        "moves_per_second": float(len(times["moves"]) / seconds.sum()),
    }


def _open_editor(page: Any, server: JupyterServer, attempts: int = 6) -> None:
    page.goto(server.url("lab/tree/room.ipynb"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=90_000)
    log, prompt = server.folder / "heard.jsonl", page.locator(".jp-CodeCell .jp-InputPrompt").first
    for _ in range(attempts):  # a page that is still loading its widgets may lose the output
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(2000)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not (log.exists() and _lines(log, "idle")):
            if "[ ]" in prompt.inner_text():  # a kernel that is just starting drops requests, or is asked for
                if page.locator(".jp-Dialog .jp-mod-accept").count():
                    page.locator(".jp-Dialog .jp-mod-accept").first.click()
                break
            page.wait_for_timeout(200)
        if page.get_by_test_id("scene-overlay").count():
            page.wait_for_timeout(1500)
            return
    raise RuntimeError("the editor did not show in JupyterLab; run a notebook by hand to see why")


def _drag(page: Any, log: Path, number: int) -> tuple[float, float, bool, int, float]:
    """One drag of three seconds; delay until its commit was heard and done (ms), time to its first picture (ms),
    whether its final pose was lost, how many pictures came while it went on, and how long it took (s)."""
    start = _grab_point(page, number)
    commits, scenes, pictures = (len(_lines(log, kind)) for kind in ("commit", "scene", "image"))
    mouse = page.mouse
    mouse.move(*start)
    mouse.down()
    begun = time.perf_counter()
    for k in range(1, int(DRAG_S * RATE_HZ) + 1):
        angle = 2 * np.pi * k / RATE_HZ
        mouse.move(start[0] + 40 * np.sin(angle) + 0.1 * k, start[1] + 14 * np.sin(2 * angle))
        time.sleep(max(0.0, begun + k / RATE_HZ - time.perf_counter()))
    live, seconds = len(_lines(log, "image")) - pictures, time.perf_counter() - begun
    mouse.up()
    commit = _wait_for(page, log, "commit", commits)
    page.wait_for_timeout(1500)
    scene = _lines(log, "scene")[scenes:]
    drawn = [line for line in _lines(log, "image") if line["ms"] >= commit["ms"] and line["of_scene"]]
    x, y, z = commit["t"]
    lost = not scene or float(np.abs(np.subtract(scene[-1]["objects"][commit["id"]], (x, -y, -z))).max()) > 2e-4
    first = drawn[0]["ms"] - commit["sent_ms"] if drawn else np.inf
    return commit["ms"] - commit["sent_ms"], first, lost, live, seconds


def _grab_point(page: Any, number: int) -> tuple[float, float]:
    """The middle of a box that is wholly in the picture, another one each time."""
    frame = page.get_by_test_id("scene-overlay").bounding_box()
    shown = page.locator("polygon[data-testid^=box-]")
    boxes = [box for box in (shown.nth(k).bounding_box() for k in range(shown.count())) if box]
    inside = [
        box
        for box in boxes
        if box["x"] > frame["x"] and box["x"] + box["width"] + 50 < frame["x"] + frame["width"] and box["width"] > 16
    ]
    if not inside:
        raise RuntimeError("no object is wholly in the picture; the bundled example room has changed")
    box = inside[number % len(inside)]
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _wait_for(page: Any, log: Path, kind: str, before: int) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = _lines(log, kind)
        if len(lines) > before:
            return lines[before]
        page.wait_for_timeout(20)
    raise RuntimeError(f"the kernel heard no {kind} within 20 s; is the machine busy?")


def _lines(log: Path, kind: str) -> list[dict[str, Any]]:
    whole = log.read_text().splitlines()
    return [line for line in map(json.loads, whole) if line["kind"] == kind]
