"""`RandomHand`: a person who does whatever the page of an editor offers, in a random order that a seed repeats."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from editor_page import EditorPage

# Where everything is that can be grabbed and seen, by test id, in pixels of the page; one round trip.
_PLACES = """() => {
  const places = {};
  for (const node of document.querySelectorAll(".ag-editor [data-testid]")) {
    const box = node.getBoundingClientRect();
    const middle = [box.x + box.width / 2, box.y + box.height / 2];
    const hit = box.width && document.elementFromPoint(...middle);
    const isDrawn = node instanceof SVGElement && node.ownerSVGElement;
    if (hit && (isDrawn ? hit.closest(".ag-overlay") : node.contains(hit)) && !node.disabled) {
      places[node.dataset.testid] = [...middle, box.width, box.height];
    }
  }
  return places;
}"""
# What was shown as an error, also if it was gone again soon.
_WATCH_ERRORS = """() => {
  window.agErrors = [];
  const note = () => document.querySelectorAll(".ag-error [role=alert], .ag-problem[role=alert]").forEach((alert) => {
    if (alert.textContent && window.agErrors.at(-1) !== alert.textContent) window.agErrors.push(alert.textContent);
  });
  new MutationObserver(note).observe(document.querySelector(".ag-editor"), { subtree: true, childList: true });
}"""
_NUDGES = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Shift+ArrowUp", "Shift+ArrowDown", "Control+ArrowLeft")
Place = list[float]


class RandomHand:
    """Does random gestures and does not wait for their answers.

    Attributes:
        done: how often each kind of gesture was done.
    """

    def __init__(self, editor: EditorPage, seed: int):
        self._editor = editor
        self._page = editor.page
        self._random = random.Random(seed)
        self._places: dict[str, Place] = {}
        self.done: Counter[str] = Counter()
        self._kinds: dict[Callable[[], bool], int] = {
            self.move: 22,
            self.lift: 4,
            self.give_a_drag_up: 4,
            self.pull_a_handle: 12,
            self.nudge: 20,
            self.click_somewhere: 8,
            self.go_to_another: 6,
            self.duplicate: 3,
            self.remove: 3,
            self.undo: 8,
            self.redo: 5,
            self.look_around: 4,
            self.set_a_slider: 6,
            self.press_an_eye_or_a_lock: 4,
            self.type_a_number: 5,
            self.jump: 2,
            self.resample: 1,
        }
        self._page.evaluate(_WATCH_ERRORS)

    @property
    def errors_shown(self) -> list[str]:
        return self._page.evaluate("agErrors")

    def play(self, count: int) -> None:
        """Does so many gestures, with short breaks of random length."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        while self.done.total() < count:
            (gesture,) = self._random.choices(kinds, weights)
            if not self._places or self._random.random() < 0.5:  # else it aims at where things were before
                self._places = self._page.evaluate(_PLACES)
            if gesture():
                self.done[gesture.__name__] += 1
            if self._random.random() < 0.1:
                self._page.wait_for_timeout(self._random.uniform(20, 100))

    # -- gestures; each says whether there was something to do it with ---------------------------------------------------

    def move(self) -> bool:
        return self._drag(self._one("box-"), with_key="Control" if self._random.random() < 0.2 else "")

    def lift(self) -> bool:
        return self._drag(self._one("box-"), with_key="Shift")

    def pull_a_handle(self) -> bool:
        return self._drag(self._one("handle-"), reach=30, with_key="Alt" if self._random.random() < 0.1 else "")

    def give_a_drag_up(self) -> bool:
        return self._drag(self._one("box-"), gives_up=True)

    def nudge(self) -> bool:
        self._focus()
        key = self._random.choice((*_NUDGES, "q", "e"))
        self._page.keyboard.press(key)
        return True

    def click_somewhere(self) -> bool:
        frame = self._places["scene-overlay"]
        self._page.mouse.click(*(frame[k] + frame[2 + k] * self._random.uniform(-0.48, 0.48) for k in (0, 1)))
        return True

    def go_to_another(self) -> bool:
        self._focus()
        self._page.keyboard.press(self._random.choice(("Tab", "Shift+Tab", "Escape")))
        return True

    def duplicate(self) -> bool:
        return self._press("d")

    def remove(self) -> bool:
        return self._press(self._random.choice(("Delete", "Backspace")))

    def undo(self) -> bool:
        return self._press("Control+z")

    def redo(self) -> bool:
        return self._press(self._random.choice(("Control+Shift+z", "Control+y")))

    def look_around(self) -> bool:
        way = self._random.choice(("o", "Home", "right drag", "wheel"))
        if way in ("o", "Home"):
            return self._press(way)
        right, down, *_ = self._places["scene-overlay"]
        self._page.mouse.move(right, down)
        if way == "wheel":
            self._page.mouse.wheel(0, self._random.uniform(-200, 200))
            return True
        return self._drag([right, down], button="right")

    def set_a_slider(self) -> bool:
        return self._drag(self._one("strength-"), reach=30)

    def press_an_eye_or_a_lock(self) -> bool:
        return self._click(self._one(self._random.choice(("visible-", "lock-"))))

    def type_a_number(self) -> bool:
        place = self._one("number-")
        if not self._click(place):
            return False
        self._page.keyboard.press("Control+a")
        self._page.keyboard.type(f"{self._random.uniform(-0.5, 1.5):.2f}")
        self._page.keyboard.press(self._random.choice(("Enter", "Escape", "Tab")))
        return True

    def jump(self) -> bool:
        return self._click(self._one("step-"))

    def resample(self) -> bool:
        self._page.get_by_role("tab", name="Variations").click()
        self._page.get_by_role("button", name="Resample").click()
        self._page.get_by_role("tab", name="Objects").click()
        return True

    # -- inside -------------------------------------------------------------------------------------------------------

    def _one(self, prefix: str) -> Place | None:
        there = [place for name, place in sorted(self._places.items()) if name.startswith(prefix)]
        return self._random.choice(there) if there else None

    def _focus(self) -> None:
        self._page.evaluate("document.querySelector('.ag-overlay svg').focus({ preventScroll: true })")

    def _press(self, key: str) -> bool:
        self._focus()
        self._page.keyboard.press(key)
        return True

    def _click(self, place: Place | None) -> bool:
        if place is not None:
            self._page.mouse.click(*place[:2])
        return place is not None

    def _drag(
        self,
        place: Place | None,
        reach: float = 60.0,
        with_key: str = "",
        gives_up: bool = False,
        button: Any = "left",
    ) -> bool:
        if place is None:
            return False
        mouse, keyboard = self._page.mouse, self._page.keyboard
        mouse.move(*place[:2])
        if with_key:
            keyboard.down(with_key)
        mouse.down(button=button)
        way = self._random.uniform(-reach, reach), self._random.uniform(-reach / 2, reach / 2)
        mouse.move(place[0] + way[0], place[1] + way[1], steps=self._random.randint(1, 3))
        if gives_up:
            keyboard.press("Escape")
        mouse.up(button=button)
        if with_key:
            keyboard.up(with_key)
        return True
