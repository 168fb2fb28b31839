"""A real JupyterLab on this machine and a real Chromium looking at it; both end with the test that started them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

REPOSITORY = Path(__file__).parents[2]
START_TIMEOUT_S = 120.0
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class JupyterLab:
    """A running server.

    Attributes:
        folder: its notebooks.
        port, token: how to reach it.
    """

    folder: Path
    port: int
    token: str

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"


def find_browser() -> str | None:
    """Path of the system's Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSER_NAMES)), None)


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of code cells for the kernel of this Python."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@contextlib.contextmanager
def running_jupyter_lab(folder: Path, theme: str = "JupyterLab Light") -> Iterator[JupyterLab]:
    """Starts `jupyter lab` on a free port of 127.0.0.1 with settings of its own, and ends it with its kernels."""
    notebooks, settings = folder / "notebooks", folder / "settings" / "@jupyterlab" / "apputils-extension"
    for path in (notebooks, settings):
        path.mkdir(parents=True, exist_ok=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    lab = JupyterLab(notebooks, _free_port(), secrets.token_hex(16))
    with (folder / "jupyter.log").open("wb") as log:
        process = subprocess.Popen(
            _command(lab, folder), env=_environment(folder), stdout=log, stderr=log, cwd=notebooks
        )
        try:
            _wait_until_up(lab, process, folder / "jupyter.log")
            yield lab
        finally:
            _stop(lab, process)


def _command(lab: JupyterLab, folder: Path) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": lab.port,
        "ServerApp.port_retries": 0,
        "IdentityProvider.token": lab.token,
        "ServerApp.root_dir": lab.folder,
        "LabApp.user_settings_dir": folder / "settings",
        "LabApp.workspaces_dir": folder / "workspaces",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *arguments]


def _environment(folder: Path) -> dict[str, str]:
    folders = ("tests/browser", "tests", "widgets", ".")
    paths = [*(str(REPOSITORY / name) for name in folders), os.environ.get("PYTHONPATH", "")]
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(lab: JupyterLab, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(lab.url("api/status"), timeout=5),
        ):
            return
        time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start; its log ends with:\n{log.read_text()[-2000:]}")


def _stop(lab: JupyterLab, process: subprocess.Popen) -> None:
    with contextlib.suppress(urllib.error.URLError, OSError):
        kernels = json.load(urllib.request.urlopen(lab.url("api/kernels"), timeout=10))
        for kernel in kernels:
            request = urllib.request.Request(lab.url(f"api/kernels/{kernel['id']}"), method="DELETE")
            urllib.request.urlopen(request, timeout=20).close()
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
