"""Rooms obey their rules, and what the world says of a picture is what the picture shows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anchorgen.geometry import box_corners, floor_basis, project, quat_to_matrix, unproject
from anchorgen.world.catalogue import build_furniture, size_of
from anchorgen.world.counterfactual import apply_edit, counterfactual, impossibilities, influence_mask
from anchorgen.world.layout import in_view, overlaps
from anchorgen.world.render import render
from anchorgen.world.rooms import sample_scene
from anchorgen.world.truth import slot_instances, truth_slots, voxelise, world_truth
from anchorgen.world.types import WorldScene

SEED = 9  # a bed, two lit lamps, a chair and a painting


@pytest.fixture(scope="module")
def scene() -> WorldScene:
    return sample_scene(SEED)


@pytest.fixture(scope="module")
def rendering(scene):
    return render(scene, 64, 16)


def sizes(scene: WorldScene) -> list[np.ndarray]:
    return [size_of(build_furniture(o.category, o.params)) for o in scene.objects]


def test_rooms_are_reproducible_and_survive_json():
    for seed in (0, 5, 123456):
        scene = sample_scene(seed)
        assert scene.to_json() == sample_scene(seed).to_json()
        again = WorldScene.from_json(json.loads(json.dumps(scene.to_json())))
        assert json.dumps(again.to_json()) == json.dumps(scene.to_json())
    assert sample_scene(0).to_json() != sample_scene(1).to_json()


@pytest.mark.parametrize("seed", range(40))
def test_nothing_interpenetrates_and_everything_is_in_view(seed):
    scene = sample_scene(seed)
    assert impossibilities(scene) == ()
    for spec, size in zip(scene.objects, sizes(scene), strict=True):
        assert in_view(spec, size, scene.camera)
    lamps = [o for o in scene.objects if o.category == "table lamp"]
    stands = [(o, s) for o, s in zip(scene.objects, sizes(scene), strict=True) if o.category == "nightstand"]
    for lamp in lamps:  # every lamp stands on a nightstand
        assert any(
            abs(lamp.position[2] - s[2]) < 0.01 and np.hypot(*(np.array(lamp.position) - o.position)[:2]) < 0.2
            for o, s in stands
        )
    for painting in (o for o in scene.objects if o.category == "painting"):
        assert painting.position[2] >= 1.4


def test_overlap_is_exact():
    scene = sample_scene(SEED)
    spec, size = scene.objects[0], sizes(scene)[0]
    aside = apply_edit(scene, {"verb": "move", "id": spec.id, "right": float(size[0]) + 0.01}).objects[0]
    assert overlaps(spec, size, spec, size)
    if scene.camera.yaw_rad == 0:
        assert not overlaps(spec, size, aside, size)


def test_masks_lie_inside_projected_boxes(scene, rendering):
    truth = world_truth(scene, rendering.instance)
    slots = slot_instances(rendering.instance, truth_slots(scene, rendering.instance))
    assert truth.num_objects >= 5
    for k in range(truth.num_objects):
        uv = project(box_corners(truth.translation[k], truth.quat_wxyz[k], truth.scale[k]), truth.focal) * 64
        rows, columns = np.nonzero(slots == k)
        assert len(rows)
        assert columns.min() >= uv[:, 0].min() - 1.5 and columns.max() + 1 <= uv[:, 0].max() + 1.5
        assert rows.min() >= uv[:, 1].min() - 1.5 and rows.max() + 1 <= uv[:, 1].max() + 1.5


def test_depth_unprojects_into_the_boxes(scene, rendering):
    truth = world_truth(scene, rendering.instance)
    slots = slot_instances(rendering.instance, truth_slots(scene, rendering.instance))
    centre = (np.arange(64) + 0.5) / 64
    v, u = np.meshgrid(centre, centre, indexing="ij")
    points = unproject(np.stack([u, v], -1), rendering.depth, truth.focal)
    for k in range(truth.num_objects):
        local = (points[slots == k] - truth.translation[k]) @ quat_to_matrix(truth.quat_wxyz[k])
        inside = np.all(np.abs(local) <= truth.scale[k] / 2 + 0.06, axis=1)  # a sample may fall half a pixel aside
        assert inside.mean() > 0.9, truth.ids[k]


def test_gravity_and_floor(scene, rendering):
    truth = world_truth(scene, rendering.instance)
    bottoms = []
    for k, label in enumerate(truth.labels):
        if label in ("bed", "chair", "nightstand", "wardrobe"):
            corners = box_corners(truth.translation[k], truth.quat_wxyz[k], truth.scale[k])
            bottoms.append((corners @ truth.up).min() - truth.floor)
    np.testing.assert_allclose(bottoms, 0, atol=1e-3)
    assert np.allclose(floor_basis(truth.up)[1], truth.up, atol=1e-6)
    assert np.all(truth.translation @ truth.walls[:, :3].T >= truth.walls[:, 3] - 1e-3)


def test_voxels_are_slat_shaped(scene):
    for spec in scene.objects:
        coords, feats = voxelise(build_furniture(spec.category, spec.params), spec)
        assert coords.dtype == feats.dtype == np.uint8 and coords.shape[1] == 3 and feats.shape[1] == 8
        assert 40 < len(coords) <= 512 and coords.max() < 64
        span = (coords.max(0) - coords.min(0) + 1) / 64
        extent = size_of(build_furniture(spec.category, spec.params))
        np.testing.assert_allclose(span, extent / extent.max(), atol=0.2)
        lit = spec.category == "table lamp" and spec.lit
        assert (feats[:, 6].max() > 0) == lit


def test_rendering_twice_is_the_same_picture(scene, rendering):
    again = render(scene, 64, 16)
    assert np.abs(again.image.astype(int) - rendering.image.astype(int)).mean() < 0.5


def test_removing_a_lit_lamp_takes_its_light(scene):
    lamp = next(o.id for o in scene.objects if o.category == "table lamp" and o.lit)
    pair = counterfactual(scene, [{"verb": "remove", "id": lamp}], 64, 64)
    assert pair.edited.exposure == scene.exposure
    delta = pair.after.linear.mean(-1) - pair.before.linear.mean(-1)
    assert delta.mean() < 0
    assert (delta > 0.05 * pair.before.linear.mean()).mean() < 0.05
    assert 0.01 < pair.influence.mean() < 1


def test_anamorphic_cameras_project_exactly():
    seed = next(
        s for s in range(100) if abs(sample_scene(s).camera.focal[0] / sample_scene(s).camera.focal[1] - 1) > 0.05
    )
    scene = sample_scene(seed)
    picture = render(scene, 64, 4, denoise=False)
    assert picture.image.shape == (64, 64, 3)
    truth = world_truth(scene, picture.instance)
    slots = slot_instances(picture.instance, truth_slots(scene, picture.instance))
    for k in range(truth.num_objects):
        uv = project(box_corners(truth.translation[k], truth.quat_wxyz[k], truth.scale[k]), truth.focal) * 64
        rows, columns = np.nonzero(slots == k)
        assert columns.min() >= uv[:, 0].min() - 1.5 and rows.max() + 1 <= uv[:, 1].max() + 1.5


def test_edits_invert():
    scene = sample_scene(SEED)
    name = scene.objects[0].id
    there = apply_edit(scene, {"verb": "move", "id": name, "right": 0.3, "forward": -0.2})
    back = apply_edit(there, {"verb": "move", "id": name, "right": -0.3, "forward": 0.2})
    np.testing.assert_allclose(back.objects[0].position, scene.objects[0].position, atol=1e-12)
    turned = apply_edit(
        apply_edit(scene, {"verb": "rotate", "id": name, "yaw": 50}), {"verb": "rotate", "id": name, "yaw": -50}
    )
    np.testing.assert_allclose(np.abs(turned.objects[0].quat_wxyz), np.abs(scene.objects[0].quat_wxyz), atol=1e-12)
    gone = apply_edit(scene, {"verb": "remove", "id": name})
    assert name not in [o.id for o in gone.objects] and len(gone.objects) == len(scene.objects) - 1


def test_bad_edits_are_named():
    scene = sample_scene(SEED)
    with pytest.raises(KeyError, match="bed-0"):
        apply_edit(scene, {"verb": "move", "id": "sofa-0"})
    with pytest.raises(ValueError, match="rotate"):
        apply_edit(scene, {"verb": "explode", "id": scene.objects[0].id})
    far = apply_edit(scene, {"verb": "move", "id": scene.objects[0].id, "right": 9.0})
    assert any("wall" in w for w in impossibilities(far))


def test_influence_mask_ignores_noise_and_grows_by_three_pixels():
    before = np.full((32, 32, 3), 100, np.uint8)
    noisy = before + np.random.default_rng(0).integers(-5, 5, before.shape).astype(np.int8).astype(np.uint8)
    assert not influence_mask(before, noisy).any()
    after = before.copy()
    after[10:12, 10:12] = 160
    mask = influence_mask(before, after)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 14, 7, 14)
