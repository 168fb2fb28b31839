"""What a scene shows: golden text, and HTML that is well formed, escaped and within its drawing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from strategies import make_scene

from anchorgen.scene import SceneLatent
from anchorgen.scene.drawing import perspective_svg, plan_svg, relative_luminance, slot_color

ROOM = make_scene(4)

GOLDEN = Path(__file__).parent / "golden"


def edited() -> SceneLatent:
    scene = ROOM.move("nightstand", right=0.3).remove("lamp").release("bed.layout", strength=0.6)
    return scene.release("wardrobe.appearance").release("camera", strength=0.5)


def parsed(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html)


def test_text_is_golden():
    assert repr(edited()) == (GOLDEN / "scene.txt").read_text().rstrip("\n")


def test_text_of_a_diff_is_golden():
    after = edited().resize("bed", 1.1).rotate("wardrobe", yaw=30).paint("nightstand", ROOM["bed"])
    after = after.duplicate("nightstand").with_focal(1.0, 1.1).with_background(make_scene(1, seed=1))
    assert repr(ROOM.diff(after)) == (GOLDEN / "diff.txt").read_text().rstrip("\n")
    assert repr(ROOM.diff(ROOM)) == "no difference"


def test_text_of_an_empty_scene():
    assert repr(SceneLatent.blank(4, latent_space="")) == (
        "SceneLatent: 0 objects in 4 slots, focal 1.000, 1.000, latent space -\n"
        "  also released: 4 empty slots, camera 1.00, background 1.00"
    )


def test_long_histories_show_their_end():
    scene = ROOM
    for _ in range(30):
        scene = scene.move("bed", right=0.01)
    assert repr(scene).splitlines()[-1] == "  history: ..., " + ", ".join(["move"] * 8)


def test_html_is_well_formed_and_complete():
    root = parsed(edited()._repr_html_())
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(names) == sorted(["bed", "nightstand", "wardrobe"] * 2)
    cells = ["".join(cell.itertext()) for cell in root.iter("td")]
    assert "0.60" in cells
    assert cells.count("keep") == 7
    assert "removed: table-lamp-1" in "".join(root.itertext())


@pytest.mark.parametrize("scene", [SceneLatent.blank(3), make_scene(1), make_scene(9), make_scene(16, seed=5)])
def test_drawings_are_well_formed(scene):
    for svg in (perspective_svg(scene), plan_svg(scene)):
        root = parsed(svg)
        width, height = float(root.get("width")), float(root.get("height"))
        assert 50 <= width <= 450
        assert 50 <= height <= 900
        for label in root.iter("{http://www.w3.org/2000/svg}text"):
            assert 0 <= float(label.get("x")) <= width
            assert 0 <= float(label.get("y")) <= height
        assert "nan" not in svg


def test_boxes_around_and_beside_the_camera_are_drawn():
    around = (
        ROOM.move("bed", to=(0.0, 0.0, 0.06)).move("wardrobe", to=(30.0, 0.0, 0.1)).rotate("bed", pitch=50, roll=20)
    )
    assert "nan" not in around._repr_html_()
    parsed(around._repr_html_())


def test_a_camera_that_looks_down_has_a_repr():
    down = ROOM.replace(up=np.array([0.0, 0.0, -1.0]))
    assert "no drawing" in down._repr_html_()
    assert "bed-1" in repr(down)


def test_strings_are_escaped():
    evil = "<script>alert(1)</script>&\"'"
    scene = ROOM.replace(labels=(evil,) * 16, ids=(evil, *ROOM.ids[1:]), latent_space=evil).remove(0)
    for html in (scene._repr_html_(), scene.restore()._repr_html_()):
        assert "<script>" not in html
        parsed(html)


def test_released_layouts_are_dashed_and_colours_can_be_given():
    assert "stroke-dasharray" not in re.sub(r"<line[^>]*>", "", perspective_svg(ROOM))
    assert 'stroke-dasharray="4 3"' in perspective_svg(ROOM.release("bed.layout"))
    assert 'fill="red"' in perspective_svg(ROOM, colors={0: "red"})
    assert 'fill="red"' in plan_svg(ROOM, colors={0: "red"})


def test_both_themes_are_served():
    html = ROOM._repr_html_()
    assert "var(--jp-content-font-color1, inherit)" in html
    assert "currentColor" in html


def test_slot_colours_stand_out_on_both_themes():
    assert relative_luminance(0.0, 1.0) == pytest.approx(1.0)
    assert relative_luminance(120.0, 0.5, saturation=1.0) == pytest.approx(0.7152)
    for slot in range(64):
        hue, _, lightness = (float(part) for part in re.findall(r"\d+", slot_color(slot)))
        own = relative_luminance(hue, lightness / 100)
        assert 1.05 / (own + 0.05) >= 3.0
        assert (own + 0.05) / (relative_luminance(0.0, 0.11, saturation=0.0) + 0.05) >= 3.0
    assert len({slot_color(slot) for slot in range(16)}) == 16
