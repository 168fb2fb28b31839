"""Why a job over many files ended, in a sentence for the command line."""

from __future__ import annotations

import errno
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHUT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


class AllFailed(RuntimeError):
    """Every room of a shard failed: what ails the code or the machine, not a room."""


class CannotEncode(RuntimeError):
    """A model that every picture needs cannot be used; the message has the next step."""


ENDINGS = (ValueError, ImportError, OSError, MemoryError, BrokenProcessPool, AllFailed, CannotEncode)


def why_it_ended(error: BaseException, out: Path, resumes: bool = True) -> str:
    """What happened, what is safe and what to do.

    Args:
        error: one of `ENDINGS`. out: where the job writes.
        resumes: whether the command keeps what is finished and goes on from there.
    """
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, BrokenProcessPool):
        reason = "a worker process was killed (by someone, or for want of memory: fewer --workers need less)"
    elif isinstance(error, (AllFailed, CannotEncode)):
        reason = str(error)
    elif isinstance(error, MemoryError):
        reason = "the memory is full; fewer --workers need less"
    elif isinstance(error, OSError) and error.errno in _FULL:
        reason = f"no space left for {out}; free some, or choose another --out"
    elif isinstance(error, OSError) and error.errno in _SHUT:
        return f"cannot write to {out}: {error.strerror}; choose another --out, or change who may write there"
    else:
        reason = f"{type(error).__name__}: {error}"
    if not resumes:
        return f"{reason}. Nothing of the work is kept; the same command begins anew"
    return f"{reason}. What is finished in {out} is intact; the same command goes on from there"
