"""What an edit leaves alone stays as it is in the given picture; geometry and fill against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_decode import make_batch

from anchorgen.decode.faithful import correspondence, fill, keep_source
from anchorgen.scene.batch import SceneBatch

SIZE = 64
FOCAL = 0.8


def one_box(x: float = 0.0, yaw: float = 0.0, size: float = 1.0, focal: float = FOCAL) -> SceneBatch:
    """A cube 3 m ahead, its front face at 3 - size / 2."""
    scene = make_batch(1, 2)
    scene.presence[:] = torch.tensor([[True, False]])
    scene.translation[0, 0] = torch.tensor([x, 0.0, 3.0])
    scene.quat_wxyz[0, 0] = torch.tensor([math.cos(yaw / 2), 0.0, math.sin(yaw / 2), 0.0])
    scene.scale[0, 0] = size
    scene.focal[:] = focal
    return scene


def pixel_centres() -> np.ndarray:
    centre = 2 * (np.arange(SIZE) + 0.5) / SIZE - 1
    return np.stack(np.meshgrid(centre, centre), -1)


def front(x: float = 0.0, size: float = 1.0, margin: float = 0.0) -> np.ndarray:
    """`[SIZE, SIZE]` bool: pixels of the cube's front face, but for a margin in NDC."""
    centre, half = 2 * FOCAL * x / (3 - size / 2), FOCAL * size / (3 - size / 2)
    at = pixel_centres() - [centre, 0]
    return np.asarray((np.abs(at) < half - margin).all(-1))


def test_without_an_edit_every_pixel_is_its_own():
    scene = make_batch(1)
    place, shown = correspondence(scene, scene, SIZE)
    assert shown.all()
    np.testing.assert_array_equal(place.numpy(), pixel_centres().astype(np.float32))


def test_a_moved_box_brings_its_pixels_along():
    x = 0.25
    place, shown = correspondence(one_box(), one_box(x), SIZE)
    face = front(x, margin=0.05)
    assert shown[face].all()
    expected = pixel_centres() - [2 * FOCAL * x / 2.5, 0]
    np.testing.assert_allclose(place.numpy()[face], expected[face], atol=1e-5)
    left_behind = front() & ~front(x, margin=-0.05)
    assert left_behind.any() and not shown.numpy()[left_behind].any()
    assert shown[:, :4].all()
    np.testing.assert_allclose(place.numpy()[:, :4], pixel_centres()[:, :4], atol=1e-6)


def test_a_resized_box_stretches_them():
    place, shown = correspondence(one_box(), one_box(size=1.2), SIZE)
    face = front(size=1.2, margin=0.05)
    assert shown[face].all()
    ratio = (1.0 / 2.5) / (1.2 / 2.4)
    np.testing.assert_allclose(place.numpy()[face], ratio * pixel_centres()[face], atol=1e-5)


def test_sides_that_were_out_of_view_are_not_shown():
    shown = correspondence(one_box(), one_box(yaw=math.pi), SIZE)[1]
    assert not shown.numpy()[front(margin=0.05)].any()


@pytest.mark.parametrize("change", ["removed", "inserted", "painted"])
def test_what_is_gone_new_or_painted_is_not_shown(change):
    before, after = one_box(), one_box()
    if change == "painted":
        after = after.replace(appearance=after.appearance + 1)
    else:
        (after if change == "removed" else before).presence[:] = False
    shown = correspondence(before, after, SIZE)[1]
    assert not shown.numpy()[front()].any()
    assert shown[:, :4].all()


def test_another_focal_length_is_a_zoom():
    place, shown = correspondence(one_box(), one_box(focal=2 * FOCAL), SIZE)
    np.testing.assert_allclose(place.numpy(), pixel_centres() / 2, atol=1e-6)
    assert shown.all()
    shown = correspondence(one_box(), one_box(focal=FOCAL / 2), SIZE)[1].numpy()
    np.testing.assert_array_equal(shown, (np.abs(pixel_centres()) < 0.5).all(-1))


def test_what_absent_slots_store_changes_no_bit():
    before, after = one_box(), one_box(0.25)
    expected = correspondence(before, after, SIZE)
    for name in ("translation", "quat_wxyz", "scale", "appearance"):
        value = getattr(after, name).clone()
        value[~after.presence] = float("nan")
        found = correspondence(before, after.replace(**{name: value}), SIZE)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True)), name


@pytest.mark.parametrize("size", [8, 13, 128])
def test_fill_keeps_what_is_there_and_carries_it_on(size):
    values = torch.rand(1, 3, size, size)
    assert torch.equal(fill(values, torch.ones(1, 1, size, size)), values)
    assert torch.equal(fill(values, torch.zeros(1, 1, size, size)), torch.zeros_like(values))
    weight = torch.ones(1, 1, size, size)
    weight[..., 2:6, 1:5] = 0
    constant = torch.full_like(values, 0.7)
    constant[..., 2:6, 1:5] = 99.0
    np.testing.assert_allclose(fill(constant, weight), np.full(values.shape, 0.7), atol=1e-5)


def picture(seed: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, SIZE, SIZE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_an_edit_that_changes_nothing_gives_the_source_bit_for_bit():
    scene = make_batch(1)
    assert torch.equal(keep_source(picture(0), picture(1), picture(0), scene, scene), picture(1))


def test_what_the_decoder_misses_is_added_and_carried_on_where_an_object_was():
    """The decoder draws everything 20 levels too dark: the place of the removed box is corrected, too."""
    gone = one_box()
    gone.presence[:] = False
    drawn, unedited = (torch.full((3, SIZE, SIZE), level, dtype=torch.uint8) for level in (100, 60))
    source = unedited + 20
    found = keep_source(drawn, source, unedited, one_box(), gone)
    assert (found.int() - 120).abs().max() <= 1
    source[:, torch.from_numpy(front())] = 250  # what only the box had is not left behind
    found = keep_source(drawn, source, unedited, one_box(), gone)
    assert (found.int() - 120).abs().max() <= 1


def test_details_of_a_moved_object_move_with_it():
    x, mark = 0.25, front(margin=0.25)
    drawn = unedited = torch.full((3, SIZE, SIZE), 100, dtype=torch.uint8)
    source = unedited.clone()
    source[0, torch.from_numpy(mark)] = 180
    red = keep_source(drawn, source, unedited, one_box(), one_box(x))[0].float() - 100
    columns = np.arange(SIZE)
    assert abs((red.sum(0) @ columns.astype(np.float32)) / red.sum() - (SIZE - 1) / 2 - FOCAL * x / 2.5 * SIZE) < 0.3
    assert abs(red.sum() / (80 * mark.sum()) - 1) < 0.1
