"""The paper's encoder, decoder and prior as one folder: put together, loaded, and called as the bundled model is."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from paper_helpers import CONCEPTS, PAGE, SMALL, machine, new_folder, pictures, run_documented, save_models
from small_transformers import HAS_TORCHVISION, need_transformers

import anchorgen as ag
from anchorgen.__main__ import main
from anchorgen.analysis.sweeps import sweep
from anchorgen.data.encoded_shards import EncodedFolder
from anchorgen.decode.flux2 import Flux2KleinDecoder
from anchorgen.encode.dinov2 import Dinov2Patches
from anchorgen.encode.sam3d import lazy
from anchorgen.encode.sam3d.lazy import LazySam3dEncoder
from anchorgen.pipeline import AnchorgenPipeline, PretrainedError
from anchorgen.pipeline.paper_tokens import PaperTokenNetworks


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """What the commands of docs/sam3d.md leave: models/paper, which is whole, shards/train and so on."""
    need_transformers()
    root = tmp_path_factory.mktemp("paper")
    with machine(root / "machine") as patch, torch.compiler.set_stance("force_eager"):
        patch.chdir(root)
        pictures(root / "pictures")
        run_documented(save_models(root), root / "klein")
    return root


def encode(model: Path, source: Path, out: Path) -> None:
    main(["data", "encode", str(source), "--out", str(out), "--encoder", str(model), *SMALL["data encode"]])


@pytest.fixture
def picture(root) -> Path:
    return root / "pictures" / "room-0.webp"


@pytest.fixture
def pipe(root):
    with machine(root / "machine"), torch.compiler.set_stance("force_eager"):
        yield ag.load(root / "models" / "paper", device="cpu")


def test_it_is_of_the_papers_classes(pipe):
    assert isinstance(pipe.tokens, PaperTokenNetworks) and isinstance(pipe.encoder, LazySam3dEncoder)
    assert isinstance(pipe.decoder, Flux2KleinDecoder) and pipe.prior.config.rotation == "quat"
    assert pipe.config.categories == pipe.prior.config.labels == CONCEPTS


def test_encode_edit_sample_render_sweep(pipe, picture):
    scene = pipe.encode(picture)
    assert scene.num_objects > 0 and scene.appearance.shape == (4, 2, 8) and scene.background.shape == (1, 8)
    assert set(scene.labels[: scene.num_objects]) <= set(CONCEPTS) and scene.latent_space == pipe.latent_space
    first = next(name for name in scene.ids if name)
    assert pipe.render(scene.move(first, right=0.2).remove(first), seed=1).size == (64, 64)
    drawn = pipe.sample(scene.release(first), n=2, seed=1)
    assert len(pipe.render(drawn, draft=True)) == 2 and np.array_equal(drawn[0].background, scene.background)
    assert len(sweep(pipe, scene, f"{first}.right", [-0.2, 0.2]).images) == 2
    assert pipe.render(scene.remove(first), keep=pipe.source(picture, scene)).size == (64, 64)


def test_code_of_the_page_runs(root, picture):
    block = next(b for b in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL) if "ag.load" in b)
    shutil.copy(picture, root / "bedroom.jpg")
    names: dict = {}
    with machine(root / "machine") as patch, torch.compiler.set_stance("force_eager"):
        patch.chdir(root)
        exec(compile(block, "sam3d.md", "exec"), names)
    assert names["picture"].size == (64, 64) and len(names["more"]) == 4
    assert names["by_hand"].labels[0] == "bed"


def test_hints_go_to_the_encoder(pipe, picture):
    mask = np.zeros((64, 64), bool)
    mask[40:, :30] = True
    scene = pipe.encode(picture, masks=[("bed", mask)])
    assert scene.labels[0] == "bed" and scene.num_objects == 1
    elsewhere = pipe.encode(picture, masks=[("bed", mask[::-1].copy())])
    assert not np.array_equal(elsewhere.background, scene.background)  # other patches are hidden from it


@pytest.mark.skipif(not HAS_TORCHVISION, reason="extra 'paper': torchvision, for SAM 3")
def test_boxes_are_sam_3s(pipe, picture):
    scene = pipe.encode(picture, boxes=[("lamp", (0.2, 0.2, 0.8, 0.8))])
    assert scene.labels[0] == "lamp" and scene.num_objects == 1


def test_the_editor_draws_with_it(pipe, picture):
    from anchorgen_widgets import SceneEditor

    editor = SceneEditor(pipe, pipe.encode(picture))
    try:
        assert editor.session.worker.wait_until_idle(60.0)
        assert editor.session.worker.last_error is None
        assert editor.snapshot() is not None
    finally:
        editor.close()


def test_what_needs_no_picture_needs_none_of_the_models(root, picture, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a model was loaded")

    record = EncodedFolder(root / "shards" / "train")[0]
    monkeypatch.setattr(Dinov2Patches, "load", refuse)
    for name in ("Sam3Masks", "Moge", "workers_here"):
        monkeypatch.setattr(lazy, name, refuse)
    pipe = ag.load(root / "models" / "paper", device="cpu")
    drawn = pipe.sample(record.scene.release(ag.everything), n=1)
    assert pipe.render([*drawn, pipe.blank()], draft=True)[0].size == (64, 64)
    assert sweep(pipe, record.scene, "camera.focal", [0.8, 1.0]).images
    with pytest.raises(AssertionError, match="a model was loaded"):
        pipe.encode(picture)


def test_a_saved_one_is_the_same(pipe, picture, tmp_path):
    scene = pipe.encode(picture)
    pipe.save_pretrained(tmp_path, licence="other")
    names = {path.stem for path in tmp_path.glob("*.safetensors")}
    assert names == {"tokens", "adapter", "prompt", "prior"}
    again = AnchorgenPipeline.from_pretrained(tmp_path, "cpu")
    assert again.config == pipe.config
    own, others = ({n: m.state_dict() for n, m in p._files().items()} for p in (pipe, again))
    for name, weights in own.items():
        assert all(torch.equal(value, others[name][key]) for key, value in weights.items()), name
    assert again.encode(picture).equals(scene)
    assert again.render(scene, seed=3).tobytes() == pipe.render(scene, seed=3).tobytes()
    card = (tmp_path / "README.md").read_text()
    assert "license: other" in card and "64 x 64 px" in card and "objects | bed, lamp" in card


def test_records_are_what_the_pipeline_encodes(root, pipe):
    records = EncodedFolder(root / "shards" / "train")
    assert [record.key for record in records] == ["room-0", "room-1", "room-2"]
    assert records.latent_space == pipe.latent_space and records.settings["categories"] == list(CONCEPTS)
    scene = pipe.encode(records[1].picture())
    assert scene.labels == records[1].scene.labels
    np.testing.assert_array_equal(scene.translation, records[1].scene.translation)
    np.testing.assert_allclose(scene.appearance, records[1].scene.appearance, atol=2e-3)  # float16 there
    np.testing.assert_allclose(scene.background, records[1].scene.background, atol=2e-3)


def test_shards_do_not_depend_on_who_wrote_them(root, tmp_path):
    with machine(tmp_path / "machine") as patch, torch.compiler.set_stance("force_eager"):
        patch.setenv("WORLD_SIZE", "2")
        for rank in ("1", "0"):
            patch.setenv("RANK", rank)
            encode(root / "models" / "paper", root / "pictures", tmp_path / "shards")
    one, two = (
        {p.name: p.read_bytes() for p in f.glob("*.tar")} for f in (root / "shards" / "train", tmp_path / "shards")
    )
    assert len(one) == 2 and one == two
    settings = json.loads((tmp_path / "shards" / "manifest.json").read_text())["encoded"]
    assert len(settings["encoder_weights"]) == 16


def test_rendered_rooms_have_no_latents_here(pipe):
    with pytest.raises(ValueError, match="encode the picture"):
        pipe.latents(None, np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), int))


def test_an_encoder_alone_does_not_load_as_a_pipeline(root, tmp_path):
    new_folder(tmp_path / "paper", {})
    with pytest.raises(PretrainedError, match="anchorgen paper complete"):
        ag.load(tmp_path / "paper", device="cpu")
