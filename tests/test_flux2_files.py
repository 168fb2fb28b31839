"""Files beside the backbone: the adapter, the empty prompt, and a whole pipeline of the paper's classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from flux2_helpers import TINY, awake, save_repository, scenes, tiny_decoder
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from anchorgen.decode import flux2_prompt
from anchorgen.decode.flux2_adapter_file import AdapterFileError, load_adapter, save_adapter
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.decode.flux2_prompt import empty_prompt, text_encoder_identity


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "adapter.safetensors"
    save_adapter(awake(tiny_decoder()).velocity, path, facts={"latent_space": "abc"})
    return path


def test_an_adapter_file_holds_only_what_was_trained(saved):
    with safe_open(str(saved), "pt") as file:
        names = list(file.keys())
    assert names and all(".processor.scene_" in name or name.startswith("scene.") for name in names)
    assert any(name.startswith("single_transformer_blocks.1.") for name in names)


def test_an_adapter_comes_back_bit_for_bit(saved):
    original, other = awake(tiny_decoder()), tiny_decoder()
    torch.manual_seed(9)
    for value in other.velocity.scene.parameters():
        value.data.normal_()
    assert load_adapter(other.velocity, saved) == {"latent_space": "abc"}
    assert torch.equal(other.render(scenes(), [1, 2], 2), original.render(scenes(), [1, 2], 2))


@pytest.mark.parametrize(
    "change, said",
    [
        ({"sites": "double"}, "sites 'all', this decoder's is 'double'"),
        ({"context_width": 16}, "context_width 32, this decoder's is 16"),
        ({"channels": 4}, "channels 8, this decoder's is 4"),
        ({"transformer": TINY.transformer | {"num_attention_heads": 4}}, "width 32, this decoder's is 64"),
        ({"transformer": TINY.transformer | {"num_single_layers": 3}}, "missing .'single_transformer_blocks.2"),
    ],
)
def test_adapters_of_other_decoders_are_refused(saved, change, said):
    velocity = tiny_decoder(**change).velocity
    before = {name: value.clone() for name, value in velocity.state_dict().items()}
    with pytest.raises(AdapterFileError, match=said):
        load_adapter(velocity, saved)
    assert all(torch.equal(value, before[name]) for name, value in velocity.state_dict().items())


def test_what_is_no_adapter_is_refused(tmp_path):
    velocity, path = tiny_decoder().velocity, tmp_path / "x.safetensors"
    with pytest.raises(AdapterFileError, match="missing; expected"):
        load_adapter(velocity, path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(AdapterFileError, match="copy it again"):
        load_adapter(velocity, path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(AdapterFileError, match="no adapter's header"):
        load_adapter(velocity, path)
    save_file({"a": torch.zeros(1)}, path, metadata={"settings": "{}", "format_version": "99"})
    with pytest.raises(AdapterFileError, match="update it"):
        load_adapter(velocity, path)


def test_the_prompt_is_computed_once_and_read_afterwards(tmp_path, monkeypatch):
    folder = save_repository(tmp_path / "klein")
    config, cache = replace(TINY, repository=str(folder)), tmp_path / "cache"
    first = empty_prompt(config, cache)
    assert first.shape == (5, 24) and first.dtype == torch.bfloat16

    def never(*args):
        raise AssertionError("the text encoder was used again")

    monkeypatch.setattr(flux2_prompt, "_compute", never)
    assert torch.equal(empty_prompt(config, cache), first)
    [file] = cache.glob("*.safetensors")
    assert text_encoder_identity(str(folder)) in file.name
    with pytest.raises(AssertionError, match="used again"):
        empty_prompt(replace(config, num_text_tokens=6), cache)


def test_the_cached_prompt_is_what_the_stock_pipeline_makes(tmp_path):
    folder = save_repository(tmp_path / "klein", torch.bfloat16)
    from diffusers import Flux2KleinPipeline

    pipe = Flux2KleinPipeline.from_pretrained(folder, dtype=torch.bfloat16)
    expected, _ = pipe.encode_prompt("", max_sequence_length=5)
    found = empty_prompt(replace(TINY, repository=str(folder)), tmp_path / "cache")
    assert torch.equal(found, expected[0])


def test_another_text_encoder_is_another_prompt(tmp_path):
    folder = save_repository(tmp_path / "klein")
    before = text_encoder_identity(str(folder))
    path = next((folder / "text_encoder").glob("*.safetensors"))
    tensors = load_file(path)
    tensors["model.norm.weight"] += 1
    save_file(tensors, path, metadata={"format": "pt"})
    assert text_encoder_identity(str(folder)) != before
    path.unlink()
    with pytest.raises(BackboneError, match="holds no weights"):
        text_encoder_identity(str(folder))


def test_no_text_needs_no_text_encoder():
    assert empty_prompt(replace(TINY, num_text_tokens=0, repository="nobody/nothing")).shape == (0, 24)


def test_a_text_encoder_on_the_hub_is_known_by_its_small_files_and_commit(tmp_path, monkeypatch):
    def downloaded(repository, name, revision=None):
        if name.endswith(("index.json", "jinja")):
            raise EntryNotFoundError(f"no {name}")
        path = tmp_path / "snapshots" / (revision or "aaa") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        return str(path)

    monkeypatch.setattr(flux2_prompt, "hf_hub_download", downloaded)
    one, again, other = (text_encoder_identity("owner/name", revision) for revision in (None, "aaa", "bbb"))
    assert one == again != other


def test_a_repository_that_is_gone_is_explained(tmp_path, monkeypatch):
    def offline(*args, **options):
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(flux2_prompt, "hf_hub_download", offline)
    with pytest.raises(BackboneError, match="the empty prompt's embedding: owner/name is not in the local cache"):
        empty_prompt(replace(TINY, repository="owner/name"), tmp_path)
