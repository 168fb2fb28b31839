"""Records by number, without reading those before: what a trainer needs whose data does not fit in memory."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

from anchorgen.data.records import Record, decode_record
from anchorgen.data.shards import list_shards

_Members = dict[str, tuple[int, int]]  # file ending -> where its bytes begin, and how many there are


class RecordIndex(Sequence[Record]):
    """The records of a folder of shards. Only the headers are read beforehand; a record is read when it is asked for."""

    def __init__(self, folder: str | Path):
        """Raises ValueError: no shards there, or one is damaged."""
        self.folder = Path(folder)
        self._places: list[tuple[Path, str, _Members]] = []
        for shard in list_shards(folder):
            self._places += _places(shard)
        if not self._places:
            raise ValueError(
                f"no records in {folder}; expected shards of `python -m anchorgen data render --count 64 --out {folder}` or "
                f"of `python -m anchorgen data encode PICTURES --out {folder}`"
            )

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number) -> Record:
        """Raises ValueError: the record is damaged; the message names it."""
        shard, key, members = self._places[number]
        with open(shard, "rb") as stream:
            return decode_record(key, {ending: _read(stream, *place) for ending, place in members.items()})


def _places(shard: Path) -> list[tuple[Path, str, _Members]]:
    found: list[tuple[Path, str, _Members]] = []
    try:
        with tarfile.open(shard) as tar:
            for member in tar:
                key, _, ending = member.name.partition(".")
                if not found or found[-1][1] != key:
                    found.append((shard, key, {}))
                found[-1][2][ending] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ValueError(f"{shard} is damaged ({error}); write it again") from None
    return found


def _read(stream, start: int, size: int) -> bytes:
    stream.seek(start)
    return stream.read(size)
