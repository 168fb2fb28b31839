"""One clear message with the next step for each way in which a perception model can be missing."""

from __future__ import annotations

import httpx
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from small_transformers import need_torchvision, need_transformers

from anchorgen.encode.dinov2 import Dinov2Patches
from anchorgen.encode.sam3 import Sam3Masks
from anchorgen.encode.sam3d.explain import PerceptionError, advice, explained, is_fatal, is_out_of_memory


def response(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/x"))


def wrapped(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


CASES = [
    (
        GatedRepoError("403 Client Error", response=response(403)),
        "is gated.*https://huggingface.co/o/n, then run `hf auth",
    ),
    (
        wrapped(OSError("You are trying to access a gated repo."), GatedRepoError("x", response=response(401))),
        "is gated",
    ),
    (RepositoryNotFoundError("404", response=response(404)), "no repository o/n, or it is private"),
    (LocalEntryNotFoundError("Connection error, and not cached"), "not here: `hf download o/n --local-dir FOLDER`"),
    (OSError("We couldn't connect to 'https://huggingface.co' to load the files"), "the weights are not here"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory; it needs about 32 GB"),
    (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), "the GPU is out of memory"),
    (RuntimeError("Found no NVIDIA driver on your system."), "no usable CUDA .*nvidia-smi"),
    (AssertionError("Torch not compiled with CUDA enabled"), "no usable CUDA"),
    (RuntimeError("Not compiled with GPU support"), "no usable CUDA"),
    (ImportError("libcudart.so.12: cannot open shared object file"), "no usable CUDA"),
    (ImportError("_C.so: undefined symbol: _ZN3c105ErrorC2E"), "no usable CUDA"),
    (RuntimeError("CUDA error: no kernel image is available for execution on the device"), "not built for this GPU"),
    (RuntimeError("CUDA error: device-side assert triggered"), "start again; what is finished stays"),
    (ModuleNotFoundError("No module named 'kaolin'"), "a package is missing .*'kaolin'.*: do this"),
    (ImportError("Sam3ImageProcessor requires the Torchvision library"), "a package is missing"),
    (RuntimeError("operator torchvision::nms does not exist"), "torchvision is built for another torch"),
]


@pytest.mark.parametrize("error, message", CASES, ids=lambda x: type(x).__name__ if isinstance(x, Exception) else "")
def test_known_errors_become_one_message_with_a_next_step(error, message):
    with pytest.raises(PerceptionError, match=f"^SAM 3: .*{message}"), explained("SAM 3", "o/n", "32 GB", "do this"):
        raise error
    assert "\n" not in advice(error)


def test_unknown_errors_and_ours_pass_unchanged():
    with pytest.raises(KeyError), explained("SAM 3"):
        raise KeyError("x")
    with pytest.raises(PerceptionError, match="^as it is$"), explained("SAM 3"):
        raise PerceptionError("as it is")


def test_what_ends_a_worker_is_not_what_one_object_can_cause():
    assert is_fatal(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_fatal(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert not is_fatal(ValueError("no valid points found in mask"))


@pytest.mark.parametrize("name, load", [("Sam3Model", Sam3Masks.load), ("Dinov2Model", Dinov2Patches.load)])
def test_loading_goes_through_it(name, load, monkeypatch):
    transformers = need_transformers()
    need_torchvision()

    def refuse(*args, **options):
        raise GatedRepoError("403", response=response(403))

    monkeypatch.setattr(getattr(transformers, name), "from_pretrained", refuse)
    with pytest.raises(PerceptionError, match="is gated and no access was given"):
        load()


@pytest.mark.parametrize("load, name", [(Sam3Masks.load, "SAM 3"), (Dinov2Patches.load, "DINOv2")])
def test_without_transformers_the_extra_is_named(load, name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(PerceptionError, match=rf"^{name}: a package is missing .*pip install 'anchorgen\[paper\]'"):
        load()
