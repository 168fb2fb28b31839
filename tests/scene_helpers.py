"""What the tests of scenes share."""

from __future__ import annotations

import numpy as np
from hypothesis import assume

from anchorgen.geometry import box_corners
from anchorgen.scene import EditError, SceneLatent


def assert_close(scene: SceneLatent, other: SceneLatent, atol: float = 1e-5) -> None:
    for name in ("translation", "scale", "appearance", "focal", "background"):
        np.testing.assert_allclose(getattr(scene, name), getattr(other, name), atol=atol, err_msg=name)
    turned = np.abs(np.sum(scene.quat_wxyz.astype(float) * other.quat_wxyz, axis=-1))
    np.testing.assert_allclose(turned, 1.0, atol=atol)
    np.testing.assert_array_equal(scene.presence, other.presence)
    assert (scene.labels, scene.ids) == (other.labels, other.ids)
    assert scene.anchors.equals(other.anchors)


def lowest(scene: SceneLatent, slot: int) -> float:
    corners = box_corners(scene.translation[slot], scene.quat_wxyz[slot], scene.scale[slot])
    return float((corners @ scene.up.astype(float)).min())


def edited(scene: SceneLatent, verb: str, **arguments) -> SceneLatent:
    try:
        return getattr(scene, verb)(**arguments)
    except EditError:
        assume(False)
        raise
