"""The render thread: the latest request wins, and nothing stale is ever shown."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from anchorgen_widgets import rendering
from anchorgen_widgets.rendering import RenderJob, RenderWorker, Ticket

WAIT_S = 10.0


class Gate:
    """A job of some steps that stops at each until it is let on."""

    def __init__(self, name: str, shown: list[str], num_steps: int = 2):
        self.name = name
        self.shown = shown
        self.num_steps = num_steps
        self.reached = threading.Semaphore(0)
        self.may_go = threading.Semaphore(0)

    def __call__(self, ticket: Ticket) -> None:
        for step in range(self.num_steps):
            self.reached.release()
            assert self.may_go.acquire(timeout=WAIT_S)
            ticket.progress(step + 1, self.num_steps)
        ticket.publish(self.shown.append, self.name)

    def wait_for_step(self) -> None:
        assert self.reached.acquire(timeout=WAIT_S)

    def go(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.may_go.release()


def test_a_newer_request_stops_the_running_job_at_its_next_step() -> None:
    shown: list[str] = []
    worker = RenderWorker()
    old, new = Gate("old", shown, num_steps=50), Gate("new", shown)
    worker.request(RenderJob(old))
    old.wait_for_step()
    worker.request(RenderJob(new))
    old.go()
    new.wait_for_step()
    new.go(2)
    assert worker.wait_until_idle(WAIT_S)
    assert shown == ["new"]
    assert (worker.counts.finished, worker.counts.cancelled) == (1, 1)
    assert not old.reached.acquire(blocking=False), "the stale job went on after it was overtaken"


def test_of_many_waiting_requests_only_the_last_runs() -> None:
    shown: list[str] = []
    dropped: list[str] = []
    worker = RenderWorker(on_dropped=dropped.append)
    first = Gate("first", shown)
    worker.request(RenderJob(first, "first"))
    first.wait_for_step()
    for k in range(5):
        worker.request(RenderJob(lambda ticket, k=k: ticket.publish(shown.append, f"job {k}"), f"job {k}"))
    first.go(2)
    assert worker.wait_until_idle(WAIT_S)
    assert shown == ["job 4"]
    assert dropped == ["job 0", "job 1", "job 2", "job 3", "first"]


def test_previews_let_a_running_preview_finish_so_that_a_drag_shows_pictures() -> None:
    shown: list[str] = []
    worker = RenderWorker()
    previews = [Gate(f"preview {k}", shown, num_steps=1) for k in range(3)]
    worker.request(RenderJob(previews[0], preview=True))
    previews[0].wait_for_step()
    worker.request(RenderJob(previews[1], preview=True))
    worker.request(RenderJob(previews[2], preview=True))
    previews[0].go()
    previews[2].wait_for_step()
    previews[2].go()
    assert worker.wait_until_idle(WAIT_S)
    assert shown == ["preview 0", "preview 2"]


def test_a_preview_stops_a_running_final_picture_and_an_edit_stops_a_preview() -> None:
    shown: list[str] = []
    worker = RenderWorker()
    final, preview, edit = (Gate(name, shown) for name in ("final", "preview", "edit"))
    worker.request(RenderJob(final))
    final.wait_for_step()
    worker.request(RenderJob(preview, preview=True))
    final.go()
    preview.wait_for_step()
    worker.request(RenderJob(edit))
    preview.go()
    edit.wait_for_step()
    edit.go(2)
    assert worker.wait_until_idle(WAIT_S)
    assert shown == ["edit"]


def test_a_job_that_ignores_its_ticket_still_cannot_show_anything_stale() -> None:
    shown: list[str] = []
    worker = RenderWorker()
    started, may_end = threading.Event(), threading.Event()

    def deaf(ticket: Ticket) -> None:
        started.set()
        assert may_end.wait(WAIT_S)
        ticket.publish(shown.append, "stale")

    worker.request(RenderJob(deaf))
    assert started.wait(WAIT_S)
    worker.cancel()
    may_end.set()
    assert worker.wait_until_idle(WAIT_S)
    assert shown == []


def test_an_error_is_reported_and_the_worker_goes_on() -> None:
    errors: list[Exception] = []
    shown: list[str] = []
    worker = RenderWorker(on_error=errors.append)

    def broken(ticket: Ticket) -> None:
        raise ValueError("no such colour")

    worker.request(RenderJob(broken))
    assert worker.wait_until_idle(WAIT_S)
    worker.request(RenderJob(lambda ticket: ticket.publish(shown.append, "fine")))
    assert worker.wait_until_idle(WAIT_S)
    assert [str(error) for error in errors] == ["no such colour"]
    assert shown == ["fine"]
    assert worker.counts.failed == 1


def test_the_thread_ends_when_idle_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "IDLE_S", 0.01)
    worker, seen = RenderWorker(), []
    for _ in range(2):
        worker.request(RenderJob(lambda ticket: seen.append(threading.current_thread())))
        assert worker.wait_until_idle(WAIT_S)
        seen[-1].join(WAIT_S)
        assert not seen[-1].is_alive()
    assert seen[0] is not seen[1]


def test_a_closed_worker_says_so() -> None:
    worker = RenderWorker()
    worker.close()
    with pytest.raises(RuntimeError, match="was closed"):
        worker.request(RenderJob(lambda ticket: None))


LEAVES_AT_ONCE = """
import atexit, threading
names = lambda: [thread.name for thread in threading.enumerate()]
atexit.register(lambda: print("at the end:", names()))  # runs last
from fake_pipeline import FakePipeline, make_room
from anchorgen_widgets.session import EditorSession
EditorSession(FakePipeline(step_s=0.3), make_room()).render()
print("drawing:", names())
"""


def test_no_thread_is_left_when_the_interpreter_ends() -> None:
    folder = Path(__file__).parent
    paths = [str(folder), str(folder.parent), str(folder.parent / "widgets")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", LEAVES_AT_ONCE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    drawing, end = done.stdout.splitlines()
    assert "anchorgen-render" in drawing
    assert "anchorgen-render" not in end
