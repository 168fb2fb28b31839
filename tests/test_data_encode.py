"""`data encode`: sources, screening, shards that do not depend on who wrote them, and what reads them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_files import CUT, GOOD, KINDS, LONG, SMALL, exported, key_of, lsun_pictures, picture_bytes

import anchorgen as ag
from anchorgen.__main__ import main
from anchorgen.data.encoded import EncodedRecord, decode_members, encode_members
from anchorgen.data.encoded_shards import EncodedFolder, encoded_path, read_report
from anchorgen.data.lsun import file_key, open_source
from anchorgen.data.screening import LeftOut, Screening, screened
from anchorgen.pipeline.loading import load
from anchorgen.train.encode_pictures import EncodeJob, encode_pictures
from anchorgen.train.latents import LatentSet
from anchorgen.train.scene_latents import main as scene_latents


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("lsun") / "bedroom_val")


@pytest.fixture(scope="module")
def encoded(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("encoded") / "shards"
    main(["data", "encode", str(pictures), "--out", str(out), "--shard-size", "4", "--device", "cpu"])
    return out


def shards(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tar"))}


def test_an_export_and_the_lmdb_have_the_same_keys_and_bytes(pictures, tmp_path):
    lmdb = pytest.importorskip("lmdb")
    environment = lmdb.open(str(tmp_path / "bedroom_val_lmdb"), map_size=1 << 24)
    with environment.begin(write=True) as writer:
        for key, (_, data) in lsun_pictures().items():
            writer.put(key.encode(), data)
    environment.close()
    sources = [open_source(tmp_path / "bedroom_val_lmdb"), open_source(pictures)]
    keys = sources[0].keys()
    assert keys == sources[1].keys() == sorted(lsun_pictures()) and sources[0].keys(3) == keys[:3]
    assert list(sources[0].read(keys)) == list(sources[1].read(keys))
    with pytest.raises(KeyError, match="no picture"):
        list(sources[0].read(["absent"]))


def test_without_lmdb_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "data.mdb").touch()
    monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    with pytest.raises(ImportError, match=r"anchorgen\[paper\]"):
        open_source(tmp_path)


def test_keys_of_files(tmp_path):
    assert file_key(Path("a/b/c/d/e/f/abcdef01.webp")) == "abcdef01"
    assert file_key(Path("mine/room v1.2.jpg")) == "mine__room v1_2"
    (tmp_path / "room.jpg").touch()
    (tmp_path / "room.png").touch()
    with pytest.raises(ValueError, match="both have the key 'room'"):
        open_source(tmp_path).keys()
    with pytest.raises(FileNotFoundError, match=r"data\.mdb"):
        open_source(tmp_path / "absent")


def test_screening_keeps_bytes_and_says_why_not():
    usual, good = Screening(), picture_bytes(1)
    assert screened(good, usual) == ("webp", good, (264, 256))
    ending, smaller, size = screened(good, Screening(max_side_px=256))
    record = EncodedRecord("a", ending, smaller, ag.SceneLatent.blank())
    assert size == (264, 256) and record.picture().size == (256, 248)
    for kind, why in ((SMALL, "100 px < 256"), (LONG, "3.12 > 2")):
        with pytest.raises(LeftOut, match=why):
            screened(picture_bytes(0, kind), usual)
    with pytest.raises(LeftOut, match="BMP"):
        screened(picture_bytes(0, file="BMP"), usual)
    with pytest.raises(OSError):
        screened(picture_bytes(0, CUT), usual)
    with pytest.raises(ValueError, match="max_aspect >= 1"):
        Screening(max_aspect=0.5)


def test_records_come_back(encoded):
    scene = ag.examples()[0].scene
    record = EncodedRecord("k", "jpg", b"picture", scene, {"a": 1}, {"voxels": np.arange(6, dtype=np.uint8)})
    members = encode_members(record)
    again = decode_members("k", members)
    assert encode_members(again) == members and again.meta == {"a": 1}
    assert again.extra["voxels"].tolist() == list(range(6))
    np.testing.assert_array_equal(again.scene.translation[again.scene.presence], scene.translation[scene.presence])
    assert np.abs(again.scene.appearance - scene.appearance).max() < 2e-3
    with pytest.raises(ValueError, match="record k cannot be read"):
        decode_members("k", {"json": b"{}"})
    huge = scene.replace(background=scene.background + 1e6)
    with pytest.raises(ValueError, match="largest float16"):
        encode_members(EncodedRecord("k", "jpg", b"", huge))
    with pytest.raises(ValueError, match="without a dot"):
        EncodedRecord("k.v", "jpg", b"", scene)


def test_every_picture_is_a_record_or_named(encoded):
    reports = [read_report(encoded_path(encoded, i)) for i in range(3)]
    named = {key: why for r in reports for key, why in (r.failures | r.left_out).items()}
    expected = {key_of(i): kind for i, kind in enumerate(KINDS) if kind != GOOD}
    assert named.keys() == expected.keys()
    assert "cannot be read" in named[key_of(KINDS.index(CUT))]
    folder = EncodedFolder(encoded)
    assert [r.key for r in folder] == sorted(key_of(i) for i, kind in enumerate(KINDS) if kind == GOOD)
    assert sum(r.records for r in reports) == len(folder) and sum(r.num_keys for r in reports) == len(KINDS)
    first, pipe = folder[0], load(device="cpu")
    scene = pipe.encode(first.picture())
    assert scene.labels == first.scene.labels and first.scene.latent_space == pipe.latent_space
    np.testing.assert_allclose(scene.translation, first.scene.translation, atol=1e-5)
    assert first.picture_bytes == lsun_pictures()[first.key][1]
    assert EncodedFolder(encoded, pictures=False)[0].picture_bytes == b""
    with pytest.raises(IndexError):
        folder[len(folder)]


def test_bytes_do_not_depend_on_the_number_of_processes(pictures, encoded, tmp_path, monkeypatch):
    job = EncodeJob(pictures, tmp_path / "workers", device="cpu", shard_size=4, workers=2)
    encode_pictures(job, progress=False)
    for rank in (1, 0):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "2")
        encode_pictures(EncodeJob(pictures, tmp_path / "ranks", device="cpu", shard_size=4), progress=False)
        assert len(shards(tmp_path / "ranks")) == (1 if rank else 3)
    assert shards(encoded) == shards(tmp_path / "workers") == shards(tmp_path / "ranks")
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(ValueError, match="RANK is 2"):
        encode_pictures(job)


def test_a_stopped_job_goes_on_and_a_finished_one_does_nothing(pictures, encoded, tmp_path, monkeypatch):
    import anchorgen.train.encode_pictures as module

    out, made = tmp_path / "shards", []
    write = module.write_encoded_shard

    def dying(path, records):
        made.append(path.name)
        if len(made) == 2:
            raise KeyboardInterrupt
        return write(path, records)

    monkeypatch.setattr(module, "write_encoded_shard", dying)
    job = EncodeJob(pictures, out, device="cpu", shard_size=4)
    with pytest.raises(KeyboardInterrupt):
        encode_pictures(job, progress=False)
    encode_pictures(job, progress=False)
    assert made == [f"pictures-00000{i}.tar" for i in (0, 1, 1, 2)]
    assert shards(out) == shards(encoded)
    encode_pictures(job, progress=False)
    encoded_path(out, 2).write_bytes(b"damaged")
    encode_pictures(job, progress=False)
    assert made[4:] == ["pictures-000002.tar"] and shards(out) == shards(encoded)
    with pytest.raises(ValueError, match="shard_size: 4, now 5"):
        encode_pictures(EncodeJob(pictures, out, device="cpu", shard_size=5), progress=False)


def test_count_is_whole_shards_and_grows(pictures, encoded, tmp_path):
    job = EncodeJob(pictures, tmp_path, device="cpu", shard_size=4, count=3)
    assert [r.num_keys for r in encode_pictures(job, progress=False)] == [4]
    encode_pictures(EncodeJob(pictures, tmp_path, device="cpu", shard_size=4, count=9), progress=False)
    assert shards(tmp_path) == shards(encoded)


def test_encoders_by_name(pictures, tmp_path):
    job = EncodeJob(pictures, tmp_path / "a", "picture_files:flaky_encoder", screening=Screening(min_objects=0))
    (report,) = encode_pictures(job, progress=False)
    assert report.failures[key_of(1)] == "encoder: RuntimeError: unlucky" and report.records == 6
    record = EncodedFolder(tmp_path / "a")[0]
    assert set(record.extra) == {"voxels", "patches"} and record.extra["patches"].dtype == np.float16
    (report,) = encode_pictures(EncodeJob(pictures, tmp_path / "b", "picture_files:flaky_encoder"), progress=False)
    assert report.records == 0 and report.left_out[key_of(0)] == "objects: 0 < 1"
    with pytest.raises(ValueError, match="no function 'absent'"):
        encode_pictures(EncodeJob(pictures, tmp_path / "c", "picture_files:absent"), progress=False)
    with pytest.raises(ValueError, match="expected encode"):
        encode_pictures(EncodeJob(pictures, tmp_path / "d", "picture_files:no_encoder"), progress=False)


def test_a_shard_in_which_all_fail_ends_the_job(tmp_path, capsys):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match="every picture of pictures-000000.tar failed"):
        main(["data", "encode", str(source), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="no pictures in"):
        main(["data", "encode", str(tmp_path / "out"), "--out", str(tmp_path / "out2")])


def test_inspect_shows_what_is_there_and_what_is_not(encoded, tmp_path, capsys):
    main(["data", "inspect", str(encoded), "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "3 shards: 7 of 10 pictures" in said and "checksums: 3 of 3 files as written" in said
    assert "left out, aspect > 2: 1" in said and "left out, shorter side < 256: 1" in said
    assert f"{key_of(KINDS.index(CUT))}: cannot be read" in said and "\nbed " in said
    assert {p.name for p in tmp_path.iterdir()} == {"contact-sheet.png", "together.png", "boxes.png"}


def test_latents_of_a_folder_are_those_of_its_records(encoded, tmp_path):
    scene_latents(["--data", str(encoded), "--out", str(tmp_path / "latents.safetensors")])
    data, folder = LatentSet.load(tmp_path / "latents.safetensors"), EncodedFolder(encoded)
    assert len(data) == len(folder) and data.latent_space == folder.latent_space
    assert data.labels == tuple(load(device="cpu").config.categories)
    for number, record in enumerate(folder):
        scene, label = data.batch(torch.tensor([number]))
        assert torch.equal(scene.appearance[0], torch.tensor(record.scene.appearance))
        assert torch.equal(scene.floor, torch.tensor([float(record.scene.floor)]))
        names = [data.labels[i] if i >= 0 else "" for i in label[0]]
        assert names == list(record.scene.labels)
    data.save(tmp_path / "again.safetensors")
    assert len(LatentSet.load(tmp_path / "again.safetensors")) == len(data)
    with pytest.raises(SystemExit, match="leave it out"):
        scene_latents(["--data", str(encoded), "--tokens", "x", "--out", str(tmp_path / "no.safetensors")])


def test_damaged_shards_are_named(encoded, tmp_path):
    import shutil

    shutil.copytree(encoded, tmp_path / "copy")
    path = encoded_path(tmp_path / "copy", 0)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match="pictures-000000"):
        list(EncodedFolder(tmp_path / "copy"))
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps({"shards": {}}))
    with pytest.raises(ValueError, match="holds no encoded pictures"):
        EncodedFolder(tmp_path / "copy")
