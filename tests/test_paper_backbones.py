"""Runs that trained FLUX.2's backbone too, as LoRA layers or whole, become folders that load and draw like any other."""

from __future__ import annotations

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
from anchorgen.decode.flux2_memory import MemoryPlan, is_quantised
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


def test_both_ways_at_once_are_refused():
    with pytest.raises(ValueError, match="lora_rank and own_transformer: got both"):
        KleinConfig(lora_rank=2, own_transformer=True)
