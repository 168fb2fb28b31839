"""The verbs as methods: the public face of `edits.py` and `objects.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from anchorgen.scene.history import apply_verb
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector, everything
from anchorgen.scene.values import Number, SceneValues, Vector

SceneT = TypeVar("SceneT", bound="SceneVerbs")


class SceneVerbs(SceneValues):
    """What a person does to a scene.

    Every verb returns a new scene with the verb in its history, and applies to all that match.

    Raises:
        SelectionError: (a LookupError) nothing matches the selector.
        EditError: (a ValueError) the edit would leave the latent space: a box nearer than z = 0.05 m or thinner than
            0.01 m, an argument that is not finite, no empty slot. The scene stays as it was.
        LatentSpaceError: (an EditError) an object or background of another latent space.
    """

    def _apply(self: SceneT, verb: str, **arguments: Any) -> SceneT:
        return apply_verb(self, verb, arguments)

    def move(
        self: SceneT,
        selector: Selector,
        *,
        right: Number = 0.0,
        up: Number = 0.0,
        forward: Number = 0.0,
        to: Vector | None = None,
        **unknown: Any,
    ) -> SceneT:
        """Moves by metres along the floor as the camera sees it, or one centre `to` (x, y, z) in the camera frame."""
        _refuse("move", unknown, "right, up, forward or to")
        return self._apply("move", selector=selector, right=right, up=up, forward=forward, to=to)

    def place_on(
        self: SceneT, selector: Selector, other: Selector, *, right: Number = 0.0, forward: Number = 0.0, **unknown: Any
    ) -> SceneT:
        """Stands them on the top of the box of `other`, one object, over its centre or metres `right` and `forward` of
        it: their lowest point at its highest. Turned as they were."""
        _refuse("place_on", unknown, "right or forward")
        return self._apply("place_on", selector=selector, other=other, right=right, forward=forward)

    def snap_to_floor(self: SceneT, selector: Selector) -> SceneT:
        """Stands them on the floor: moved along `up` until their lowest point is on it."""
        return self._apply("snap_to_floor", selector=selector)

    def align(self: SceneT, selector: Selector, to: Selector | None = None, *, by: str) -> SceneT:
        """Lines them up with one object, which stays as it is.

        Args:
            selector: what to move.
            to: the object to line up with; by default the first that `selector` finds.
            by: what then agrees, along the floor as the camera sees it: "left", "centre" or "right" of the boxes (across
                the picture), "front" (near side), "middle" or "back" (depth), "bottom" or "top" (height), or "yaw",
                where their fronts face.
        """
        return self._apply("align", selector=selector, to=to, by=by)

    def rotate(
        self: SceneT, selector: Selector, *, yaw: Number = 0.0, pitch: Number = 0.0, roll: Number = 0.0
    ) -> SceneT:
        """Turns each about its own centre, degrees: yaw about `up` (positive: counter-clockwise seen from above), then
        pitch about the object's own x axis, then roll about its own y axis."""
        return self._apply("rotate", selector=selector, yaw=yaw, pitch=pitch, roll=roll)

    def resize(
        self: SceneT,
        selector: Selector,
        factor: Number | None = None,
        *,
        width: Number | None = None,
        depth: Number | None = None,
        height: Number | None = None,
        factors: Vector | None = None,
    ) -> SceneT:
        """Scales by a `factor`, by three `factors` (own x, y, z), or to metres along own axes; the bottom stays."""
        arguments = {"factor": factor, "width": width, "depth": depth, "height": height, "factors": factors}
        return self._apply("resize", selector=selector, **arguments)

    def remove(self: SceneT, selector: Selector) -> SceneT:
        """Empties the slots; their values stay for `restore`."""
        return self._apply("remove", selector=selector)

    def restore(self: SceneT, selector: Selector = everything) -> SceneT:
        """Brings removed objects back as they were."""
        return self._apply("restore", selector=selector)

    def duplicate(
        self: SceneT, selector: Selector, *, right: Number | None = None, forward: Number = 0.0, **unknown: Any
    ) -> SceneT:
        """Copies into empty slots, `right` and `forward` metres from the original (just beside it by default)."""
        _refuse("duplicate", unknown, "right or forward")
        return self._apply("duplicate", selector=selector, right=right, forward=forward)

    def insert(self: SceneT, obj: ObjectView, at: Vector | Mapping[str, Any] | None = None) -> SceneT:
        """Puts an object of a scene of the same latent space into an empty slot (one never used, if there is one).

        Args:
            obj: `other["lamp"]`.
            at: its centre (x, y, z) in the camera frame; or dict(right=, forward=) metres from the floor point below
                the camera, standing on the floor (or `up` metres above it); or None, where it was in its own scene,
                as seen from the camera along the floor.
        """
        return self._apply("insert", obj=obj, at=at)

    def swap(self: SceneT, selector: Selector, obj: ObjectView) -> SceneT:
        """Gives them the appearance, size and label of `obj` (Fig. 2b), on the same spot, turned as they were."""
        return self._apply("swap", selector=selector, obj=obj)

    def paint(self: SceneT, selector: Selector, obj: ObjectView) -> SceneT:
        """Gives them the appearance of `obj`; boxes and labels stay."""
        return self._apply("paint", selector=selector, obj=obj)

    def restyle(self: SceneT, selector: Selector, source: SceneValues | Sequence[ObjectView]) -> SceneT:
        """Gives each of them the appearance of its counterpart in another scene, or among some objects of scenes.

        The counterpart has the same label, or else is of the same group, which is the last word of a label (a table
        lamp takes after a floor lamp); of several, it is the nearest in size. Boxes and labels stay. What has no
        counterpart is an EditError that names it.
        """
        return self._apply("restyle", selector=selector, source=source)

    def with_focal(self: SceneT, fx: Number, fy: Number) -> SceneT:
        """Another camera: focal lengths over picture width and height."""
        return self._apply("with_focal", fx=fx, fy=fy)

    def with_background(self: SceneT, other: SceneT | np.ndarray) -> SceneT:
        """The background tokens of another scene of the same latent space, or `[Kb, C]` tokens."""
        return self._apply("with_background", other=other)

    def anchor(self: SceneT, selector: Selector = everything) -> SceneT:
        """Keeps them when sampling (alpha = 1)."""
        return self._apply("anchor", selector=selector)

    def release(self: SceneT, selector: Selector = everything, strength: Number = 1.0) -> SceneT:
        """Lets the prior resample them: alpha = 1 - `strength` (Eq. 12). "bed" is layout, appearance and presence;
        "bed.layout" is one factor; "camera" and "background" too. `everything` includes the empty slots."""
        return self._apply("release", selector=selector, strength=strength)

    def complete(self: SceneT, max_objects: int | None = None) -> SceneT:
        """Releases empty slots, so that sampling can add objects, up to `max_objects` in the whole scene."""
        return self._apply("complete", max_objects=max_objects)

    def only(self: SceneT, selector: Selector) -> SceneT:
        """Removes every other object."""
        return self._apply("only", selector=selector)


_OPPOSITES = {"left": "right", "down": "up", "back": "forward", "backward": "forward", "backwards": "forward"}


def _refuse(verb: str, unknown: Mapping[str, Any], expected: str) -> None:
    """Raises TypeError for an argument that `verb` does not have; for a direction, it says how to write it."""
    for name, value in unknown.items():
        way = _OPPOSITES.get(name)
        if way is None or way not in expected:
            raise TypeError(f"{verb} got {name}={value!r}; expected {expected}, in metres")
        negative = f"{way}={-value:g}" if isinstance(value, (int, float, np.number)) else f"{way}=-({value!r})"
        raise TypeError(f"{verb} got {name}={value!r}; write {negative}: metres are signed, and this is the other way")
