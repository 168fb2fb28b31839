"""Every trainer in the order that makes a bundled model, two steps each, on four rendered rooms."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from picture_files import exported
from safetensors.torch import load_file

from anchorgen.__main__ import main
from anchorgen.data.shards import shard_path, write_shard
from anchorgen.pipeline.pipeline import AnchorgenPipeline
from anchorgen.pipeline.pretrained import bundled_folder
from anchorgen.train import decoder
from anchorgen.train.render_data import render_record
from anchorgen.train.run_pipeline import pipeline_of_run
from anchorgen.train.tensors import RoomTensors
from anchorgen.train.vae_decoder import token_crops

SHORT = ["--loop.steps", "2", "--loop.log-every", "1", "--loop.mixed-precision", "no"]


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    write_shard(shard_path(folder, 0), [render_record(seed, 128, 1) for seed in range(4)])
    return folder


@pytest.fixture(scope="module")
def runs(rooms, tmp_path_factory):
    """A folder of runs as `train bundle` wants it; the decoder in its two parts."""
    out, data = tmp_path_factory.mktemp("runs"), ["--data", str(rooms)]
    main(["train", "vae", *data, "--out", f"{out}/vae-1", "--batch-size", "2", *SHORT])
    against = ["--init", f"{out}/vae-1", "--adversarial-weight", "0.02", "--latent-noise", "0.2"]
    main(["train", "vae", *data, "--out", f"{out}/vae", "--batch-size", "2", *against, *SHORT])
    decoder = ["train", "decoder", *data, "--vae", f"{out}/vae", "--batch-size", "2"]
    main([*decoder, "--out", f"{out}/decoder-1", *SHORT])
    main([*decoder, "--out", f"{out}/decoder", "--init", f"{out}/decoder-1", *SHORT])
    tokens = ["--tokens", f"{out}/decoder/tokens.safetensors"]
    main(["train", "scene_latents", *data, *tokens, "--out", f"{out}/latents.safetensors"])
    prior = ["train", "prior", "--latents", f"{out}/latents.safetensors", "--out-dir", f"{out}/prior"]
    main([*prior, "--batch-size", "2", *SHORT])
    main(["train", "encoder", *data, *tokens, "--out", f"{out}/encoder", "--batch-size", "2", *SHORT])
    return out


def test_a_bundle_of_the_runs_loads_and_knows_its_training(runs, tmp_path):
    main(["train", "bundle", "--runs", str(runs), "--out", str(tmp_path / "tiny"), "--num-examples", "0"])
    pipe = AnchorgenPipeline.from_pretrained(tmp_path / "tiny", "cpu")
    training = json.loads((tmp_path / "tiny" / "training.json").read_text())
    assert {name: run["steps"] for name, run in training.items()} == dict.fromkeys(training, 2)
    assert training["decoder"]["rooms"] == 4
    assert training["decoder"]["first_part"]["steps"] == 2
    stored = load_file(runs / "decoder" / "tokens.safetensors")
    own = pipe.tokens.state_dict()
    assert all(torch.equal(own[name], value.bfloat16().float()) for name, value in stored.items())


def test_networks_of_another_latent_space_are_not_bundled(runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    record = tmp_path / "runs" / "prior" / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"latent_space": "another"}))
    with pytest.raises(ValueError, match="latent spaces"):
        main(["train", "bundle", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "x"), "--num-examples", "0"])


def test_going_on_keeps_the_latents_and_trains_the_rest(runs):
    first, second = (load_file(runs / name / "tokens.safetensors") for name in ("decoder-1", "decoder"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    before, after = (load_file(runs / name / "decoder.safetensors") for name in ("decoder-1", "decoder"))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_decoder_and_prior_train_on_encoded_pictures(rooms, runs, tmp_path):
    pipe = pipeline_of_run(runs / "decoder", runs / "vae")
    pipe.encoder.config = replace(pipe.encoder.config, threshold=0.0, max_objects=3)
    pipe.config = replace(pipe.config, encoder={**pipe.config.encoder, "threshold": 0.0, "max_objects": 3})
    pipe.save_pretrained(tmp_path / "pipe")
    exported(tmp_path / "pictures")
    encode = ["data", "encode", str(tmp_path / "pictures"), "--encoder", str(tmp_path / "pipe")]
    main([*encode, "--out", f"{tmp_path}/shards", "--device", "cpu"])
    vae = ["--vae", f"{runs}/vae"]
    train = ["train", "decoder", "--data", f"{tmp_path}/shards", *vae, "--batch-size", "2", *SHORT]
    main([*train, "--init", f"{runs}/decoder", "--out", f"{tmp_path}/decoder"])
    record = json.loads((tmp_path / "decoder" / "run.json").read_text())
    assert (record["rooms"], record["mirrored"], record["latent_space"]) == (7, False, pipe.latent_space)
    before, after = (load_file(p / "decoder.safetensors") for p in (runs / "decoder", tmp_path / "decoder"))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    main(["train", "scene_latents", "--data", f"{tmp_path}/shards", "--out", f"{tmp_path}/latents.safetensors"])
    prior = ["train", "prior", "--latents", f"{tmp_path}/latents.safetensors", "--out-dir", f"{tmp_path}/prior"]
    main([*prior, "--batch-size", "2", *SHORT])
    assert json.loads((tmp_path / "prior" / "run.json").read_text())["latent_space"] == pipe.latent_space
    with pytest.raises(SystemExit, match="--init is missing"):
        main([*train, "--out", f"{tmp_path}/none"])
    main([*encode[:3], "--out", f"{tmp_path}/other", "--device", "cpu"])
    with pytest.raises(ValueError, match="this decoder of"):
        main([*train[:3], f"{tmp_path}/other", *train[4:], "--init", f"{runs}/decoder", "--out", f"{tmp_path}/none"])


def test_the_decoding_half_learns_sampled_tokens_and_the_encoder_stays(rooms, runs, tmp_path):
    data, run = ["--data", str(rooms)], ["--run", f"{runs}/decoder", "--vae", f"{runs}/vae"]
    main(["train", "sampled_tokens", *data, *run, "--out", str(tmp_path / "tokens.safetensors")])
    sampled = load_file(tmp_path / "tokens.safetensors")["tokens"]
    assert sampled.shape == (4, 2, 64, 8, 8)
    assert not torch.equal(sampled[:, 0], sampled[:, 1])
    command = ["--vae", f"{runs}/vae", "--sampled", str(tmp_path / "tokens.safetensors"), "--batch-size", "4"]
    main(["train", "vae_decoder", *data, *command, "--out", str(tmp_path / "vae"), *SHORT])
    before, after = (load_file(folder / "vae.safetensors") for folder in (runs / "vae", tmp_path / "vae"))
    changed = {".".join(name.split(".")[:2]) for name in before if not torch.equal(before[name], after[name])}
    kept = {"vae.decoder", "vae.post_quant_conv", "linear_out.weight", "linear_out.bias"}
    assert "vae.decoder" in changed and changed <= kept
    with pytest.raises(ValueError, match="tokens of 4 rooms; expected 2"):
        main(["train", "vae_decoder", *data, *command, "--stop", "2", "--out", str(tmp_path / "other"), *SHORT])


def test_crops_of_tokens_and_pictures_show_the_same_place():
    at = torch.arange(8.0)
    tokens = torch.stack([at.view(8, 1).expand(8, 8), at.expand(8, 8)])[None, None].expand(3, 2, -1, -1, -1)
    images = tokens[:, 0].repeat_interleave(4, -1).repeat_interleave(4, -2)
    images = torch.cat([images, images[:, :1]], 1).to(torch.uint8)
    small, large = token_crops(images, tokens, 16, 3, torch.Generator().manual_seed(0))
    assert small.shape == (16, 2, 3, 3) and large.shape == (16, 3, 12, 12)
    assert torch.allclose((large[:, :2, ::4, ::4] + 1) * 127.5, small, atol=1e-4)
    assert len({tuple(x.flatten().tolist()) for x in small}) > 3


def test_a_stopped_decoder_run_goes_on_exactly(rooms, runs, tmp_path):
    def losses(name: str, *options: str) -> list[str]:
        vae = f"{runs}/vae"
        command = ["train", "decoder", "--data", str(rooms), "--vae", vae, "--batch-size", "2"]
        main([*command, "--out", str(tmp_path / name), *SHORT, "--loop.steps", "3", *options])
        with open(tmp_path / name / "metrics.csv") as file:
            return [row["loss"] for row in csv.DictReader(file)]

    whole = losses("whole")
    assert len(losses("halves", "--loop.max-seconds", "0")) < 3
    assert losses("halves") == whole
    checkpointed = losses("checkpointed", "--gradient-checkpointing")
    assert [float(x) for x in checkpointed] == pytest.approx([float(x) for x in whole], abs=1e-5)


def test_a_run_goes_on_from_a_model(rooms, tmp_path):
    model, out = str(bundled_folder("bedrooms-128")), tmp_path / "run"
    command = ["train", "decoder", "--data", str(rooms), "--vae", model, "--init", model, "--batch-size", "2"]
    main([*command, "--out", str(out), *SHORT, "--loop.learning-rate", "1e-9"])
    record = json.loads((out / "run.json").read_text())
    config = json.loads((Path(model) / "config.json").read_text())
    assert record["latent_space"] == config["latent_space"] and record["first_part"]["machine"] == "NVIDIA H200"
    before, after = (load_file(folder / "decoder.safetensors") for folder in (Path(model), out))
    assert before.keys() == after.keys()
    assert all(torch.allclose(value.float(), after[name], atol=1e-4) for name, value in before.items())
    with open(out / "metrics.csv") as file:
        assert float(next(csv.DictReader(file))["velocity_mse"]) < 1  # noise minus picture, both of variance 1, has 2


def test_a_run_to_go_on_from_must_be_there(rooms, runs, tmp_path):
    vae = f"{runs}/vae"
    with pytest.raises(SystemExit, match="--init wants"):
        main(["train", "decoder", "--data", str(rooms), "--vae", vae, "--out", str(tmp_path), "--init", str(tmp_path)])


def test_a_bad_record_is_named_skipped_and_counted(rooms, runs, tmp_path, monkeypatch, capsys):
    clean = RoomTensors.pictures

    def broken(self):
        pictures = clean(self)
        pictures[["room-00000002" in name for name in self.names()]] = float("nan")
        return pictures

    monkeypatch.setattr(decoder, "encode_tokens", lambda auto, rooms: torch.zeros(len(rooms), 64, 8, 8).half())
    monkeypatch.setattr(RoomTensors, "pictures", broken)
    command = ["train", "decoder", "--data", str(rooms), "--vae", f"{runs}/vae", "--batch-size", "1"]
    main([*command, "--out", str(tmp_path), *SHORT, "--loop.steps", "12"])
    with open(tmp_path / "bad_steps.csv") as file:
        named = [row[1] for row in csv.reader(file)]
    assert named and all("room-00000002" in name for name in named)
    assert json.loads((tmp_path / "run.json").read_text())["bad_steps"] == len(named) < 12
    assert "room-00000002" in capsys.readouterr().err
