"""A room built by hand: pieces stand where they were put, share the room's style, and are refused where they cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from anchorgen import world
from anchorgen.world.layout import fixtures


def furnished() -> world.WorldScene:
    room = world.empty_room(seed=3)
    room = world.put(room, "bed", wall="back", width_m=1.6)
    room = world.put(room, "nightstand", beside="bed", side="left")
    return world.put(room, "table lamp", on="nightstand")


def test_pieces_stand_where_they_were_put():
    room = world.put(furnished(), "pendant", at=(0.2, 2.0))
    bed, stand, lamp, pendant = room.objects
    assert [o.id for o in room.objects] == ["bed-0", "nightstand-0", "table lamp-0", "pendant-0"]
    assert bed.params["width_m"] == 1.6 and world.impossibilities(room) == ()
    assert stand.position[0] < bed.position[0] and lamp.position[:2] == stand.position[:2]
    assert lamp.position[2] > 0.4 and pendant.position[2] > 1.4
    turned = world.put(furnished(), "chair", at=(1.0, 2.0), yaw=90)
    np.testing.assert_allclose(turned.objects[-1].quat_wxyz, [np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    # Beside a bed at a side wall, "left" is still as one looks at the bed.
    side = world.put(world.put(world.empty_room(window="back"), "bed", wall="left"), "nightstand", beside="bed")
    assert side.objects[1].position[1] < side.objects[0].position[1]


def test_the_seed_decides_style_and_pieces():
    assert furnished().to_json() == furnished().to_json()
    assert furnished().style != world.empty_room(seed=4).style
    assert not world.empty_room(window=None).room.windows
    assert len(fixtures(world.empty_room(curtains="none").room)) == 1  # the sill


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"category": "sofa", "wall": "back"}, KeyError, "nightstand"),
        ({"category": "wardrobe", "at": (0.0, 3.9)}, ValueError, "wardrobe-0 and bed-0 overlap|bed-0 and wardrobe-0"),
        ({"category": "wardrobe", "at": (9.0, 2.0)}, ValueError, "through a wall"),
        ({"category": "chair"}, ValueError, "one of wall="),
        ({"category": "chair", "wall": "back", "at": (0, 1)}, ValueError, "one of wall="),
        ({"category": "chair", "wall": "north"}, ValueError, "'north'.*left"),
        ({"category": "chair", "beside": "bed", "side": "above"}, ValueError, "'above'"),
        ({"category": "table lamp", "on": "dresser"}, KeyError, "bed"),
        ({"category": "chair", "at": (0.8, 1.8), "legs": 3}, ValueError, "width_m"),
        ({"category": "chair", "at": (0.8, 1.8), "width_m": -1.0}, ValueError, "width_m is -1.0; expected"),
        ({"category": "chair", "at": (float("nan"), 1.0)}, ValueError, "chair-0.position"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(arguments, error, match):
    with pytest.raises(error, match=match):
        world.put(furnished(), **arguments)


def test_a_shell_that_cannot_be_is_refused():
    for arguments, match in (
        ({"width_m": -2.0}, "width_m"),
        ({"width_m": 1.0, "window": "back"}, "does not fit"),
        ({"ceiling": "gold"}, "ceiling.*expected"),
        ({"daylight": float("nan")}, "daylight"),
    ):
        with pytest.raises(ValueError, match=match):
            world.empty_room(**arguments)


def test_light_of_a_lamp_goes_with_it():
    room = world.empty_room(seed=3, daylight=0.2, exposure=2.5)
    room = world.put(room, "floor lamp", at=(0.5, 3.0))
    pair = world.counterfactual(room, {"verb": "remove", "id": "floor lamp-0"}, size=48, spp=32)
    delta = (pair.after.image.astype(float) - pair.before.image).mean(-1)
    assert delta.mean() < -10 and (delta > 5).mean() < 0.02 and pair.influence.mean() > 0.3
