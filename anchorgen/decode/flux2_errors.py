"""What goes wrong around a large pretrained backbone, each as one message with the next step."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import errors as hub

from anchorgen.decode.flux2_config import REPOSITORY


class BackboneError(RuntimeError):
    """Weights, access, driver or memory are missing; the message says which and what to do."""


_UNREACHABLE = (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError, TimeoutError)
_CUDA = (
    "no kernel image is available",
    "not compiled with cuda",
    "found no nvidia driver",
    "driver version is insufficient",
    "no cuda gpus are available",
    "unsupported toolchain",
    "invalid device ordinal",
)


@contextmanager
def explained(doing: str, repository: str = "") -> Iterator[None]:
    """Turns what is known to go wrong into a `BackboneError`; anything else passes unchanged.

    Args:
        doing: what was tried, e.g. "loading the backbone".
        repository: a name on the hub or a folder that is read; without one, files that are missing are none of its own.
    """
    try:
        yield
    except BackboneError:
        raise
    except Exception as error:
        advice = next((text for e in _chain(error) if (text := _advice(e, repository))), None)
        if advice is None and isinstance(error, OSError) and repository and error.errno != errno.ENOSPC:
            advice = _missing(repository)
        if advice is None:
            raise
        raise BackboneError(f"{doing}: {advice}") from error


def _chain(error: BaseException | None) -> list[BaseException]:
    """From the first cause to the error: libraries wrap the telling one."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found[::-1]


def _advice(error: BaseException, repository: str) -> str | None:
    if isinstance(error, hub.GatedRepoError):
        return (
            f"{repository} is gated. Accept its licence at https://huggingface.co/{repository} with your account, "
            "then log in here: hf auth login"
        )
    if isinstance(error, hub.RevisionNotFoundError):
        return f"{repository} has no such revision; leave `revision` out, or take one from its history on the hub"
    if isinstance(error, hub.RepositoryNotFoundError):
        return f"the hub has no {repository} that you may read. Check the name; if it is private: hf auth login"
    if isinstance(error, _UNREACHABLE):
        return (
            f"{repository} is not in the local cache and the hub cannot be reached. Where there is a network, run: "
            f"hf download {repository} --local-dir klein; then give that folder as `repository`"
        )
    if isinstance(error, hub.EntryNotFoundError) and repository:
        return _missing(repository)
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "the GPU's memory is full. Spend less: decoder.use(MemoryPlan(fp8=True)) or MemoryPlan(offload=True), fewer "
            "scenes at once; in training a smaller --batch-size, --gradient-checkpointing or --loop.sharding full. "
            "What fits which card: python -m anchorgen flux2 sizes"
        )
    text = str(error).lower()
    if isinstance(error, (RuntimeError, AssertionError)) and any(words in text for words in _CUDA):
        return (
            f"this PyTorch ({torch.__version__}, built for CUDA {torch.version.cuda or 'none'}) cannot use the GPU here: "
            f"{str(error).strip().splitlines()[0]}. Compare with nvidia-smi and install the build that fits your driver "
            "and GPU: https://pytorch.org/get-started/locally"
        )
    return None


def _missing(repository: str) -> str:
    if Path(repository).exists() or Path(repository).is_absolute():
        again = f"{repository}: no complete diffusers folder. Download one: hf download {REPOSITORY} --local-dir FOLDER"
    else:
        again = f"{repository} lacks files. Download it again: hf download {repository}; or check the name"
    return f"{again}. Needed are transformer/, vae/ and scheduler/, each with its config and weights"


def needed(module: str, purpose: str, extra: str = "paper"):
    """Imports a module of an optional extra.

    Raises:
        BackboneError: it is not installed; the message has the command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BackboneError(
            f"{purpose} needs {module.split('.')[0]} ({error}). Install it: "
            f"{sys.executable.rsplit('/', 1)[-1]} -m pip install 'anchorgen[{extra}]'"
        ) from error
