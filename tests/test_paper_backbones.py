"""Runs that trained FLUX.2's backbone too, as LoRA layers or whole, become folders that load and draw like any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from paper_helpers import SMALL, machine, new_folder, pictures, save_models
from safetensors.torch import load_file, save_file
from small_transformers import need_transformers
from test_paper_errors import runs
from test_paper_training import train

import anchorgen as ag
from anchorgen.__main__ import main
from anchorgen.data.encoded_shards import EncodedFolder
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.decode.flux2_adapter_file import load_adapter
from anchorgen.decode.flux2_config import KleinConfig
from anchorgen.decode.flux2_errors import BackboneError
from anchorgen.decode.flux2_lora import LoraWeights, add_lora
from anchorgen.decode.flux2_memory import MemoryPlan, is_quantised
from anchorgen.decode.flux2_velocity import KleinVelocity
from anchorgen.pipeline import AnchorgenPipeline, PipelineConfig, PretrainedError
from anchorgen.scene.batch import SceneBatch
from anchorgen.scene.latent import SceneLatent
from anchorgen.train.flux2_parts import LORA_FILE
from anchorgen.train.run_settings import read_klein_settings

FAST = ["--loop.learning-rate", "2e-2", "--loop.steps", "6", "--loop.ema-decay", "0"]
OWN_FILE = {"lora": LORA_FILE, "full": "transformer.safetensors"}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    need_transformers()
    pytest.importorskip("peft")
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", params=["lora", "full"])
def what(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def root(tmp_path_factory, models, what) -> Path:
    """start/ (`paper new`), shards/, run/ (`train flux2 --what ...`), model/ (`paper complete`)."""
    root = tmp_path_factory.mktemp("paper")
    with machine(root / "machine"), torch.compiler.set_stance("force_eager"):
        new_folder(root / "start", models)
        source = str(pictures(root / "pictures"))
        main(
            [
                "data",
                "encode",
                source,
                "--out",
                str(root / "shards"),
                "--encoder",
                str(root / "start"),
                *SMALL["data encode"],
            ]
        )
        train(root, models, "shards", root / "run", "--what", what, "--lora-rank", "2", *FAST, tokens=False)
    space = PipelineConfig.load(root / "start").latent_space
    prior = runs(root, models, space)[2:]
    complete = ["paper", "complete", str(root / "start"), "--out", str(root / "model"), *prior]
    main([*complete, "--decoder", str(root / "run"), "--dtype", "float32", "--steps", "2", "--guidance", "1"])
    return root


@pytest.fixture
def pipe(root) -> AnchorgenPipeline:
    return ag.load(root / "model", device="cpu")


def by_hand(root: Path, what: str) -> Flux2KleinDecoder:
    """The run's files in the hands of diffusers."""
    config = replace(read_klein_settings(root / "run"), lora_rank=0, own_transformer=False, dtype="float32")
    decoder = Flux2KleinDecoder.from_pretrained(config, root / "run" / "transformer" if what == "full" else None)
    load_adapter(decoder.velocity, root / "run" / "adapter.safetensors")
    if what == "lora":
        decoder.velocity.transformer.load_lora_adapter(load_file(root / "run" / LORA_FILE))
    return decoder.eval()


def velocity(decoder: Flux2KleinDecoder, scene: SceneLatent) -> torch.Tensor:
    """Of noise, where it is told least."""
    with torch.no_grad():
        return decoder.guided(SceneBatch.stack([scene]), 1.0)(decoder.noise([1]), torch.ones(1))


def test_the_folder_draws_what_the_run_learned(root, what, pipe):
    scene = EncodedFolder(root / "shards")[0].scene
    ways = pipe.decoder, by_hand(root, what), by_hand(root, "adapter")
    drawn, expected, without = (velocity(decoder, scene) for decoder in ways)
    error, change = ((drawn - other).abs().mean() for other in (expected, without))
    assert error < 0.1 * change  # the folder's weights are in bfloat16
    settings = pipe.config.decoder
    assert isinstance(settings, KleinConfig)
    assert (settings.lora_rank, settings.own_transformer) == {"lora": (2, False), "full": (0, True)}[what]


