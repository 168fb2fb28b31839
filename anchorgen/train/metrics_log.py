"""The numbers of a training run as a CSV file that survives kills."""

from __future__ import annotations

import csv
import os
from pathlib import Path


class MetricsLog:
    """One row a step; columns may appear later. Rows after step `keep_until` (of a killed run) are dropped."""

    def __init__(self, path: Path, keep_until: int):
        self.path = path
        self.rows = list(csv.DictReader(path.open(newline=""))) if path.exists() else []
        self.rows = [row for row in self.rows if int(row["step"]) <= keep_until]
        self.columns = list(dict.fromkeys(key for row in self.rows for key in row))
        self._rewrite()

    def write(self, step: int, numbers: dict[str, float]) -> None:
        row = {"step": str(step), **{key: repr(value) for key, value in numbers.items()}}
        merge = bool(self.rows) and self.rows[-1]["step"] == row["step"]
        fresh = [key for key in row if key not in self.columns]
        if merge:
            self.rows[-1] = {**self.rows[-1], **row}
        else:
            self.rows.append(row)
        self.columns += fresh
        if fresh or merge:
            self._rewrite()
        else:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self.columns, restval="").writerow(row)

    def _rewrite(self) -> None:
        partial = self.path.with_suffix(".tmp")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(partial, self.path)
