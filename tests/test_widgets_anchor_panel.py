"""`AnchorPanel` without a browser: rows and strengths of a scene, and what each slider means as a selector."""

from __future__ import annotations

import numpy as np
import pytest
from fake_pipeline import make_room
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import NUM_EXAMPLES, make_scene, scenes

from anchorgen.scene.anchors import FACTORS
from anchorgen_widgets.anchor_panel import AnchorPanel
from anchorgen_widgets.anchor_rows import anchor_rows, anchor_targets, unused_slots, with_strength


def _send(panel: AnchorPanel, **message) -> None:
    panel._handle_custom_msg(message, [])


def test_rows_are_the_present_objects_by_slot_then_the_removed_ones() -> None:
    room = make_room().remove("nightstand").release("bed.appearance", strength=0.65)
    rows = anchor_rows(room, {"bed-0": "#123456"})
    assert [row["id"] for row in rows] == ["bed-0", "table lamp-0", "wardrobe-0", "chair-0", "rug-0", "nightstand-0"]
    assert [row["present"] for row in rows] == [True] * 5 + [False]
    assert rows[0]["strength"] == {"layout": 0.0, "appearance": 0.65, "presence": 0.0}
    assert [row["locked"] for row in rows] == [False] + [True] * 5
    assert rows[0]["color"] == "#123456" and rows[1]["color"].startswith("hsl(")


@settings(max_examples=NUM_EXAMPLES, deadline=None)
@given(scene=scenes(), data=st.data(), strength=st.floats(0.0, 1.0))
def test_a_slider_changes_just_its_own_factor_of_its_own_object(scene, data, strength: float) -> None:
    name, factor = data.draw(st.sampled_from([i for i in scene.ids if i])), data.draw(st.sampled_from(FACTORS))
    slot = scene.ids.index(name)
    changed = with_strength(scene, anchor_targets(scene, name, factor), strength)
    expected = getattr(scene.anchors, factor).copy()
    expected[slot] = np.float32(1.0 - strength)
    for one in FACTORS:
        before = expected if one == factor else getattr(scene.anchors, one)
        np.testing.assert_array_equal(getattr(changed.anchors, one), before)
    assert (changed.anchors.focal, changed.anchors.background) == (scene.anchors.focal, scene.anchors.background)


def test_an_id_that_is_also_a_label_means_just_its_own_object() -> None:
    scene = make_scene(4).replace(ids=("lamp", "nightstand-1", "table lamp", "x", *[""] * 12))
    for name in ("lamp", "table lamp"):
        slot = scene.ids.index(name)
        changed = with_strength(scene, anchor_targets(scene, name, "layout"), 1.0)
        assert np.flatnonzero(changed.anchors.layout == 0).tolist() == [slot]
        changed = with_strength(scene, anchor_targets(scene, name, "all"), 1.0)
        assert np.flatnonzero(changed.anchors.presence == 0).tolist() == [slot]
    with pytest.raises(LookupError, match="give it another id"):
        anchor_targets(scene.remove(0), "lamp", "layout")


def test_shared_sliders_release_camera_background_and_empty_slots() -> None:
    room = make_room().remove("chair")
    assert anchor_targets(room, "", "camera") == ["camera"]
    assert anchor_targets(room, "", "background") == ["background"]
    assert anchor_targets(room, "", "empty") == unused_slots(room) == list(range(6, 16))
    freed = room.release(anchor_targets(room, "", "empty"))
    assert freed.anchors.equals(make_room().complete().remove("chair").anchors)
    with pytest.raises(ValueError, match="no empty slot"):
        anchor_targets(make_scene(4, num_slots=4), "", "empty")
    with pytest.raises(ValueError, match="camera, background, empty, everything"):
        anchor_targets(room, "", "sky")
    with pytest.raises(ValueError, match="layout, appearance, presence, all"):
        anchor_targets(room, "bed-0", "colour")
    with pytest.raises(LookupError, match="there are: bed-0"):
        anchor_targets(room, "sofa", "layout")


def test_release_all_and_keep_all_are_short_verbs_and_exact_as_a_list_too() -> None:
    room = make_room().remove("chair")
    targets = anchor_targets(room, "", "everything")
    free = with_strength(room, targets, 1.0)
    assert free.to_python().endswith("scene = scene.release()\n")
    assert free.anchors.equals(room.release("everything").anchors)
    assert room.release(targets).anchors.equals(free.anchors)
    assert with_strength(free, targets, 0.0).anchors.equals(room.anchors)


def test_requests_of_the_front_end_reach_the_handlers() -> None:
    panel, heard = AnchorPanel(make_room()), []
    panel.on_strength(lambda *asked: heard.append(asked))
    panel.on_visible(lambda *asked: heard.append(asked))
    panel.on_select(lambda *asked: heard.append(asked))
    _send(panel, type="strength", id="bed-0", factor="layout", value=0.4)
    _send(panel, type="strength", id="bed-0", factor="all", value=1)
    _send(panel, type="visible", id="rug-0", visible=False)
    panel.selected = "rug-0"
    assert heard == [(["bed-0.layout"], 0.4), (["bed-0"], 1.0), ("rug-0", False), ("rug-0",)]
    panel.show_scene(make_room(), selected="bed-0")
    assert panel.selected == "bed-0" and len(heard) == 4, "what Python selects is no request"
    panel.show_scene(make_room(), selected="gone")
    assert panel.selected == ""
    panel.close()


def test_a_request_that_cannot_be_is_explained_and_the_state_shown_again() -> None:
    panel = AnchorPanel(make_room())
    settled = panel.settled
    _send(panel, type="strength", id="bed-0", factor="layout", value=1.5)
    assert "strength is 1.5; expected 0 (keep) to 1" in panel.problem and panel.settled == settled + 1
    _send(panel, type="visible", id="sofa", visible=True)
    assert "no object 'sofa'" in panel.problem
    panel.on_strength(lambda targets, strength: 1 / 0)
    _send(panel, type="strength", id="", factor="camera", value=0.5)
    assert panel.problem == "division by zero"
    _send(panel, type="visible", id="bed-0", visible=False)
    assert panel.problem == ""
    panel.close()


def test_bad_arguments_are_refused_with_advice() -> None:
    with pytest.raises(TypeError, match=r"AnchorPanel shows a SceneLatent, got str"):
        AnchorPanel("room")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'mud' is no colour"):
        AnchorPanel().show_scene(make_room(), colors={"bed-0": "mud"})
    with pytest.raises(ValueError, match="expected 240 to 1600"):
        AnchorPanel(width_px=10)
    with pytest.raises(ValueError, match="at least 160"):
        AnchorPanel(height_px=10)


def test_a_snapshot_shows_colours_and_strengths() -> None:
    panel = AnchorPanel(make_room(), width_px=320)
    kept = np.asarray(panel.snapshot(), int)
    panel.show_scene(make_room().release("bed.layout"), colors={"bed-0": "#ff00ff"})
    freed = np.asarray(panel.snapshot(), int)
    assert kept.shape == freed.shape and kept.shape[1] == 320
    first_row = slice(54, 78)
    assert np.abs(freed - kept)[first_row].max() > 60
    assert np.abs(freed - kept)[78:].max() == 0
    assert tuple(freed[66, 12]) == (255, 0, 255)
    assert AnchorPanel().snapshot().width == 300
    panel.close()
