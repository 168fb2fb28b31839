"""What the world says of a picture is what the picture shows: boxes, masks, depth, normals, voxels, occlusion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from anchorgen import world
from anchorgen.geometry import box_corners, floor_basis, project, quat_to_matrix, unproject
from anchorgen.world.catalogue import build_furniture, size_of
from anchorgen.world.mitsuba_scene import gather
from anchorgen.world.rendering import render
from anchorgen.world.rooms import sample_scene
from anchorgen.world.truth import slot_instances, truth_slots, voxelise, world_truth
from anchorgen.world.types import Camera, WorldScene

SEED, SIZE = 12, 96


@pytest.fixture(scope="module")
def scene() -> WorldScene:
    return sample_scene(SEED)


@pytest.fixture(scope="module")
def rendering(scene):
    return render(scene, SIZE, 16)


@pytest.fixture(scope="module")
def truth(scene, rendering):
    return world_truth(scene, rendering.instance, rendering.depth)


@pytest.fixture(scope="module")
def slots(scene, rendering):
    return slot_instances(rendering.instance, truth_slots(scene, rendering.instance))


def test_projected_boxes_frame_their_masks(scene, truth):
    """Each object alone in the room: the bounding rectangles of its mask and of its projected box agree."""
    overlaps = []
    for k, name in enumerate(truth.ids):
        alone = scene.replace(objects=tuple(o for o in scene.objects if o.id == name))
        rows, columns = np.nonzero(render(alone, SIZE, 1, denoise=False).instance == 0)
        uv = project(box_corners(truth.translation[k], truth.quat_wxyz[k], truth.scale[k]), truth.focal) * SIZE
        box = np.concatenate([np.clip(uv.min(0), 0, SIZE), np.clip(uv.max(0), 0, SIZE)])
        mask = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert np.all(mask[:2] >= box[:2] - 1.5) and np.all(mask[2:] <= box[2:] + 1.5), name
        overlaps.append(rectangle_iou(box, mask))
    assert len(overlaps) >= 6 and min(overlaps) > 0.35 and np.mean(overlaps) > 0.75


def test_depth_unprojects_onto_the_voxels(rendering, truth, slots):
    centre = (np.arange(SIZE) + 0.5) / SIZE
    v, u = np.meshgrid(centre, centre, indexing="ij")
    points = unproject(np.stack([u, v], -1), rendering.depth, truth.focal)
    for k, name in enumerate(truth.ids):
        local = (points[slots == k] - truth.translation[k]) @ quat_to_matrix(truth.quat_wxyz[k])
        cell = truth.scale[k].max() / 64
        voxels = ((truth.voxel_coords[k] + 0.5) / 64 - 0.5) * truth.scale[k].max()
        distance = cKDTree(voxels).query(local)[0]
        # 512 voxels lie a few cells apart on the surface; a depth sample may fall half a pixel aside.
        assert np.median(distance) < 3 * cell + 0.02, (name, np.median(distance), cell)


def test_depth_is_counted_from_the_camera():
    """A camera that looks level at a wall 4 m away."""
    room = world.empty_room(4.0, 4.2, window=None, camera=Camera((0.0, 0.2, 1.3), 0.0, 0.0, (0.7, 0.7)))
    depth = render(room, 32, 1, denoise=False).depth
    np.testing.assert_allclose(depth[10:20, 10:22], 4.0, atol=2e-3)


def test_the_bulbs_of_a_tilted_or_squashed_lamp_stay_in_its_shade():
    for changes in ({}, {"quat_wxyz": (np.sqrt(0.5), np.sqrt(0.5), 0, 0)}, {"scale": (2.0, 0.5, 1.0)}):
        spec = replace(world.put(world.empty_room(), "floor lamp", at=(0, 2.5)).objects[0], **changes)
        lamp = gather(world.empty_room().replace(objects=(spec,))).lamps[0]
        low, high = lamp.shade.vertices.min(0), lamp.shade.vertices.max(0)
        assert np.all(lamp.bulb.vertices > low - 1e-6) and np.all(lamp.bulb.vertices < high + 1e-6)
        np.testing.assert_allclose(np.linalg.norm(lamp.bulb.normals, axis=1), 1)


def test_normals_are_those_of_the_depth(rendering, truth):
    """On smooth surfaces, n is across two neighbouring pixels' points."""
    centre = (np.arange(SIZE) + 0.5) / SIZE
    v, u = np.meshgrid(centre, centre, indexing="ij")
    points = unproject(np.stack([u, v], -1), rendering.depth, truth.focal)
    length = np.linalg.norm(rendering.normals, axis=-1)
    assert np.all((np.abs(length - 1) < 1e-3) | (length == 0)) and np.mean(length > 0) > 0.9
    room = rendering.instance == -1
    up = rendering.normals @ truth.up
    floor = room & (points @ truth.up < truth.floor + 0.01)
    assert floor.sum() > 200 and np.median(up[floor]) > 0.999
    ceiling = room & (points @ truth.up > truth.floor + 2.4) & (up < -0.9)
    assert ceiling.sum() > 100
    assert np.mean((rendering.normals * points).sum(-1)[floor | ceiling] < 0) > 0.99  # they face the camera


