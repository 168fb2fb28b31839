"""Verbs that place objects of a room by one another, and `restyle`, do the same as those of scene latents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from world_helpers import assert_alike, latents, room_with

from anchorgen.scene import SceneLatent
from anchorgen.scene.arranging import EDGES
from anchorgen.scene.errors import EditError
from anchorgen.world.boxes import box_of, with_box
from anchorgen.world.checks import impossibilities
from anchorgen.world.counterfactuals import counterfactual
from anchorgen.world.edits import apply_edit, apply_edits
from anchorgen.world.programs import program
from anchorgen.world.types import ObjectSpec, WorldScene


@pytest.fixture(scope="module")
def room() -> WorldScene:
    return room_with("bed", "nightstand", "table lamp", "pendant", "wardrobe")


def arranged(scene: SceneLatent, edit: dict) -> SceneLatent:
    """The verb of latents of the same name and arguments."""
    arguments = {key: value for key, value in edit.items() if key not in ("verb", "id")}
    return getattr(scene, edit["verb"])(edit["id"], **arguments)


ARRANGING = [
    {"verb": "snap_to_floor", "id": "everything"},
    {"verb": "place_on", "id": ["pendant", "painting"], "other": "bed-0"},
    {"verb": "place_on", "id": "nightstand-0", "other": ["wardrobe-0"], "right": 0.2, "forward": -0.15},
    {"verb": "align", "id": ["nightstand-0", "pendant", "wardrobe-0"], "by": "back"},
    *({"verb": "align", "id": "everything", "to": "nightstand-0", "by": by} for by in EDGES),
]


@pytest.mark.parametrize("start", [0, 60, 120, 180])
def test_arranging_puts_the_boxes_where_it_puts_those_of_latents(start):
    room = room_with("bed", "nightstand", "wardrobe", "pendant", "painting", start=start)
    tilts = [
        {"verb": "rotate", "id": o.id, "yaw": 40 * n, "pitch": 25, "roll": -40} for n, o in enumerate(room.objects)
    ]
    for stood in (room, apply_edits(room, tilts)):
        for edit in ARRANGING:
            after = apply_edit(stood, edit)
            assert_alike(arranged(latents(stood), edit), after)
            assert after.objects != stood.objects


def test_only_what_is_named_is_arranged(room):
    lamp = next(o for o in room.objects if o.category == "table lamp")
    for edit in ARRANGING[2:4]:
        after = apply_edit(room, edit)
        named = {"nightstand-0"} if edit["verb"] == "place_on" else {"pendant-0", "wardrobe-0"}
        assert {a.id for a, b in zip(after.objects, room.objects, strict=True) if a != b} == named
    beside = apply_edit(room, {"verb": "place_on", "id": "nightstand", "other": "bed-0"})
    assert next(o for o in beside.objects if o.id == lamp.id) == lamp
    assert f"{lamp.id} stands on nothing" in impossibilities(beside)


@pytest.mark.parametrize(
    ("edit", "warning"),
    [
        ({"verb": "snap_to_floor", "id": "pendant"}, "pendant-0 hangs on nothing"),
        ({"verb": "align", "id": "wardrobe-0", "to": "pendant-0", "by": "top"}, "wardrobe-0 stands on nothing"),
        ({"verb": "align", "id": "bed-0", "to": "pendant-0", "by": "top"}, "bed-0 stands on nothing"),
        ({"verb": "place_on", "id": "bed-0", "other": "wardrobe-0"}, "bed-0 goes through a wall"),
        ({"verb": "place_on", "id": "wardrobe-0", "other": "bed-0"}, "wardrobe-0 goes through the ceiling"),
        ({"verb": "place_on", "id": "nightstand-0", "other": "bed-0", "right": 2.0}, "nightstand-0 stands on nothing"),
    ],
)
def test_impossible_arrangements_say_so(room, edit, warning):
    assert warning in impossibilities(apply_edit(room, edit))


def test_what_is_placed_on_another_stands(room):
    bare = apply_edit(room, {"verb": "remove", "id": "table lamp"})
    lamp = next(o for o in room.objects if o.category == "table lamp")
    lifted = apply_edits(bare, [{"verb": "insert", "object": lamp}, {"verb": "move", "id": "table lamp", "up": 0.3}])
    assert len(impossibilities(lifted)) == 1
    edits = [{"verb": "place_on", "id": "table lamp", "other": "nightstand-0"}]
    assert impossibilities(apply_edits(lifted, edits)) == ()
    raised = apply_edit(bare, {"verb": "move", "id": "bed", "up": 0.2})
    assert impossibilities(apply_edit(raised, {"verb": "snap_to_floor", "id": "bed"})) == ()


def counterparts(room: WorldScene, id: str, donors: list[ObjectSpec], source: SceneLatent) -> list[ObjectSpec]:
    """Which donors `restyle` of latents takes for what `id` names, by the appearance that comes out."""
    before = latents(room)
    after = before.restyle(id, source)
    taken = [after.appearance[slot] for slot in before.select(id)]
    return [next(o for o in donors if np.array_equal(source[o.id].appearance, tokens)) for tokens in taken]


@pytest.mark.parametrize("start", [0, 60, 120, 180])
def test_restyle_takes_the_counterparts_that_latents_take(start):
    room = room_with("bed", "nightstand", "table lamp", start=start)
    donor = room_with("bed", "nightstand", "floor lamp", start=start + 30)
    donors, there = list(donor.objects), {o.category for o in donor.objects}
    for category in sorted({o.category for o in room.objects}):
        edit = {"verb": "restyle", "id": category, "source": donor}
        if category not in there and not (category.endswith("lamp")):
            with pytest.raises(ValueError, match="no counterpart"):
                apply_edit(room, edit)
            with pytest.raises(EditError, match="no counterpart"):
                latents(room).restyle(category, latents(donor))
            continue
        after = apply_edit(room, edit)
        assert_alike(latents(room), after)
        styled = [new for new, old in zip(after.objects, room.objects, strict=True) if old.category == category]
        wanted = counterparts(room, category, donors, latents(donor))
        assert [(o.category, o.params, o.lit) for o in styled] == [(o.category, o.params, o.lit) for o in wanted]
        assert [o for o in after.objects if o not in styled] == [o for o in room.objects if o.category != category]
        assert apply_edit(room, {**edit, "source": wanted}) == after


def test_restyle_prefers_the_category_to_the_size(room):
    lamp = next(o for o in room.objects if o.category == "table lamp")
    donor = room_with("floor lamp", "table lamp", start=room.seed + 1)
    tall = next(o for o in donor.objects if o.category == "floor lamp")
    large = replace(next(o for o in donor.objects if o.category == "table lamp"), scale=(3.0, 3.0, 3.0))
    alike = with_box(tall, box_of(lamp))  # a floor lamp of just the size of the table lamp
    for source, wanted in (([alike, large], large), ([alike, tall], alike), ([tall], tall)):
        after = apply_edit(room, {"verb": "restyle", "id": lamp.id, "source": source})
        styled = next(o for o in after.objects if o.id == lamp.id)
        assert (styled.category, styled.params) == (wanted.category, wanted.params)
        np.testing.assert_allclose(box_of(styled).corners, box_of(lamp).corners, atol=1e-9)


def test_restyle_says_what_it_needs(room):
    wardrobe = next(o for o in room.objects if o.category == "wardrobe")
    with pytest.raises(ValueError, match=r"bed-0 \(bed\) has no counterpart in the source, which has wardrobe"):
        apply_edit(room, {"verb": "restyle", "id": "bed", "source": [wardrobe]})
    with pytest.raises(ValueError, match=r"no counterpart .* no object"):
        apply_edit(room, {"verb": "restyle", "id": "bed", "source": []})
    for wrong in (wardrobe, "wardrobe", [wardrobe.id]):
        with pytest.raises(ValueError, match="ObjectSpec"):
            apply_edit(room, {"verb": "restyle", "id": "wardrobe", "source": wrong})


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        ({"verb": "place_on", "id": ["lamp", "bed-0"], "other": "bed"}, ValueError, "bed-0 on itself"),
        ({"verb": "place_on", "id": "bed", "other": "everything"}, KeyError, "expected one"),
        ({"verb": "place_on", "id": "bed"}, ValueError, "other"),
        ({"verb": "place_on", "id": "bed", "other": "wardrobe-0", "right": "far"}, ValueError, "finite"),
        ({"verb": "place_on", "id": "bed", "other": "wardrobe-0", "forward": -9}, ValueError, "front of the camera"),
        ({"verb": "align", "id": "bed-0", "by": "left"}, ValueError, "expected several, or `to`"),
        ({"verb": "align", "id": "bed-0", "to": "wardrobe-0", "by": "center"}, ValueError, "left, centre, right"),
        ({"verb": "align", "id": "bed-0", "to": "wardrobe-0"}, ValueError, "by"),
        ({"verb": "align", "id": "bed-0", "to": "sofa-0", "by": "yaw"}, KeyError, "wardrobe-0"),
        ({"verb": "snap_to_floor", "id": "sofa-0"}, KeyError, "wardrobe-0"),
    ],
)
def test_arrangements_that_mean_nothing_are_refused(room, edit, error, message):
    with pytest.raises(error, match=message):
        apply_edit(room, edit)


def test_what_lies_on_its_front_has_no_heading(room):
    lying = apply_edit(room, {"verb": "rotate", "id": "bed-0", "pitch": 90})
    for id, to in (("bed-0", "wardrobe-0"), ("wardrobe-0", "bed-0")):
        with pytest.raises(ValueError, match="front of bed-0 faces straight up or down"):
            apply_edit(lying, {"verb": "align", "id": id, "to": to, "by": "yaw"})


def test_a_history_of_arranging_is_a_list_of_edits(room):
    scene = latents(room).place_on("pendant", lambda view: view.label == "wardrobe", right=0.1)
    scene = scene.snap_to_floor(["nightstand-0", "painting"]) if "painting" in scene.labels else scene
    scene = scene.align(["nightstand-0", "bed-0"], by="front").align("lamp", scene["bed-0"], by="yaw")
    assert_alike(scene, apply_edits(room, program(scene.history)))
    with pytest.raises(ValueError, match=r"step 1 is restyle"):
        program(scene.restyle("bed", scene).history[-1:])
    with pytest.raises(ValueError, match="place_on, selects 1"):
        program(scene.place_on("pendant", 1).history[-1:])
    with pytest.raises(ValueError, match=r"align, selects \[0\]"):
        program(scene.align("pendant", [0], by="top").history[-1:])


def test_what_is_first_after_a_restore_must_be_named(room):
    scene = latents(room).remove("bed-0").restore("bed-0")
    unnamed, named = scene.align("everything", by="left"), scene.align("everything", "bed-0", by="left")
    with pytest.raises(ValueError, match=r"step 3, align, .*expected `to`"):
        program(unnamed.history)
    assert_alike(named, apply_edits(room, program(named.history)))


def test_true_pictures_of_new_verbs_show_them(room):
    donor = room_with("bed", start=room.seed + 1)
    for edit in (ARRANGING[2], {"verb": "restyle", "id": "bed", "source": donor}):
        pair = counterfactual(room, edit, size=32, spp=4)
        assert 0 < pair.influence.mean() < 1
        assert pair.edited == apply_edit(room, edit) and pair.warnings == impossibilities(pair.edited)
