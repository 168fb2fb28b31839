"""What is in a set of rooms, counted in one pass without their pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anchorgen.data.records import Record
from anchorgen.scene.truth import WorldTruth


@dataclass(frozen=True)
class RoomStatistics:
    """Shape legend: R rooms, M objects with a slot in all of them, C classes, most frequent first.

    Attributes:
        classes: names.
        present: `[R, C]` int, objects of a class in a room: all of them where the record names them, else those with
            a slot.
        slots: `[R]` int, objects with a slot.
        category: `[M]` int, index into `classes`.
        size: `[M, 3]` metres, width, depth and height.
        plan: `[M, 2]` metres, right of and in front of the camera along the floor.
        visible_share: `[M]` in [0, 1].
    """

    classes: tuple[str, ...]
    present: np.ndarray
    slots: np.ndarray
    category: np.ndarray
    size: np.ndarray
    plan: np.ndarray
    visible_share: np.ndarray

    @property
    def num_rooms(self) -> int:
        return len(self.slots)

    def together(self) -> np.ndarray:
        """`[C, C]`: of the rooms that hold the row's class, the share that holds the column's (on the diagonal: twice
        or more)."""
        there = (self.present > 0).astype(float)
        counts = there.T @ there
        np.fill_diagonal(counts, (self.present > 1).sum(0))
        return counts / np.maximum(there.sum(0), 1)[:, None]


def room_statistics(records: Iterable[Record]) -> RoomStatistics:
    """Counts records; those without pictures do as well. No records give empty arrays."""
    rooms, labels, columns = [], [], []
    for record in records:
        truth = record.truth
        everything = [o["category"] for o in record.meta.get("objects", ())] or truth.labels
        rooms.append((Counter(everything), truth.num_objects))
        labels += truth.labels
        columns.append(np.column_stack([truth.scale, plan_positions(truth), truth.visible_share]))
    totals = sum((count for count, _ in rooms), Counter())
    classes = tuple(sorted(totals, key=lambda name: (-totals[name], name)))
    table = np.concatenate([np.zeros((0, 6)), *columns])
    return RoomStatistics(
        classes=classes,
        present=np.array([[count[name] for name in classes] for count, _ in rooms], int).reshape(
            len(rooms), len(classes)
        ),
        slots=np.array([number for _, number in rooms], int),
        category=np.array([classes.index(name) for name in labels], int),
        size=table[:, :3],
        plan=table[:, 3:5],
        visible_share=table[:, 5],
    )


def plan_positions(truth: WorldTruth) -> np.ndarray:
    """`[M, 2]` metres: box centres right of and in front of the camera, seen from above."""
    up = truth.up / np.linalg.norm(truth.up)
    ahead = np.array([0, 0, 1.0]) - up[2] * up
    ahead /= max(float(np.linalg.norm(ahead)), 1e-6)
    return truth.translation @ np.stack([np.cross(ahead, up), ahead], 1)
