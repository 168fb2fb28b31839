"""Records come back exactly; shards are whole or absent; damage is named, not hidden."""

from __future__ import annotations

import json
import tarfile
import warnings

import numpy as np
import pytest

from anchorgen.data.records import Record, decode_record, encode_record
from anchorgen.data.shards import list_shards, read_manifest, read_records, shard_path, write_shard
from anchorgen.data.splits import FIRST_SEED, split_of
from anchorgen.scene.truth import WorldTruth
from anchorgen.train import render_data


def make_record(seed: int = 0, num_objects: int = 3) -> Record:
    rng = np.random.default_rng(seed)
    counts = rng.integers(5, 20, num_objects)
    truth = WorldTruth(
        translation=rng.normal(size=(num_objects, 3)).astype(np.float32),
        quat_wxyz=rng.normal(size=(num_objects, 4)).astype(np.float32),
        scale=rng.random((num_objects, 3)).astype(np.float32),
        labels=("bed",) * num_objects,
        ids=tuple(f"bed-{i}" for i in range(num_objects)),
        visible_px=rng.integers(30, 999, num_objects).astype(np.int32),
        voxel_coords=tuple(rng.integers(0, 64, (n, 3)).astype(np.uint8) for n in counts),
        voxel_feats=tuple(rng.integers(0, 256, (n, 8)).astype(np.uint8) for n in counts),
        focal=np.array([0.8, 0.9], np.float32),
        up=np.array([0, -1, 0], np.float32),
        floor=-1.4567890123,
        walls=rng.normal(size=(4, 4)).astype(np.float32),
    )
    image = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    instance = rng.integers(-1, max(num_objects, 1), (16, 16)).astype(np.int16)
    return Record(f"room-{seed:08d}", image, instance, truth, {"scene": {"seed": seed}, "spp": 16})


def assert_equal(a: Record, b: Record) -> None:
    assert (a.key, a.meta, a.truth.labels, a.truth.ids, a.truth.floor) == (
        b.key,
        b.meta,
        b.truth.labels,
        b.truth.ids,
        b.truth.floor,
    )
    for name in ("translation", "quat_wxyz", "scale", "visible_px", "focal", "up", "walls"):
        np.testing.assert_array_equal(getattr(a.truth, name), getattr(b.truth, name))
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.instance, b.instance)
    for x, y in zip(
        a.truth.voxel_coords + a.truth.voxel_feats, b.truth.voxel_coords + b.truth.voxel_feats, strict=True
    ):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("num_objects", [0, 1, 5])
def test_a_record_comes_back_exactly(num_objects):
    record = make_record(3, num_objects)
    assert_equal(decode_record(record.key, encode_record(record)), record)


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


def test_rendering_resumes_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(render_data, "SHARD_SIZE", 2)
    monkeypatch.setattr(render_data, "_limit_threads", lambda threads: None)
    monkeypatch.setattr(render_data, "render_record", lambda seed, size, spp: _fake(seed))
    monkeypatch.setattr(render_data, "_rendered", _inline)
    whole = render_data.render_dataset(6, 100, tmp_path / "whole", progress=False)
    assert whole["shards"]["1"]["failures"] == {"103": "RuntimeError: unlucky"}
    render_data.render_dataset(4, 100, tmp_path / "parts", progress=False)
    first = shard_path(tmp_path / "parts", 0)
    stamp = first.stat().st_mtime_ns
    render_data.render_dataset(6, 100, tmp_path / "parts", progress=False)
    assert first.stat().st_mtime_ns == stamp  # kept, not rendered again
    for a, b in zip(list_shards(tmp_path / "whole"), list_shards(tmp_path / "parts"), strict=True):
        assert a.read_bytes() == b.read_bytes()
    assert read_manifest(tmp_path / "whole") == read_manifest(tmp_path / "parts")
    manifest = read_manifest(tmp_path / "parts")
    del manifest["shards"]["1"]  # as if killed before the entry was written
    (tmp_path / "parts" / "manifest.json").write_text(json.dumps(manifest))
    render_data.render_dataset(6, 100, tmp_path / "parts", progress=False)
    assert read_manifest(tmp_path / "whole") == read_manifest(tmp_path / "parts")
    with pytest.raises(ValueError, match="holds data"):
        render_data.render_dataset(6, 999, tmp_path / "parts", progress=False)


def test_what_ails_the_machine_ends_the_job_and_writes_no_empty_shard(tmp_path, monkeypatch):
    def no_denoiser(seed: int, size: int, spp: int) -> Record:
        raise ImportError("no pyoidn")

    monkeypatch.setattr(render_data, "_limit_threads", lambda threads: None)
    monkeypatch.setattr(render_data, "render_record", no_denoiser)
    monkeypatch.setattr(render_data, "_rendered", _inline)
    with pytest.raises(ImportError, match="pyoidn"):
        render_data.render_dataset(1, 0, tmp_path, progress=False)
    assert not list_shards(tmp_path)


def _fake(seed: int) -> Record:
    if seed == 103:
        raise RuntimeError("unlucky")
    return make_record(seed)


def _inline(jobs: list[tuple], workers: int):
    """In this process, where the monkeypatched parts are."""
    return map(render_data._render_shard, jobs)
