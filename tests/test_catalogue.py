"""Furniture: sound meshes, exact sizes, the same mesh from the same JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anchorgen.world.boxes import mesh_size
from anchorgen.world.catalogue import CATEGORIES, build_furniture, sample_params, sample_style, size_of
from anchorgen.world.meshes import cylinder, moved, rounded_box, solid, sphere
from anchorgen.world.types import ObjectSpec


def drawn(category: str, seed: int = 0):
    rng = np.random.default_rng(seed)
    return sample_params(category, rng, sample_style(rng))


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_meshes_are_sound(category, seed):
    furniture = build_furniture(category, drawn(category, seed))
    points = np.concatenate([p.vertices for p in furniture.parts])
    np.testing.assert_allclose(points.min(0)[:2], -points.max(0)[:2], atol=1e-9)
    assert abs(points[:, 2].min()) < 1e-9
    assert np.all(size_of(furniture) > 0.01) and np.all(size_of(furniture) < 3)
    for part in furniture.parts:
        assert part.faces.min() >= 0 and part.faces.max() < len(part.vertices)
        assert np.isfinite(part.vertices).all()
        np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-6)
        assert part.colors.shape == part.vertices.shape and part.colors.min() >= 0 and part.colors.max() <= 1


@pytest.mark.parametrize("category", CATEGORIES)
def test_parameters_survive_json_and_rebuild_the_same_mesh(category):
    params = drawn(category)
    assert len(params) >= 8
    again = json.loads(json.dumps(params))
    assert again == params
    for a, b in zip(build_furniture(category, params).parts, build_furniture(category, again).parts, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.colors, b.colors)
    assert drawn(category, 7) != params


def test_closed_solids_have_outward_normals_and_the_right_volume():
    for parts, volume in (
        (rounded_box((1.0, 0.5, 0.4), solid((0.5, 0.5, 0.5)), bevel_m=0.001), 0.2),
        (cylinder(0.3, 0.5, solid((0.5, 0.5, 0.5)), sides=64), np.pi * 0.09 * 0.5),
        (sphere(0.3, solid((0.5, 0.5, 0.5)), sides=64), 4 / 3 * np.pi * 0.027),
    ):
        signed = 0.0
        for part in parts:
            a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
            signed += np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
        assert signed == pytest.approx(volume, rel=0.02)


def test_normals_follow_a_stretch():
    part = moved(sphere(0.5, solid((1, 1, 1)), sides=32)[0], (0, 0, -0.5))
    flat = moved(part, (0, 0, 0), scale=(1, 1, 0.25))
    # A point p on the ellipsoid (x/a)^2 + ... = 1 has the normal p / a^2.
    expected = flat.vertices / np.array([0.25, 0.25, 0.25 / 16])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    inner = np.abs(part.vertices[:, 2]) < 0.45
    np.testing.assert_allclose(flat.normals[inner], expected[inner], atol=0.02)


def test_unknown_category_lists_those_there_are():
    with pytest.raises(KeyError, match="nightstand"):
        build_furniture("sofa", {})


@pytest.mark.parametrize(
    ("category", "changes", "match"),
    [
        (
            "bed",
            {"headboard": "gold"},
            r"headboard is 'gold'; expected one of \['wood', 'slats', 'padded', 'channels'\]",
        ),
        ("bed", {"pattern": "zigzag"}, "pattern is 'zigzag'; expected one of.*checks"),
        ("bed", {"pillow_rows": 1.5}, "pillow_rows is 1.5; expected a whole number"),
        ("bed", {"stripe_axis": 5}, r"stripe_axis is 5; expected one of \[0, 1\]"),
        ("bed", {"stripe_axis": True}, "stripe_axis is True"),
        ("bed", {"seed": 1.5}, "seed is 1.5; expected a whole number"),
        ("bed", {"seed": -1}, "seed is -1"),
        ("bed", {"width_m": True}, "width_m is True; expected a number above 0"),
        ("bed", {"width_m": 0}, "width_m is 0; expected a number above 0"),
        ("bed", {"duvet_share": 0.0}, "duvet_share is 0.0"),
        ("bed", {"wood_colour": 0.5}, "wood_colour is 0.5; expected 3 numbers"),
        ("bed", {"wood_colour": [0.5, 0.5]}, "expected 3 numbers from 0 to 1"),
        ("bed", {"wood_colour": [0.5, 0.5, float("nan")]}, "expected 3 numbers from 0 to 1"),
        ("rug", {"shape": "hexagon"}, "shape is 'hexagon'; expected one of"),
        ("pendant", {"kind": "cube"}, "kind is 'cube'; expected one of.*globe"),
        ("painting", {"motif": "cat"}, "motif is 'cat'; expected one of.*hills"),
        ("chair", {"padded_back": "no"}, "padded_back is 'no'; expected True or False"),
        ("chair", {"num_slats": 0}, "num_slats is 0"),
        ("bookshelf", {"num_shelves": 0}, "num_shelves is 0; expected a whole number from 1"),
        ("bookshelf", {"num_shelves": 2.5}, "num_shelves is 2.5"),
        ("wardrobe", {"num_doors": 10**9}, "num_doors is 1000000000; expected a whole number"),
        ("dresser", {"columns": 0}, "columns is 0"),
        ("table lamp", {"brightness": float("inf")}, "brightness is inf"),
        ("table lamp", {"brightness": -1.0}, "brightness is -1.0; expected a number, 0 or more"),
        ("table lamp", {"base": object()}, "table lamp: .*expected parameters"),
        ("nightstand", {"leg_m": 2.0}, "nightstand: got .*'leg_m': 2.0.*expected sizes that fit one another"),
        ("plant", {"spread": 2.0}, "plant: got .*'spread': 2.0.*expected sizes that fit one another"),
        ("plant", {"legs": 3}, "legs.*expected.*num_leaves"),
    ],
)
def test_what_is_no_parameter_is_refused(category, changes, match):
    params = {**drawn(category), **changes}
    for build in (build_furniture, lambda *piece: mesh_size(ObjectSpec("a", *piece, (0, 0, 0)))):
        with pytest.raises(ValueError, match=match):
            build(category, params)


def test_parameters_are_a_dict():
    with pytest.raises(ValueError, match="bed: got parameters \\[1\\]"):
        build_furniture("bed", [1])


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_parameter_is_judged(category):
    for name in drawn(category):
        with pytest.raises(ValueError, match=f"{name} is .*; expected"):
            build_furniture(category, {**drawn(category), name: None})


def test_values_of_numpy_are_parameters():
    params = drawn("wardrobe")
    arrays = {
        **params,
        "num_doors": np.int64(params["num_doors"]),
        "depth_m": np.float64(params["depth_m"]),
        "panelled": np.bool_(params["panelled"]),
        "wood_colour": np.array(params["wood_colour"]),
    }
    for a, b in zip(build_furniture("wardrobe", params).parts, build_furniture("wardrobe", arrays).parts, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
    size = mesh_size(ObjectSpec("a", "wardrobe", arrays, (0, 0, 0)))
    np.testing.assert_array_equal(size, mesh_size(ObjectSpec("a", "wardrobe", params, (0, 0, 0))))
    assert size_of(build_furniture("bed", {**drawn("bed"), "width_m": np.float32(1.5)}))[0] > 1.5
