"""A look at a folder of encoded pictures: contact sheets, and tables of what is in them and what was left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from anchorgen.analysis.figures import picture_grid
from anchorgen.analysis.inspect_figures import save_figures
from anchorgen.analysis.outlines import outline_boxes
from anchorgen.analysis.room_statistics import RoomStatistics, room_statistics
from anchorgen.data.encoded import EncodedRecord
from anchorgen.data.encoded_shards import EncodedFolder, ShardReport, encoded_path, list_encoded, read_report
from anchorgen.encode.images import to_picture

_COLUMNS, _ROWS, _SIDE_PX = 8, 6, 160
_SHOWN_FAILURES = 20


def inspect_encoded(folder: Path, out: Path, limit: int | None = None) -> None:
    """Writes a contact sheet of the first 48 pictures with their boxes and figures of statistics, and prints tables.

    Args:
        folder: that `data encode` wrote.
        out: folder of the pictures; a name that ends in .png is that of the contact sheet.
        limit: records to read; None reads all.

    Raises:
        SystemExit: there are no records.
    """
    records = EncodedFolder(folder, pictures=False)
    count = min(len(records), limit or len(records))
    if not count:
        raise SystemExit("\n".join([f"no records in {folder}", *state_of_encoded(folder)]))
    rooms = encoded_statistics(records[i] for i in range(count))
    sheet = out if out.suffix == ".png" else out / "contact-sheet.png"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    with_pictures = EncodedFolder(folder)
    shown = [with_pictures[i] for i in range(min(count, _COLUMNS * _ROWS))]
    pictures = [outline_boxes(to_picture(r.picture(), _SIDE_PX), r.scene, side_px=_SIDE_PX) for r in shown]
    rows = [pictures[i : i + _COLUMNS] for i in range(0, len(pictures), _COLUMNS)]
    caption = f"{folder.resolve().name}: {count:,} pictures and the boxes found in them"
    written = save_figures(sheet, picture_grid(rows, caption=caption, cell_inch=1.4), rooms)
    print("\n".join([*state_of_encoded(folder), *latent_lines(records, count), *label_table(rooms)]))
    print("wrote " + ", ".join(map(str, written)))


def encoded_statistics(records: Iterable[EncodedRecord]) -> RoomStatistics:
    """The counts that `data inspect` shows; what part of an object shows is not known (NaN)."""

    def as_rooms() -> Iterator[Any]:
        for record in records:
            scene, present = record.scene, record.scene.presence
            yield SimpleNamespace(
                meta={},
                truth=SimpleNamespace(
                    labels=tuple(name for name, there in zip(scene.labels, present, strict=True) if there),
                    num_objects=scene.num_objects,
                    translation=scene.translation[present],
                    scale=scene.scale[present],
                    up=scene.up,
                    visible_share=np.full(scene.num_objects, np.nan),
                ),
            )

    return room_statistics(as_rooms())


def state_of_encoded(folder: Path) -> list[str]:
    """Lines on records, bytes, failures, what was left out and why, and checksums."""
    from anchorgen.data.atomic import file_sha256

    shards = list_encoded(folder)
    reports = [report for report in map(read_report, shards) if report is not None]
    failures = {key: why for report in reports for key, why in report.failures.items()}
    left_out = Counter(_kind(why) for report in reports for why in report.left_out.values())
    records, seen = sum(r.records for r in reports), sum(r.num_keys for r in reports)
    size = sum(path.stat().st_size for path in shards)
    lines = [
        f"{len(shards)} shards: {records:,} of {seen:,} pictures, {size:,} bytes ({size / max(records, 1):,.0f} a picture), "
        f"{_seconds_a_picture(reports):.3f} s a picture and process"
    ]
    lines += [f"  left out, {why}: {number:,}" for why, number in left_out.most_common()]
    lines += [f"failures: {len(failures):,}"]
    lines += [f"  {key}: {why}" for key, why in list(failures.items())[:_SHOWN_FAILURES]]
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"  and {len(failures) - _SHOWN_FAILURES:,} more, in the .json beside each shard")
    missing = _gaps(shards)
    if missing:
        lines.append(f"NOT FINISHED: shards {missing} are absent; the same `data encode` goes on")
    broken = [p.name for p, r in zip(shards, reports, strict=True) if file_sha256(p) != r.sha256]
    lines.append(f"checksums: {len(broken)} of {len(shards)} files DIFFER: {broken}" if broken else
                 f"checksums: {len(shards)} of {len(shards)} files as written")  # fmt: skip
    return lines


def latent_lines(records: EncodedFolder, count: int) -> list[str]:
    """How large f and b are: the prior whitens them, and what is not finite or of another order shows here."""
    squares, numbers = dict.fromkeys("fb", 0.0), dict.fromkeys("fb", 0)
    for number in range(count):
        scene = records[number].scene
        for name, value in (("f", scene.appearance[scene.presence]), ("b", scene.background)):
            squares[name] += float(np.square(value, dtype=np.float64).sum())
            numbers[name] += value.size
    rms = ", ".join(f"{name} {np.sqrt(squares[name] / max(numbers[name], 1)):.3f}" for name in ("f", "b"))
    return [f"latent space {records.latent_space or '(none)'}, encoder {records.settings['encoder']}; rms of {rms}"]


def label_table(rooms: RoomStatistics) -> list[str]:
    """One line a label: how often, how large."""
    lines = [f"{'label':<18} a picture  pictures   width x depth x height, median m"]
    for index, name in enumerate(rooms.classes):
        here, mine = rooms.present[:, index], rooms.category == index
        sizes = " x ".join(f"{value:.2f}" for value in np.median(rooms.size[mine], 0))
        lines.append(f"{name:<18} {here.mean():9.2f} {np.mean(here > 0):9.0%}   {sizes}")
    return [*lines, f"objects a picture: {rooms.slots.mean():.2f} ({rooms.slots.min()} to {rooms.slots.max()})"]


def _kind(reason: str) -> str:
    """A reason without its own numbers, so that like are counted together."""
    return re.sub(r"[\d.]+( px)? (?=[<>])", "", reason)


def _seconds_a_picture(reports: list[ShardReport]) -> float:
    return sum(r.seconds for r in reports) / max(sum(r.num_keys for r in reports), 1)


def _gaps(shards: list[Path]) -> list[int]:
    """Numbers below the last shard's that are not there."""
    if not shards:
        return []
    folder, names = shards[0].parent, {path.name for path in shards}
    last = int(shards[-1].stem.partition("-")[2])
    return [i for i in range(last) if encoded_path(folder, i).name not in names]