def test_visible_share_is_what_shows_of_a_lone_object():
    """Against the masks of objects rendered alone, of those that the picture does not cut off."""
    errors = []
    for seed in (12, 13, 14):
        scene = sample_scene(seed)
        rendering = render(scene, SIZE, 1, denoise=False)
        truth = world_truth(scene, rendering.instance, rendering.depth)
        for k, name in enumerate(truth.ids):
            index = next(i for i, o in enumerate(scene.objects) if o.id == name)
            if wholly_in_view(truth, k) and truth.visible_share[k] < 0.9:
                alone = render(scene.replace(objects=(scene.objects[index],)), SIZE, 1, denoise=False)
                shown = (rendering.instance == index).sum() / (alone.instance == 0).sum()
                errors.append(abs(shown - truth.visible_share[k]))
    assert len(errors) >= 4 and max(errors) < 0.2 and np.mean(errors) < 0.08, errors


def test_what_the_picture_cuts_off_is_not_visible(scene):
    camera = scene.camera
    aside = scene.replace(camera=Camera(camera.position, camera.yaw_rad + 0.5, camera.pitch_rad, camera.focal))
    picture = render(aside, 64, 1, denoise=False)
    truth = world_truth(aside, picture.instance, picture.depth)
    cut = [k for k in range(truth.num_objects) if not wholly_in_view(truth, k)]
    assert cut and all(truth.visible_share[k] < 0.98 for k in cut)


def test_gravity_floor_and_walls(truth):
    bottoms = []
    for k, label in enumerate(truth.labels):
        if label not in ("table lamp", "painting", "mirror", "pendant"):
            corners = box_corners(truth.translation[k], truth.quat_wxyz[k], truth.scale[k])
            bottoms.append((corners @ truth.up).min() - truth.floor)
    np.testing.assert_allclose(bottoms, 0, atol=1e-3)
    assert np.allclose(floor_basis(truth.up)[1], truth.up, atol=1e-6)
    assert np.all(truth.translation @ truth.walls[:, :3].T >= truth.walls[:, 3] - 1e-3)


def test_voxels_are_slat_shaped(scene):
    for spec in scene.objects:
        furniture = build_furniture(spec.category, spec.params)
        coords, feats = voxelise(furniture, spec)
        assert coords.dtype == feats.dtype == np.uint8 and coords.shape[1] == 3 and feats.shape[1] == 8
        assert 40 < len(coords) <= 512 and coords.max() < 64
        assert len(np.unique(coords, axis=0)) == len(coords)
        span = (coords.max(0) - coords.min(0) + 1) / 64
        extent = size_of(furniture)
        np.testing.assert_allclose(span, extent / extent.max(), atol=0.2)
        assert (feats[:, 6].max() > 0) == (furniture.light is not None and spec.lit)
        assert (feats[:, 7].max() == 255) == (spec.category == "mirror")


def test_rendering_twice_is_the_same_picture(scene, rendering):
    again = render(scene, SIZE, 16)
    assert np.abs(again.image.astype(int) - rendering.image.astype(int)).mean() < 0.5


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


def test_a_finer_film_gives_the_same_picture(scene):
    """Averaged in linear light; only the denoiser's edges differ."""
    plain = render(scene, 48, 64, denoise=False).linear
    fine = render(scene, 48, 16, denoise=False, supersample=2).linear
    assert fine.shape == plain.shape
    assert np.abs(np.log(fine.mean((0, 1)) / plain.mean((0, 1)))).max() < 0.03


def test_what_nobody_could_build_is_refused(scene):
    nan = replace(scene.objects[0], position=(float("nan"), 0.0, 0.0))
    for bad, match in (
        (scene.replace(objects=(nan,)), r"bed-0\.position: got .*nan"),
        (scene.replace(objects=(replace(scene.objects[0], scale=(1.0, -1.0, 1.0)),)), r"scale: got .* above 0"),
        (scene.replace(objects=(replace(scene.objects[0], quat_wxyz=(0.0, 0.0, 0.0, 0.0)),)), "length 1"),
        (scene.replace(room=replace(scene.room, width_m=-3.0)), "room.width_m"),
        (scene.replace(camera=replace(scene.camera, focal=(0.0, 1.0))), "focal"),
        (scene.replace(exposure=float("inf")), "exposure"),
    ):
        with pytest.raises(ValueError, match=match):
            render(bad, 16, 1)
    lamp = next(o for o in scene.objects if "lamp" in o.category or o.category == "pendant")
    many = tuple(replace(lamp, id=f"lamp-{i}") for i in range(9))
    with pytest.raises(ValueError, match="9 lamps"):
        render(scene.replace(objects=many), 16, 1)
    with pytest.raises(ValueError, match="expected at least 1"):
        render(scene, 0)


def rectangle_iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.clip(high - low, 0, None))
    return float(both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both))


def wholly_in_view(truth, k: int) -> bool:
    uv = project(box_corners(truth.translation[k], truth.quat_wxyz[k], truth.scale[k]), truth.focal)
    return bool(np.all((uv >= 0) & (uv <= 1)))