def test_a_saved_one_is_the_same(root, what, pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    assert OWN_FILE[what] in {path.name for path in tmp_path.iterdir()}
    scene, again = EncodedFolder(root / "shards")[0].scene, ag.load(tmp_path, device="cpu")
    assert again.render(scene, seed=3).tobytes() == pipe.render(scene, seed=3).tobytes()


def test_a_file_that_is_missing_or_of_another_run_is_named(root, what, pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    weights = load_file(tmp_path / OWN_FILE[what])
    save_file(dict(list(weights.items())[1:]), tmp_path / OWN_FILE[what])
    with pytest.raises(PretrainedError, match="of another network: missing"):
        ag.load(tmp_path, device="cpu")
    (tmp_path / OWN_FILE[what]).unlink()
    with pytest.raises(PretrainedError, match=f"{OWN_FILE[what]} is missing"):
        ag.load(tmp_path, device="cpu")


def test_plans_leave_lora_layers_exact(root, what, pipe):
    scene = EncodedFolder(root / "shards")[0].scene
    names = {name for name, module in pipe.decoder.velocity.transformer.named_modules() if is_quantised(module, name)}
    assert names and not any("lora_" in name or ".processor" in name for name in names)
    assert any(name.endswith("to_q.base_layer" if what == "lora" else "to_q") for name in names)
    plain = velocity(pipe.decoder, scene)
    pipe.decoder.use(MemoryPlan(fp8=True), "cpu")
    layers = {n: p.dtype for n, p in pipe.decoder.velocity.transformer.named_parameters() if "lora_" in n}
    assert set(layers.values()) <= {torch.float32} and bool(layers) == (what == "lora")
    assert (velocity(pipe.decoder, scene) - plain).abs().mean() < 0.1 * plain.abs().mean()


def test_other_lora_files_are_not_taken_for_its_own(root, what, pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "before")
    layers = {name: value * 0 for name, value in LoraWeights(lora_decoder(root)).state_dict().items()}
    transformer = pipe.decoder.velocity.transformer
    transformer.load_lora_adapter(layers)
    if what == "lora":
        transformer.set_adapters(["default", "default_1"])
    pipe.save_pretrained(tmp_path / "after")
    before, after = (load_file(tmp_path / name / OWN_FILE[what]) for name in ("before", "after"))
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())
    scene = EncodedFolder(root / "shards")[0].scene
    again = ag.load(tmp_path / "after", device="cpu")
    torch.testing.assert_close(velocity(again.decoder, scene), velocity(pipe.decoder, scene), rtol=0, atol=1e-5)


def lora_decoder(root: Path) -> KleinVelocity:
    config = replace(read_klein_settings(root / "run"), lora_rank=0, own_transformer=False, dtype="float32")
    network = Flux2KleinDecoder.from_pretrained(config, with_prompt=False).velocity
    add_lora(network, 2)
    return network


def test_a_backbone_in_8_bits_is_not_saved(what, pipe, tmp_path):
    pipe.decoder.use(MemoryPlan(fp8=True), "cpu")
    if what == "full":
        with pytest.raises(BackboneError, match="stores it in 8 bits; load the model again"):
            pipe.save_pretrained(tmp_path)
    else:
        pipe.save_pretrained(tmp_path)


def test_what_a_run_lacks_is_told_as_the_runs(root, what, models, tmp_path):
    shutil.copytree(root / "run", tmp_path / "run")
    space = PipelineConfig.load(root / "start").latent_space
    prior = runs(tmp_path, models, space)[2:]
    complete = ["paper", "complete", str(root / "start"), "--out", str(tmp_path / "model"), *prior]
    complete += ["--decoder", str(tmp_path / "run")]
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    older = settings | {"decoder": settings["decoder"] | {"lora_rank": 0, "own_transformer": False}}
    (tmp_path / "run" / "settings.json").write_text(json.dumps(older))
    with pytest.raises(SystemExit, match=f"its adapter is of --what {what}, settings.json of adapter; call"):
        main(complete)
    (tmp_path / "run" / "settings.json").write_text(json.dumps(settings))
    name = LORA_FILE if what == "lora" else "transformer/diffusion_pytorch_model.safetensors"
    whole = (tmp_path / "run" / name).read_bytes()
    for damage in (whole[: len(whole) // 2], None):
        (tmp_path / "run" / name).write_bytes(damage) if damage else (tmp_path / "run" / name).unlink()
        with pytest.raises(SystemExit, match=r"run.*(cannot be read|no whole transformer).*again"):
            main(complete)


def test_completing_anew_leaves_nothing_of_another_run(root, what, models, tmp_path):
    shutil.copytree(root / "model", tmp_path / "model")
    space = PipelineConfig.load(root / "start").latent_space
    flags = runs(tmp_path, models, space)  # an adapter alone
    main(["paper", "complete", str(root / "start"), "--out", str(tmp_path / "model"), *flags])
    assert {p.stem for p in (tmp_path / "model").glob("*.safetensors")} == {"adapter", "prompt", "prior", "tokens"}
    ag.load(tmp_path / "model", device="cpu")


def test_both_ways_at_once_are_refused():
    with pytest.raises(ValueError, match="lora_rank and own_transformer: got both"):
        KleinConfig(lora_rank=2, own_transformer=True)
    with pytest.raises(ValueError, match="dtype: got 'float16'"):
        KleinConfig(dtype="float16")  # type: ignore[arg-type]
