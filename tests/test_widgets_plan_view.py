"""`PlanView` without a browser: where things lie, what clicks, drags and keys ask for, and what is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fake_pipeline import make_room
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances
from strategies import NUM_EXAMPLES, make_scene, scenes

from anchorgen_widgets.css_colors import darker, object_colors, rgb_of
from anchorgen_widgets.plan_layout import plan_layout
from anchorgen_widgets.plan_shapes import Name, plan_shapes
from anchorgen_widgets.plan_view import CANVAS_ZOOM, PlanView
from anchorgen_widgets.pose_numbers import object_numbers


@pytest.fixture
def plan() -> Iterator[PlanView]:
    plan = PlanView(make_room())
    yield plan
    plan.close()


def _send(plan: PlanView, event: str, pixel: np.ndarray | None = None, **more) -> None:
    place = {} if pixel is None else dict(zip(("x", "y"), (float(v) * CANVAS_ZOOM for v in pixel), strict=True))
    plan._canvas._handle_custom_msg({"event": event, **place, **more}, [])


def _middle(plan: PlanView, object_id: str) -> np.ndarray:
    return plan._plan.to_px(plan._plan.footprint(object_id).centre)


def _requests(plan: PlanView) -> list[tuple]:
    heard: list[tuple] = []
    plan.on_select(lambda *asked: heard.append(asked))
    plan.on_move(lambda *asked: heard.append(asked))
    return heard


@settings(max_examples=NUM_EXAMPLES, deadline=None)
@given(scene=scenes(), width=st.integers(150, 900), height=st.integers(150, 900))
def test_every_footprint_is_on_the_drawing_where_its_numbers_say(scene, width: int, height: int) -> None:
    layout = plan_layout(scene, (width, height), object_colors(scene))
    for view in scene.objects:
        one, numbers = layout.footprint(view.id), object_numbers(view)
        assert one is not None and one.centre == pytest.approx([numbers["right"], numbers["forward"]], abs=1e-5)
        assert view.id in layout.under(layout.to_px(one.centre))
        if np.abs(one.outline).max() < 14:
            pixels = layout.to_px(one.outline)
            assert pixels.min() > -0.5 and np.all(pixels < np.array([width, height]) + 0.5)
    points = np.array([[0.3, 2.0], [-1.0, 0.5]])
    assert layout.to_metres(layout.to_px(points)) == pytest.approx(points)


def test_a_click_takes_the_smallest_and_again_the_one_behind(plan: PlanView) -> None:
    heard, at = _requests(plan), _middle(plan, "table lamp-0")
    for _ in range(3):
        _send(plan, "mouse_down", at)
        _send(plan, "mouse_up", at)
    assert heard == [("table lamp-0",), ("nightstand-0",), ("table lamp-0",)]
    _send(plan, "mouse_down", np.array([3.0, 296.0]))
    assert heard[-1] == ("",) and plan.selected == ""


def test_a_drag_asks_once_for_metres_along_the_floor(plan: PlanView) -> None:
    heard, start = _requests(plan), _middle(plan, "chair-0")
    _send(plan, "mouse_down", start)
    for k in range(1, 21):
        _send(plan, "mouse_move", start + np.array([2.0, -1.0]) * k)
    ghost = np.asarray(plan.snapshot(), int)
    _send(plan, "mouse_up", start + np.array([40.0, -20.0]))
    zoom = plan._plan.zoom
    assert heard == [("chair-0",), ("chair-0", round(40 / zoom, 4), round(20 / zoom, 4))]
    assert np.abs(np.asarray(plan.snapshot(), int) - ghost).max() > 60, "the outline stayed after the drag"
    _send(plan, "mouse_move", start)
    assert len(heard) == 2


def test_a_drag_lives_through_the_answer_to_its_selection_but_not_through_an_edit(plan: PlanView) -> None:
    heard, start = _requests(plan), _middle(plan, "chair-0")
    plan.on_select(lambda object_id: plan.show_scene(plan.scene, object_id))
    _send(plan, "mouse_down", start)
    _send(plan, "mouse_up", start + 30)
    assert heard[-1][0] == "chair-0" and len(heard[-1]) == 3
    _send(plan, "mouse_down", start)
    plan.show_scene(make_room().remove("bed"), "chair-0")
    _send(plan, "mouse_up", start + 30)
    assert len(heard) == 2


@pytest.mark.parametrize("event", ["mouse_out", "escape"])
def test_a_drag_can_be_given_up(plan: PlanView, event: str) -> None:
    heard, start = _requests(plan), _middle(plan, "chair-0")
    _send(plan, "mouse_down", start)
    _send(plan, "mouse_move", start + 30)
    if event == "escape":
        _send(plan, "key_down", key="Escape", shift_key=False, ctrl_key=False, meta_key=False)
    else:
        _send(plan, event, start + 30)
    _send(plan, "mouse_up", start + 30)
    assert heard == [("chair-0",)]


def test_the_outline_of_a_flood_of_moves_is_drawn_now_and_then(plan: PlanView, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, now = [], [100.0]
    monkeypatch.setattr("anchorgen_widgets.plan_view.time.monotonic", lambda: now[0])
    monkeypatch.setattr(plan, "_draw_ghost", lambda: drawn.append(now[0]))
    start = _middle(plan, "chair-0")
    _send(plan, "mouse_down", start)
    for k in range(100):
        now[0] += 0.001
        _send(plan, "mouse_move", start + 10 + k / 10)
    assert 2 <= len(drawn) <= 5


def test_touch_and_keys_do_what_the_mouse_does(plan: PlanView) -> None:
    heard, start = _requests(plan), _middle(plan, "chair-0") * CANVAS_ZOOM
    touches = [[{"x": float(x), "y": float(y)}] for x, y in (start, start + 40)]
    _send(plan, "touch_start", touches=touches[0])
    _send(plan, "touch_move", touches=touches[1])
    _send(plan, "touch_end", touches=[])
    shift = round(40 / CANVAS_ZOOM / plan._plan.zoom, 4)
    assert heard == [("chair-0",), ("chair-0", shift, -shift)]
    for key, control in (("ArrowLeft", False), ("ArrowUp", True), ("PageDown", False), ("x", False)):
        _send(plan, "key_down", key=key, shift_key=False, ctrl_key=control, meta_key=False)
    assert heard[2:] == [("chair-0", -0.05, 0.0), ("chair-0", 0.0, 0.25), ("rug-0",)]


def test_what_a_handler_raises_is_shown(plan: PlanView) -> None:
    plan.on_move(lambda *asked: 1 / 0)
    start = _middle(plan, "chair-0")
    _send(plan, "mouse_down", start)
    _send(plan, "mouse_up", start + 30)
    assert plan._access.problem == "division by zero"
    _send(plan, "mouse_down", _middle(plan, "bed-0"))
    assert plan._access.problem == ""


@pytest.mark.parametrize("num_objects", [4, 9, 16])
def test_names_do_not_cover_one_another(num_objects: int) -> None:
    scene = make_scene(num_objects, seed=3)
    layout = plan_layout(scene, (300, 300), object_colors(scene))
    names = [shape for shape in plan_shapes(layout, "bed-1", {"rug-1"}) if isinstance(shape, Name)]
    assert len(names) == num_objects
    covered = sum(
        abs(a.at[0] - b.at[0]) < (a.width + b.width) / 2 and abs(a.at[1] - b.at[1]) < 15
        for k, a in enumerate(names)
        for b in names[:k]
    )
    assert covered == 0
    assert any(name.text.startswith("! rug") for name in names) == (num_objects > 5)


def test_a_snapshot_shows_selection_problems_and_given_colours(plan: PlanView) -> None:
    plain = np.asarray(plan.snapshot(), int)
    assert plain.shape == (300, 300, 3)
    plan.show_scene(make_room(), "bed-0")
    x, y = (int(v) for v in _middle(plan, "bed-0") + [25, -25])
    assert np.asarray(plan.snapshot(), int)[y, x].sum() < plain[y, x].sum() - 30
    plan.show_scene(make_room(), colors={"wardrobe-0": "rgb(0 0 255)"}, problems={"rug-0"})
    changed = np.asarray(plan.snapshot(), int)
    x, y = (int(v) for v in _middle(plan, "wardrobe-0") + [0, 12])
    assert changed[y, x, 2] - changed[y, x, 0] > 30
    corner = plan._plan.to_px(plan._plan.footprint("rug-0").outline[0]).astype(int)
    patch = changed[corner[1] - 2 : corner[1] + 3, corner[0] - 2 : corner[0] + 3].reshape(-1, 3)
    assert (patch[:, 0] - patch[:, 1]).max() > 90
    assert PlanView().snapshot().getpixel((5, 5)) == (255, 255, 255)


def test_bad_arguments_are_refused_with_advice(plan: PlanView) -> None:
    with pytest.raises(TypeError, match="PlanView shows a SceneLatent, got int"):
        plan.show_scene(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected 120 to 2000 px"):
        PlanView(size_px=(10, 300))
    with pytest.raises(ValueError, match="expected a camera that sees the room level"):
        plan.show_scene(make_room().replace(up=np.array([0.0, 0.0, -1.0])))
    assert plan.scene is not None and plan.scene.equals(make_room()), "a refused scene replaced the one that is shown"


def test_closing_leaves_no_canvas() -> None:
    before = {key for key, widget in _instances.items() if "Canvas" in type(widget).__name__}
    plan = PlanView(make_room())
    plan.close()
    plan.close()
    assert {key for key, widget in _instances.items() if "Canvas" in type(widget).__name__} == before


@pytest.mark.parametrize(
    ("css", "rgb"),
    [
        ("#ff8000", (255, 128, 0)),
        ("teal", (0, 128, 128)),
        ("hsl(120 100% 25%)", (0, 128, 0)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
    ],
)
def test_css_colours_are_read_with_commas_or_spaces(css: str, rgb: tuple) -> None:
    assert rgb_of(css) == rgb
    assert max(darker((255, 128, 0))) == 120 and darker((10, 20, 30)) == (10, 20, 30)
    with pytest.raises(ValueError, match="is no colour; expected a CSS name"):
        rgb_of("mud")
