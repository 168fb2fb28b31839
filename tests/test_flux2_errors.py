"""What goes wrong with a large backbone ends in one message that says what to do; the errors are the real classes."""

from __future__ import annotations

import errno
from dataclasses import replace

import httpx
import pytest
import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from flux2_helpers import TINY, scenes, tiny_decoder
from huggingface_hub import errors as hub

from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_config import REPOSITORY
from anchorgen.decode.flux2_errors import BackboneError, explained
from anchorgen.decode.flux2_memory import MemoryPlan

CONFIG = replace(TINY, repository=REPOSITORY)


def answered(kind: type, status: int) -> Exception:
    response = httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co/x"))
    return kind("refused", response=response)


@pytest.mark.parametrize(
    "error, advice",
    [
        (answered(hub.GatedRepoError, 403), "is gated. Accept its licence at https://huggingface.co/black-forest-labs"),
        (answered(hub.RepositoryNotFoundError, 404), "hf auth login"),
        (answered(hub.RevisionNotFoundError, 404), "no such revision"),
        (hub.LocalEntryNotFoundError("offline"), "hf download black-forest-labs/FLUX.2-klein-base-4B --local-dir"),
        (hub.OfflineModeIsEnabled("offline"), "hub cannot be reached"),
        (ConnectionError("no route"), "hub cannot be reached"),
        (hub.EntryNotFoundError("no such file"), "Download it again: hf download"),
        (OSError("no file named diffusion_pytorch_model.safetensors"), "Needed are transformer/, vae/ and scheduler/"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_loading_explains_what_is_missing(monkeypatch, error, advice):
    def fails(*args, **options):
        raise error

    monkeypatch.setattr(Flux2Transformer2DModel, "from_pretrained", fails)
    with pytest.raises(BackboneError) as caught:
        Flux2KleinDecoder.from_pretrained(CONFIG)
    message = str(caught.value)
    assert message.startswith("loading the backbone: ") and advice in message and "\n" not in message
    assert caught.value.__cause__ is error


def test_the_telling_error_is_found_inside_the_one_that_wraps_it(monkeypatch):
    def fails(*args, **options):
        raise OSError("is not a local folder") from answered(hub.GatedRepoError, 403)

    monkeypatch.setattr(AutoencoderKLFlux2, "from_pretrained", fails)
    monkeypatch.setattr(Flux2Transformer2DModel, "from_pretrained", lambda *a, **k: None)
    with pytest.raises(BackboneError, match="is gated"):
        Flux2KleinDecoder.from_pretrained(CONFIG)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(BackboneError, match="no complete diffusers folder"):
        Flux2KleinDecoder.from_pretrained(replace(CONFIG, repository=str(tmp_path)))


def test_full_memory_says_how_to_spend_less(monkeypatch):
    decoder = tiny_decoder()

    def fails(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(decoder.velocity.transformer, "forward", fails)
    with pytest.raises(BackboneError, match=r"MemoryPlan\(fp8=True\).*flux2 sizes"):
        decoder.render(scenes(), [1, 2], steps=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_explained():
    with pytest.raises(BackboneError, match="cannot use the GPU here"):
        tiny_decoder().use(MemoryPlan(), "cuda")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ..."),
        RuntimeError("Found no NVIDIA driver on your system."),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
)
def test_a_wrong_cuda_is_explained_in_one_line(error):
    with pytest.raises(BackboneError, match="pytorch.org") as caught, explained("placing"):
        raise error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), KeyError("x"), OSError(errno.ENOSPC, "full")])
def test_other_errors_pass_unchanged(error):
    with pytest.raises(type(error)) as caught, explained("loading", REPOSITORY):
        raise error
    assert caught.value is error
