"""Furniture: sound meshes, exact sizes, the same mesh from the same JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anchorgen.world.catalogue import CATEGORIES, build_furniture, sample_params, sample_style, size_of
from anchorgen.world.meshes import cylinder, moved, rounded_box, solid, sphere


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
