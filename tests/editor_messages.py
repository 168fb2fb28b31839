"""What the front end of an editor sends, for tests without a browser."""

from __future__ import annotations

import numpy as np

from anchorgen.geometry import floor_basis, opencv_to_three, quat_opencv_to_three_xyzw
from anchorgen.scene.latent import SceneLatent

WAIT_S = 20.0


def message(scene: SceneLatent, name: str, right: float, kind: str = "move", **more: str) -> dict:
    view = scene[name]
    offset = np.array([right, 0.0, 0.0]) @ floor_basis(scene.up)
    return {
        "id": name,
        "kind": kind,
        "gesture": "g1",
        "t": opencv_to_three(view.translation + offset).tolist(),
        "q": quat_opencv_to_three_xyzw(view.quat_wxyz).tolist(),
        "s": view.scale.tolist(),
        **more,
    }


def send(editor, content: dict) -> None:
    editor.view.overlay._handle_custom_msg(content, [])
    assert editor.session.worker.wait_until_idle(WAIT_S)
