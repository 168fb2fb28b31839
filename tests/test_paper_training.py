"""Pooling and background networks of the paper trained with the decoder, on voxels that `data encode` kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from paper_helpers import SMALL, machine, new_folder, pictures, save_models
from safetensors.torch import load_file
from small_transformers import need_transformers
from test_paper_errors import runs

import anchorgen as ag
from anchorgen.__main__ import main
from anchorgen.data.encoded_shards import EncodedFolder
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_adapter_file import load_adapter
from anchorgen.pipeline.config import PipelineConfig
from anchorgen.pipeline.encoding import EncodingPipeline
from anchorgen.train.flux2_data import VoxelSource, voxel_tensors
from anchorgen.train.run_settings import read_klein_settings


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    need_transformers()
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def root(tmp_path_factory, models) -> Path:
    """start/ (`paper new`), voxels/ (shards of it that keep voxels), flux2/ (a run that trained the token networks)."""
    root = tmp_path_factory.mktemp("paper")
    with machine(root / "machine"), torch.compiler.set_stance("force_eager"):
        new_folder(root / "start", models)
        encode(root, "start", "voxels", "--keep-voxels")
        train(root, models, "voxels", root / "flux2")
    return root


def encode(root: Path, model: str, out: str, *options: str) -> None:
    source, out_flags = str(pictures(root / "pictures")), ["--out", str(root / out)]
    main(["data", "encode", source, *out_flags, "--encoder", str(root / model), *SMALL["data encode"], *options])


def train(root: Path, models: dict[str, str], shards: str, out: Path, *options: str, tokens: bool = True) -> None:
    AcceleratorState._reset_state(reset_partial_state=True)
    repository = ["--repository", str(Path(models["--encoder.dinov2"]).parent / "klein")]
    command = ["train", "flux2", "--data", str(root / shards), "--out", str(out), *SMALL["train flux2"], *repository]
    main([*command, *(["--paper-tokens", str(root / "start")] if tokens else []), *options])


def test_training_sees_the_f_and_b_of_the_records(root):
    source = VoxelSource(root / "voxels", PipelineConfig.load(root / "start").decoder)
    rooms, known = source.read([2, 0])
    tokens = EncodingPipeline.from_pretrained(root / "start", "cpu").tokens
    assert known is None and rooms.voxels.shape == rooms.coords.shape[:3]
    f = tokens.pooling(rooms.coords.float(), rooms.feats.float(), rooms.voxels)
    b = tokens.background(rooms.pictures(), rooms.outside)
    for row, number in enumerate((2, 0)):
        scene = source.records[number].scene
        np.testing.assert_allclose(f[row].detach(), scene.appearance, atol=2e-3)  # float16 in records
        np.testing.assert_allclose(b[row].detach(), scene.background, atol=2e-3)


def test_voxels_of_pictures_with_other_numbers_of_objects_are_padded():
    extras = [
        {
            "coords": np.arange(3 * sum(counts)).reshape(-1, 3).astype(np.float16),
            "feats": np.ones((sum(counts), 8), np.float16),
            "counts": np.array(counts, np.int64),
            "outside": np.ones((2, 2), bool),
        }
        for counts in ((3, 1), (), (2,))
    ]
    found = voxel_tensors(extras, 4)
    assert found["voxels"].sum(-1).tolist() == [[3, 1, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]]
    assert found["coords"][0, 1, 0].tolist() == [9, 10, 11] and found["coords"].shape == (3, 4, 3, 3)
    assert float(found["feats"].sum()) == 8 * 6 and found["outside"].all()


def test_the_run_trains_them_and_names_their_latent_space(root, models):
    before, after = load_file(root / "start" / "tokens.safetensors"), load_file(root / "flux2" / "tokens.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name, value in before.items() if not torch.equal(value.float(), after[name].float())}
    assert {name.split(".")[0] for name in changed} == {"pooling", "background"}
    new_folder(root / "trained", models, "--tokens", str(root / "flux2" / "tokens.safetensors"))
    decoder = Flux2KleinDecoder.from_pretrained(read_klein_settings(root / "flux2"), with_prompt=False)
    facts = load_adapter(decoder.velocity, root / "flux2" / "adapter.safetensors")
    space = PipelineConfig.load(root / "trained").latent_space
    assert facts["latent_space"] == space != PipelineConfig.load(root / "start").latent_space


def test_their_folder_encodes_anew_without_sam_3d_and_becomes_whole(root, models, tmp_path):
    folder = tmp_path / "trained"
    new_folder(folder, models, "--tokens", str(root / "flux2" / "tokens.safetensors"))
    job = root / "machine" / "job"
    made = {path: path.stat().st_mtime_ns for path in job.rglob("object-*.safetensors")}
    with machine(root / "machine"), torch.compiler.set_stance("force_eager"):
        encode(root, str(folder), str(tmp_path / "shards"))
    assert made and made == {path: path.stat().st_mtime_ns for path in job.rglob("object-*.safetensors")}
    old, new = EncodedFolder(root / "voxels")[0], EncodedFolder(tmp_path / "shards")[0]
    np.testing.assert_array_equal(old.scene.translation, new.scene.translation)
    assert not np.array_equal(old.scene.appearance, new.scene.appearance) and old.extra and not new.extra
    prior = runs(tmp_path, models, new.scene.latent_space)[2:]
    main(["paper", "complete", str(folder), "--decoder", str(root / "flux2"), *prior, "--steps", "2"])
    assert ag.load(folder, device="cpu").render(new.scene).size == (64, 64)


def test_a_run_that_is_called_again_goes_on(root, models):
    before = (root / "flux2" / "tokens.safetensors").read_bytes()
    train(root, models, "voxels", root / "flux2", "--loop.steps", "3")
    assert (root / "flux2" / "tokens.safetensors").read_bytes() != before
    lines = (root / "flux2" / "metrics.csv").read_text().splitlines()
    assert lines[-1].startswith("3,")


def test_what_does_not_fit_is_refused(root, models, tmp_path):
    with machine(tmp_path / "machine"), torch.compiler.set_stance("force_eager"):
        encode(root, "start", str(tmp_path / "plain"))
        with pytest.raises(SystemExit, match="other settings .keep_voxels: None, now True"):
            encode(root, "start", str(tmp_path / "plain"), "--keep-voxels")
    with pytest.raises(SystemExit, match="encode the pictures with --keep-voxels"):
        train(root, models, str(tmp_path / "plain"), tmp_path / "out")
    with pytest.raises(SystemExit, match="no config.json in"):
        train(root, models, "voxels", tmp_path / "out", "--paper-tokens", str(tmp_path))
    with pytest.raises(ValueError, match="f without voxels"):
        EncodingPipeline.from_pretrained(
            Path(ag.__file__).parent / "pretrained" / "bedrooms-128", "cpu"
        ).encode_with_voxels(pictures(tmp_path / "one", 1) / "room-0.webp")
    config = json.loads((root / "start" / "config.json").read_text())
    config["encoder"]["dinov2"] = str(tmp_path / "gone")
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "config.json").write_text(json.dumps(config))
    (tmp_path / "lost" / "tokens.safetensors").write_bytes((root / "start" / "tokens.safetensors").read_bytes())
    with pytest.raises(SystemExit, match="^anchorgen train flux2: DINOv2: no weights in"):
        train(root, models, "voxels", tmp_path / "out", "--paper-tokens", str(tmp_path / "lost"))
