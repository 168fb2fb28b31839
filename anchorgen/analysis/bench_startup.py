"""`python -m anchorgen bench startup`: what `import anchorgen` costs beside `import torch`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any


def run(quick: bool = False) -> dict[str, Any]:
    """Medians of fresh processes, the two imports in turn, less the time of an empty interpreter."""
    rounds = 3 if quick else 7
    seconds: dict[str, list[float]] = {"pass": [], "import torch": [], "import anchorgen": []}
    for code in seconds:
        _seconds(code)
    for _ in range(rounds):
        for code, measured in seconds.items():
            measured.append(_seconds(code))
    empty, torch, own = (statistics.median(v) for v in seconds.values())
    return {
        "import_ratio_to_torch": (own - empty) / (torch - empty),
        "import_torch_seconds": torch - empty,
        "import_anchorgen_seconds": own - empty,
        "rounds": rounds,
    }


def _seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started
