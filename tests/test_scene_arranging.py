"""Verbs that place objects by the floor and by one another, and `restyle`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_helpers import assert_close, edited, lowest
from strategies import NUM_EXAMPLES, make_scene, metres, scenes

from anchorgen.geometry import box_corners, floor_basis, quat_to_matrix
from anchorgen.scene import EditError, LatentSpaceError, SceneLatent, SelectionError
from anchorgen.scene.arranging import EDGES

# beartype draws random items while hypothesis builds scenes, which changes nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
ROOM = make_scene(9)


def span(scene: SceneLatent, slot: int, row: int) -> np.ndarray:
    """Where the corners of a box begin and end along right (0), up (1) or forward (2): an oracle of box extents."""
    corners = box_corners(scene.translation[slot], scene.quat_wxyz[slot], scene.scale[slot])
    along = corners @ floor_basis(scene.up)[row]
    return np.array([along.min(), along.max()])


def floor_place(scene: SceneLatent, slot: int) -> np.ndarray:
    return (floor_basis(scene.up) @ scene.translation[slot].astype(float))[[0, 2]]


def offset(scene: SceneLatent, other: SceneLatent, slot: int) -> dict[str, float]:
    way = floor_basis(scene.up) @ (other.translation[slot].astype(float) - scene.translation[slot])
    return dict(zip(("right", "up", "forward"), way.tolist(), strict=True))


# -- the floor --------------------------------------------------------------------------------------------------------


@examples
@given(scenes())
def test_snap_to_floor_stands_everything_on_it_once_and_for_all(scene):
    snapped = edited(scene, "snap_to_floor", selector="everything")
    for view in scene.objects:
        assert lowest(snapped, view.index) == pytest.approx(float(scene.floor), abs=1e-5)
        np.testing.assert_allclose(floor_place(snapped, view.index), floor_place(scene, view.index), atol=1e-5)
    assert_close(snapped.snap_to_floor("everything"), snapped, atol=1e-6)


@examples
@given(scenes(), metres(1.0))
def test_snap_to_floor_takes_back_a_lift(scene, up):
    standing = edited(scene, "snap_to_floor", selector="everything")
    lifted = edited(standing, "move", selector="everything", up=up)
    assert_close(lifted.snap_to_floor("everything"), standing)


def test_snap_to_floor_needs_no_horizon():
    down = ROOM.replace(up=np.array([0.0, 0.0, -1.0]), floor=-6.0).snap_to_floor("bed")
    assert lowest(down, 0) == pytest.approx(-6.0, abs=1e-5)


# -- on another -------------------------------------------------------------------------------------------------------


@examples
@given(scenes(min_objects=2), metres(0.3), metres(0.3))
def test_place_on_stands_on_the_top_over_the_centre(scene, right, forward):
    base, *others = [view.index for view in scene.objects]
    placed = edited(scene, "place_on", selector=others, other=base, right=right, forward=forward)
    for slot in others:
        assert span(placed, slot, 1)[0] == pytest.approx(span(scene, base, 1)[1], abs=1e-5)
        np.testing.assert_allclose(floor_place(placed, slot) - floor_place(scene, base), [right, forward], atol=1e-5)
    rest = [slot for slot in range(scene.num_slots) if slot not in others]
    np.testing.assert_array_equal(placed.translation[rest], scene.translation[rest])
    for name in ("quat_wxyz", "scale", "appearance", "presence"):
        np.testing.assert_array_equal(getattr(placed, name), getattr(scene, name))


@examples
@given(scenes(min_objects=2))
def test_place_on_and_back(scene):
    base, guest = scene.objects[:2]
    placed = edited(scene, "place_on", selector=guest.id, other=base.id)
    assert_close(placed.place_on(guest.id, base.id), placed, atol=1e-6)
    assert_close(placed.move(guest.id, **offset(placed, scene, guest.index)), scene)


def test_place_on_takes_one_other_object():
    with pytest.raises(EditError, match="bed-1 on itself"):
        ROOM.place_on(["lamp", "bed"], "bed")
    with pytest.raises(SelectionError, match="matches 2 objects"):
        ROOM.place_on("lamp", "nightstand")
    placed = ROOM.place_on("painting", lambda view: view.scale[2] > 1.8)
    assert placed.to_python() == "scene = scene.place_on('painting', other=['wardrobe-1'])\n"
    assert placed.equals(ROOM.place_on("painting", ROOM["wardrobe"]))


# -- in line ----------------------------------------------------------------------------------------------------------

ENDS = {"left": (0, 0), "right": (0, 1), "front": (2, 0), "back": (2, 1), "bottom": (1, 0), "top": (1, 1)}
MIDDLES = {"centre": 0, "middle": 2}


@examples
@given(scenes(min_objects=2), st.sampled_from([*ENDS, *MIDDLES]), st.data())
def test_align_makes_boxes_agree_and_is_idempotent(scene, by, data):
    reference = data.draw(st.sampled_from(scene.objects)).index
    aligned = edited(scene, "align", selector="everything", to=reference, by=by)
    row = ENDS[by][0] if by in ENDS else MIDDLES[by]
    for view in scene.objects:
        spans = [span(aligned, slot, row) for slot in (view.index, reference)]
        got, want = (ends[ENDS[by][1]] if by in ENDS else ends.mean() for ends in spans)
        assert got == pytest.approx(want, abs=1e-5)
        moved = np.array(list(offset(scene, aligned, view.index).values()))
        np.testing.assert_allclose(np.delete(moved, row), 0.0, atol=1e-5)
    np.testing.assert_array_equal(aligned.translation[reference], scene.translation[reference])
    np.testing.assert_array_equal(aligned.quat_wxyz, scene.quat_wxyz)
    assert_close(aligned.align("everything", reference, by=by), aligned, atol=1e-6)


@examples
@given(scenes(min_objects=2))
def test_align_by_yaw_turns_about_up_only(scene):
    turned = edited(scene, "align", selector="everything", by="yaw")
    axes = floor_basis(scene.up)
    fronts = [axes @ -quat_to_matrix(turned.quat_wxyz[view.index])[:, 1] for view in scene.objects]
    first = fronts[0][[0, 2]] / np.hypot(*fronts[0][[0, 2]])
    for view, front in zip(scene.objects, fronts, strict=True):
        np.testing.assert_allclose(front[[0, 2]] / np.hypot(*front[[0, 2]]), first, atol=1e-4)
        before = quat_to_matrix(scene.quat_wxyz[view.index])
        np.testing.assert_allclose(axes[1] @ quat_to_matrix(turned.quat_wxyz[view.index]), axes[1] @ before, atol=1e-5)
    np.testing.assert_array_equal(turned.translation, scene.translation)
    assert_close(turned.align("everything", by="yaw"), turned)


def test_align_goes_by_the_first_that_is_selected():
    aligned = ROOM.align(["bed", "nightstand"], by="left")
    np.testing.assert_array_equal(aligned["bed"].translation, ROOM["bed"].translation)
    assert aligned.equals(ROOM.align("nightstand", "bed", by="left"))
    assert not aligned.equals(ROOM.align(["nightstand#1", "bed", "nightstand#2"], by="left"))


def test_align_says_what_it_cannot_do():
    with pytest.raises(EditError, match="expected several, or `to`"):
        ROOM.align("bed", by="left")
    with pytest.raises(EditError, match=f"by is 'center'; expected one of {', '.join(EDGES)}"):
        ROOM.align("lamp", by="center")
    with pytest.raises(EditError, match="faces straight up or down"):
        ROOM.rotate("chair", pitch=90.0).align(["chair", "bed"], by="yaw")


# -- directions that are no arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("move", {"left": 0.3}, "move got left=0.3; write right=-0.3"),
        ("move", {"down": np.float32(-0.5)}, "write up=0.5"),
        ("move", {"back": 1}, "write forward=-1"),
        ("move", {"sideways": 1}, "sideways=1; expected right, up, forward or to"),
        ("duplicate", {"back": 1.0}, "write forward=-1"),
        ("duplicate", {"down": 1.0}, "down=1.0; expected right or forward"),
        ("place_on", {"other": "bed", "left": 0.1}, "write right=-0.1"),
    ],
)
def test_the_other_way_is_a_negative_number(verb, arguments, message):
    with pytest.raises(TypeError, match=message):
        getattr(ROOM, verb)("chair", **arguments)


# -- appearance of several --------------------------------------------------------------------------------------------


@examples
@given(scenes(), st.integers(0, 9))
def test_restyle_takes_the_counterparts_looks_and_nothing_else(scene, seed):
    source = make_scene(9, num_tokens=2, num_channels=3, seed=seed)
    restyled = scene.restyle("everything", source)
    for view in scene.objects:
        alike = [other for other in source.objects if other.label == view.label]
        assert any(np.array_equal(restyled.appearance[view.index], other.appearance) for other in alike)
    assert {change.kind for change in scene.diff(restyled)} <= {"painted"}
    assert restyled.restyle("everything", source).equals(restyled)
    assert restyled.restyle("everything", scene).equals(scene.restyle("everything", scene))


def test_restyle_pairs_by_label_then_size_then_group():
    big, small = make_scene(2, seed=3)["nightstand"], make_scene(2, seed=4).resize("nightstand", 0.5)["nightstand"]
    room = ROOM.resize("nightstand#1", 0.6)
    low, high = sorted(room.select("nightstand"), key=lambda slot: room.scale[slot, 2])
    styled = room.restyle("nightstand", [small, big])
    np.testing.assert_array_equal(styled.appearance[low], small.appearance)
    np.testing.assert_array_equal(styled.appearance[high], big.appearance)

    floor_lamp = make_scene(8, seed=5)["floor lamp"]
    other_lamp = make_scene(3, seed=6)["table lamp"]
    grouped = ROOM.restyle("lamp", [floor_lamp])
    np.testing.assert_array_equal(grouped["table lamp"].appearance, floor_lamp.appearance)
    exact = ROOM.restyle("table lamp", [floor_lamp, other_lamp])
    np.testing.assert_array_equal(exact["table lamp"].appearance, other_lamp.appearance)


def test_restyle_names_what_has_no_counterpart():
    with pytest.raises(
        EditError, match=r"wardrobe-1 \(wardrobe\) has no counterpart .* has bed, nightstand, table lamp"
    ):
        ROOM.restyle("everything", make_scene(3))
    nameless = ROOM.replace(labels=("",) * 16)
    with pytest.raises(EditError, match=r"bed-1 \(no label\)"):
        nameless.restyle("bed-1", nameless)
    with pytest.raises(LatentSpaceError, match="same pipeline"):
        ROOM.restyle("bed", make_scene(3, latent_space="other"))


def test_restyle_is_recorded_with_what_it_used():
    styled = ROOM.restyle("lamp", make_scene(9, seed=3))
    recorded = styled.history[-1].arguments["source"]
    assert [item["object"]["id"] for item in recorded] == ["table-lamp-1", "floor-lamp-1"]
    names = {"scene": ROOM}
    exec(styled.to_python(), names)
    assert names["scene"].equals(styled)


def test_new_verbs_survive_a_file(tmp_path):
    scene = ROOM.place_on("table lamp", "nightstand#1").snap_to_floor("painting").align("nightstand", by="front")
    scene = scene.restyle("lamp", make_scene(9, seed=3)).restyle("bed", list(make_scene(1, seed=4)))
    scene.save(tmp_path / "room.safetensors")
    loaded = SceneLatent.load(tmp_path / "room.safetensors")
    assert loaded.history == scene.history
    while scene.history:
        assert loaded.equals(scene)
        loaded, scene = loaded.undo(), scene.undo()
    assert scene.equals(ROOM)
