"""A look at a folder of rendered rooms: contact sheet, figures, and tables of what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anchorgen.analysis.figures import picture_grid
from anchorgen.analysis.inspect_figures import save_figures
from anchorgen.analysis.room_statistics import RoomStatistics, room_statistics
from anchorgen.data.manifest import codes, damaged_files, read_manifest, renderers
from anchorgen.data.packs import list_parts, part_path
from anchorgen.data.shards import list_shards, read_records, shard_path

_COLUMNS, _ROWS = 8, 6


def inspect_folder(folder: Path, out: Path, limit: int | None = None) -> None:
    """Writes a contact sheet of the first 48 rooms and two figures of statistics, and prints tables.

    Args:
        folder: of shards, or of a pack.
        out: folder of the pictures; a name that ends in .png is that of the contact sheet.
        limit: rooms to read; None reads all.

    Raises:
        SystemExit: there are no rooms; the message gives the command that renders some.
    """
    rooms = room_statistics(read_records(folder, stop=limit, pictures=False)) if folder.is_dir() else None
    if rooms is None or not rooms.num_rooms:
        raise SystemExit(
            f"no rooms in {folder}; render some: python -m anchorgen data render --count 64 --out {folder}"
        )
    sheet = out if out.suffix == ".png" else out / "contact-sheet.png"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    first = min(_COLUMNS * _ROWS, limit or _COLUMNS * _ROWS)
    pictures = [record.image for record in read_records(folder, stop=first)]
    rows = [pictures[i : i + _COLUMNS] for i in range(0, len(pictures), _COLUMNS)]
    name = f"{folder.resolve().name}: {rooms.num_rooms:,} rooms"
    written = save_figures(sheet, picture_grid(rows, caption=name, cell_inch=1.2), rooms)
    print("\n".join([*state_of(folder), *class_table(rooms), *together_table(rooms)]))
    print("wrote " + ", ".join(map(str, written)))


def state_of(folder: Path) -> list[str]:
    """Lines on records, failures, code, renderer and checksums, out of the manifest."""
    manifest = read_manifest(folder)
    if "parts" in manifest:
        sums = {part_path(folder, i).name: part["sha256"] for i, part in enumerate(manifest["parts"])}
        head = f"pack of {manifest['records']:,} rooms: {manifest['bytes']:,} bytes, parts: {len(list_parts(folder))}"
        return [head, _checksums(folder, sums)]
    entries = manifest["shards"]
    failures = {seed: why for entry in entries.values() for seed, why in entry["failures"].items()}
    lines = [f"{len(list_shards(folder))} shards, {len(failures)} failures"]
    lines += [f"  seed {seed}: {why}" for seed, why in failures.items()]
    if len(codes(manifest)) > 1:
        lines.append(f"MIXED CODE {', '.join(codes(manifest))}: equal seeds may look different between shards")
    elif entries:
        lines.append(f"code {codes(manifest)[0]}")
    if len(renderers(manifest)) > 1:
        lines.append(f"MIXED RENDERER {'; '.join(renderers(manifest))}: light and noise may differ between shards")
    elif entries:
        lines.append(f"renderer {renderers(manifest)[0]}")
    sums = {shard_path(folder, int(i)).name: entry["sha256"] for i, entry in entries.items() if "sha256" in entry}
    return [*lines, _checksums(folder, sums)]


def _checksums(folder: Path, sums: dict[str, str]) -> str:
    if not sums:
        return "checksums: none, as there is no manifest"
    damaged = damaged_files(folder, sums)
    if damaged:
        return f"checksums: {len(damaged)} of {len(sums)} files DIFFER or are absent: {', '.join(damaged)}"
    return f"checksums: {len(sums)} of {len(sums)} files as written"


def class_table(rooms: RoomStatistics) -> list[str]:
    """One line a class: how often, how large, how visible."""
    lines = [f"{'class':<15} a room  rooms   with slot  visible   width x depth x height, median m"]
    for index, name in enumerate(rooms.classes):
        mine, here = rooms.category == index, rooms.present[:, index]
        line = f"{name:<15} {here.mean():6.2f} {np.mean(here > 0):6.0%} {mine.sum() / max(here.sum(), 1):11.0%}"
        if mine.any():
            sizes = " x ".join(f"{value:.2f}" for value in np.median(rooms.size[mine], 0))
            line += f" {np.median(rooms.visible_share[mine]):8.0%}   {sizes}"
        lines.append(line)
    spread = f"{rooms.slots.mean():.2f} with a slot ({rooms.slots.min()} to {rooms.slots.max()})"
    return [*lines, f"objects a room: {rooms.present.sum(1).mean():.2f}, {spread}"]


def together_table(rooms: RoomStatistics) -> list[str]:
    """Of the rooms with the row's class, the percentage with the column's; on the diagonal, with two or more."""
    numbers = range(1, len(rooms.classes) + 1)
    lines = ["of the rooms with ..., % that also hold", " " * 19 + "".join(f"{i:5d}" for i in numbers)]
    for i, name, row in zip(numbers, rooms.classes, rooms.together(), strict=True):
        lines.append(f"{i:3d} {name:<15}" + "".join(f"{value * 100:5.0f}" for value in row))
    return lines
