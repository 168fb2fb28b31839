"""`manifest.json` of a folder of shards: settings, and for each shard its seeds, records, failures, checksum, code and
renderer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anchorgen.data.atomic import file_sha256, whole_or_absent


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest; one without shards where there is none.

    Raises:
        ValueError: it is no JSON object.
    """
    path = Path(folder) / "manifest.json"
    try:
        manifest = json.loads(path.read_text()) if path.is_file() else {"shards": {}}
        manifest["shards"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove it and render or pack again"
        ) from None
    return manifest


def write_manifest(folder: str | Path, manifest: dict[str, Any]) -> None:
    with whole_or_absent(Path(folder) / "manifest.json") as partial:
        partial.write_text(json.dumps(manifest, indent=1) + "\n")


def summarised(manifest: dict[str, Any], version: str) -> dict[str, Any]:
    """A manifest with its totals, shards in order, whatever order they were rendered in."""
    shards = dict(sorted(manifest["shards"].items(), key=lambda item: int(item[0])))
    entries = list(shards.values())
    seeds = [min(e["first_seed"] for e in entries), max(e["last_seed"] for e in entries)] if entries else []
    return {
        "anchorgen": version,
        "settings": manifest["settings"],
        "seeds": seeds,
        "records": sum(e["records"] for e in entries),
        "failures": sum(len(e["failures"]) for e in entries),
        "shards": shards,
    }


def codes(manifest: dict[str, Any]) -> list[str]:
    """The code versions that rendered the shards; more than one means that equal seeds may look different."""
    return _recorded(manifest, "code")


def renderers(manifest: dict[str, Any]) -> list[str]:
    """The renderers of the shards; with more than one, equal rooms may have other light or noise."""
    return _recorded(manifest, "renderer")


def _recorded(manifest: dict[str, Any], name: str) -> list[str]:
    return sorted({entry.get(name, "unknown") for entry in manifest["shards"].values()})


def damaged_files(folder: str | Path, entries: dict[str, str]) -> list[str]:
    """Names whose file is absent or has another checksum than the manifest says.

    Args:
        folder: where they lie. entries: sha256 by file name.
    """
    paths = {name: Path(folder) / name for name in entries}
    return [name for name, path in paths.items() if not path.is_file() or file_sha256(path) != entries[name]]
