"""A JupyterLab of its own in a headless Chromium, for benchmarks and tests: on a free port of 127.0.0.1, ended with its
kernels. Needs the extras `notebooks` and `dev`, and a Chromium on the PATH."""

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
class JupyterServer:
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
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@contextlib.contextmanager
def running_jupyter(
    folder: Path, theme: str = "JupyterLab Light", application: str = "jupyterlab", import_paths: Sequence[Path] = ()
) -> Iterator[JupyterServer]:
    """Starts a server with settings of its own, and ends it with its kernels.

    Args:
        folder: where settings, logs and (in `notebooks`) notebooks go.
        theme: of JupyterLab.
        application: module to run, "jupyterlab" or "notebook".
        import_paths: what kernels can import from, besides what is installed.

    Raises:
        RuntimeError: it does not start; the message has the end of its log.
    """
    notebooks, settings = folder / "notebooks", folder / "settings" / "@jupyterlab" / "apputils-extension"
    for path in (notebooks, settings):
        path.mkdir(parents=True, exist_ok=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    server = JupyterServer(notebooks, _free_port(), secrets.token_hex(16))
    with (folder / "jupyter.log").open("wb") as log:
        command, environment = _command(server, folder, application), _environment(folder, import_paths)
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=notebooks)
        try:
            _wait_until_up(server, process, folder / "jupyter.log")
            yield server
        finally:
            _stop(server, process)


@contextlib.contextmanager
def open_browser(more_arguments: Sequence[str] = ()) -> Iterator[Any]:
    """A headless Chromium, as Playwright's `Browser`.

    Raises:
        FileNotFoundError: there is none on the PATH.
        ModuleNotFoundError: Playwright is not installed.
    """
    from playwright import sync_api as playwright

    path = find_browser()
    if path is None:
        raise FileNotFoundError("no Chromium on the PATH; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=[*BROWSER_ARGUMENTS, *more_arguments])
        try:
            yield browser
        finally:
            browser.close()


def _command(server: JupyterServer, folder: Path, application: str) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": server.port,
        "ServerApp.port_retries": 0,
        "IdentityProvider.token": server.token,
        "ServerApp.root_dir": server.folder,
        "LabServerApp.user_settings_dir": folder / "settings",
        "LabApp.user_settings_dir": folder / "settings",
        "LabApp.workspaces_dir": folder / "workspaces",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", application, "--no-browser", "--allow-root", *arguments]


def _environment(folder: Path, import_paths: Sequence[Path]) -> dict[str, str]:
    paths = [*map(str, import_paths), os.environ.get("PYTHONPATH", "")]
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(server: JupyterServer, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(server.url("api/status"), timeout=5),
        ):
            return
        time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start; its log ends with:\n{log.read_text()[-2000:]}")


def _stop(server: JupyterServer, process: subprocess.Popen) -> None:
    with contextlib.suppress(urllib.error.URLError, OSError):
        kernels = json.load(urllib.request.urlopen(server.url("api/kernels"), timeout=10))
        for kernel in kernels:
            request = urllib.request.Request(server.url(f"api/kernels/{kernel['id']}"), method="DELETE")
            urllib.request.urlopen(request, timeout=20).close()
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
