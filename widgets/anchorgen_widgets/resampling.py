"""What the Resample button may ask of the prior, as anchors of a scene."""

from __future__ import annotations

from typing import Literal

from anchorgen.scene.anchors import Anchors
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.selection import everything
from anchorgen_widgets.gestures import unmistakable

ResampleTarget = Literal["appearance", "layout", "both", "everything else", "more objects", "released"]
RESAMPLE_TARGETS: tuple[ResampleTarget, ...] = (
    "appearance",
    "layout",
    "both",
    "everything else",
    "more objects",
    "released",
)


def released(scene: SceneLatent, target: ResampleTarget, strength: float, object_id: str) -> SceneLatent:
    """The scene with just the target released.

    Args:
        scene: where the values are.
        target: see `EditorSession.resample`.
        strength: 1 - alpha; not used by "released", which keeps the scene's own anchors.
        object_id: the object that is meant; "" for none.

    Raises:
        ValueError: an unknown target, nothing to resample, or a strength outside [0, 1].
    """
    if target not in RESAMPLE_TARGETS:
        raise ValueError(f"cannot resample {target!r}; expected one of: {', '.join(RESAMPLE_TARGETS)}")
    if target == "released":
        if scene.anchors.equals(Anchors.keep(scene.num_slots)):
            raise ValueError("nothing is released; raise a strength in the list of objects, or choose another target")
        return scene
    if target == "more objects":
        return scene.anchor(everything).complete()
    if target == "everything else":
        kept = [object_id] if object_id else []
        return scene.release(everything, strength=strength).anchor([*kept, "camera", "background"])
    if not object_id:
        raise ValueError("nothing is selected to resample; click an object first, or give its id")
    if unmistakable(scene, object_id) != object_id:
        raise ValueError(f"the id {object_id!r} is also the label of another object; give the scene ids of their own")
    factors = ("appearance", "layout") if target == "both" else (target,)
    return scene.anchor(everything).release([f"{object_id}.{factor}" for factor in factors], strength=strength)
