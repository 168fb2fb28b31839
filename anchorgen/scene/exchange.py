"""What a scene gives to other programs and takes from them, as methods: JSON, glTF, frames, detections."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anchorgen.scene.boxes import Boxes
    from anchorgen.scene.latent import SceneLatent


class SceneExchange:
    """Converters of `SceneLatent`; the code is in the modules that they import when called."""

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, exact to the bit: plain numbers for the boxes, base64 for the tokens."""
        from anchorgen.scene.json_scene import scene_to_json

        return scene_to_json(self)  # type: ignore[arg-type]

    @staticmethod
    def from_json(value: Mapping[str, Any] | str | bytes) -> SceneLatent:
        """Reads what `to_json` made, or a text of it. Raises SceneFileError (a ValueError) for anything else."""
        from anchorgen.scene.json_scene import scene_from_json

        return scene_from_json(value)

    def to_gltf(self, path: str | os.PathLike[str], floor_grid: bool = True) -> None:
        """Writes boxes, camera and a floor grid of 1 m as .glb or .gltf (glTF 2.0, y up, metres), for any 3D viewer.

        Raises:
            ValueError: another ending.
            OSError: the folder does not exist or cannot be written to.
        """
        from anchorgen.scene.gltf import save_gltf

        save_gltf(self, path, floor_grid)  # type: ignore[arg-type]

    def boxes(self, frame: str = "opencv") -> Boxes:
        """The boxes of the present objects, in float64, in the frame and quaternion convention of "opencv", "three" or
        "pytorch3d" (also SAM 3D). Raises EditError for another frame."""
        from anchorgen.scene.boxes import boxes_of

        return boxes_of(self, frame)  # type: ignore[arg-type]

    def with_boxes(self, boxes: Boxes) -> SceneLatent:
        """The objects with the ids of `boxes` put there, whatever their frame. A new start, as `replace`.

        Raises:
            SelectionError: an id that no present object has.
            EditError: an id that occurs twice, or a box that a scene refuses.
        """
        from anchorgen.scene.boxes import with_boxes

        return with_boxes(self, boxes)  # type: ignore[arg-type]

    @staticmethod
    def from_detections(boxes_xyxy: Any, labels: Sequence[str], depth: Any, focal: Any, **options: Any) -> SceneLatent:
        """A scene out of 2D boxes, labels and depths: upright boxes by simple geometry (see `scene/detections.py`).

        Nothing is known of how things look, so tokens are zero, and appearance and background are released: sampling
        draws them.

        Args:
            boxes_xyxy: `[M, 4]`, x0, y0, x1, y1 over picture width / height.
            labels: M of them.
            depth: z in metres: a map `[H, W]`, of which the median in the middle of each box counts, or `[M]`.
            focal: (fx, fy) over picture width / height.
            **options: `up` (unit, against gravity; by default the camera is level), `floor` (metres, up . p; by default
                the lowest bottom), `thickness` (metres from front to back, one or `[M]`; by default the width), and
                `num_slots`, `num_tokens`, `num_channels`, `num_background_tokens`, `latent_space` as `blank`.

        Raises:
            ValueError: other shapes, values that are not finite, pixels in place of shares, no depth in a box, more
                objects than slots, boxes that a scene refuses.
        """
        from anchorgen.scene.detections import scene_from_detections

        return scene_from_detections(boxes_xyxy, labels, depth, focal, **options)
