"""What went wrong with a perception model, and the next step, in one sentence.

A plain file: the worker loads it in SAM 3D's own environment, where there is no anchorgen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class PerceptionError(RuntimeError):
    """A perception model (SAM 3, SAM 3D, MoGe, DINOv2) that cannot be used as it is; the message has the next step."""


class PictureError(PerceptionError):
    """One picture of which a model makes nothing; the next may do better."""


_MEMORY = ("out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed")
_WRONG_ARCHITECTURE = ("no kernel image is available", "not compatible with the current pytorch installation")
_NO_CUDA = (
    "not compiled with cuda",
    "not compiled with gpu support",
    "no nvidia driver",
    "driver version is insufficient",
    "driver on your system is too old",
    "no cuda gpus are available",
    "no cuda-capable device",
    "libcudart",
    "libcublas",
    "undefined symbol",
)
_BROKEN_GPU = ("device-side assert", "illegal memory access", "unspecified launch failure", "misaligned address")
_GATED = ("gatedrepoerror", "gated repo")
_NO_REPOSITORY = ("repositorynotfounderror", "is not a valid model identifier")
_NOT_HERE = (
    "localentrynotfounderror",
    "entrynotfounderror",
    "offlinemodeisenabled",
    "couldn't connect",
    "can't load",
    "does not appear to have a file named",
    "hfvalidationerror",
    "connecterror",
    "connectionerror",
    "filenotfounderror",
)


def is_out_of_memory(error: BaseException) -> bool:
    return _has(_text(error), ("outofmemoryerror", *_MEMORY))


def is_fatal(error: BaseException) -> bool:
    """Nothing that this process still asks of the GPU can succeed: it must end."""
    return _has(_text(error), (*_BROKEN_GPU, *_WRONG_ARCHITECTURE, *_NO_CUDA))


def advice(error: BaseException, repository: str = "", memory: str = "", install: str = "") -> str | None:
    """What it is and what to do, or None for an error that is not of this kind.

    Args:
        error: with its causes, which are looked at too.
        repository: of the weights on the Hugging Face Hub, "owner/name".
        memory: what the model needs, e.g. "32 GB".
        install: the command that installs the missing package.
    """
    text = _text(error)
    where = repository or "the weights' repository"
    if _has(text, _GATED):
        return (
            f"{where} is gated and no access was given to this account: ask for it on "
            f"https://huggingface.co/{repository}, then run `hf auth login`"
        )
    if _has(text, ("operator torchvision::",)):
        return "torchvision is built for another torch: install the two together, for the same CUDA (or both for CPU)"
    if "modulenotfounderror" in text or ("importerror" in text and not _has(text, _NO_CUDA)):
        return f"a package is missing ({_first(error)}): {install or 'install it'}"
    if _has(text, ("outofmemoryerror", *_MEMORY)):
        need = f"; it needs about {memory}" if memory else ""
        return f"the GPU is out of memory{need}: free it, take a larger one, or use smaller pictures"
    if _has(text, _WRONG_ARCHITECTURE):
        return "torch (or a package with kernels of its own) is not built for this GPU: install builds for it"
    if _has(text, _NO_CUDA):
        return (
            f"no usable CUDA ({_first(error)}): compare `nvidia-smi` with `python -c 'import torch; "
            "print(torch.version.cuda)'` and install matching builds"
        )
    if _has(text, _BROKEN_GPU):
        return f"the GPU stopped with {_first(error)}: start again; what is finished stays"
    if _has(text, (*_NO_REPOSITORY, *_NOT_HERE)) and (os.path.isabs(repository) or os.path.exists(repository)):
        return f"no weights in {repository}, or not all: check the path, or `hf download` the repository to it"
    if _has(text, _NO_REPOSITORY):
        return f"no repository {where}, or it is private: check the name, then `hf auth login`"
    if _has(text, _NOT_HERE):
        return (
            f"the weights are not here: `hf download {repository or 'OWNER/NAME'} --local-dir FOLDER`, and pass FOLDER"
        )
    return None


@contextmanager
def explained(what: str, repository: str = "", memory: str = "", install: str = "") -> Iterator[None]:
    """Turns the errors that `advice` knows into one PerceptionError about `what`; others pass."""
    try:
        yield
    except PerceptionError:
        raise
    except Exception as error:
        known = advice(error, repository, memory, install)
        if known is None:
            raise
        raise PerceptionError(f"{what}: {known}") from error


@contextmanager
def named_in_config(setting: str) -> Iterator[None]:
    """Says in a PerceptionError which setting of a model folder's config.json names what is missing."""
    try:
        yield
    except PerceptionError as error:
        raise type(error)(f"{error} (named in config.json: {setting})") from error


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found


def _text(error: BaseException) -> str:
    """Class names and messages of an error and its causes, lower case."""
    parts = [f"{' '.join(k.__name__ for k in type(e).__mro__)} {e}" for e in _chain(error)]
    return " ".join(parts).lower()


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _has(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)
