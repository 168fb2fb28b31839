"""A look at a folder of rendered rooms: contact sheet, and what is in them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from anchorgen.analysis.figures import picture_grid
from anchorgen.data.shards import list_shards, read_manifest, read_records

_COLUMNS, _ROWS = 8, 6


def inspect_folder(folder: Path, out: Path) -> None:
    """Writes a contact sheet of the first 48 rooms and prints counts over all.

    Raises:
        SystemExit: there are no rooms; the message gives the command that renders some.
    """
    pictures, categories, objects, sizes = [], Counter(), [], {}
    for record in read_records(folder):
        if len(pictures) < _COLUMNS * _ROWS:
            pictures.append(record.image)
        categories.update(record.truth.labels)
        objects.append(record.truth.num_objects)
        for label, extent in zip(record.truth.labels, record.truth.scale, strict=True):
            sizes.setdefault(label, []).append(extent)
    if not objects:
        raise SystemExit(
            f"no rooms in {folder}; render some: python -m anchorgen data render --count 64 --out {folder}"
        )
    rows = [pictures[i : i + _COLUMNS] for i in range(0, len(pictures), _COLUMNS)]
    out.parent.mkdir(parents=True, exist_ok=True)
    picture_grid(rows, caption=f"{folder.name}: {len(objects)} rooms", cell_inch=1.2).savefig(out)
    failures = sum(len(s["failures"]) for s in read_manifest(folder)["shards"].values())
    print(
        f"{len(objects)} rooms in {len(list_shards(folder))} shards, {failures} failures, {np.mean(objects):.2f} objects a room"
    )
    for label, count in categories.most_common():
        width, depth, height = np.mean(sizes[label], 0)
        print(
            f"  {label:<12} {count / len(objects):5.2f} a room   {width:.2f} x {depth:.2f} x {height:.2f} m on average"
        )
    print(f"wrote {out}")
