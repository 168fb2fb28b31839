"""`data inspect` counts what is there, draws it, and says when files are not what was written."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image
from record_helpers import make_record

from anchorgen.__main__ import main
from anchorgen.analysis.inspect_data import state_of
from anchorgen.analysis.room_statistics import plan_positions, room_statistics
from anchorgen.data.atomic import file_sha256
from anchorgen.data.manifest import damaged_files, read_manifest, write_manifest
from anchorgen.data.pack_folder import pack_folder
from anchorgen.data.shards import shard_path, write_shard
from anchorgen.geometry import quat_to_matrix


def labelled(seed: int, *labels: str, hidden: tuple[str, ...] = ()):
    record = make_record(seed, len(labels))
    objects = [{"id": f"{c}-{i}", "category": c, "visible_px": 9} for i, c in enumerate((*labels, *hidden))]
    truth = dataclasses.replace(record.truth, labels=labels, ids=tuple(o["id"] for o in objects[: len(labels)]))
    return dataclasses.replace(record, truth=truth, meta=record.meta | {"objects": objects})


ROOMS = [
    labelled(0, "bed", "lamp", "lamp"),
    labelled(1, "bed", "lamp", hidden=("desk",)),
    labelled(2, "bed"),
    labelled(3),
]


@pytest.fixture
def folder(tmp_path):
    rooms = tmp_path / "rooms"
    write_shard(shard_path(rooms, 0), ROOMS)
    _manifest(rooms, "0123456789ab")
    return rooms


def _manifest(rooms, *codes: str) -> None:
    entry = {"first_seed": 0, "last_seed": 3, "records": 4, "sha256": file_sha256(shard_path(rooms, 0))}
    entry |= {"failures": {"17": "RuntimeError: unlucky"}}
    write_manifest(rooms, {"shards": {str(i): entry | {"code": code} for i, code in enumerate(codes)}})


def test_counts_are_those_of_the_rooms():
    rooms = room_statistics(ROOMS)
    assert rooms.classes == ("bed", "lamp", "desk")
    assert rooms.present.tolist() == [[1, 2, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert rooms.slots.tolist() == [3, 2, 1, 0]
    assert [rooms.classes[i] for i in rooms.category] == ["bed", "lamp", "lamp", "bed", "lamp", "bed"]
    expected = [[0, 2 / 3, 1 / 3], [1, 1 / 2, 1 / 2], [1, 1, 0]]
    np.testing.assert_allclose(rooms.together(), expected)
    np.testing.assert_array_equal(rooms.size[:3].astype(np.float32), ROOMS[0].truth.scale)


def test_places_in_plan_do_not_depend_on_how_the_camera_is_pitched():
    rng = np.random.default_rng(0)
    for pitch in (0.0, 0.2, -0.4):
        turn = quat_to_matrix(np.array([np.cos(pitch / 2), np.sin(pitch / 2), 0, 0]))
        level = rng.normal(size=(5, 3))
        truth = dataclasses.replace(make_record(0).truth, translation=level @ turn.T, up=turn @ [0, -1.0, 0])
        np.testing.assert_allclose(plan_positions(truth), level[:, [0, 2]], atol=1e-9)


def test_tables_and_three_pictures(folder, tmp_path, capsys):
    main(["data", "inspect", str(folder), "--out", str(tmp_path / "look")])
    text = capsys.readouterr().out
    assert "1 failures" in text and "seed 17: RuntimeError: unlucky" in text and "code 0123456789ab" in text
    assert "1 of 1 files as written" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith(("bed ", "lamp", "desk"))}
    assert lines["bed"].split()[1:4] == ["0.75", "75%", "100%"]
    assert lines["desk"].split()[1:4] == ["0.25", "25%", "0%"]
    assert [line.split()[2:] for line in text.splitlines() if line.startswith("  2 lamp")] == [["100", "50", "50"]]
    for name in ("contact-sheet", "together", "boxes"):
        picture = np.asarray(Image.open(tmp_path / "look" / f"{name}.png").convert("L"))
        assert picture.std() > 5


def test_a_name_of_a_picture_names_the_contact_sheet(folder, tmp_path):
    main(["data", "inspect", str(folder), "--out", str(tmp_path / "sheet.png"), "--limit", "2"])
    assert {p.name for p in tmp_path.glob("*.png")} == {"sheet.png", "together.png", "boxes.png"}


def test_changed_files_and_mixed_code_are_said(folder, tmp_path, capsys):
    _manifest(folder, "0123456789ab", "ba9876543210")
    with open(shard_path(folder, 0), "ab") as file:
        file.write(b"\0" * 512)
    main(["data", "inspect", str(folder), "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "MIXED CODE 0123456789ab, ba9876543210" in text
    assert "MIXED RENDERER" not in text and "renderer unknown" in text
    assert "2 of 2 files DIFFER or are absent: rooms-000000.tar, rooms-000001.tar" in text


def test_mixed_renderers_are_said(folder, tmp_path, capsys):
    manifest = read_manifest(folder)
    entry = manifest["shards"]["0"] | {"renderer": "mitsuba 1 llvm, pyoidn 2"}
    write_manifest(folder, manifest | {"shards": {"0": entry}})
    assert "renderer mitsuba 1 llvm, pyoidn 2" in state_of(folder)
    other = entry | {"renderer": "mitsuba 1 scalar, pyoidn 2"}
    write_manifest(folder, manifest | {"shards": {"0": entry, "1": other}})
    main(["data", "inspect", str(folder), "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "MIXED RENDERER mitsuba 1 llvm, pyoidn 2; mitsuba 1 scalar, pyoidn 2" in text and "MIXED CODE" not in text


def test_damaged_files_are_those_that_differ(folder):
    name = shard_path(folder, 0).name
    good = file_sha256(folder / name)
    assert damaged_files(folder, {name: good}) == []
    assert damaged_files(folder, {name: "0" * 64, "rooms-000007.tar": good}) == [name, "rooms-000007.tar"]


def test_a_pack_can_be_looked_at_too(folder, tmp_path, capsys):
    pack_folder(folder, tmp_path / "pack", progress=False)
    main(["data", "inspect", str(tmp_path / "pack"), "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "pack of 4 rooms" in text and "1 of 1 files as written" in text


def test_one_room_without_objects_can_be_drawn(tmp_path, capsys):
    write_shard(shard_path(tmp_path / "rooms", 0), [labelled(3)])
    main(["data", "inspect", str(tmp_path / "rooms"), "--out", str(tmp_path)])
    assert "objects a room: 0.00" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_no_rooms_say_how_to_render_some(tmp_path, place):
    with pytest.raises(SystemExit, match="data render --count"):
        main(["data", "inspect", str(tmp_path / place)])
