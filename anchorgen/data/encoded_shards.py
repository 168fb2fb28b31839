"""Folders of encoded pictures: webdataset shards with random access, and beside each what became of its pictures.

    manifest.json            settings
    pictures-000000.tar      records
    pictures-000000.json     keys, failures and pictures left out by key, checksum: written after the shard

A shard holds the pictures of a fixed run of keys, so many processes write a folder together and nobody merges anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from anchorgen.data.atomic import file_sha256
from anchorgen.data.encoded import EncodedRecord, decode_members, encode_members
from anchorgen.data.shards import write_tar


@dataclass(frozen=True)
class ShardReport:
    """Attributes:
    keys_sha256: of the keys that the shard is for. num_keys: how many.
    records: how many are in it.
    failures: reason by key: cannot be read, or the encoder failed.
    left_out: reason by key: read, and not wanted.
    sha256: of the shard.
    seconds: that it took. encoder: who made it.
    """

    keys_sha256: str
    num_keys: int
    records: int
    failures: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    sha256: str = ""
    seconds: float = 0.0
    encoder: str = ""


def encoded_path(folder: str | Path, index: int) -> Path:
    return Path(folder) / f"pictures-{index:06d}.tar"


def list_encoded(folder: str | Path) -> list[Path]:
    """Complete shards, in order."""
    return sorted(path for path in Path(folder).glob("pictures-*.tar") if path.with_suffix(".json").is_file())


def keys_sha256(keys: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def write_encoded_shard(path: Path, records: Sequence[EncodedRecord]) -> str:
    """A tar of records (`shards.write_tar`). Returns its checksum."""
    write_tar(path, ((record.key, encode_members(record)) for record in records))
    return file_sha256(path)


def write_report(path: Path, report: ShardReport) -> None:
    """Beside the shard at `path`."""
    _replace(path.with_suffix(".json"), json.dumps(asdict(report), indent=1, sort_keys=True) + "\n")


def read_report(path: Path) -> ShardReport | None:
    """What `write_report` wrote for the shard at `path`; None if there is none that can be read."""
    try:
        return ShardReport(**json.loads(path.with_suffix(".json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def settle(folder: Path, settings: dict[str, Any]) -> None:
    """Notes the settings of a folder, or sees that they are those it has.

    Raises:
        ValueError: it holds data of other settings.
    """
    path = folder / "manifest.json"
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        there = read_settings(folder)
        changed = sorted(k for k in there.keys() | settings.keys() if there.get(k) != settings.get(k))
        if changed:
            both = ", ".join(f"{k}: {there.get(k)!r}, now {settings.get(k)!r}" for k in changed)
            raise ValueError(f"{folder} was made with other settings ({both}); choose another --out")
        return
    _replace(path, json.dumps({"encoded": settings}, indent=1, sort_keys=True) + "\n")


def read_settings(folder: str | Path) -> dict[str, Any]:
    """Settings of a folder that `data encode` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        return json.loads((Path(folder) / "manifest.json").read_text())["encoded"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{folder} holds no encoded pictures; make some: python -m anchorgen data encode PICTURES --out {folder}"
        ) from None


def is_encoded(folder: str | Path) -> bool:
    """Whether `data encode` wrote it."""
    try:
        return bool(read_settings(folder))
    except ValueError:
        return False


class EncodedFolder(Sequence[EncodedRecord]):
    """All records of a folder by number, without reading more than what is asked for.

    Args:
        folder: that `data encode` wrote.
        pictures: False leaves the picture bytes out.

    Raises:
        ValueError: it holds no finished shard.
    """

    def __init__(self, folder: str | Path, pictures: bool = True):
        self.folder, self.pictures, self.settings = Path(folder), pictures, read_settings(folder)
        self.shards = list_encoded(folder)
        if not self.shards:
            raise ValueError(f"{folder} holds no finished shard; let `data encode` go on")
        reports = [read_report(path) for path in self.shards]
        self._ends = list(accumulate(0 if report is None else report.records for report in reports))
        self._indices: dict[int, list[tuple[str, dict[str, tuple[int, int]]]]] = {}

    @property
    def latent_space(self) -> str:
        return self.settings["latent_space"]

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number):  # type: ignore[override]
        """Record `number`. Raises IndexError past the end, ValueError for a record that is damaged."""
        if number < 0 or number >= len(self):
            raise IndexError(f"record {number} of {len(self)}")
        shard = bisect_right(self._ends, number)
        return self._read(shard, number - (self._ends[shard - 1] if shard else 0))

    def __iter__(self) -> Iterator[EncodedRecord]:
        return map(self.__getitem__, range(len(self)))

    def _read(self, shard: int, number: int) -> EncodedRecord:
        path = self.shards[shard]
        if shard not in self._indices:
            self._indices[shard] = _index(path)
        try:
            key, places = self._indices[shard][number]
        except IndexError:
            raise ValueError(f"{path} holds fewer records than its report says; remove both and encode again") from None
        members = {}
        with open(path, "rb") as stream:
            for ending, (offset, size) in places.items():
                if self.pictures or ending in ("safetensors", "json"):
                    stream.seek(offset)
                    members[ending] = stream.read(size)
        return decode_members(key, members)


def _index(path: Path) -> list[tuple[str, dict[str, tuple[int, int]]]]:
    """Where the members of each record are; only headers are read."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, ending = member.name.partition(".")
                found.setdefault(key, {})[ending] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ValueError(f"{path} is damaged ({error}); remove it and let `data encode` go on") from None
    return list(found.items())


def _replace(path: Path, text: str) -> None:
    """Writes a file at once; several processes may do so together."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)
