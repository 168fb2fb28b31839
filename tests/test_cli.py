"""The command line says what it can do and what went wrong."""

from __future__ import annotations

import json

import pytest

from anchorgen.__main__ import BENCHMARKS, TRAINERS, main
from anchorgen.scene import truth


def run(capsys, *argv: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(argv))
    out = capsys.readouterr()
    return caught.value.code, out.out + out.err + str(caught.value)


def test_help_names_the_commands(capsys):
    code, text = run(capsys, "--help")
    assert code == 0
    assert all(word in text for word in ("data", "train", "bench", "sheet", "card", "demo"))


@pytest.mark.parametrize("argv", [("paint",), ("train", "unicorn"), ("bench", "unicorn"), ("data", "eat"), ()])
def test_unknown_commands_name_what_there_is(capsys, argv):
    code, text = run(capsys, *argv)
    assert code == 2
    assert "usage" in text


@pytest.mark.parametrize("name", TRAINERS)
def test_every_trainer_has_help(capsys, name):
    code, text = run(capsys, "train", name, "--help")
    assert code == 0
    assert "--" in text


def test_every_benchmark_exists():
    import importlib

    from anchorgen.analysis.results import home_of

    for name in BENCHMARKS:
        assert callable(importlib.import_module(home_of(name)).run)


def test_rendering_into_a_folder_of_other_settings_is_refused(tmp_path, capsys):
    settings = {"seed": 5, "size": 8, "spp": 1, "shard_size": 64, "world": 1}
    (tmp_path / "manifest.json").write_text(json.dumps({"shards": {}, "settings": settings}))
    code, text = run(capsys, "data", "render", "--count", "1", "--out", str(tmp_path))
    assert "choose another --out" in text
    assert code != 0


@pytest.mark.parametrize(
    "argv",
    [
        ("render", "--count", "0"),
        ("render", "--count", "1", "--threads", "none"),
        ("inspect", "somewhere", "--limit", "0"),
        ("pack", "somewhere", "--out", "elsewhere", "--voxels", "-1"),
        ("layouts", "--workers", "0"),
        ("evaluation", "--checksum", "--workers", "0"),
    ],
)
def test_numbers_below_one_are_refused_by_name(capsys, argv):
    code, text = run(capsys, "data", *argv)
    assert code == 2 and "Traceback" not in text
    assert f"argument {argv[-2]}: got {argv[-1]!r}; expected a whole number of at least 1" in text


@pytest.mark.parametrize("what", ["render", "layouts", "evaluation"])
def test_help_names_the_folder_of_this_version(capsys, monkeypatch, what):
    monkeypatch.setattr(truth, "WORLD_VERSION", 77)
    _, text = run(capsys, "data", what, "--help")
    assert "/77" in text


def test_a_checksum_that_cannot_be_made_ends_in_one_line(monkeypatch, capsys):
    from anchorgen.analysis import evaluation_render

    def ended(workers: int) -> str:
        raise ImportError("no scipy")

    monkeypatch.setattr(evaluation_render, "specification_checksum", ended)
    _, text = run(capsys, "data", "evaluation", "--checksum")
    assert "data evaluation --checksum: ImportError: no scipy. Nothing of the work is kept" in text
    assert "goes on" not in text


def test_inspecting_an_empty_folder_says_how_to_fill_it(tmp_path, capsys):
    _, text = run(capsys, "data", "inspect", str(tmp_path))
    assert "data render --count" in text


def test_benchmark_without_data_says_how_to_render_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ANCHORGEN_CACHE", str(tmp_path))
    _, text = run(capsys, "bench", "decoder", "--quick")
    assert "data render --split test" in text


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "prior", "--latents", "gone.safetensors", "--out-dir", "run"],
        ["train", "paper_latents", "--file", "gone.safetensors", "--out", "latents.safetensors"],
        ["scale", "--encoded", "gone"],
    ],
    ids=" ".join,
)
def test_a_file_that_is_not_there_ends_in_one_line(tmp_path, monkeypatch, argv):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^anchorgen {argv[0]}.*: .*gone"):
        main(argv)
