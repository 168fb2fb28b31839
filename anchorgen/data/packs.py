"""Reading what `data pack` wrote: `part-00000.safetensors` and so on beside a `manifest.json` that names them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from safetensors import safe_open

from anchorgen.data.manifest import read_manifest
from anchorgen.data.pack_blocks import decode_block
from anchorgen.data.records import Record


def part_path(folder: str | Path, index: int) -> Path:
    return Path(folder) / f"part-{index:05d}.safetensors"


def list_parts(folder: str | Path) -> list[Path]:
    """Parts that are there, in order."""
    return sorted(Path(folder).glob("part-*.safetensors"))


def read_pack(folder: str | Path, start: int = 0, stop: int | None = None, pictures: bool = True) -> Iterator[Record]:
    """Records number `start` to `stop`; without depth, normals and the room itself, which packs leave out.

    Raises:
        ValueError: the folder has no manifest.

    Warns:
        RuntimeWarning: a part is absent or damaged: it is named and left out.
    """
    parts = read_manifest(folder).get("parts")
    if parts is None:
        raise ValueError(f"{folder} has parts of a pack, but no manifest.json of one; copy it along or pack again")
    for index, entry in enumerate(parts):
        first = entry["first_record"]
        if first + entry["records"] <= start:
            continue
        if stop is not None and first >= stop:
            return
        path = part_path(folder, index)
        try:
            for number, record in enumerate(_read_part(path, pictures), first):
                if number >= start and (stop is None or number < stop):
                    yield record
        except Exception as error:
            warnings.warn(
                f"{path} cannot be read ({type(error).__name__}: {error}); the rest of its {entry['records']} "
                "records is left out; copy it again or pack again",
                RuntimeWarning,
                stacklevel=2,
            )


def _read_part(path: Path, pictures: bool) -> Iterator[Record]:
    with safe_open(path, "numpy") as part:
        names = sorted(part.keys())
        for block in sorted({name.partition(".")[0] for name in names}):
            mine = [name for name in names if name.startswith(f"{block}.")]
            columns = {name.partition(".")[2]: part.get_tensor(name).tobytes() for name in mine}
            yield from decode_block(columns, pictures)
