"""Where a dropped object lands."""

from __future__ import annotations

import numpy as np
import pytest
from fake_pipeline import make_room

from anchorgen.geometry import box_corners, floor_basis
from anchorgen.scene.latent import SceneLatent
from anchorgen_widgets.landing import landing_place

EYE = np.zeros(3)


def _ray_to(point: np.ndarray) -> np.ndarray:
    return np.asarray(point, float) / np.linalg.norm(point)


def _floor_point(scene: SceneLatent, right: float, forward: float, up: float = 0.0) -> np.ndarray:
    return np.array([right, float(scene.floor) + up, forward]) @ floor_basis(scene.up)


def _lowest(scene: SceneLatent, name: str) -> float:
    view = scene[name]
    return float((box_corners(view.translation, view.quat_wxyz, view.scale) @ scene.up).min() - scene.floor)


def test_a_chair_lands_on_the_floor_under_the_pointer() -> None:
    room = make_room()
    at = landing_place(room, room["chair"], EYE, _ray_to(_floor_point(room, 1.5, 3.0)))
    assert at == pytest.approx({"right": 1.5, "forward": 3.0, "up": 0.0}, abs=1e-3)
    after = room.insert(room["chair"], at)
    assert _lowest(after, "chair-1") == pytest.approx(0.0, abs=1e-4)


def test_a_lamp_lands_on_the_nightstand_it_is_dropped_on() -> None:
    room = make_room().remove("table lamp")
    lamp = make_room()["table lamp"]
    at = landing_place(room, lamp, EYE, _ray_to(_floor_point(room, -0.95, 4.9, up=0.55)))
    assert at is not None and at["up"] == pytest.approx(0.55, abs=1e-3)
    after = room.insert(lamp, at)
    assert _lowest(after, "table-lamp-1") == pytest.approx(0.55, abs=1e-3)


def test_through_what_stands_on_it_the_table_is_meant() -> None:
    room = make_room()  # the lamp is on its nightstand
    corner = _floor_point(room, -1.1, 4.8, up=0.55)
    at = landing_place(room, room["table lamp"], EYE, _ray_to(corner))
    assert at is not None and at["up"] == pytest.approx(0.55, abs=1e-3)


def test_from_elsewhere_than_the_camera_it_lands_there_too() -> None:
    room = make_room()
    target = _floor_point(room, -1.9, 5.5)
    eye = _floor_point(room, -4.0, 1.0, up=3.0)
    at = landing_place(room, room["chair"], eye, _ray_to(target - eye))
    assert at == pytest.approx({"right": -1.9, "forward": 5.5, "up": 0.0}, abs=1e-3)


def test_what_hangs_keeps_its_height() -> None:
    room = make_room().move("rug", up=1.5)
    eye = _floor_point(room, 0.0, 0.0, up=1.0)
    at = landing_place(room, room["rug"], eye, _ray_to(_floor_point(room, 0.5, 4.0, up=1.5) - eye))
    assert at == pytest.approx({"right": 0.5, "forward": 4.0, "up": 1.5}, abs=1e-3)


@pytest.mark.parametrize("name", ["bed", "wardrobe"])
def test_on_the_front_of_something_it_lands_before_it(name: str) -> None:
    room = make_room()
    view = room[name]
    corners = box_corners(view.translation, view.quat_wxyz, view.scale)
    front = corners[np.argsort(corners[:, 2])[:4]].mean(0)
    chair = room["chair"]
    at = landing_place(room, chair, EYE, _ray_to(0.98 * front))
    assert at is not None and at["up"] == 0.0
    after = room.remove("chair").insert(chair, at)
    assert not [f for f in after.check() if f.kind == "collision" and f"{name}-0" in f.ids]
    assert at["forward"] < float(floor_basis(room.up)[2] @ front) + 0.01


def test_the_sky_is_no_place() -> None:
    room = make_room()
    assert landing_place(room, room["chair"], EYE, _ray_to(room.up + np.array([0.0, 0.0, 0.1]))) is None
