"""Statistics of samples against closed forms and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from fake_pipeline import make_room
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES, make_scene, run_program, scenes, verbs

from anchorgen.scene import SceneLatent
from anchorgen.scene.variations import Variations

# beartype draws random items while hypothesis builds scenes, which changes nothing here.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module")
examples = settings(max_examples=NUM_EXAMPLES, deadline=None)
ROOM = make_room()


def samples(seed: int, count: int = 4) -> list[SceneLatent]:
    """Rooms with the chair and the wardrobe somewhere else, and the lamp in some of them."""
    rng = np.random.default_rng(seed)
    rooms = []
    for _ in range(count):
        room = ROOM.move("chair", right=rng.normal(), forward=rng.uniform(0, 1)).move("wardrobe", right=rng.normal())
        rooms.append(room.remove("lamp") if rng.random() < 0.5 else room)
    return rooms


@examples
@given(scenes(), st.lists(st.lists(verbs(), max_size=4), min_size=1, max_size=5))
def test_shares_and_spreads_are_those_of_plain_loops(scene, programs):
    variations = Variations(scene, [run_program(scene, program) for program in programs])
    for slot in range(scene.num_slots):
        there = [sample for sample in variations if sample.presence[slot]]
        assert variations.presence_share[slot] == pytest.approx(len(there) / len(variations))
        if not there:
            assert np.isnan(variations.position_spread_m[slot])
            assert np.isnan(variations.appearance_spread[slot])
            continue
        centres = np.array([sample.translation[slot] for sample in there], float)
        looks = np.array([sample.appearance[slot] for sample in there], float)
        spread = np.sqrt(np.sum(np.var(centres, axis=0)))
        assert variations.position_spread_m[slot] == pytest.approx(spread, abs=1e-9)
        assert variations.appearance_spread[slot] == pytest.approx(np.sqrt(np.mean(np.var(looks, axis=0))), abs=1e-9)
    assert variations.problems.tolist() == [len(sample.check()) for sample in variations]
    assert str(variations.changes(0)) == str(scene.diff(variations[0]))


@examples
@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
def test_order_does_not_depend_on_the_order_of_samples(seed, places):
    rooms = samples(seed)
    one, other = Variations(ROOM, rooms), Variations(ROOM, [rooms[k] for k in places])
    np.testing.assert_allclose(other.distance_to_mean, one.distance_to_mean[list(places)], atol=1e-9)
    assert sorted(one.order.tolist()) == list(range(4))
    keys = [(one.problems[k], round(one.distance_to_mean[k], 6)) for k in one.order]
    assert keys == sorted(keys)
    assert [(other.problems[k], round(other.distance_to_mean[k], 6)) for k in other.order] == keys


def test_distances_to_the_mean_are_in_standard_deviations():
    rooms = [ROOM.move("chair", right=right) for right in (-0.1, 0.0, 0.0, 0.1)]
    np.testing.assert_allclose(Variations(ROOM, rooms).distance_to_mean, np.sqrt([2, 0, 0, 2]), atol=1e-4)
    far = [ROOM.move("chair", right=100 * right) for right in (-0.1, 0.0, 0.0, 0.1)]
    np.testing.assert_allclose(Variations(ROOM, far).distance_to_mean, np.sqrt([2, 0, 0, 2]), atol=1e-4)
    lamp = [ROOM, ROOM, ROOM, ROOM.remove("lamp")]
    np.testing.assert_allclose(Variations(ROOM, lamp).distance_to_mean, np.sqrt([1 / 3, 1 / 3, 1 / 3, 3]), atol=1e-9)
    assert Variations(ROOM, [ROOM, ROOM]).distance_to_mean.tolist() == [0.0, 0.0]


def test_best_has_fewest_problems_then_is_the_most_usual():
    through = ROOM.move("chair", to=ROOM["wardrobe"].translation)
    rooms = [through, ROOM.move("chair", right=-0.3), ROOM, ROOM.move("chair", right=-0.2)]
    variations = Variations(ROOM, rooms)
    assert variations.problems.tolist() == [1, 0, 0, 0]
    assert variations.order.tolist()[-1] == 0
    assert [str(variations.changes(k)) for k in (1, 2)] == [
        "chair-0: moved right -0.300, up 0.000, forward 0.000 m",
        "no difference",
    ]
    walls = np.array([[1.0, 0.0, 0.0, -1.65]])
    assert Variations(ROOM, rooms, walls=walls).problems.tolist() == [1, 1, 0, 1]


def test_it_says_how_much_varies():
    assert repr(Variations(ROOM, [ROOM, ROOM.remove("lamp")])) == (
        "Variations: 2 samples of 16 slots, 1 occupied in only some of them; 0 to 0 problems each; best first: 0, 1"
    )
    assert repr(Variations(ROOM, [ROOM] * 9)).endswith("best first: 0, 1, 2, 3, 4, 5, 6, 7, ...")


def test_samples_of_another_base_are_refused():
    with pytest.raises(ValueError, match="at least one scene"):
        Variations(ROOM, [])
    with pytest.raises(ValueError, match=r"sample 1 has slots and tokens \[8, 4, 64\]; expected \[16, 4, 64\]"):
        Variations(ROOM, [ROOM, make_scene(3, num_slots=8)])
