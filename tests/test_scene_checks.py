"""Checks of scenes: exact volumes against sampled points, each kind of finding, and how a check shows itself."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from fake_pipeline import make_room
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_helpers import edited
from strategies import NUM_EXAMPLES, make_scene, metres, scenes

from anchorgen.geometry import (
    box_corners,
    box_penetration,
    box_planes,
    canonical_quat,
    floor_basis,
    quat_to_matrix,
    shared_volume,
)
from anchorgen.scene import SceneLatent, SelectionError
from anchorgen.scene.checks import KINDS, share_in_view

# beartype draws random items while hypothesis builds scenes, which changes nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
seeds = st.integers(0, 2**32 - 1)
GOLDEN = Path(__file__).parent / "golden"
ROOM = make_room()  # nothing is wrong with it


def random_box(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rng.uniform(-0.6, 0.6, 3), canonical_quat(rng.normal(size=4)), rng.uniform(0.1, 1.5, 3)


def penetration(one, other) -> float:
    return box_penetration(quat_to_matrix(one[1]), box_corners(*one), quat_to_matrix(other[1]), box_corners(*other))


# -- volumes ----------------------------------------------------------------------------------------------------------


@examples
@given(seeds)
def test_shared_volume_agrees_with_sampled_points(seed):
    rng = np.random.default_rng(seed)
    one, other = random_box(rng), random_box(rng)
    volume, whole = shared_volume(box_planes(*one), box_planes(*other)), float(np.prod(one[2]))
    count = 20_000
    points = rng.uniform(-0.5, 0.5, (count, 3)) * one[2] @ quat_to_matrix(one[1]).T + one[0]
    own = (points - other[0]) @ quat_to_matrix(other[1])
    share = np.mean(np.all(np.abs(own) <= other[2] / 2, axis=1))
    deviation = np.sqrt(max(share * (1 - share), 1 / count) / count)
    assert volume / whole == pytest.approx(share, abs=6 * deviation)
    assert volume == pytest.approx(shared_volume(box_planes(*other), box_planes(*one)), abs=1e-9)
    assert (volume > 1e-9) == (penetration(one, other) > 1e-3) or 0 <= penetration(one, other) <= 1e-2


@examples
@given(seeds, st.floats(0.0, 2.0), st.integers(0, 2), st.sampled_from([0.0, 1e-12, 1e-9, 1e-6]))
def test_shared_volume_of_boxes_that_slide_along_an_axis(seed, shift, axis, turn):
    rng = np.random.default_rng(seed)
    centre, quat, sides = random_box(rng)
    moved = centre + shift * sides[axis] * quat_to_matrix(quat)[:, axis]
    turned = canonical_quat(quat + turn * rng.normal(size=4))
    volume = shared_volume(box_planes(centre, quat, sides), box_planes(moved, turned, sides))
    assert volume == pytest.approx(max(0.0, 1 - shift) * np.prod(sides), abs=20 * turn + 1e-8)
    if turn == 0:
        assert penetration((centre, quat, sides), (moved, quat, sides)) == pytest.approx(
            min((1 - shift) * sides[axis], *sides), abs=1e-9
        )


# -- findings ---------------------------------------------------------------------------------------------------------


@examples
@given(scenes(min_objects=2), metres(2.0), st.floats(-1.0, 1.0))
def test_findings_agree_with_sampled_points(scene, right, up):
    scene = edited(scene, "move", selector=scene.objects[0].id, right=right, up=up)
    basis = floor_basis(scene.up)
    wall = np.array([*-basis[0], -1.0])  # what is more than 1 m to the right is outside
    check, rng = scene.check(wall[None]), np.random.default_rng(0)
    found = {(finding.kind, finding.ids[0]): finding.amount for finding in check if finding.kind != "collision"}
    for view in scene.objects:
        sides = rng.choice([-0.5, 0.5], (64, 3)) * view.scale
        corners = sides @ quat_to_matrix(view.quat_wxyz).T + view.translation
        expected = {
            "behind camera": 0.05 - corners[:, 2].min(),
            "below floor": float(scene.floor) - (corners @ scene.up).min(),
            "out of room": (corners @ basis[0]).max() - 1.0,
        }
        for kind, metres_beyond in expected.items():
            if (amount := found.get((kind, view.id))) is None:
                assert metres_beyond <= 0.02 + 1e-5
            else:
                assert amount == pytest.approx(metres_beyond, abs=1e-5)
    assert {finding.kind for finding in check} <= set(KINDS)
    assert bool(check) == (len(list(check)) > 0) == (len(check) > 0)


@examples
@given(scenes(min_objects=2))
def test_collisions_do_not_depend_on_the_order_of_slots(scene):
    first, second, *_ = scene.objects
    names = ("translation", "quat_wxyz", "scale", "appearance")
    rows = {name: getattr(scene, name).copy() for name in names}
    for name in names:
        rows[name][[first.index, second.index]] = rows[name][[second.index, first.index]]
    words = {}
    for name in ("labels", "ids"):
        words[name] = list(getattr(scene, name))
        words[name][first.index], words[name][second.index] = words[name][second.index], words[name][first.index]
    swapped = scene.replace(**rows, **{name: tuple(value) for name, value in words.items()})
    assert sorted(map(str, scene.check())) == sorted(map(str, swapped.check()))


def test_a_room_that_is_right_has_no_findings():
    check = ROOM.check()
    assert not check
    assert list(check) == []
    assert check.of("everything") == ()
    assert repr(check) == "SceneCheck: no problems in 6 objects; walls not given, so not checked"
    walls = np.array([[0.0, 0.0, 1.0, 1.0]])
    assert repr(ROOM.check(walls)) == "SceneCheck: no problems in 6 objects"


def test_collision_is_the_share_of_the_smaller_box():
    inside = ROOM.move("nightstand", to=ROOM["wardrobe"].translation)
    (finding,) = inside.check()
    assert finding.kind == "collision"
    assert finding.ids == ("nightstand-0", "wardrobe-0")
    assert 0.5 < finding.amount <= 1.0
    assert inside.check().of("wardrobe") == inside.check().of("nightstand-0") == (finding,)
    assert inside.check().of("bed") == ()
    with pytest.raises(SelectionError):
        inside.check().of("unicorn")


def test_a_little_is_no_collision():
    sunk = {depth: ROOM.move("table lamp", up=-depth).check() for depth in (0.02, 0.03)}  # of 0.45 m: 4% and 7%
    assert not sunk[0.02]
    assert [finding.amount for finding in sunk[0.03]] == pytest.approx([0.03 / 0.45], abs=1e-4)


def test_rugs_and_chairs_at_desks_may_overlap():
    pair = ROOM.only(["chair", "rug"])
    assert not pair.place_on("chair", "rug").move("chair", up=-0.02).check()
    assert pair.resize("rug", height=0.05).place_on("rug", "chair").move("rug", up=-0.2).check()
    labels = [("writing desk" if label == "wardrobe" else label) for label in ROOM.labels]
    desk = ROOM.replace(labels=tuple(labels))
    tucked = desk.move("chair", to=desk["desk"].translation).snap_to_floor("chair")
    assert not tucked.check()
    (finding,) = tucked.replace(labels=ROOM.labels).check()
    assert finding.ids == ("chair-0", "wardrobe-0")


def test_out_of_view_is_the_share_of_the_projected_box():
    alone = ROOM.only("wardrobe")
    slot = alone.select("wardrobe")[0]
    shares = []
    for right in np.arange(0.0, 5.0, 0.25):
        moved = alone.move("wardrobe", right=right - 1.0)
        corners = box_corners(moved.translation[slot], moved.quat_wxyz[slot], moved.scale[slot])
        shares.append(share_in_view(corners, moved.focal))
        found = moved.check()
        assert [finding.kind for finding in found] == (["out of view"] if shares[-1] < 0.25 else [])
        assert all(finding.amount == pytest.approx(shares[-1]) for finding in found)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(1.0)
    assert shares[-1] == 0.0


def test_share_in_view_of_a_plate_across_the_edge():
    half = box_corners(np.array([1.0, 0.0, 2.0]), np.array([1.0, 0, 0, 0]), np.array([1.0, 1.0, 1e-9]))
    assert share_in_view(half, np.array([1.0, 1.0])) == pytest.approx(0.5)


def test_removed_objects_are_not_checked():
    assert not ROOM.move("bed", forward=-2.5, up=-1.0).remove("bed").check()


@pytest.mark.parametrize("walls", [np.zeros(4), np.zeros((2, 3)), np.full((1, 4), np.nan)])
def test_walls_of_another_shape_are_refused(walls):
    with pytest.raises(ValueError, match=r"expected finite \[W, 4\]"):
        ROOM.check(walls)


# -- how it shows -----------------------------------------------------------------------------------------------------


def wrong_room() -> tuple[SceneLatent, np.ndarray]:
    room = ROOM.move("wardrobe", right=0.2).move("nightstand", up=-0.1).move("rug", right=-0.4, forward=-2.85)
    room = room.move("bed", right=0.9).move("chair", right=-2.2)
    basis = floor_basis(room.up)
    walls = np.array([[*-basis[0], -2.4], [*basis[0], -2.4], [*-basis[2], -5.3], [*basis[2], -0.1]])
    return room, walls


def test_text_is_golden():
    room, walls = wrong_room()
    assert repr(room.check(walls)) == (GOLDEN / "check.txt").read_text().rstrip("\n")
    assert {finding.kind for finding in room.check(walls)} == set(KINDS)


def test_html_is_well_formed_coloured_and_complete():
    room, walls = wrong_room()
    check = room.check(walls)
    html = check._repr_html_()
    root = ElementTree.fromstring(html)
    text = "".join(root.itertext())
    for finding in check:
        assert finding.text in text
    wrong = {name for finding in check for name in finding.ids}
    fills = [polygon.get("fill") for polygon in root.iter("{http://www.w3.org/2000/svg}polygon")]
    assert set(fills) == {"#e5484d", "#8b8d98"}
    assert 0 < len(wrong) < room.num_objects
    assert "#e5484d" not in ROOM.check()._repr_html_()


def test_walls_are_drawn_around_the_room():
    room, walls = wrong_room()
    lines = ElementTree.fromstring(room.check(walls)._repr_html_()).iter("{http://www.w3.org/2000/svg}line")
    outline = [line for line in lines if line.get("stroke-width") == "2"]
    assert len(outline) == 4
    width, depth = (max(abs(float(line.get(f"{c}2")) - float(line.get(f"{c}1"))) for line in outline) for c in "xy")
    assert width / depth == pytest.approx(4.8 / 5.4, rel=0.01)


def test_strange_scenes_can_be_checked_and_shown():
    evil = "<script>alert(1)</script>"
    room = make_scene(3).replace(ids=(evil, *make_scene(3).ids[1:])).move(0, up=-1.0)
    assert "<script>" not in room.check()._repr_html_()
    down = make_scene(3).replace(up=np.array([0.0, 0.0, -1.0]))
    assert "no drawing" in down.check()._repr_html_()
    assert repr(SceneLatent.blank(4).check()).startswith("SceneCheck: no problems in no objects")
