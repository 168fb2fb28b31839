"""What a pipeline of the paper's parts says when a part is missing or belongs to another: one message, with the next step."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch
from paper_helpers import machine, new_folder, pictures, save_models
from safetensors.torch import load_file, save_file
from small_transformers import need_transformers

import anchorgen as ag
from anchorgen.__main__ import main
from anchorgen.data.encoded_shards import encoded_path, read_report
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_adapter_file import save_adapter
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.encode.sam3d.explain import PerceptionError, PictureError
from anchorgen.encode.sam3d.places import CHECKPOINT, JOB, PYTHON, gpu_of, workers_here
from anchorgen.pipeline.config import PipelineConfig, PretrainedError
from anchorgen.pipeline.encoding import EncodingPipeline
from anchorgen.pipeline.picture_encoders import picture_encoder, weights_of
from anchorgen.prior import PriorConfig, ScenePrior
from anchorgen.train.encode_pictures import EncodeJob, encode_pictures
from anchorgen.train.paper_folder import NewFolder
from anchorgen.train.run_settings import write_settings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    need_transformers()
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def model(tmp_path, models) -> Path:
    new_folder(tmp_path / "paper", models)
    return tmp_path / "paper"


def change(folder: Path, **encoder) -> Path:
    """Another `encoder` in config.json."""
    path = folder / "config.json"
    value = json.loads(path.read_text())
    value["encoder"] |= encoder
    path.write_text(json.dumps(value))
    return folder


def encode(model: Path, tmp_path: Path) -> None:
    command = ["data", "encode", str(pictures(tmp_path / "pictures")), "--out", str(tmp_path / "shards")]
    main([*command, "--encoder", str(model), "--device", "cpu"])


def test_without_sam_3d(model, tmp_path):
    with machine(tmp_path / "machine") as patch:
        for name in (PYTHON, JOB):
            patch.delenv(name)
        with pytest.raises(PerceptionError, match=f"set {PYTHON} .*, {JOB} .*docs/sam3d.md") as caught:
            picture_encoder(str(model), "cpu").encode(pictures(tmp_path / "one", 1) / "room-0.webp")
        assert CHECKPOINT not in str(caught.value) and "\n" not in str(caught.value)
        with pytest.raises(
            SystemExit, match=f"^anchorgen data encode: SAM 3D Objects: .*{PYTHON}.* goes on from there$"
        ):
            encode(model, tmp_path)
    assert not list((tmp_path / "shards").glob("*.tar"))


def test_places_that_are_none(tmp_path):
    (tmp_path / "there").touch()
    places = {PYTHON: str(tmp_path / "there"), CHECKPOINT: str(tmp_path / "gone"), JOB: str(tmp_path / "job")}
    with pytest.raises(PerceptionError, match=f"{CHECKPOINT} is .*gone, which is no file; expected the pipeline.yaml"):
        workers_here(CPU, places)
    found = workers_here(torch.device("cuda:1"), places | {CHECKPOINT: places[PYTHON], "CUDA_VISIBLE_DEVICES": "4, 7"})
    assert found.gpus == ("7",) and found.job == tmp_path / "job"
    assert gpu_of(CPU, {}) == "0" and gpu_of(torch.device("cuda:2"), {}) == "2"


@torch.compiler.set_stance("force_eager")
def test_without_dinov2(model, tmp_path):
    room = pictures(tmp_path / "one", 1) / "room-0.webp"
    with machine(tmp_path / "machine") as patch:
        change(model, dinov2=str(tmp_path / "gone"))
        with pytest.raises(
            PerceptionError, match=r"^DINOv2: no weights in .*gone.* `hf download`.*config.json: encoder.dinov2\)$"
        ) as caught:
            picture_encoder(str(model), "cpu").encode(room)
        assert "\n" not in str(caught.value)
        with pytest.raises(SystemExit, match="^anchorgen data encode: DINOv2: no weights in .*gone"):
            encode(model, tmp_path)
        patch.setitem(sys.modules, "transformers", None)
        with pytest.raises(PerceptionError, match=r"^DINOv2: a package is missing .*pip install 'anchorgen\[paper\]'"):
            picture_encoder(str(model), "cpu").encode(room, masks=[])


def test_another_dinov2_than_the_background_tokens_were_made_with(model, models, tmp_path):
    other = tmp_path / "other"
    new_folder(other, models, "--encoder.dinov2-width", "48")
    with machine(tmp_path / "machine"), pytest.raises(PerceptionError, match="32 channels, encoder.dinov2_width is 48"):
        picture_encoder(str(other), "cpu").encode(pictures(tmp_path / "one", 1) / "room-0.webp", masks=[])


class Blind:
    """Makes nothing of pictures 264 px wide."""

    latent_space = "blind"

    def encode(self, image):
        if image.width == 264:
            raise PictureError("nothing to see")
        return picture_encoder("picture_files:flaky_encoder").encode(image)


def blind_encoder(device):
    return Blind()


def test_a_picture_of_which_nothing_can_be_made_is_listed_and_the_job_goes_on(tmp_path):
    from anchorgen.data.screening import Screening

    source, out = pictures(tmp_path / "pictures"), tmp_path / "shards"
    job = EncodeJob(source, out, "test_paper_errors:blind_encoder", screening=Screening(min_objects=0))
    encode_pictures(job, progress=False)
    report = read_report(encoded_path(out, 0))
    assert report.failures == {"room-1": "encoder: nothing to see"} and report.records == 2


def test_other_models_are_another_encoder(model, tmp_path):
    before = weights_of(picture_encoder(str(model), "cpu"))
    assert before == weights_of(picture_encoder(str(model), "cpu")) and len(before) == 16
    assert weights_of(picture_encoder(str(change(model, seed=1)), "cpu")) != before
    assert weights_of(picture_encoder("bedrooms-128", "cpu")) not in ("", before)


def test_settings_that_are_none(model, tmp_path):
    with pytest.raises(PretrainedError, match="unexpected keyword argument 'nonsense'"):
        EncodingPipeline.from_pretrained(change(model, nonsense=1))
    with pytest.raises(PretrainedError, match="encoder of kind 'magic'; expected 'sam3d'"):
        EncodingPipeline.from_pretrained(change(model, kind="magic"))
    with pytest.raises(SystemExit, match="holds a model"):
        new_folder(model, {})


def test_token_networks_that_are_given(model, tmp_path, models):
    weights = {name: value + 1 for name, value in load_file(model / "tokens.safetensors").items()}
    save_file(weights, tmp_path / "trained.safetensors")
    new_folder(tmp_path / "other", models, "--tokens", str(tmp_path / "trained.safetensors"))
    one, two = (EncodingPipeline.from_pretrained(path, "cpu") for path in (model, tmp_path / "other"))
    assert one.latent_space != two.latent_space
    assert torch.equal(two.tokens.pooling.queries, (one.tokens.pooling.queries + 1).bfloat16().float())
    with pytest.raises(SystemExit, match="is of another network"):
        new_folder(
            tmp_path / "third", models, "--encoder.token-width", "32", "--tokens", str(tmp_path / "trained.safetensors")
        )


def runs(
    root: Path, models: dict[str, str], space: str, labels: tuple[str, ...] = ("bed", "lamp"), **sizes
) -> list[str]:
    """Folders as the trainers leave them, and the flags that name them."""
    repository = str(Path(models["--encoder.dinov2"]).parent / "klein")
    small = {"num_tokens": 2, "channels": 8, "image_size": 64, "context_width": 32, "num_text_tokens": 5} | sizes
    decoder = Flux2KleinDecoder.from_pretrained(KleinConfig(repository=repository, **small), with_prompt=False)
    for name in ("flux2", "prior"):
        (root / name).mkdir(exist_ok=True)
    save_adapter(decoder.velocity, root / "flux2" / "adapter.safetensors", facts={"latent_space": space})
    write_settings(root / "flux2", decoder=decoder.velocity.config)
    prior = PriorConfig(2, 8, 1, width=24, depth=1, num_heads=2, labels=labels)
    ScenePrior(prior).save(root / "prior" / "prior.safetensors")
    (root / "prior" / "run.json").write_text(json.dumps({"latent_space": space}))
    return ["--decoder", str(root / "flux2"), "--prior", str(root / "prior")]


def test_parts_that_do_not_belong_together_are_refused(model, models, tmp_path):
    space = PipelineConfig.load(model).latent_space
    complete = ["paper", "complete", str(model), "--out", str(tmp_path / "whole")]
    for root, why, given in (
        ("a", "the prior is of latent space another, the encoder of", {"space": "another"}),
        ("b", "names .*'sofa'.*; train the prior on scenes", {"space": space, "labels": ("bed", "sofa")}),
        ("c", "is of other sizes than .*: channels 16, there 8", {"space": space, "channels": 16}),
    ):
        (tmp_path / root).mkdir()
        with pytest.raises(SystemExit, match=f"^anchorgen paper: .*{why}"):
            main([*complete, *runs(tmp_path / root, models, **given)])
    flags = runs(tmp_path, models, space)
    main([*complete, *flags])
    assert dataclasses.asdict(PipelineConfig.load(tmp_path / "whole"))["steps"] == 28
    (tmp_path / "prior" / "run.json").unlink()
    with pytest.raises(SystemExit, match=r"run\.json is missing"):
        main([*complete, *flags])


def test_the_papers_sizes(tmp_path):
    print(NewFolder(tmp_path / "paper").run())
    config = PipelineConfig.load(tmp_path / "paper")
    assert (config.num_slots, config.num_voxels, config.image_size, len(config.categories)) == (16, 4096, 512, 15)
    pipe = EncodingPipeline.from_pretrained(tmp_path / "paper", "cpu")
    assert pipe.tokens.sizes == (8, 1024, 1) and sum(p.numel() for p in pipe.tokens.parameters()) == 5_015_552
    assert pipe.encoder.settings.grid == (37, 37) and not (tmp_path / "paper" / "README.md").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_cannot_be_used_is_told_in_a_line(tmp_path):
    with pytest.raises(BackboneError, match="placing the model on cuda: this PyTorch .* cannot use the GPU here"):
        ag.load(device="cuda")
    pictures(tmp_path / "pictures")
    source, out = str(tmp_path / "pictures"), str(tmp_path / "shards")
    with pytest.raises(SystemExit, match="^anchorgen data encode: placing the model on cuda: this PyTorch"):
        main(["data", "encode", source, "--out", out, "--device", "cuda"])


def test_full_memory_while_a_model_is_placed_is_told(monkeypatch):
    pipe = ag.load(device="cpu")

    def full(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7.20 GiB")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(BackboneError, match="placing the model on cuda: the GPU's memory is full"):
        pipe.to("cuda")
