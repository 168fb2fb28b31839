"""What changed between two scenes, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from anchorgen.geometry import box_extent, floor_basis
from anchorgen.scene.anchors import FACTORS
from anchorgen.scene.values import SceneValues

_TOLERANCE = 1e-6  # metres, quaternion parts


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        name: id of the object, or "camera", "background", "scene".
        kind: "added", "removed", "renamed", "moved", "turned", "resized", "painted", "focal", "tokens", "anchors",
            "gravity" or "latent space".
        text: it in words, with units.
        slot: slot of the object, -1 for what is not an object.
    """

    name: str
    kind: str
    text: str
    slot: int = -1


@dataclass(frozen=True)
class SceneDiff:
    """The differences between two scenes; false if there are none."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __iter__(self):
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __repr__(self) -> str:
        return "\n".join(f"{c.name}: {c.kind} {c.text}".rstrip() for c in self.changes) or "no difference"


def scene_diff(before: SceneValues, after: SceneValues) -> SceneDiff:
    """What is different in `after`; objects are compared slot by slot, and stored values of empty slots are not.

    Raises:
        ValueError: the scenes do not have the same number of slots and tokens.
    """
    shapes = [(scene.appearance.shape, scene.background.shape) for scene in (before, after)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"scenes of shapes {shapes[0]} and {shapes[1]} cannot be compared; expected the same slots")
    changes = []
    for slot in range(before.num_slots):
        changes += _slot_changes(before, after, slot)
    return SceneDiff(tuple(changes + _global_changes(before, after)))


def _slot_changes(before: SceneValues, after: SceneValues, slot: int) -> list[Change]:
    name = after.ids[slot] or before.ids[slot] or f"slot {slot}"
    kinds: list[tuple[str, str]] = []
    was, now = bool(before.presence[slot]), bool(after.presence[slot])
    if was and now and before.ids[slot] != after.ids[slot]:
        kinds.append(("added", f"in place of {before.ids[slot]}"))
    elif was != now:
        kinds.append(("added" if now else "removed", ""))
    elif was:
        kinds += _object_changes(before, after, slot)
    alphas = [(f, 1 - getattr(before.anchors, f)[slot], 1 - getattr(after.anchors, f)[slot]) for f in FACTORS]
    dials = [f"{factor} {old:.2f} -> {new:.2f}" for factor, old, new in alphas if old != new]
    kinds += [("anchors", "strength of " + ", ".join(dials))] if dials else []
    return [Change(name, kind, text, slot) for kind, text in kinds]


def _object_changes(before: SceneValues, after: SceneValues, slot: int) -> list[tuple[str, str]]:
    kinds = []
    if before.labels[slot] != after.labels[slot]:
        kinds.append(("renamed", f"{before.labels[slot]!r} -> {after.labels[slot]!r}"))
    offset = floor_basis(before.up) @ (after.translation[slot].astype(float) - before.translation[slot])
    if np.any(before.scale[slot] != after.scale[slot]):  # what grows is measured at its bottom, which stays
        extents = [box_extent(before.up, scene.quat_wxyz[slot], scene.scale[slot]) for scene in (before, after)]
        offset[1] -= 0.5 * float(extents[1] - extents[0])
    if np.max(np.abs(offset)) > _TOLERANCE:
        kinds.append(("moved", "right {:.3f}, up {:.3f}, forward {:.3f} m".format(*(np.round(offset, 3) + 0.0))))
    old, new = (Rotation.from_quat(scene.quat_wxyz[slot].astype(float), scalar_first=True) for scene in (before, after))
    if (angle := (new * old.inv()).magnitude()) > _TOLERANCE:
        kinds.append(("turned", f"by {np.degrees(angle):.2f} degrees"))
    sizes = [" x ".join(f"{side:.3f}" for side in scene.scale[slot]) for scene in (before, after)]
    if np.max(np.abs(before.scale[slot] - after.scale[slot])) > _TOLERANCE:
        kinds.append(("resized", f"{sizes[0]} -> {sizes[1]} m"))
    change = float(np.sqrt(np.mean((after.appearance[slot].astype(float) - before.appearance[slot]) ** 2)))
    return kinds + ([("painted", f"tokens by {change:.3g} rms")] if change > 0 else [])


def _global_changes(before: SceneValues, after: SceneValues) -> list[Change]:
    changes = []
    if not np.array_equal(before.focal, after.focal):
        text = "{:.3f}, {:.3f} -> {:.3f}, {:.3f}".format(*before.focal, *after.focal)
        changes.append(Change("camera", "focal", text))
    change = float(np.sqrt(np.mean((after.background.astype(float) - before.background) ** 2)))
    if change > 0:
        changes.append(Change("background", "tokens", f"by {change:.3g} rms"))
    for name, field in (("camera", "focal"), ("background", "background")):
        old, new = (1 - getattr(scene.anchors, field) for scene in (before, after))
        changes += [Change(name, "anchors", f"strength {old:.2f} -> {new:.2f}")] if old != new else []
    if not (np.array_equal(before.up, after.up) and np.array_equal(before.floor, after.floor)):
        changes.append(Change("scene", "gravity", "up or floor"))
    if before.latent_space != after.latent_space:
        changes.append(Change("scene", "latent space", f"{before.latent_space!r} -> {after.latent_space!r}"))
    return changes
