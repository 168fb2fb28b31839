"""Jobs in processes that are replaced now and then, and whose death ends the job with a clear error."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any


def run_jobs(
    function: Callable[[Any], Any], jobs: Sequence[Any], workers: int, jobs_per_process: int | None = None
) -> Iterator[Any]:
    """Results of `function(job)` as they are done, in any order.

    One pool of one process per worker: a pool of many with `max_tasks_per_child` hangs in Python 3.11 (gh-115634).

    Args:
        function: importable by name. jobs: its arguments. workers: processes at once.
        jobs_per_process: then a fresh process takes its place; None keeps it.

    Raises:
        BrokenProcessPool: a process was killed. Exception: what `function` raised. In both cases the jobs that are
            running elsewhere end first, and their results are yielded.
    """
    waiting, running, failure = deque(jobs), dict[Future, _Lane](), None
    lanes = [_Lane(jobs_per_process) for _ in range(min(workers, len(jobs)))]
    idle, patient = list(lanes), False
    try:
        while running or (waiting and failure is None):
            while waiting and idle and failure is None:
                lane = idle.pop()
                running[lane.submit(function, waiting.popleft())] = lane
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                idle.append(running.pop(future))
                error = future.exception()
                if error is None:
                    yield future.result()
                elif failure is None:
                    failure = error
                    if running:
                        print(f"{type(error).__name__}; {len(running)} other workers end their jobs", file=sys.stderr)
        patient = True
        if failure is not None:
            raise failure
    finally:
        for lane in lanes:
            lane.close(patient)


class _Lane:
    """One process at a time."""

    def __init__(self, jobs_per_process: int | None):
        self.jobs_per_process = jobs_per_process
        self.pool: ProcessPoolExecutor | None = None
        self.done = 0

    def submit(self, function: Callable[[Any], Any], job: Any) -> Future:
        if self.pool is None or self.done == self.jobs_per_process:
            self.close()
            spawn = multiprocessing.get_context("spawn")
            self.pool, self.done = ProcessPoolExecutor(1, mp_context=spawn, initializer=_end_with_parent), 0
        self.done += 1
        return self.pool.submit(function, job)

    def close(self, patient: bool = True) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=patient, cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
