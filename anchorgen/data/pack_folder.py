"""`data pack`: a folder of shards in a compact form, for training elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from tqdm.auto import tqdm

from anchorgen.data.atomic import file_sha256, whole_or_absent
from anchorgen.data.lanes import run_jobs
from anchorgen.data.manifest import read_manifest, write_manifest
from anchorgen.data.pack_blocks import encode_block
from anchorgen.data.packs import list_parts, part_path
from anchorgen.data.shards import list_shards, read_records

PACK_FORMAT = 1  # raise it whenever the same records would give other bytes
PART_BYTES = 16 * 2**20
_HEADER_BYTES = 4096  # safetensors: names and offsets, about 2 KB a block at most
_BLOCKS_AT_ONCE = 32


def pack_folder(
    source: Path,
    out: Path,
    *,
    quality: int = 92,
    num_voxels: int = 96,
    workers: int = 1,
    part_bytes: int = PART_BYTES,
    progress: bool = True,
) -> dict[str, Any]:
    """Packs every shard of a folder. Parts that are there already and still fit the source are kept.

    Args:
        source: folder of shards. out: folder of the pack.
        quality: of the WebP pictures.
        num_voxels: at most, an object. Trainers that take this many see the very points they see unpacked.
        workers: processes.
        part_bytes: no part is larger.

    Returns:
        The manifest: settings of the source and of the pack, records, bytes, and per part its checksum.

    Raises:
        ValueError: no shards, a setting out of range, or `out` is itself a folder of shards.
    """
    if not 1 <= quality <= 100 or num_voxels < 1 or workers < 1:
        raise ValueError(
            f"got quality={quality}, voxels={num_voxels}, workers={workers}; expected 1 to 100, and at least 1 each"
        )
    shards = list_shards(source)
    if not shards:
        raise ValueError(
            f"no shards in {source}; render some: python -m anchorgen data render --count 64 --out {source}"
        )
    if source.resolve() == out.resolve():
        raise ValueError(f"--out: got the source itself, {out}; expected another folder")
    if list_shards(out) or "settings" in read_manifest(out):
        raise ValueError(f"--out: got {out}, which holds rendered shards; expected a folder of a pack or a new one")
    pack = {"format": PACK_FORMAT, "quality": quality, "voxels": num_voxels, "part_bytes": part_bytes}
    head = {"source": read_manifest(source).get("settings", {}), "pack": pack}
    sums = {shard: file_sha256(shard) for shard in shards}
    parts = _kept_parts(out, head, [sums[s] for s in shards])
    missing = shards[sum(len(part["shards"]) for part in parts) :]
    jobs = [(str(shard), quality, num_voxels) for shard in missing]
    with tqdm(total=len(shards), initial=len(shards) - len(missing), unit="shard", disable=not progress) as bar:
        for blocks, full in _groups(_blocks(jobs, workers, bar), part_bytes):
            parts.append(_write_part(out, parts, blocks, full, sums))
            write_manifest(out, _manifest(head, parts))
    for stale in list_parts(out)[len(parts) :]:
        stale.unlink()
    return _manifest(head, parts)


def _kept_parts(out: Path, head: dict[str, Any], sums: list[str]) -> list[dict[str, Any]]:
    """The leading parts of an earlier pack that this one would write again, byte for byte."""
    earlier, kept, begin = read_manifest(out), [], 0
    if {name: earlier.get(name) for name in head} != head:
        return []
    for index, part in enumerate(earlier["parts"]):
        end, path = begin + len(part["shards"]), part_path(out, index)
        same = part["shards"] == sums[begin:end] and (part["full"] or end == len(sums))
        if not same or not path.is_file() or file_sha256(path) != part["sha256"]:
            break
        kept.append(part)
        begin = end
    return kept


def _blocks(jobs: list[tuple], workers: int, bar: Any) -> Iterator[tuple[str, int, dict[str, bytes]]]:
    """Blocks in the order of the shards, a few at a time in memory."""
    for begin in range(0, len(jobs), _BLOCKS_AT_ONCE):
        now = jobs[begin : begin + _BLOCKS_AT_ONCE]
        done = {}
        for block in run_jobs(_encode_shard, now, workers) if workers > 1 else map(_encode_shard, now):
            done[block[0]] = block
            bar.update()
        yield from (done[job[0]] for job in now)


def _encode_shard(job: tuple[str, int, int]) -> tuple[str, int, dict[str, bytes]]:
    shard, quality, num_voxels = job
    records = list(read_records([Path(shard)]))
    return shard, len(records), encode_block(records, quality, num_voxels) if records else {}


def _groups(blocks: Iterator[tuple], part_bytes: int) -> Iterator[tuple[list[tuple], bool]]:
    """Blocks that fit one part, and whether it is full."""
    group, size = [], 0
    for block in blocks:
        own = sum(map(len, block[2].values())) + _HEADER_BYTES
        if group and size + own > part_bytes:
            yield group, True
            group, size = [], 0
        group, size = [*group, block], size + own
    if group:
        yield group, False


def _write_part(
    out: Path, parts: list[dict[str, Any]], blocks: list[tuple], full: bool, sums: dict[Path, str]
) -> dict[str, Any]:
    path = part_path(out, len(parts))
    tensors = {
        f"{number:04d}.{name}": np.frombuffer(data, np.uint8)
        for number, (_, _, columns) in enumerate(blocks)
        for name, data in columns.items()
    }
    with whole_or_absent(path) as partial:
        partial.write_bytes(save(tensors, {"format": f"anchorgen-pack-{PACK_FORMAT}"}))
    return {
        "first_record": sum(part["records"] for part in parts),
        "records": sum(count for _, count, _ in blocks),
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
        "full": full,
        "shards": [sums[Path(shard)] for shard, _, _ in blocks],
    }


def _manifest(head: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    totals = {name: sum(part[name] for part in parts) for name in ("records", "bytes")}
    return {**head, **totals, "shards": {}, "parts": parts}


def bytes_by_kind(out: Path) -> dict[str, int]:
    """What a pack is made of: bytes of pictures, masks, voxels and the rest."""
    from safetensors import safe_open

    kinds = {"pictures": "pictures", "instance": "masks", "voxel_coords": "voxels", "voxel_feats": "voxels"}
    total = dict.fromkeys((*dict.fromkeys(kinds.values()), "rest"), 0)
    for path in list_parts(out):
        with safe_open(path, "numpy") as part:
            for name in part.keys():
                total[kinds.get(name.partition(".")[2], "rest")] += part.get_slice(name).get_shape()[0]
    return total
