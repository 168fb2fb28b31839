"""Pictures by key out of LSUN's lmdb export, or out of any folder of picture files.

An LSUN category is one lmdb environment (`bedroom_train_lmdb/`): keys are 40 hexadecimal digits, a value is the bytes of
a picture file whose shorter side is 256 px. LSUN's own `data.py export` writes each to `a/b/c/d/e/f/KEY.webp`, whose
folders are the key's first six letters: such a file has the key it has in the lmdb.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_PREFIX = 6


class PictureSource(Protocol):
    """Pictures in the order of their keys.

    Attributes:
        name: of the folder, for manifests.
    """

    name: str

    def keys(self, count: int | None = None) -> list[str]:
        """The first `count` keys, sorted; None: all."""
        ...

    def read(self, keys: list[str]) -> Iterator[tuple[str, bytes]]:
        """The file of each key. Raises KeyError for one that there is not."""
        ...


def open_source(path: str | Path) -> PictureSource:
    """The pictures at `path`: an lmdb environment if it holds `data.mdb`, else a folder of files.

    Raises:
        FileNotFoundError: there is no such folder. ImportError: it is an lmdb and `lmdb` is not installed.
        ValueError: two files would have one key.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no folder {folder}; expected an unzipped LSUN lmdb (a folder with data.mdb) or a folder of pictures"
        )
    return LmdbSource(folder) if (folder / "data.mdb").is_file() else FolderSource(folder)


class LmdbSource:
    """LSUN's export, read only and without a lock file, so that many processes and read-only disks will do."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.name
        _lmdb()

    def keys(self, count: int | None = None) -> list[str]:
        found = []
        with self._environment() as environment, environment.begin() as reader:
            for key in reader.cursor().iternext(keys=True, values=False):
                if count is not None and len(found) >= count:
                    break
                found.append(key.decode("ascii"))
        return found

    def read(self, keys: list[str]) -> Iterator[tuple[str, bytes]]:
        with self._environment() as environment, environment.begin() as reader:
            for key in keys:
                value = reader.get(key.encode("ascii"))
                if value is None:
                    raise KeyError(f"{self.folder} holds no picture {key!r}")
                yield key, bytes(value)

    def _environment(self) -> Any:
        lmdb = _lmdb()
        try:
            return lmdb.open(str(self.folder), readonly=True, lock=False, readahead=False, meminit=False)
        except lmdb.Error as error:
            raise ValueError(
                f"{self.folder} cannot be read as lmdb ({error}); unzip it again, and compare the size of data.mdb "
                "with that in the zip file"
            ) from None


class FolderSource:
    """Picture files below a folder. A key is the path without its ending, `__` for `/` and `_` for other dots."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.resolve().name
        self._paths: dict[str, Path] | None = None

    def keys(self, count: int | None = None) -> list[str]:
        return sorted(self._found())[:count]

    def read(self, keys: list[str]) -> Iterator[tuple[str, bytes]]:
        for key in keys:
            path = self._found().get(key)
            if path is None:
                raise KeyError(f"{self.folder} holds no picture {key!r}")
            yield key, path.read_bytes()

    def _found(self) -> dict[str, Path]:
        if self._paths is None:
            self._paths = {}
            for path in sorted(p for p in self.folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file()):
                key = file_key(path.relative_to(self.folder))
                if key in self._paths:
                    raise ValueError(f"{path} and {self._paths[key]} would both have the key {key!r}; rename one")
                self._paths[key] = path
        return self._paths


def file_key(path: Path) -> str:
    """The key of a file at `path` in its folder."""
    stem = path.stem.replace(".", "_")
    if path.parts[:-1] == tuple(stem[:_PREFIX]):
        return stem
    return "__".join((*(part.replace(".", "_") for part in path.parts[:-1]), stem))


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError:
        raise ImportError(
            "reading LSUN's lmdb needs the package lmdb: pip install 'anchorgen[paper]'; or export the pictures with "
            "LSUN's data.py and give that folder"
        ) from None
    return lmdb
