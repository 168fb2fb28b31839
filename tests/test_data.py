"""Records come back exactly; shards are whole or absent; damage is named, not hidden."""

from __future__ import annotations

import dataclasses
import errno
import tarfile
import time
import warnings

import numpy as np
import pytest
from record_helpers import assert_equal, make_record

from anchorgen.data import shards
from anchorgen.data.cache import split_folder
from anchorgen.data.quantise import depth_to_mm, mm_to_depth, normals_to_rgb, rgb_to_normals
from anchorgen.data.records import PICTURE_MEMBERS, decode_record, encode_record
from anchorgen.data.shards import read_records, shard_path, write_shard
from anchorgen.data.splits import FIRST_SEED, split_of


@pytest.mark.parametrize("num_objects", [0, 1, 5])
def test_a_record_comes_back_exactly(num_objects):
    record = make_record(3, num_objects)
    assert_equal(decode_record(record.key, encode_record(record)), record)


def test_depth_and_normals_are_rounded_once_and_little():
    record = make_record(4)
    depth = np.full((16, 16), 3.14159265, np.float32)
    depth[0, :3] = np.nan, np.inf, 99.0
    normals = np.full((16, 16, 3), 1 / np.sqrt(3), np.float32)
    normals[0, 0], normals[0, 1] = np.nan, 0
    rounded = dataclasses.replace(record, depth=depth, normals=normals)
    again = dataclasses.replace(rounded)
    np.testing.assert_array_equal(again.depth, rounded.depth)
    np.testing.assert_array_equal(again.normals, rounded.normals)
    assert list(rounded.depth[0, :3]) == pytest.approx([0, 0, 65.535])
    assert np.abs(rounded.depth[1:] - depth[1:]).max() <= 5.1e-4
    assert not rounded.normals[0, :2].any()
    assert np.abs(rounded.normals[1:] - normals[1:]).max() <= 1 / 254 + 1e-6


def test_every_number_of_the_two_codes_comes_back():
    mm = np.arange(2**16).reshape(256, 256).astype(np.uint16)
    np.testing.assert_array_equal(depth_to_mm(mm_to_depth(mm)), mm)
    rgb = np.repeat(np.arange(1, 256).astype(np.uint8)[None, :, None], 3, -1)
    np.testing.assert_array_equal(normals_to_rgb(rgb_to_normals(rgb)), rgb)


def test_a_record_of_an_older_format_is_named(tmp_path):
    record = make_record(5)
    members = encode_record(record)
    del members["depth.png"], members["normals.webp"]
    with pytest.raises(ValueError, match=f"{record.key} .*older format; render it again"):
        decode_record(record.key, members)


def test_a_key_with_a_dot_is_refused():
    with pytest.raises(ValueError, match="without a dot"):
        dataclasses.replace(make_record(), key="room.1")


def test_encoding_is_fast():
    record = make_record(6)
    y, x = np.mgrid[0:128, 0:128]
    image = np.stack([x, y, x ^ y], -1).astype(np.uint8)
    normals = np.dstack([np.sin(x / 9), np.cos(x / 9), np.zeros((128, 128))])
    large = dataclasses.replace(
        record, image=image, instance=(x // 40).astype(np.int16), depth=1 + x / 50, normals=normals
    )
    encode_record(large)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        encode_record(large)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.04


def test_a_shard_comes_back_and_equal_records_give_equal_bytes(tmp_path):
    records = [make_record(i) for i in range(5)]
    write_shard(shard_path(tmp_path, 0), records)
    first = shard_path(tmp_path, 0).read_bytes()
    write_shard(shard_path(tmp_path, 0), records)
    assert shard_path(tmp_path, 0).read_bytes() == first
    for a, b in zip(read_records(tmp_path), records, strict=True):
        assert_equal(a, b)
    assert [r.key for r in read_records(tmp_path, start=1, stop=3)] == [r.key for r in records[1:3]]
    assert not list(tmp_path.glob("*.partial"))


def test_a_damaged_record_is_named_and_counted(tmp_path):
    records = [make_record(i) for i in range(3)]
    path = shard_path(tmp_path, 0)
    write_shard(path, records)
    with tarfile.open(path) as tar:
        member = next(m for m in tar if m.name == f"{records[1].key}.safetensors")
    data = bytearray(path.read_bytes())
    data[member.offset_data : member.offset_data + 16] = b"\xff" * 16
    path.write_bytes(data)
    with pytest.warns(RuntimeWarning) as caught:
        kept = [r.key for r in read_records(tmp_path)]
    assert kept == [records[0].key, records[2].key]
    text = " ".join(str(w.message) for w in caught)
    assert records[1].key in text and "1 of 3" in text


def test_a_truncated_shard_gives_what_it_has(tmp_path):
    path = shard_path(tmp_path, 0)
    write_shard(path, [make_record(i) for i in range(3)])
    path.write_bytes(path.read_bytes()[:-6000])
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        kept = [r.key for r in read_records(tmp_path)]
    assert kept[:2] == ["room-00000000", "room-00000001"]


def test_splits_do_not_meet():
    assert [split_of(FIRST_SEED[name]) for name in ("train", "val", "test")] == ["train", "val", "test"]
    assert split_of(FIRST_SEED["val"] - 1) == "train" and split_of(30_000_001) == "example"
    with pytest.raises(ValueError, match="seed"):
        split_of(-1)


def test_reading_without_pictures_gives_the_same_facts(tmp_path):
    records = [make_record(i) for i in range(3)]
    write_shard(shard_path(tmp_path, 0), records)
    for fast, whole in zip(read_records(tmp_path, pictures=False), records, strict=True):
        assert {getattr(fast, name).size for name in ("image", "instance", "depth", "normals")} == {0}
        pictures = {name: getattr(whole, name) for name in ("image", "instance", "depth", "normals")}
        assert_equal(dataclasses.replace(fast, **pictures), whole)


def test_a_sample_has_the_members_that_are_documented(tmp_path):
    write_shard(shard_path(tmp_path, 0), [make_record(1)])
    with tarfile.open(shard_path(tmp_path, 0)) as tar:
        endings = {name.partition(".")[2] for name in tar.getnames()}
    assert endings == {*PICTURE_MEMBERS, "safetensors", "json"}


def test_a_failed_write_leaves_the_old_shard_and_nothing_half_written(tmp_path, monkeypatch):
    path = shard_path(tmp_path, 0)
    write_shard(path, [make_record(1)])
    before = path.read_bytes()

    def full_at_the_second(record):
        if record.key == "room-00000003":
            raise OSError(errno.ENOSPC, "No space left on device")
        return encode_record(record)

    monkeypatch.setattr(shards, "encode_record", full_at_the_second)
    with pytest.raises(OSError, match="No space"):
        write_shard(path, [make_record(2), make_record(3)])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_every_version_of_the_world_has_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path))
    assert split_folder("train") == tmp_path / "worlds" / "2" / "train"
