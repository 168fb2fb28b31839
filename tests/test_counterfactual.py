"""What is impossible in a room is said; true pictures of edits differ by the edit alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from anchorgen.geometry import quat_from_axis_angle, quat_multiply
from anchorgen.world.boxes import Box, box_of, mesh_size
from anchorgen.world.checks import box_overlap_share, footprint_of, impossibilities, may_overlap, penetrate
from anchorgen.world.counterfactuals import counterfactual, influence_mask
from anchorgen.world.edits import apply_edit, apply_edits
from anchorgen.world.layout import overlaps
from anchorgen.world.rooms import sample_scene
from anchorgen.world.types import Block, WorldScene


def rooms(count: int = 200):
    return map(sample_scene, range(count))


@pytest.fixture(scope="module")
def room() -> WorldScene:
    """A lit lamp on a nightstand, a wardrobe, and things that hang."""
    wanted = {"bed", "nightstand", "wardrobe", "pendant", "painting"}
    return next(
        r for r in rooms() if wanted <= {o.category for o in r.objects} and table_lamp(r) and r.room.block is None
    )


def table_lamp(room: WorldScene) -> str | None:
    return next((o.id for o in room.objects if o.category == "table lamp" and o.lit), None)


def test_sampled_rooms_are_possible():
    for room in rooms(40):
        sizes = [mesh_size(o) for o in room.objects]
        assert impossibilities(room) == impossibilities(room, sizes) == ()


def test_no_two_boxes_of_sampled_rooms_share_more_than_a_twentieth():
    for room in rooms(60):
        boxes = [box_of(o) for o in room.objects]
        for i, a in enumerate(room.objects):
            for j, b in enumerate(room.objects[:i]):
                if not may_overlap(a, boxes[i], b, boxes[j]):
                    assert box_overlap_share(a, b) <= 0.05


@pytest.mark.parametrize(
    ("edit", "warning"),
    [
        ({"verb": "move", "id": "bed-0", "right": 9.0}, "bed-0 goes through a wall"),
        ({"verb": "move", "id": "bed-0", "forward": 3.0}, "bed-0 goes through a wall"),
        ({"verb": "move", "id": "bed-0", "up": -0.1}, "bed-0 goes through the floor"),
        ({"verb": "move", "id": "wardrobe-0", "up": 1.5}, "wardrobe-0 goes through the ceiling"),
        ({"verb": "move", "id": "bed-0", "up": 0.3}, "bed-0 stands on nothing"),
        ({"verb": "rotate", "id": "bed-0", "pitch": 40}, "bed-0 goes through the floor"),
        ({"verb": "rotate", "id": "bed-0", "roll": 40}, "bed-0 goes through the floor"),
        ({"verb": "move", "id": "pendant-0", "up": -0.5}, "pendant-0 hangs on nothing"),
        ({"verb": "move", "id": "painting-0", "forward": -1.0}, "painting-0 hangs on nothing"),
    ],
)
def test_impossible_edits_say_so(room, edit, warning):
    assert warning in impossibilities(apply_edit(room, edit))


def test_what_stood_on_something_that_is_gone_stands_on_nothing(room):
    lamp = table_lamp(room)
    gone = impossibilities(apply_edit(room, {"verb": "remove", "id": "nightstand"}))
    assert f"{lamp} stands on nothing" in gone
    assert impossibilities(apply_edit(room, {"verb": "remove", "id": "lamp"})) == ()


def test_curtains_and_sills_are_in_the_way():
    """A sampled room with long curtains, and a wardrobe pushed where they hang."""
    room = next(
        r
        for r in rooms()
        if r.room.params["curtains"] == "long"
        and r.room.windows[0].wall in ("left", "right")
        and any(o.category == "wardrobe" for o in r.objects)
    )
    window, sign = room.room.windows[0], -1 if room.room.windows[0].wall == "left" else 1
    y = window.start_m if window.wall == "left" else room.room.depth_m - window.start_m
    wardrobe = next(o for o in room.objects if o.category == "wardrobe")
    at_window = replace(wardrobe, position=(sign * (room.room.width_m / 2 - 0.7), y, 0.0))
    for x, expected in ((0.9, False), (0.35, True)):
        at = (sign * (room.room.width_m / 2 - x), y, 0.0)
        spec = replace(at_window, position=at, quat_wxyz=(np.sqrt(0.5), 0, 0, -sign * np.sqrt(0.5)))
        wrong = impossibilities(room.replace(objects=(spec,)))
        assert (f"{spec.id} goes through a curtain" in wrong) == expected, wrong
        assert not any("curtain" in text for text in impossibilities(room.replace(objects=(spec,)), fittings=False))


def test_two_in_one_place_overlap_unless_they_may(room):
    twice = apply_edit(room, {"verb": "duplicate", "id": "wardrobe-0", "right": 0.1})
    assert "wardrobe-0 and wardrobe-1 overlap" in impossibilities(twice)
    flat = apply_edit(twice, {"verb": "resize", "id": "wardrobe-1", "height": 0.03})
    assert "wardrobe-0 and wardrobe-1 overlap" not in impossibilities(flat)


def test_a_walled_off_corner_is_wall(room):
    bed = box_of(room.objects[0])
    side = "left" if bed.centre[0] < 0 else "right"
    wide = room.room.width_m / 2 - abs(float(bed.centre[0])) + 0.05
    deep = room.room.depth_m - float(bed.centre[1]) + 0.05
    small = apply_edit(room, {"verb": "only", "id": room.objects[0].id})
    blocked = small.replace(room=replace(room.room, block=Block(side, wide, deep)))
    assert impossibilities(small) == ()
    assert impossibilities(blocked) == (f"{room.objects[0].id} goes through a wall",)


def test_separating_axes_agree_with_footprints_and_with_points():
    rng = np.random.default_rng(0)
    room = sample_scene(0)
    spec, size = room.objects[0], mesh_size(room.objects[0])
    disagree = 0
    for _ in range(300):
        a, b = (_thrown(spec, rng) for _ in range(2))
        boxes = box_of(a), box_of(b)
        disagree += overlaps(a, size, b, size) != penetrate(*boxes)
        shared = box_overlap_share(a, b)
        assert penetrate(*boxes) <= (shared > 0)
        assert 0 <= shared <= 1 + 1e-9
        tilted = [_tilted(box, rng) for box in boxes]
        inside = _inside(
            tilted[0], tilted[1].centre + (rng.random((4000, 3)) - 0.5) * tilted[1].extent @ tilted[1].axes.T
        )
        if inside.mean() > 0.002:
            assert penetrate(*tilted, tolerance_m=0)
        assert penetrate(*tilted) == penetrate(*tilted[::-1])
    assert disagree <= 3  # a graze of two millimetres


def test_overlap_shares_are_exact():
    spec = sample_scene(0).objects[0]
    width = float(box_of(spec).extent[0])
    upright = replace(spec, quat_wxyz=(1.0, 0.0, 0.0, 0.0))
    for share in (0.0, 0.25, 0.6, 1.0):
        aside = replace(upright, position=(spec.position[0] + (1 - share) * width, *spec.position[1:]))
        assert box_overlap_share(upright, aside) == pytest.approx(share, abs=1e-9)
    tilted = replace(upright, quat_wxyz=tuple(quat_from_axis_angle(np.array([1.0, 0, 0]), 0.3).tolist()))
    with pytest.raises(ValueError, match="tilted"):
        box_overlap_share(upright, tilted)
    assert len(footprint_of(box_of(tilted))) == 4


def _thrown(spec, rng):
    yaw = quat_from_axis_angle(np.array([0, 0, 1.0]), rng.uniform(0, 2 * np.pi))
    return replace(spec, position=(rng.uniform(-2, 2), rng.uniform(0, 4), 0.0), quat_wxyz=tuple(yaw.tolist()))


def _tilted(box: Box, rng) -> Box:
    axis = rng.normal(size=3)
    turn = quat_from_axis_angle(axis, rng.uniform(0, np.pi))
    return replace(box, quat_wxyz=quat_multiply(turn, box.quat_wxyz))


def _inside(box: Box, points: np.ndarray) -> np.ndarray:
    return np.all(np.abs((points - box.centre) @ box.axes) < box.extent / 2, axis=1)


def test_influence_mask_ignores_noise_and_grows_by_three_pixels():
    before = np.full((32, 32, 3), 100, np.uint8)
    noisy = before + np.random.default_rng(0).integers(-5, 5, before.shape).astype(np.int8).astype(np.uint8)
    assert not influence_mask(before, noisy).any()
    after = before.copy()
    after[10:12, 10:12] = 160
    mask = influence_mask(before, after)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 14, 7, 14)


def test_odd_sizes_are_refused_before_anything_is_rendered(room):
    with pytest.raises(ValueError, match="size: got 97; expected an even number"):
        counterfactual(room, [], size=97)
    with pytest.raises(ValueError, match="expected two of one"):
        influence_mask(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8))


def test_without_an_edit_nothing_changes(room):
    pair = counterfactual(room, [], 64, 16)
    assert pair.edited == room
    assert np.abs(pair.after.image.astype(int) - pair.before.image.astype(int)).mean() < 0.5
    assert not pair.influence.any()
    assert pair.warnings == ()


def test_removing_a_lit_lamp_takes_its_light(room):
    lamp = table_lamp(room)
    pair = counterfactual(room, {"verb": "remove", "id": lamp}, 64, 64, supersample=2)
    assert pair.edited.exposure == room.exposure
    assert pair.after.linear.mean() < pair.before.linear.mean()
    lamp_mask = pair.before.instance == [o.id for o in room.objects].index(lamp)
    outside = ~binary_dilation(lamp_mask, np.ones((3, 3), bool))
    delta = (pair.after.image.astype(float) - pair.before.image).mean(-1) / 255
    assert (delta > 0.02)[outside].mean() < 0.01  # noise: none is left at 1,024 samples
    assert (delta < -0.02)[outside].mean() > 0.1
    assert 0.01 < pair.influence.mean() <= 1


def test_switching_a_lamp_off_leaves_it_standing(room):
    lamp = table_lamp(room)
    pair = counterfactual(room, [{"verb": "lit", "id": lamp, "on": False}], 64, 32)
    index = [o.id for o in room.objects].index(lamp)
    assert np.array_equal(pair.before.instance == index, pair.after.instance == index)
    assert pair.after.linear.mean() < pair.before.linear.mean()


def test_the_background_of_another_room_keeps_every_object(room):
    from anchorgen.world.rooms import refurnish

    pair = counterfactual(room, {"verb": "with_background", "room": refurnish(room, 1)}, 64, 16)
    assert np.array_equal(pair.before.instance, pair.after.instance)
    assert pair.influence.any()


def test_edits_in_order(room):
    edits = [{"verb": "remove", "id": "lamp"}, {"verb": "remove", "id": "nightstand"}]
    assert apply_edits(room, edits) == apply_edit(apply_edit(room, edits[0]), edits[1])
