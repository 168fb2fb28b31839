"""SAM 3D Objects behind files: it runs in its own environment (`worker.py`, `folder.py`, `explain.py` are plain files)."""

from __future__ import annotations

from pathlib import Path


def worker_path() -> Path:
    """The script to run with the interpreter of SAM 3D's environment."""
    return Path(__file__).with_name("worker.py")
