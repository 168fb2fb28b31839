"""What the weights in the package must do, on the held-out rooms that come with them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import anchorgen as ag
from anchorgen.analysis.demo import apply_example_edit
from anchorgen.analysis.demo import main as demo
from anchorgen.analysis.metrics import mse, psnr
from anchorgen.world.counterfactuals import influence_mask

MAX_MEGABYTES = 60


@pytest.fixture(scope="module")
def pipe():
    return ag.load("bedrooms-128", device="cpu")


@pytest.fixture(scope="module")
def rooms():
    return ag.examples()


def test_examples_belong_to_the_weights(pipe, rooms):
    assert len(rooms) >= 4
    for room in rooms:
        assert room.image.size == (128, 128)
        assert room.scene.latent_space == pipe.latent_space
        assert room.edited_image.size == (128, 128)
        assert {edit["id"] for edit in room.edit} <= set(room.scene.ids)


def test_all_weights_fit_the_limit():
    folder = Path(ag.__file__).parent / "pretrained"
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < MAX_MEGABYTES * 1e6
    assert (folder / "bedrooms-128" / "README.md").is_file()


def test_true_latents_draw_the_room(pipe, rooms):
    """Better than the mean of the examples' own pictures, which is a generous mean picture."""
    mean = np.mean([np.asarray(r.image) for r in rooms], 0).round().astype(np.uint8)
    drawn = pipe.render([r.scene for r in rooms])
    gains = [psnr(d, r.image) - psnr(mean, r.image) for d, r in zip(drawn, rooms, strict=True)]
    assert np.mean(gains) > 1.0


def test_edits_go_the_way_of_the_true_picture(pipe, rooms):
    """Lamp removed, nightstand moved: where the true edit shows, the edited picture is nearer to it than the unedited."""
    nearer = []
    for room in rooms:
        mask = influence_mask(np.asarray(room.image), np.asarray(room.edited_image))
        still, edited = pipe.render([room.scene, apply_example_edit(room.scene, room)])
        nearer.append(mse(edited, room.edited_image, mask) < mse(still, room.edited_image, mask))
    assert np.mean(nearer) >= 0.75


def test_the_encoder_finds_the_beds(pipe, rooms):
    found = [pipe.encode(room.image) for room in rooms]
    assert np.mean(["bed" in scene for scene in found]) >= 0.75
    assert np.mean([scene.num_objects for scene in found]) > 2


def test_anchors_hold_and_released_chairs_change(pipe, rooms):
    scene = rooms[0].scene
    slot = scene.select("chair")[0]
    kept = [i for i in range(scene.num_slots) if i != slot]
    for drawn in pipe.sample(scene.release(["chair.layout", "chair.appearance"]), n=2):
        assert np.abs(drawn.appearance[slot] - scene.appearance[slot]).max() > 0
        for name in ("translation", "quat_wxyz", "scale", "appearance", "presence"):
            np.testing.assert_array_equal(getattr(drawn, name)[kept], getattr(scene, name)[kept])


def test_an_edit_is_drawn_in_time(pipe, rooms):
    scene = rooms[0].scene
    pipe.render(scene, draft=True)
    started = time.perf_counter()
    pipe.render(scene)
    assert time.perf_counter() - started < 4  # two cores draw it in well under two seconds; machines may be busy


def test_scenes_survive_files(pipe, rooms, tmp_path):
    edited = rooms[0].scene.remove("lamp").release("bed.appearance", strength=0.5)
    edited.save(tmp_path / "room.safetensors")
    again = ag.SceneLatent.load(tmp_path / "room.safetensors")
    assert again.equals(edited)
    assert np.array_equal(np.asarray(pipe.render(again, draft=True)), np.asarray(pipe.render(edited, draft=True)))


def test_demo_writes_its_picture(tmp_path, capsys):
    demo(["--out", str(tmp_path / "demo.png")])
    assert (tmp_path / "demo.png").stat().st_size > 20_000
    assert "wrote" in capsys.readouterr().out
