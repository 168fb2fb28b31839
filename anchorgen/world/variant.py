"""Which Mitsuba runs: vectorised LLVM where a fit library is found, else the slow scalar one. Never an abort."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

MIN_LLVM = 19  # drjit 1.5 aborts the process on the 15 that Debian ships


@lru_cache(maxsize=1)
def use_mitsuba() -> Any:
    """The `mitsuba` module with a variant set.

    Warns:
        RuntimeWarning: no LLVM >= 19 was found; pictures are then rendered by `scalar_rgb`, some ten times slower.

    Raises:
        ImportError: mitsuba is not installed; the message says how to install it.
    """
    library, problem = find_llvm(), f"no LLVM >= {MIN_LLVM} was found (pip install karellen-llvm-core)"
    if library is not None and "drjit" in sys.modules and os.environ.get("DRJIT_LIBLLVM_PATH") != str(library):
        # drjit has already chosen a library by itself; with Debian's it would abort the process at the first kernel.
        library, problem = None, f"drjit was imported before its LLVM was named; set DRJIT_LIBLLVM_PATH={library} first"
    if library is not None:
        os.environ["DRJIT_LIBLLVM_PATH"] = str(library)
    try:
        import mitsuba
    except ImportError as error:
        raise ImportError(
            "rendering needs mitsuba and pyoidn; install them with: pip install 'anchorgen[world]'"
        ) from error
    if library is None:
        warnings.warn(f"{problem}; rendering with the slow scalar_rgb", RuntimeWarning, stacklevel=2)
    mitsuba.set_variant("scalar_rgb" if library is None else "llvm_ad_rgb")
    return mitsuba


def limit_threads(count: int) -> None:
    """How many threads the renderer and, if it has not run yet, the denoiser of this process use."""
    os.environ.setdefault("OIDN_NUM_THREADS", str(count))
    os.environ.setdefault("OIDN_SET_AFFINITY", "0")  # which core is the scheduler's to say, also between processes
    if use_mitsuba().variant().startswith("llvm"):
        import drjit

        drjit.set_thread_count(count)


def find_llvm() -> Path | None:
    """`DRJIT_LIBLLVM_PATH` if it is fit, else the library that the karellen-llvm-core wheel brings, else None."""
    named = os.environ.get("DRJIT_LIBLLVM_PATH")
    candidates = [Path(named)] if named else []
    try:
        packaged = metadata.files("karellen-llvm-core") or []
    except metadata.PackageNotFoundError:
        packaged = []
    candidates += sorted(Path(str(f.locate())) for f in packaged if f.name.startswith("libLLVM"))
    return next((path for path in candidates if llvm_version(path) >= MIN_LLVM), None)


def llvm_version(path: Path) -> int:
    """Major version of a libLLVM, 0 if it is none. It is loaded without making its symbols global."""
    try:
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_LOCAL)
        major, minor, patch = (ctypes.c_uint() for _ in range(3))
        library.LLVMGetVersion(ctypes.byref(major), ctypes.byref(minor), ctypes.byref(patch))
    except (OSError, AttributeError):
        return 0
    return major.value
