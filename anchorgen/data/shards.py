"""Folders of webdataset tar shards: written whole or not at all, read record by record."""

from __future__ import annotations

import tarfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from anchorgen.data.atomic import whole_or_absent
from anchorgen.data.packs import list_parts, read_pack
from anchorgen.data.records import FACT_MEMBERS, Record, decode_record, encode_record

SHARD_SIZE = 64


def shard_path(folder: Path, index: int) -> Path:
    return folder / f"rooms-{index:06d}.tar"


def list_shards(folder: str | Path) -> list[Path]:
    """Complete shards, in order."""
    return sorted(Path(folder).glob("rooms-*.tar"))


def write_shard(path: Path, records: Sequence[Record]) -> None:
    """A tar of records."""
    write_tar(path, ((record.key, encode_record(record)) for record in records))


def write_tar(path: Path, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    """Members of samples by key; appears whole: written beside, then renamed. Times are fixed: equal samples, equal bytes."""
    from webdataset.writer import TarWriter

    with (
        whole_or_absent(path) as partial,
        open(partial, "wb") as stream,
        TarWriter(stream, encoder=False, mtime=0, user="", group="") as tar,
    ):
        for key, members in samples:
            tar.write({"__key__": key, **members})


def read_records(
    source: str | Path | Sequence[Path], start: int = 0, stop: int | None = None, pictures: bool = True
) -> Iterator[Record]:
    """Records number `start` to `stop` of a folder of shards, of a folder that `data pack` wrote, or of a list of shards.

    Args:
        source: where they are.
        start, stop: numbers of records.
        pictures: False leaves picture, instance, depth and normals out (size 0), which is several times faster.

    Warns:
        RuntimeWarning: a record (or the rest of a shard) cannot be read: it is named, and at the end counted.
    """
    shards = list_shards(source) if isinstance(source, (str, Path)) else list(source)
    if not shards and isinstance(source, (str, Path)) and list_parts(source):
        yield from read_pack(source, start, stop, pictures)
        return
    number = bad = 0
    for shard in shards:
        if stop is not None and number >= stop:
            break
        for key, members in _samples(shard, pictures):
            if start <= number and (stop is None or number < stop):
                try:
                    yield decode_record(key, members, pictures)
                except ValueError as error:
                    bad += 1
                    warnings.warn(f"{shard.name}: {error}; left out", RuntimeWarning, stacklevel=2)
            number += 1
    if bad:
        warnings.warn(f"{bad} of {number} records could not be read and were left out", RuntimeWarning, stacklevel=2)


def _samples(shard: Path, pictures: bool) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Members of a shard, grouped by key: the name up to its first dot."""
    key, members = "", {}
    try:
        with tarfile.open(shard) as tar:
            for member in tar:
                name, _, ending = member.name.partition(".")
                if name != key and members:
                    yield key, members
                    members = {}
                key = name
                if pictures or ending in FACT_MEMBERS:
                    stream = tar.extractfile(member)
                    members[ending] = stream.read() if stream else b""
    except tarfile.TarError as error:
        warnings.warn(
            f"{shard} is damaged after record {key!r}: {error}; render it again", RuntimeWarning, stacklevel=2
        )
    if members:
        yield key, members
