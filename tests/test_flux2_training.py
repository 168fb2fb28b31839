"""Training the paper's decoder: the adapter learns beside a backbone that stays as it is; LoRA; all of it; resume."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import Flux2Transformer2DModel
from flux2_helpers import TINY, save_repository, scenes, tiny_decoder
from PIL import Image
from record_helpers import make_record
from safetensors.torch import load_file
from test_decode import make_batch

from anchorgen.__main__ import main
from anchorgen.data.encoded import EncodedRecord
from anchorgen.data.encoded_shards import ShardReport, encoded_path, settle, write_encoded_shard, write_report
from anchorgen.data.records import Record
from anchorgen.data.shard_index import RecordIndex
from anchorgen.data.shards import read_records, shard_path, write_shard
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_adapter_file import load_adapter
from anchorgen.decode.flux2_lora import lora_targets
from anchorgen.pipeline.token_networks import TokenNetworks
from anchorgen.scene.latent import SceneLatent
from anchorgen.train.flux2 import Flux2Loss, Flux2Training, train_flux2
from anchorgen.train.flux2_data import RecordSource, open_source
from anchorgen.train.flux2_parts import LORA_FILE, blocks, choose_trained
from anchorgen.train.loop import LoopConfig
from anchorgen.train.sharded import Shares, fit_sharded

LOOP = LoopConfig(steps=8, log_every=1, checkpoint_every=4, warmup_steps=2, learning_rate=1e-3)


def room(seed: int, size: int = 64) -> Record:
    """A made-up record whose picture is flat colours by quarters, and whose boxes lie in front of the camera."""
    record, rng = make_record(seed), np.random.default_rng(seed)
    image = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8).repeat(size // 2, 0).repeat(size // 2, 1)
    translation = record.truth.translation * [0.3, 0.3, 0.0] + [0, 0, 3.0]
    truth = replace(record.truth, translation=translation.astype(np.float32))
    flat = np.zeros((size, size), np.float32)
    instance = np.full((size, size), -1, np.int16)
    return Record(record.key, image, instance, flat, np.zeros((size, size, 3), np.float32), truth, record.meta)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shard(shard_path(folder, 0), [room(seed) for seed in range(3)])
    write_shard(shard_path(folder, 1), [room(3)])
    return folder


def settings(shards: Path, out: Path, loop: LoopConfig = LOOP, **changes) -> Flux2Training:
    names = ("sites", "context_width", "image_size", "num_text_tokens", "num_tokens", "channels", "num_background")
    usual = {"batch_size": 4, "gradient_checkpointing": False, **{name: getattr(TINY, name) for name in names}}
    return Flux2Training(shards, out, **(usual | changes), loop=loop)


def run(config: Flux2Training, **changes):
    decoder = tiny_decoder(**changes)
    torch.manual_seed(5)
    tokens = TokenNetworks(TINY.num_tokens, TINY.channels, TINY.num_background, TINY.background_patch)
    return decoder, train_flux2(config, decoder, RecordSource(config.data, 64), tokens)


def losses(out: Path) -> list[float]:
    with open(out / "metrics.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_records_are_found_by_number(shards):
    index = RecordIndex(shards)
    assert [index[i].key for i in (3, 0)] == ["room-00000003", "room-00000000"]
    for one, other in zip(index, read_records(shards), strict=True):
        assert one.key == other.key and np.array_equal(one.image, other.image)
    with pytest.raises(ValueError, match="data render"):
        RecordIndex(shards / "nothing")


def test_the_adapter_overfits_four_scenes_beside_a_frozen_backbone(shards, tmp_path):
    """Noise and times are fixed a scene: a frozen random backbone passes no new noise on, so that none could be learned."""
    wide = TINY.transformer | {"attention_head_dim": 32, "num_attention_heads": 8, "axes_dims_rope": (8, 8, 8, 8)}
    decoder = tiny_decoder(transformer=wide, latent_noise=0.0)
    before = {k: v.clone() for k, v in decoder.state_dict().items()}
    choose_trained(decoder, "adapter")
    torch.manual_seed(5)
    module = Flux2Loss(decoder.velocity, TokenNetworks(2, 8, 1, 4).eval().requires_grad_(False))
    rooms, _ = RecordSource(shards, 64).read(range(4))
    with torch.no_grad():
        clean = decoder.autoencoder.encode(rooms.pictures())
    others = (decoder.noise(range(4)), torch.tensor([0.4, 0.6, 0.8, 1.0]), torch.ones(4, dtype=torch.bool))
    loop = replace(LOOP, steps=80, learning_rate=5e-3, checkpoint_every=80)
    how = Shares(blocks(decoder), batch_size=4)
    fit_sharded(loop, module, lambda *_: others, lambda m, b: (m(rooms, None, clean, *b), {}), tmp_path, how)
    frozen = {k: v for k, v in decoder.state_dict().items() if ".processor." not in k and "velocity.scene." not in k}
    assert len(frozen) > 50 and all(torch.equal(value, before[name]) for name, value in frozen.items())
    curve = losses(tmp_path)
    assert curve[-1] <= 0.1 * curve[0], curve[::20]


def test_a_run_leaves_an_adapter_that_draws_and_token_networks(shards, tmp_path):
    _, result = run(settings(shards, tmp_path))
    assert result.finished and result.step == 8
    again = tiny_decoder()
    assert load_adapter(again.velocity, tmp_path / "adapter.safetensors")["pictures"] == 4
    assert not torch.equal(again.render(scenes(), [1, 2], 2), tiny_decoder().render(scenes(), [1, 2], 2))
    names = load_file(tmp_path / "tokens.safetensors").keys()
    assert names == TokenNetworks(2, 8, 1, 4).state_dict().keys()
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000008"]


def test_a_stopped_run_goes_on_exactly(shards, tmp_path):
    run(settings(shards, tmp_path / "whole"))
    run(settings(shards, tmp_path / "cut", replace(LOOP, steps=8, max_seconds=0.0)))
    assert sorted(p.name for p in (tmp_path / "cut").glob("step-*")) == ["step-00000001"]
    run(settings(shards, tmp_path / "cut"))
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole") and len(losses(tmp_path / "cut")) == 8
    cut, whole = (load_file(tmp_path / name / "adapter.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


def test_turns_and_recomputed_activations_change_only_rounding(shards, tmp_path):
    loop = replace(LOOP, steps=3)
    run(settings(shards, tmp_path / "one", loop), latent_noise=0.0)
    run(settings(shards, tmp_path / "two", loop, accumulate=2, gradient_checkpointing=True), latent_noise=0.0)
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=2e-4)
    with pytest.raises(ValueError, match="--accumulate"):
        run(settings(shards, tmp_path / "x", replace(loop, parts=2)))
    with pytest.raises(ValueError, match="multiple of 3"):
        run(settings(shards, tmp_path / "x", accumulate=3))


def test_a_checkpoint_of_another_network_is_refused(shards, tmp_path):
    run(settings(shards, tmp_path, replace(LOOP, steps=1)))
    with pytest.raises(ValueError, match="choose another --out"):
        run(settings(shards, tmp_path), context_width=16)


@pytest.mark.parametrize("what", ["lora", "full"])
def test_a_run_that_trained_more_does_not_go_on_with_less(shards, tmp_path, what):
    pytest.importorskip("peft")
    run(settings(shards, tmp_path, replace(LOOP, steps=2), what=what, lora_rank=2))
    before = (tmp_path / "adapter.safetensors").read_bytes()
    with pytest.raises(ValueError, match="also trained .* parameters that this call does not .*--what"):
        run(settings(shards, tmp_path))
    assert (tmp_path / "adapter.safetensors").read_bytes() == before
    run(settings(shards, tmp_path, what=what, lora_rank=2))
    assert (tmp_path / "adapter.safetensors").read_bytes() != before


def test_lora_layers_miss_the_adapter_and_load_into_the_stock_model(shards, tmp_path):
    pytest.importorskip("peft")
    decoder, _ = run(settings(shards, tmp_path, what="lora", lora_rank=2))
    transformer = decoder.velocity.transformer
    wrapped = {n.rsplit(".lora_A", 1)[0] for n, _ in transformer.named_modules() if n.endswith("lora_A")}
    assert wrapped and not any("scene_" in name or "processor" in name for name in wrapped)
    assert {name.rsplit("attn.", 1)[1] for name in wrapped} == {*lora_targets(decoder.velocity)[:5], "to_out"}
    base = {n: p for n, p in transformer.named_parameters() if "lora_" not in n and ".processor." not in n}
    assert not any(p.requires_grad for p in base.values())
    layers = load_file(tmp_path / LORA_FILE)
    assert any(value.abs().max() > 0 for name, value in layers.items() if "lora_B" in name)
    stock = Flux2Transformer2DModel(**TINY.transformer)
    stock.load_lora_adapter(layers)
    loaded = {n.replace(".default_0.", "."): p for n, p in stock.named_parameters() if "lora_" in n}
    assert {f"transformer.{name}" for name in loaded} == set(layers)
    assert all(torch.equal(p, layers[f"transformer.{name}"]) for name, p in loaded.items())


def test_a_fully_trained_backbone_loads_like_any_other(shards, tmp_path):
    decoder, _ = run(settings(shards, tmp_path, replace(LOOP, ema_decay=0.0), what="full"))
    again = Flux2Transformer2DModel.from_pretrained(tmp_path / "transformer")
    trained = decoder.velocity.transformer.state_dict()
    untrained = tiny_decoder().velocity.transformer.state_dict()
    assert not any(".processor." in name for name in again.state_dict())
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, trained[name], rtol=1e-2, atol=1e-3)
    assert not torch.equal(trained["x_embedder.weight"], untrained["x_embedder.weight"])


def test_encoded_pictures_bring_their_latents(tmp_path):
    folder, scenes_ = tmp_path / "encoded", []
    for number in range(4):
        batch, rng = make_batch(1), np.random.default_rng(number)
        arrays = {n: getattr(batch, n)[0, :3].numpy() for n in ("translation", "quat_wxyz", "scale", "appearance")}
        scene = SceneLatent.pack(
            6, **arrays, labels=("bed",) * 3, ids=("",) * 3, focal=batch.focal[0].numpy(), up=batch.up[0].numpy(),
            floor=float(batch.floor[0]), background=rng.normal(size=(1, 8)).astype(np.float32), latent_space="abc",
        )  # fmt: skip
        stream = io.BytesIO()
        Image.fromarray(room(number).image).resize((80, 70)).save(stream, "PNG")
        scenes_.append(EncodedRecord(f"picture-{number}", "png", stream.getvalue(), scene))
    settle(folder, {"latent_space": "abc"})
    checksum = write_encoded_shard(encoded_path(folder, 0), scenes_)
    write_report(encoded_path(folder, 0), ShardReport("", 4, 4, sha256=checksum))
    source = open_source(folder, TINY)
    rooms, (f, b) = source.read([3, 0])
    assert rooms.images.shape == (2, 3, 64, 64) and f.shape == (2, 6, 2, 8) and b.shape == (2, 1, 8)
    assert rooms.names() == ["picture-3", "picture-0"]
    decoder = tiny_decoder()
    train_flux2(settings(folder, tmp_path / "run"), decoder, source, None)
    facts = load_adapter(tiny_decoder().velocity, tmp_path / "run" / "adapter.safetensors")
    assert facts["latent_space"] == "abc" and not (tmp_path / "run" / "tokens.safetensors").exists()
    with pytest.raises(ValueError, match="K, C, Kb, C = .2, 8, 1, 8."):
        open_source(folder, replace(TINY, channels=4))


def test_a_choice_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="'adapter', 'lora' or 'full'"):
        choose_trained(tiny_decoder(), "some")  # type: ignore[arg-type]


def test_the_command_trains_from_a_repository(shards, tmp_path, monkeypatch, capsys):
    repository = save_repository(tmp_path / "klein")
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path / "cache"))
    sizes = {"image-size": 64, "num-text-tokens": 5, "num-tokens": 2, "channels": 8, "context-width": 16}
    sizes = [f"--{name}={value}" for name, value in sizes.items()]
    loop = ["--loop.steps", "2", "--loop.log-every", "1", "--batch-size", "2"]
    command = ["train", "flux2", "--data", str(shards), "--out", str(tmp_path / "run"), *sizes, *loop]
    main([*command, "--repository", str(repository)])
    assert "after 2 steps" in capsys.readouterr().out
    frozen = Flux2KleinDecoder.from_pretrained(
        replace(TINY, repository=str(repository), sites="double", context_width=16, dtype="bfloat16"), with_prompt=False
    )
    load_adapter(frozen.velocity, tmp_path / "run" / "adapter.safetensors")
    with pytest.raises(SystemExit, match="hf download"):
        main([*command, "--repository", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit, match="size: got 128"):
        main([*command, "--repository", str(repository), "--image-size", "128", "--out", str(tmp_path / "b")])
