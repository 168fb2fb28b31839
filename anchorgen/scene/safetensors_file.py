"""What scene and library files share: one `.safetensors` with a JSON header, versioned, bounded, written in one step.

Nothing is allocated before the header has been checked: a file asks for no more than its own bytes, and has no more
than its format allows. Nothing is ever unpickled. The metadata of the header, all strings, hold `format_version`, and
`kind` unless the file is a scene.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from anchorgen.scene.errors import SceneFileError

MAX_HEADER_BYTES = 1 << 20

Tensors = dict[str, np.ndarray]
Metadata = dict[str, str]
Migration = Callable[[Tensors, Metadata], tuple[Tensors, Metadata]]

_BYTES_OF = {"U8": 1, "F32": 4}
_READERS = {"scene": "SceneLatent.load", "library": "Library.load"}


@dataclass(frozen=True)
class FileFormat:
    """One kind of file.

    Attributes:
        kind: "scene" or "library".
        version: what this code writes.
        max_bytes: the largest file.
        migrations: version -> the function that makes the next version's tensors and metadata of that version's, so
            that a file of any version in the table is read by the code of the newest.
    """

    kind: str
    version: int
    max_bytes: int
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    @property
    def oldest(self) -> int:
        """The oldest version that can be read."""
        version = self.version
        while version - 1 in self.migrations:
            version -= 1
        return version


def write_file(path: str | os.PathLike[str], form: FileFormat, tensors: Tensors, metadata: Metadata) -> None:
    """Writes to `path` in one step: a reader sees the old file or the whole new one.

    Raises:
        SceneFileError: more than the format allows.
        OSError: the folder does not exist or cannot be written to.
    """
    metadata = {"format_version": str(form.version), **metadata}
    metadata |= {"kind": form.kind} if form.kind != "scene" else {}
    data = safetensors.numpy.save({name: np.array(a, order="C") for name, a in tensors.items()}, metadata)
    _checked_header(data[: MAX_HEADER_BYTES + 8], len(data), form)
    write_atomically(Path(path), data)


def read_file(path: str | os.PathLike[str], form: FileFormat) -> tuple[Tensors, Metadata]:
    """Tensors and metadata of a file of `form`, as of its newest version; what they hold is for the caller to check.

    Raises:
        SceneFileError: truncated, not safetensors, of another kind, of a newer version, or over the limits.
        OSError: the file is not there or cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        with damage_reported(path, form.kind):
            metadata = _checked_header(file.read(MAX_HEADER_BYTES + 8), size, form)
        file.seek(0)
        data = file.read(size)
    with damage_reported(path, form.kind):
        tensors = safetensors.numpy.load(data)
        del data
        return migrated(tensors, metadata, form)


def migrated(tensors: Tensors, metadata: Metadata, form: FileFormat) -> tuple[Tensors, Metadata]:
    """What a file of any version holds, in the newest version's terms. Raises SceneFileError for unknown versions."""
    version = _checked_version(metadata["format_version"], form)
    while version < form.version:
        tensors, metadata = form.migrations[version](tensors, metadata)
        version += 1
    return {name: np.asarray(array) for name, array in tensors.items()}, {**metadata, "format_version": str(version)}


@contextlib.contextmanager
def damage_reported(where: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Whatever goes wrong with values that were read from `where` becomes a SceneFileError."""
    try:
        yield
    except SceneFileError:
        raise
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError, safetensors.SafetensorError) as error:
        raise SceneFileError(
            f"{os.fspath(where)} is not a {kind}: {error}; it is damaged, or was not written by {kind}.save"
        ) from None


def write_atomically(path: Path, data: bytes) -> None:
    """Raises OSError if the folder does not exist or cannot be written to; then nothing is left behind."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(path.parent)!r} to save {path.name!r} in; make it first")
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.part"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _checked_header(start: bytes, size: int, form: FileFormat) -> Metadata:
    """The metadata of a file of `size` bytes that begins with `start`."""
    if not 8 < size <= form.max_bytes:
        raise SceneFileError(f"the file has {size} bytes; expected a {form.kind} of at most {form.max_bytes >> 20} MiB")
    length = int.from_bytes(start[:8], "little")
    if length > min(MAX_HEADER_BYTES, size - 8):
        raise SceneFileError(
            f"the header would be {length} bytes of a file of {size}; expected a .safetensors with a header of at most "
            f"{MAX_HEADER_BYTES >> 20} MiB: the file is cut off, or not a {form.kind}"
        )
    try:
        header = json.loads(start[8 : 8 + length])
    except (ValueError, RecursionError):
        raise SceneFileError("the header is not JSON; the file is damaged, or not a .safetensors") from None
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or "format_version" not in metadata:
        raise SceneFileError(f"the header has no format_version; the file was not written by {form.kind}.save")
    if not all(isinstance(value, str) for value in metadata.values()):  # JSON knows infinities, which no int can be
        raise SceneFileError("format_version and the rest of the metadata must be strings; the file is damaged")
    _check_kind(metadata, form)
    _checked_version(metadata["format_version"], form)
    _check_sizes(header, size - 8 - length, form.max_bytes)
    return metadata


def _check_kind(metadata: Metadata, form: FileFormat) -> None:
    kind = metadata.get("kind", "scene")
    if kind != form.kind:
        reader = f"; read it with {_READERS[kind]}" if kind in _READERS else ""
        raise SceneFileError(f"the file is a {kind[:40]}; expected a {form.kind}{reader}")


def _checked_version(text: str, form: FileFormat) -> int:
    try:
        version = int(text)
    except ValueError:
        raise SceneFileError(f"format_version is {text[:40]!r}; expected a number") from None
    if version > form.version:
        raise SceneFileError(
            f"the {form.kind} has format_version {version}, this anchorgen reads up to {form.version}: "
            "update it with `pip install --upgrade anchorgen`"
        )
    if version < form.oldest:
        raise SceneFileError(
            f"format_version is {version}; expected {form.oldest} to {form.version}: the file is damaged"
        )
    return version


def _check_sizes(header: Mapping[str, Any], num_bytes: int, largest: int) -> None:
    """That no tensor asks for more than the file has; safetensors itself checks that they do not overlap."""
    for name, entry in header.items():
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(shape, list) or entry.get("dtype") not in _BYTES_OF:
            raise SceneFileError(f"{name[:40]!r} is {str(entry)[:80]}; expected an array, {' or '.join(_BYTES_OF)}")
        if len(shape) > 8 or not all(type(side) is int and 0 <= side <= largest for side in shape):
            raise SceneFileError(f"{name[:40]!r} has shape {str(shape)[:80]}; expected sizes")
        if math.prod(shape) * _BYTES_OF[entry["dtype"]] > num_bytes:
            raise SceneFileError(
                f"{name[:40]!r} has shape {shape}, more than the file's {num_bytes} bytes hold; it is cut off"
            )
