"""One render at a time, on one thread: the latest request wins, and what is stale is never shown.

Widget callbacks arrive on whatever thread the front end's messages run on (a subshell thread in JupyterLab >= 4.4), so
nothing here touches an event loop. One lock guards the worker and whoever owns it; callbacks run while it is held, in
the order in which things happened.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

IDLE_S = 20.0
END_S = 10.0


class RenderCancelled(Exception):
    """Raised inside a job at its next step once a newer request has made it stale."""


@dataclass(frozen=True)
class RenderJob:
    """One piece of work for the thread.

    Attributes:
        run: called with a `Ticket`; calls `ticket.progress` often and shows results through `ticket.publish` only.
        name: what people see while it runs.
        preview: a draft that follows the mouse. A newer preview waits for a running one instead of cancelling it, so
            that a steady stream of them still shows pictures.
    """

    run: Callable[[Ticket], None]
    name: str = "render"
    preview: bool = False


@dataclass
class WorkerCounts:
    """How many jobs were asked for and what became of them; `dropped` never started."""

    requested: int = 0
    finished: int = 0
    cancelled: int = 0
    dropped: int = 0
    failed: int = 0


class Ticket:
    """What a running job holds: whether it may go on, and the only way to show what it made."""

    def __init__(self, worker: RenderWorker, job: RenderJob, generation: int):
        self.job = job
        self.generation = generation
        self._worker = worker

    @property
    def is_current(self) -> bool:
        return self.generation >= self._worker.valid_from

    def check(self) -> None:
        """Raises RenderCancelled if a newer request has made this job stale."""
        if not self.is_current:
            raise RenderCancelled(f"{self.job.name} (request {self.generation}) was overtaken by a newer one")

    def progress(self, step: int, total: int) -> None:
        """Reports a finished step; the place where a stale job stops."""
        self.publish(self._worker.on_progress, self.job.name, step, total)

    def publish(self, show: Callable[..., None], *args) -> None:
        """Calls `show(*args)` with the lock held, unless the job is stale: no newer request can slip in between."""
        with self._worker.lock:
            self.check()
            show(*args)


class RenderWorker:
    """Runs the latest `RenderJob` on a thread that starts when it is needed and ends when it has been idle.

    Attributes:
        lock: the lock that guards this worker and its owner's state.
        generation: number of the newest request; `valid_from` is the oldest one whose results may still be shown.
        counts: what became of the requests.
        last_error: what the newest request failed with, until the next one.
    """

    def __init__(
        self,
        *,
        lock: threading.RLock | None = None,
        on_progress: Callable[[str, int, int], None] = lambda name, step, total: None,
        on_error: Callable[[Exception], None] = lambda error: None,
        on_dropped: Callable[[str], None] = lambda name: None,
        on_idle: Callable[[], None] = lambda: None,
    ):
        self.lock = lock or threading.RLock()
        self.on_progress = on_progress
        self.on_error = on_error
        self.on_dropped = on_dropped
        self.on_idle = on_idle
        self.generation = 0
        self.valid_from = 0
        self.counts = WorkerCounts()
        self.last_error: Exception | None = None
        self._changed = threading.Condition(self.lock)
        self._pending: RenderJob | None = None
        self._running: Ticket | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        _ALIVE.add(self)

    @property
    def is_busy(self) -> bool:
        return self._pending is not None or self._running is not None

    @property
    def job_names(self) -> tuple[str, ...]:
        """What runs and what waits."""
        jobs = (self._running.job if self._running is not None else None, self._pending)
        return tuple(job.name for job in jobs if job is not None)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def request(self, job: RenderJob) -> int:
        """Makes `job` the next one to run, in place of any that waits; returns its generation.

        Raises:
            RuntimeError: the worker was closed.
        """
        with self.lock:
            if self._closed:
                raise RuntimeError("this editor was closed and draws no more; make a new one from its .scene")
            self.counts.requested += 1
            self.last_error = None
            self.generation += 1
            self._drop_pending()
            if not (job.preview and self._running is not None and self._running.job.preview):
                self.valid_from = self.generation
            self._pending = job
            self._changed.notify_all()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="anchorgen-render", daemon=True)
                self._thread.start()
            return self.generation

    def cancel(self) -> None:
        """Makes everything asked for so far stale; the running job stops at its next step."""
        with self.lock:
            self.generation += 1
            self.valid_from = self.generation
            self.last_error = None
            self._drop_pending()
            self._changed.notify_all()

    def close(self) -> None:
        """Cancels and ends the thread. Not to be undone."""
        with self.lock:
            self._closed = True
            self.cancel()

    def end(self, timeout_s: float = END_S) -> None:
        """Closes, and waits until the thread has stopped at its next step. Must not be called with the lock held."""
        self.close()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def wait_until_idle(self, timeout_s: float = 60.0, ignored: Callable[[], bool] = lambda: False) -> bool:
        """Blocks until nothing runs or waits, or what does is `ignored`; False if that took longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self.is_busy and not ignored():
                if not self._changed.wait(deadline - time.monotonic()):
                    return not self.is_busy or ignored()
        return True

    def _drop_pending(self) -> None:
        if self._pending is not None:
            dropped, self._pending = self._pending, None
            self.counts.dropped += 1
            self.on_dropped(dropped.name)

    def _work(self) -> None:
        while (ticket := self._next_ticket()) is not None:
            error: Exception | None = None
            try:
                ticket.job.run(ticket)
            except Exception as caught:
                error = caught
            with self.lock:
                self._settle(ticket, error)

    def _next_ticket(self) -> Ticket | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending is not None or self._closed, timeout=IDLE_S)
            if self._pending is None or self._closed:
                self._thread = None
                return None
            job, self._pending = self._pending, None
            self._running = Ticket(self, job, self.generation)
            return self._running

    def _settle(self, ticket: Ticket, error: Exception | None) -> None:
        self._running = None
        if isinstance(error, RenderCancelled):
            self.counts.cancelled += 1
            self.on_dropped(ticket.job.name)
        elif error is not None and not ticket.is_current:
            self.counts.cancelled += 1
        elif error is not None:
            self.counts.failed += 1
            self.last_error = error
            self.on_error(error)
        else:
            self.counts.finished += 1
        if self._pending is None:
            self.on_idle()
        self._changed.notify_all()


_ALIVE: weakref.WeakSet[RenderWorker] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """A thread that is still inside a network when the interpreter goes down aborts the process."""
    for worker in list(_ALIVE):
        worker.end()
