"""Starts workers in SAM 3D's environment, one a GPU, and notices when they end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from anchorgen.encode.sam3d import folder, worker_path
from anchorgen.encode.sam3d.explain import PerceptionError

_LAST = 400  # characters of a log that an error quotes


class Sam3dWorkers:
    """Worker processes on one job folder; they end with this process, or when `close` is called.

    Args:
        job: the folder; it is made where there is none.
        python: the interpreter of SAM 3D Objects' environment.
        checkpoint: its `pipeline.yaml`.
        gpus: one worker each.
        script: what to run, for stand-ins.
    """

    def __init__(
        self,
        job: str | Path,
        python: str | Path,
        checkpoint: str | Path,
        gpus: Sequence[int | str] = (0,),
        script: str | Path | None = None,
    ):
        self.job, self.python, self.checkpoint = folder.create(Path(job)), Path(python), Path(checkpoint)
        self.gpus, self.script = tuple(gpus), Path(script or worker_path())
        self._running: list[tuple[subprocess.Popen, Path]] = []

    def start(self) -> None:
        """Starts those that do not run.

        Raises:
            PerceptionError: there is no such interpreter, or it cannot be run.
        """
        if self._running:
            return
        if not self.python.is_file():
            raise PerceptionError(
                f"SAM 3D Objects: no interpreter {self.python}; install its own environment (docs/sam3d.md), and pass the "
                "path of its python"
            )
        (self.job / "closed").unlink(missing_ok=True)
        for gpu in self.gpus:
            log = self.job / "workers" / f"gpu-{gpu}.log"
            command = [
                self.python,
                self.script,
                self.job,
                "--checkpoint",
                self.checkpoint,
                "--gpu",
                str(gpu),
                "--follow",
            ]
            command += ["--parent", str(os.getpid())]
            with open(log, "w") as stream:
                try:
                    process = subprocess.Popen(list(map(str, command)), stdout=stream, stderr=stream)
                except OSError as error:
                    raise PerceptionError(
                        f"SAM 3D Objects: {self.python} cannot be run ({error}); see docs/sam3d.md"
                    ) from None
            self._running.append((process, log))

    def wait(self, names: Sequence[str], timeout_s: float | None = None, poll_s: float = 0.2) -> None:
        """Returns when every object of the pictures has a result or a failure.

        Raises:
            PerceptionError: no worker is left, with the reason of the last one; or the time is over.
        """
        self.start()
        end = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = [self.job / "pictures" / name for name in names]
        while waiting:
            alive = any(process.poll() is None for process, _ in self._running)
            waiting = [path for path in waiting if not folder.is_finished(path)]
            if waiting and not alive:
                reason = self._reason()
                self._running = []
                raise PerceptionError(f"{reason} ({len(waiting)} pictures wait; what is finished stays)")
            if waiting and end is not None and time.monotonic() > end:
                raise PerceptionError(
                    f"SAM 3D Objects: {waiting[0].name} is not finished after {timeout_s:g} s; wait longer, or see the logs "
                    f"in {self.job / 'workers'}"
                )
            if waiting:
                time.sleep(poll_s)

    def _reason(self) -> str:
        """What the first worker that failed said last."""
        for process, log in self._running:
            if process.returncode:
                lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
                said = lines[-1][-_LAST:] if lines else "nothing"
                how = f"signal {-process.returncode}" if process.returncode < 0 else f"code {process.returncode}"
                return (
                    said if process.returncode == 2 else f"SAM 3D Objects: a worker ended with {how} and said: {said}"
                )
        return "SAM 3D Objects: the workers ended"

    def close(self) -> None:
        """Lets the workers end when they have finished what is there."""
        (self.job / "closed").touch()
        for process, _ in self._running:
            process.wait()
        self._running = []

    def stop(self) -> None:
        """Ends the workers at once; finished objects stay, and the next ones go on from there."""
        for process, _ in self._running:
            process.terminate()
        self.close()

    def __enter__(self) -> Sam3dWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close() if kind is None else self.stop()
