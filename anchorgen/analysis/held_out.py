"""Held-out rooms for benchmarks: test rooms as they come, and the evaluation set with its true pictures after edits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from anchorgen.analysis.evaluation_set import (
    COMMAND,
    NUM_SCENES,
    EvaluationScene,
    evaluation_folder,
    read_evaluation,
    scene_path,
)
from anchorgen.data.cache import split_folder
from anchorgen.data.records import Record
from anchorgen.data.shards import read_records


def test_records(count: int) -> list[Record]:
    """The first test rooms.

    Raises:
        FileNotFoundError: too few are rendered; the message gives the command.
    """
    return list(stream_test_records(count))


def stream_test_records(count: int) -> Iterator[Record]:
    """The first test rooms, one in memory at a time.

    Raises:
        FileNotFoundError: they end before `count`; the message gives the command.
    """
    folder, found = split_folder("test"), 0
    for record in read_records(folder, stop=count) if folder.is_dir() else ():
        found += 1
        yield record
    if found < count:
        command = f"python -m anchorgen data render --split test --count {count}"
        raise FileNotFoundError(f"{found} test rooms in {folder}; this needs {count}; render them: {command}")


def evaluation_scenes(count: int = NUM_SCENES) -> Iterator[EvaluationScene]:
    """The first scenes of the evaluation set.

    Raises:
        FileNotFoundError: too few are rendered, said before the first is read; the message gives the command.
    """
    there = sum(scene_path(evaluation_folder(), index).is_file() for index in range(count))
    if there < count:
        raise FileNotFoundError(
            f"{there} scenes of the evaluation set in {evaluation_folder()}; this needs {count}; render them: {COMMAND}"
        )
    return islice(read_evaluation(), count)
