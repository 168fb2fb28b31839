"""Selectors: what each form matches, what the errors say."""

from __future__ import annotations

import numpy as np
import pytest
from strategies import make_scene

from anchorgen.scene import FACTORS, SelectionError, everything

# bed, nightstand, table lamp, wardrobe, chair, rug, painting, floor lamp, nightstand: from left to right
ROOM = make_scene(9)


@pytest.mark.parametrize(
    ("selector", "slots"),
    [
        ("bed", (0,)),
        ("Bed ", (0,)),
        ("nightstand", (1, 8)),
        ("lamp", (2, 7)),
        ("table lamp", (2,)),
        ("lamp#1", (2,)),
        ("lamp#2", (7,)),
        ("nightstand#2", (8,)),
        ("nightstand-2", (8,)),
        (4, (4,)),
        (np.int64(4), (4,)),
        (["bed", "lamp", 4, "bed"], (0, 2, 7, 4)),
        (["bed", ["rug", ["chair"]]], (0, 5, 4)),
        (np.array([1, 2]), (1, 2)),
        (everything, tuple(range(9))),
        (lambda obj: obj.scale[2] > 1.5, (3, 7)),
    ],
)
def test_selector_matches(selector, slots):
    assert ROOM.select(selector) == slots


def test_an_object_selects_itself_by_id():
    assert ROOM.select(ROOM["rug"]) == (5,)
    assert ROOM.select([ROOM["rug"], ROOM["bed"]]) == (5, 0)
    moved = ROOM.move(ROOM["rug"], right=0.1)
    assert moved.history[-1].arguments["selector"] == "rug-1"


def test_number_counts_from_the_left_in_the_picture():
    far_left = ROOM.move("floor lamp", to=(-3.0, 0.0, 4.0))
    assert far_left.select("lamp#1") == (7,)
    # By where it is seen, not by metres: nearer is further out.
    near = ROOM.move("table lamp", to=(0.9, 0.0, 1.0)).move("floor lamp", to=(1.0, 0.0, 4.0))
    assert near.select("lamp#2") == (2,)


def test_a_label_wins_over_an_id_and_full_names_win_over_factors():
    odd = ROOM.replace(ids=("rug", *ROOM.ids[1:]))
    assert odd.select("rug") == (5,)
    dotted = ROOM.replace(labels=("shelf.layout", *ROOM.labels[1:]))
    assert dotted.select("shelf.layout") == (0,)


def test_an_id_that_reads_as_a_label_is_recorded_as_its_slot():
    odd = ROOM.replace(ids=("rug", *ROOM.ids[1:]))
    moved = odd.move(lambda obj: obj.label == "bed", right=0.2)
    assert moved.history[-1].arguments["selector"] == [0]


@pytest.mark.parametrize(
    "selector", ["sofa", "lamp#3", "lamp#0", "", "nightstand-7", 12, -1, [], "bed.", lambda obj: False]
)
def test_no_match_lists_what_is_there(selector):
    with pytest.raises(LookupError, match=r"nightstand-2 \(nightstand\)|unknown factor"):
        ROOM.select(selector)


def test_removed_objects_do_not_match_but_are_named():
    bare = ROOM.remove("bed")
    with pytest.raises(SelectionError, match=r"not in the scene now: bed-1 \(bed\)"):
        bare.move("bed", right=1)
    with pytest.raises(SelectionError, match="not in the scene now"):
        bare.remove("bed")
    assert "bed" not in bare
    assert "bed" in ROOM
    assert bare.restore("bed").equals(ROOM)


def test_restore_selects_only_what_was_removed():
    bare = ROOM.remove("nightstand-1")
    assert bare.restore("nightstand").equals(ROOM)
    with pytest.raises(SelectionError):
        bare.restore("bed")
    with pytest.raises(SelectionError, match="nothing to select"):
        ROOM.restore()


@pytest.mark.parametrize("selector", ["bed.layout", "camera", "background", ["bed", "camera"], "lamp.presence"])
def test_factors_are_not_objects(selector):
    with pytest.raises(SelectionError, match="only `anchor` and `release`"):
        ROOM.move(selector, right=0.1)


@pytest.mark.parametrize("selector", [None, 1.5, True, {"bed": 1}])
def test_other_types_are_refused(selector):
    with pytest.raises((SelectionError, TypeError)):
        ROOM.move(selector, right=0.1)


def test_unknown_factor_names_the_factors():
    with pytest.raises(SelectionError, match="layout, appearance, presence"):
        ROOM.release("bed.colour")


def test_object_wants_exactly_one():
    assert ROOM["lamp#2"].id == "floor-lamp-1"
    assert ROOM.object("bed").label == "bed"
    with pytest.raises(SelectionError, match="matches 2 objects .*an id, or 'label#1'"):
        ROOM["lamp"]


def released(scene):
    return {factor: np.flatnonzero(getattr(scene.anchors, factor) < 1).tolist() for factor in FACTORS}


def test_release_targets():
    assert released(ROOM.release("lamp.layout")) == {"layout": [2, 7], "appearance": [], "presence": []}
    assert released(ROOM.release("bed")) == {"layout": [0], "appearance": [0], "presence": [0]}
    mixed = ROOM.release(["bed.layout", "rug.appearance", "camera"])
    assert released(mixed) == {"layout": [0], "appearance": [5], "presence": []}
    assert (mixed.anchors.focal, mixed.anchors.background) == (0.0, 1.0)
    assert released(ROOM.release("everything.layout"))["layout"] == list(range(9))


def test_release_finds_removed_and_empty_slots_by_id_and_number_only():
    bare = ROOM.remove("bed")
    assert released(bare.release("bed-1.presence"))["presence"] == [0]
    assert released(bare.release([0, 15]))["presence"] == [0, 15]
    with pytest.raises(SelectionError):
        bare.release("bed")


def test_everything_is_every_variable():
    free = ROOM.release(everything)
    assert released(free) == {factor: list(range(16)) for factor in FACTORS}
    assert (free.anchors.focal, free.anchors.background) == (0.0, 0.0)
    assert free.anchor(everything).equals(ROOM)
