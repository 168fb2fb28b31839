"""The fixed evaluation set: what it holds is drawn by seed, what is written is read back, what is wrong is named."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.stats import spearmanr

from anchorgen.__main__ import main
from anchorgen.analysis import evaluation_render, evaluation_set
from anchorgen.analysis.evaluation_choice import EDITS, FIRST_EVALUATION_SEED, shown_px
from anchorgen.analysis.evaluation_render import light_grid, render_evaluation, write_scene
from anchorgen.analysis.evaluation_set import (
    FIXTURE,
    NUM_FIXTURE_SCENES,
    checksum,
    evaluation_fixture,
    lamp_removal,
    read_evaluation,
    scene_path,
    scene_specification,
    specification,
)
from anchorgen.analysis.lamp_light import cell_means, linear_rgb
from anchorgen.data.splits import split_of
from anchorgen.world.boxes import box_of
from anchorgen.world.checks import impossibilities
from anchorgen.world.edits import apply_edit
from anchorgen.world.programs import edit_from_json
from anchorgen.world.rendering import Rendering, render
from anchorgen.world.types import WorldScene

NUM = 5
SMALL = {"size": 32, "supersample": 1, "spp": 2}


@pytest.fixture(scope="module")
def specified() -> dict:
    return specification(NUM)


@pytest.fixture(scope="module")
def rooms(specified) -> list[tuple[WorldScene, dict]]:
    return [
        (WorldScene.from_json(s["scene"]), {name: edit_from_json(e) for name, e in s["edits"].items()})
        for s in specified["scenes"]
    ]


def test_the_specification_is_of_its_seeds_alone(specified):
    first = WorldScene.from_json(specified["scenes"][0]["scene"])
    assert json.loads(json.dumps(scene_specification(first.seed))) == specified["scenes"][0]
    assert specification(1)["scenes"] == specified["scenes"][:1]
    assert json.loads(json.dumps(specified)) == specified
    assert checksum(specified) == checksum(json.loads(json.dumps(specified))) != checksum(specification(1))
    seeds = [s["scene"]["seed"] for s in specified["scenes"]]
    assert seeds == sorted(set(seeds)) and seeds[0] >= FIRST_EVALUATION_SEED
    assert {split_of(seed) for seed in seeds} == {"test"}


def test_a_checksum_forgives_the_last_bit_and_nothing_else():
    assert checksum({"a": [0.1 + 0.2, -0.0]}) == checksum({"a": (0.3, 0.0)})
    assert checksum({"a": 0.3}) != checksum({"a": 0.3001})
    assert checksum({"a": 1}) != checksum({"a": 2})


def test_every_edit_is_possible_and_in_view(rooms):
    for scene, edits in rooms:
        assert tuple(edits) == EDITS
        for edit in edits.values():
            edited = apply_edit(scene, edit)
            assert set(impossibilities(edited, fittings=False)) <= set(impossibilities(scene, fittings=False))
            if edit["verb"] in ("move", "rotate", "resize", "swap", "insert"):
                index = [o.id for o in edited.objects].index(edit["id"]) if "id" in edit else -1
                assert shown_px(edited)[index] >= 100


def test_edits_are_neither_tiny_nor_huge(rooms):
    for scene, edits in rooms:
        spec = {o.id: o for o in scene.objects}
        assert 0.299 <= np.hypot(edits["move"]["right"], edits["move"]["forward"]) <= 0.801
        assert 30 <= abs(edits["rotate"]["yaw"]) <= 180
        lamp = spec[edits["remove_lit_lamp"]["id"]]
        assert lamp.lit and lamp.category in ("table lamp", "floor lamp", "pendant")
        resized = apply_edit(scene, edits["resize"])
        index = [o.id for o in scene.objects].index(edits["resize"]["id"])
        factors = box_of(resized.objects[index]).extent / box_of(scene.objects[index]).extent
        assert 0.05 < np.abs(factors - 1).max() < 0.31
        guest, host = edits["swap"]["object"], spec[edits["swap"]["id"]]
        assert guest.category == host.category and guest.params != host.params
        zoom = edits["with_focal"]["fx"] / scene.camera.focal[0]
        assert 0.8 <= zoom <= 1.25 and abs(zoom - 1) > 0.07
        donor = edits["with_background"]["room"]
        assert (donor.room.windows, donor.room.block, donor.camera) == (
            scene.room.windows,
            scene.room.block,
            scene.camera,
        )
        assert donor.room.params != scene.room.params and donor.objects != scene.objects


def test_boxes_show_where_the_renderer_shows_them(rooms):
    scene = rooms[0][0]
    instance = render(scene, 128, 1, denoise=False).instance
    true = np.bincount(instance[instance >= 0], minlength=len(scene.objects))
    guess = shown_px(scene)
    for index, spec in enumerate(scene.objects):
        if spec.category in ("bed", "wardrobe", "nightstand", "dresser") and true[index] > 300:
            assert 0.6 < guess[index] / true[index] < 1.8


@pytest.fixture(scope="module")
def folder(specified, tmp_path_factory):
    """Two scenes, small and noisy."""
    out = tmp_path_factory.mktemp("evaluation")
    with pytest.MonkeyPatch.context() as patch:
        _fix(patch, specified)
        made = render_evaluation(out, 1, size=32, supersample=1, spp=2, progress=False)
        assert made["count"] == 1
        made = render_evaluation(out, 2, size=32, supersample=1, spp=2, progress=False)
        assert made["count"] == 2 and made["bytes"] == sum(p.stat().st_size for p in out.iterdir())
    return out


def _fix(patch: pytest.MonkeyPatch, specified: dict) -> None:
    patch.setattr(evaluation_render, "specification", lambda pool: specified)
    patch.setattr(evaluation_set, "SPECIFICATION_SHA256", checksum(specified))


@pytest.fixture
def fixed(monkeypatch, specified):
    _fix(monkeypatch, specified)


def test_what_is_written_is_read_back(folder, fixed, rooms):
    scenes = list(read_evaluation(folder))
    assert [s.index for s in scenes] == [0, 1]
    for scene, (world, edits) in zip(scenes, rooms, strict=False):
        assert scene.world == world and dict(scene.edits) == edits and scene.donor == edits["with_background"]["room"]
        assert scene.before.shape == scene.donor_picture.shape == (32, 32, 3)
        assert set(scene.after) == set(scene.after_instance) == set(scene.influence) == set(EDITS)
        assert scene.edited["move"] == apply_edit(world, edits["move"])
        assert scene.influence_px == {name: int(mask.sum()) for name, mask in scene.influence.items()}
        texts = [text for name in EDITS for text in scene.warnings[name]]
        assert scene.warnings["with_focal"] == () and not any("overlap" in text or "a wall" in text for text in texts)
        assert scene.lamp_mask.dtype == bool and scene.light.shape == scene.light_after.shape == (16, 16, 3)
        again = render(world, 32, 2, scene.settings["seed"])
        assert np.array_equal(again.instance, scene.instance)
        assert np.abs(again.image.astype(int) - scene.before).mean() < 0.5


def test_a_lost_scene_is_rendered_to_the_same_bytes(folder, fixed):
    path = scene_path(folder, 1)
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(FileNotFoundError, match="data evaluation --out"):
        list(read_evaluation(folder))
    render_evaluation(folder, 2, size=32, supersample=1, spp=2, progress=False)
    assert path.read_bytes() == whole


def test_what_is_no_set_is_named(folder, fixed, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="data evaluation --out"):
        read_evaluation(tmp_path)
    with pytest.raises(ValueError, match="remove it, or choose another"):
        render_evaluation(folder, 2, size=32, supersample=1, spp=4, progress=False)
    with pytest.raises(ValueError, match="steps of 16"):
        render_evaluation(folder, 2, size=40, progress=False)
    (tmp_path / "manifest.json").write_text((folder / "manifest.json").read_text())
    scene_path(tmp_path, 0).write_bytes(scene_path(folder, 0).read_bytes()[:5000])
    with pytest.raises(ValueError, match="cannot be read"):
        list(read_evaluation(tmp_path))
    monkeypatch.setattr(evaluation_set, "SPECIFICATION_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="this code's is 000000"):
        read_evaluation(folder)
    with pytest.raises(ValueError, match="evaluation_set.py"):
        render_evaluation(tmp_path / "new", 1, size=32, progress=False)
    with pytest.raises(SystemExit, match="data evaluation: this code draws"):
        main(["data", "evaluation", "--count", "1", "--out", str(tmp_path)])


def test_scenes_without_a_manifest_are_not_taken_over(folder, fixed, tmp_path):
    shutil.copy(scene_path(folder, 0), tmp_path)
    with pytest.raises(ValueError, match=r"holds scenes, but no manifest.json; remove them"):
        render_evaluation(tmp_path, 1, **SMALL, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["scene-000.tar"]


def _rewritten(path: Path, **facts) -> None:
    """A scene whose scene.json says something else."""
    members = evaluation_set._members(path)
    write_scene(path, members | {"scene.json": json.dumps(json.loads(members["scene.json"]) | facts).encode()})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda specs: {"settings": {"size": 32, "supersample": 1, "spp": 9, "seed": 1}}, "settings: got .*'spp': 9"),
        (lambda specs: {"scene": specs[1]["scene"]}, "scene: not as specified"),
        (lambda specs: {"edits": specs[1]["edits"]}, "edits: not as specified"),
    ],
)
def test_a_scene_of_something_else_is_named_on_resume(folder, fixed, specified, tmp_path, change, words):
    out = shutil.copytree(folder, tmp_path / "out")
    manifest = (out / "manifest.json").read_bytes()
    _rewritten(scene_path(out, 0))
    render_evaluation(out, 2, **SMALL, progress=False)  # the same facts: nothing is refused
    _rewritten(scene_path(out, 0), **change(specified["scenes"]))
    with pytest.raises(ValueError, match=rf"scene-000\.tar holds another {words}.*remove it and run again: .*--out"):
        render_evaluation(out, 3, **SMALL, progress=False)
    assert (out / "manifest.json").read_bytes() == manifest and not scene_path(out, 2).exists()


def test_a_scene_that_was_rendered_to_something_else_is_named(fixed, specified, tmp_path, monkeypatch):
    members = {"scene.json": json.dumps({**specified["scenes"][1], "settings": {}}).encode()}

    def other(function, jobs, *rest):
        for index, _, out, _ in jobs:
            write_scene(scene_path(Path(out), index), members)
            yield index

    monkeypatch.setattr(evaluation_render, "run_jobs", other)
    with pytest.raises(ValueError, match=r"scene-000\.tar holds another scene"):
        render_evaluation(tmp_path, 1, **SMALL, progress=False)


def test_a_damaged_scene_is_named_on_resume(folder, fixed, tmp_path):
    out = shutil.copytree(folder, tmp_path / "out")
    scene_path(out, 1).write_bytes(scene_path(folder, 1).read_bytes()[:700])
    with pytest.raises(ValueError, match=r"scene-001\.tar cannot be read.*remove it and run again"):
        render_evaluation(out, 2, **SMALL, progress=False)


def test_equal_members_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_scene(tmp_path / name / "scene-000.tar", {"before.webp": b"1", "scene.json": b"{}"})
    assert (tmp_path / "a" / "scene-000.tar").read_bytes() == (tmp_path / "b" / "scene-000.tar").read_bytes()


def test_light_is_the_mean_of_each_cell_outside_the_lamp():
    linear = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    where = np.ones((32, 32), bool)
    where[0:2, 0:2], where[2, 0] = False, False
    blank = np.zeros((32, 32), np.int16)
    grid = light_grid(Rendering(linear.astype(np.uint8), linear, blank, linear[..., 0], linear), where)
    assert grid.shape == (16, 16, 3) and grid.dtype == np.float32
    np.testing.assert_array_equal(grid[0, 0], 0)
    np.testing.assert_allclose(grid[1, 0], (linear[2, 1] + linear[3, 0] + linear[3, 1]) / 3, rtol=1e-6)
    np.testing.assert_allclose(grid[5, 7], linear[10:12, 14:16].mean((0, 1)), rtol=1e-6)


def test_light_of_an_array_that_lies_otherwise_in_memory_is_stored_as_it_is():
    columns_first = np.random.default_rng(0).random((3, 32, 32)).astype(np.float32).transpose(2, 1, 0)
    blank = np.zeros((32, 32), np.int16)
    rendering = Rendering(columns_first.astype(np.uint8), columns_first, blank, columns_first[..., 0], columns_first)
    grid = light_grid(rendering, np.ones((32, 32), bool))
    np.testing.assert_allclose(grid[3, 5], columns_first[6:8, 10:12].mean((0, 1)), rtol=1e-6)
    np.testing.assert_array_equal(load(save({"grid": grid}))["grid"], grid)


def test_stored_light_is_that_of_the_pictures():
    for scene in evaluation_fixture(Path(__file__).parents[1] / FIXTURE):
        where = ~scene.lamp_mask
        for light, picture in ((scene.light, scene.before), (scene.light_after, scene.after["remove_lit_lamp"])):
            shown = cell_means(linear_rgb(picture), where)
            known = np.isfinite(shown)
            assert spearmanr(light[known], shown[known]).statistic > 0.95


def test_lamp_figures_count_what_gets_darker_and_brighter(folder, fixed):
    scene = next(read_evaluation(folder))
    mask = np.zeros((32, 32), np.int16) - 1
    mask[10:12, 10:12] = [o.id for o in scene.world.objects].index(scene.edits["remove_lit_lamp"]["id"])
    before = np.full((32, 32, 3), 100, np.uint8)
    after = before.copy()
    after[:8], after[10:12, 10:12], after[31] = 80, 200, 110
    scene = replace(scene, before=before, instance=mask, after={**scene.after, "remove_lit_lamp": after})
    figures = lamp_removal([scene, scene])
    assert figures["scenes"] == 2
    assert figures["changed_share"] == pytest.approx((8 * 32 + 4 + 32) / 1024)
    assert figures["brighter_share"] == pytest.approx(32 / (1024 - 36))
    assert figures["brighter_share_with_lamp"] == pytest.approx(36 / 1024)
    assert figures["mean_abs_delta"] == pytest.approx((8 * 32 * 20 + 4 * 100 + 32 * 10) / 1024 / 255)
    with pytest.raises(ValueError, match="no scenes"):
        lamp_removal([])


def test_the_fixture_is_a_prefix_of_the_set(specified):
    folder = Path(__file__).parents[1] / FIXTURE
    scenes = list(evaluation_fixture(folder))
    assert len(scenes) == NUM_FIXTURE_SCENES
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3_000_000
    for scene, spec in zip(scenes, specified["scenes"], strict=False):
        assert scene.world == WorldScene.from_json(spec["scene"])
        assert dict(scene.edits) == {name: edit_from_json(edit) for name, edit in spec["edits"].items()}
    assert lamp_removal(scenes)["brighter_share"] < 0.01


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("CI"), reason="takes a minute; set CI to run it")
def test_the_whole_set_is_the_one_that_is_fixed():
    assert checksum(specification()) == evaluation_set.SPECIFICATION_SHA256
