"""Result files: what was measured, with which command, weights and machine."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

_HOMES = {  # what nothing here imports: widgets, and trainers
    "editor": "anchorgen_widgets.bench_editor",
    "scale": "anchorgen.ablation.bench_scale",
}


def home_of(name: str) -> str:
    """The module of a benchmark."""
    return _HOMES.get(name, f"anchorgen.analysis.bench_{name}")


def run_benchmark(name: str, quick: bool = False, out: Path | None = None, **options: Any) -> dict[str, Any]:
    """Runs the benchmark's `run(quick, **options)`, prints its figures, and writes them as JSON where asked.

    Raises:
        SystemExit: what the benchmark needs is missing; the message says what to do.
    """
    started = time.perf_counter()
    try:
        figures = importlib.import_module(home_of(name)).run(quick, **options)
    except (FileNotFoundError, ImportError) as error:
        raise SystemExit(f"anchorgen bench {name}: {error}") from None
    result = {
        "name": name,
        "command": f"python -m anchorgen bench {name}" + (" --quick" if quick else "") + _said(options),
        "commit": commit(),
        "weights_sha256": weights_sha256(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "seconds": round(time.perf_counter() - started, 1),
        "figures": {key: round(v, 5) if isinstance(v, float) else v for key, v in figures.items()},
    }
    width = max(map(len, result["figures"]))
    print("\n".join(f"{key:<{width}}  {value}" for key, value in result["figures"].items()))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _said(options: dict[str, Any]) -> str:
    return "".join(f" --{name} {value}" for name, value in options.items())


def commit() -> str:
    """The commit of the source tree, "-dirty" if it was changed since; "unknown" outside a checkout."""
    here = Path(__file__).parent
    try:
        name = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("-dirty" if changed.strip() else "")


def weights_sha256(folder: Path | None = None) -> str:
    """One hash over the bundled weight files; "none" where there are none."""
    folder = folder or Path(__file__).parents[1] / "pretrained" / "bedrooms-128"
    files = sorted(folder.glob("*.safetensors"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest() if files else "none"
