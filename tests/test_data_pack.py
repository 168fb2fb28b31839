"""A pack keeps everything but the picture exactly, trains as the folder does, and is written whole or not at all."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from record_helpers import assert_equal, make_record

from anchorgen.__main__ import main
from anchorgen.analysis.metrics import psnr
from anchorgen.data import pack_folder as packing
from anchorgen.data.manifest import write_manifest
from anchorgen.data.pack_folder import bytes_by_kind, pack_folder
from anchorgen.data.packs import list_parts, part_path
from anchorgen.data.records import Record
from anchorgen.data.shards import read_records, shard_path, write_shard
from anchorgen.train.tensors import load_rooms

SHARD = 4


def natural_record(seed: int, num_objects: int = 3, num_voxels: int = 200) -> Record:
    """A record with a smooth picture and more voxels than a pack keeps."""
    record, rng = make_record(seed, num_objects), np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3)).astype(np.uint8))
    coords = tuple(rng.integers(0, 64, (num_voxels + i, 3)).astype(np.uint8) for i in range(num_objects))
    feats = tuple(rng.integers(0, 256, (len(c), 8)).astype(np.uint8) for c in coords)
    truth = dataclasses.replace(
        record.truth, voxel_coords=coords, voxel_feats=feats, walls=record.truth.walls[: 3 + seed]
    )
    return dataclasses.replace(
        record,
        image=np.asarray(small.resize((64, 64), Image.Resampling.BICUBIC)),
        instance=np.kron(record.instance, np.ones((4, 4), np.int16)),
        truth=truth,
        meta=record.meta | {"seed": seed, "split": "train", "size": 64},
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    records = [natural_record(i, num_objects=i % 4) for i in range(3 * SHARD)]
    for shard in range(3):
        write_shard(shard_path(tmp_path / "rooms", shard), records[shard * SHARD : (shard + 1) * SHARD])
    return tmp_path / "rooms"


def _pack(folder: Path, out: Path, **options) -> dict:
    return pack_folder(folder, out, progress=False, **options)


def test_all_but_the_picture_comes_back_exactly(folder, tmp_path):
    _pack(folder, tmp_path / "pack", num_voxels=1000)
    for packed, whole in zip(read_records(tmp_path / "pack"), read_records(folder), strict=True):
        assert psnr(packed.image, whole.image) > 36
        assert packed.depth.shape == (0, 0) and packed.normals.shape == (0, 0, 3)
        assert packed.meta == {"spp": 16, "seed": whole.meta["seed"], "split": "train", "size": 64}
        same = {name: getattr(whole, name) for name in ("image", "depth", "normals", "meta")}
        assert_equal(dataclasses.replace(packed, **same), whole)


@pytest.mark.parametrize("num_voxels", [16, 96, 199])
def test_a_trainer_sees_the_same_tensors(folder, tmp_path, num_voxels):
    _pack(folder, tmp_path / "pack", num_voxels=num_voxels)
    whole = load_rooms(folder, ("bed",), num_voxels=num_voxels)
    packed = load_rooms(tmp_path / "pack", ("bed",), num_voxels=num_voxels)
    for field in dataclasses.fields(whole):
        a, b = getattr(whole, field.name), getattr(packed, field.name)
        assert a.dtype == b.dtype and a.shape == b.shape
        assert field.name == "images" or torch.equal(a, b), field.name


def test_fewer_or_more_voxels_than_packed_are_real_ones_evenly_taken(folder, tmp_path):
    _pack(folder, tmp_path / "pack", num_voxels=64)
    for packed, whole in zip(read_records(tmp_path / "pack"), read_records(folder), strict=True):
        for slot, coords in enumerate(packed.truth.voxel_coords):
            rows = np.column_stack([coords, packed.truth.voxel_feats[slot]])
            real = np.column_stack([whole.truth.voxel_coords[slot], whole.truth.voxel_feats[slot]])
            assert len(rows) == len(real)
            assert {tuple(row) for row in rows} <= {tuple(row) for row in real}
            assert max(np.unique(rows, axis=0, return_counts=True)[1]) <= len(real) // 64 + 2
            for bound in (np.min, np.max):
                np.testing.assert_array_equal(bound(rows[:, :3], 0), bound(real[:, :3], 0))
            pick = np.linspace(0, len(rows) - 1, 24).round().astype(int)
            assert len(np.unique(rows[pick], axis=0)) == 24


def test_records_can_be_read_from_the_middle_and_without_pictures(folder, tmp_path):
    _pack(folder, tmp_path / "pack", part_bytes=1)  # a part per shard
    assert len(list_parts(tmp_path / "pack")) == 3
    keys = [r.key for r in read_records(folder)]
    assert [r.key for r in read_records(tmp_path / "pack", start=3, stop=9)] == keys[3:9]
    fast = list(read_records(tmp_path / "pack", pictures=False))
    assert [r.key for r in fast] == keys and not any(r.image.size + r.instance.size for r in fast)


def test_parts_stay_below_their_limit(folder, tmp_path):
    limit = 35_000
    manifest = _pack(folder, tmp_path / "pack", part_bytes=limit)
    assert len(manifest["parts"]) > 1
    assert all(path.stat().st_size <= limit for path in list_parts(tmp_path / "pack"))
    assert sum(path.stat().st_size for path in list_parts(tmp_path / "pack")) == manifest["bytes"]
    assert sum(bytes_by_kind(tmp_path / "pack").values()) < manifest["bytes"]


def test_a_stopped_pack_goes_on_to_the_same_bytes(folder, tmp_path, monkeypatch):
    _pack(folder, tmp_path / "whole", part_bytes=1)
    write_part, written = packing._write_part, []

    def killed_at_the_second(out, parts, *rest):
        if len(parts) == 1 and not written:
            written.append("stop")
            raise KeyboardInterrupt
        return write_part(out, parts, *rest)

    monkeypatch.setattr(packing, "_write_part", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        _pack(folder, tmp_path / "parts", part_bytes=1)
    stamp = part_path(tmp_path / "parts", 0).stat().st_mtime_ns
    _pack(folder, tmp_path / "parts", part_bytes=1)
    assert part_path(tmp_path / "parts", 0).stat().st_mtime_ns == stamp
    _assert_same_files(tmp_path / "whole", tmp_path / "parts")


def test_packing_again_writes_nothing_and_other_settings_write_all(folder, tmp_path):
    out = tmp_path / "pack"
    _pack(folder, out, part_bytes=1)
    stamps = [p.stat().st_mtime_ns for p in list_parts(out)]
    _pack(folder, out, part_bytes=1)
    assert [p.stat().st_mtime_ns for p in list_parts(out)] == stamps
    _pack(folder, out, num_voxels=8)  # one part now: the old ones go
    assert [p.name for p in sorted(out.iterdir())] == ["manifest.json", "part-00000.safetensors"]
    assert len(list(read_records(out))) == 3 * SHARD


def test_a_pack_grows_with_its_source(folder, tmp_path):
    last = shard_path(folder, 2)
    shutil.move(last, tmp_path / last.name)
    _pack(folder, tmp_path / "pack")
    shutil.move(tmp_path / last.name, last)
    _pack(folder, tmp_path / "pack")
    _pack(folder, tmp_path / "anew")
    _assert_same_files(tmp_path / "pack", tmp_path / "anew")
    assert len(list(read_records(tmp_path / "pack"))) == 3 * SHARD


def test_any_number_of_workers_gives_the_same_pack(folder, tmp_path):
    _pack(folder, tmp_path / "one")
    _pack(folder, tmp_path / "two", workers=2)
    _assert_same_files(tmp_path / "one", tmp_path / "two")


def test_a_damaged_part_is_named_and_the_others_are_read(folder, tmp_path):
    out = tmp_path / "pack"
    _pack(folder, out, part_bytes=1)
    path = part_path(out, 1)
    data = bytearray(path.read_bytes())
    data[-400:-200] = b"\xff" * 200
    path.write_bytes(data)
    part_path(out, 2).unlink()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keys = [r.key for r in read_records(out)]
    assert keys == [r.key for r in read_records(folder, stop=SHARD)]
    text = " ".join(str(w.message) for w in caught)
    assert "part-00001" in text and "part-00002" in text


def test_bad_requests_say_what_to_do(folder, tmp_path):
    with pytest.raises(ValueError, match="no shards in .*data render"):
        _pack(tmp_path / "nothing", tmp_path / "pack")
    with pytest.raises(ValueError, match="another folder"):
        _pack(folder, folder)
    shutil.copytree(folder, tmp_path / "other")
    with pytest.raises(ValueError, match="other, which holds rendered shards; expected a folder of a pack"):
        _pack(folder, tmp_path / "other")
    assert not list_parts(tmp_path / "other") and not (tmp_path / "other" / "manifest.json").exists()
    write_manifest(tmp_path / "begun", {"settings": {"seed": 0}, "shards": {}})  # before its first shard
    with pytest.raises(ValueError, match="holds rendered shards"):
        _pack(folder, tmp_path / "begun")
    with pytest.raises(ValueError, match="quality=0"):
        _pack(folder, tmp_path / "pack", quality=0)
    _pack(folder, tmp_path / "pack")
    (tmp_path / "pack" / "manifest.json").unlink()
    with pytest.raises(ValueError, match="no manifest.json"):
        list(read_records(tmp_path / "pack"))


def test_the_command_says_what_a_room_costs(folder, tmp_path, capsys):
    main(["data", "pack", str(folder), "--out", str(tmp_path / "pack"), "--voxels", "8"])
    text = capsys.readouterr().out
    assert "12 rooms in" in text and "bytes a room: pictures" in text


def test_reading_a_pack_needs_numpy_pillow_and_safetensors_alone(folder, tmp_path):
    _pack(folder, tmp_path / "pack")
    code = (
        "import sys\n"
        "from anchorgen.data.shards import read_records\n"
        f"assert len(list(read_records({str(tmp_path / 'pack')!r}))) == {3 * SHARD}\n"
        "heavy = {'torch', 'webdataset', 'tqdm', 'einops', 'mitsuba', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _assert_same_files(a: Path, b: Path) -> None:
    assert [p.name for p in sorted(a.iterdir())] == [p.name for p in sorted(b.iterdir())]
    for path in a.iterdir():
        assert path.read_bytes() == (b / path.name).read_bytes(), path.name
