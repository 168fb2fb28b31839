"""Jobs go on where they stopped, byte for byte, whatever stopped them; and they say what it was."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from record_helpers import make_record

from anchorgen.__main__ import main
from anchorgen.data.atomic import file_sha256
from anchorgen.data.explain import why_it_ended
from anchorgen.data.lanes import run_jobs
from anchorgen.data.manifest import read_manifest
from anchorgen.data.records import Record
from anchorgen.data.shards import list_shards, shard_path
from anchorgen.train import render_data


@pytest.fixture
def made_up(monkeypatch):
    """Rendering in this process, of made-up records."""
    monkeypatch.setattr(render_data, "limit_threads", lambda threads: None)
    monkeypatch.setattr(render_data, "render_record", lambda seed, size, spp: _fake(seed))
    monkeypatch.setattr(render_data, "run_jobs", lambda function, jobs, workers, each: map(function, jobs))


def _fake(seed: int) -> Record:
    if seed == 103:
        raise RuntimeError("unlucky")
    return make_record(seed)


def _render(count: int, out: Path, seed: int = 100, **options) -> dict:
    return render_data.render_dataset(count, seed, out, progress=False, shard_size=2, **options)


def test_rendering_resumes_where_it_stopped(tmp_path, made_up):
    whole = _render(6, tmp_path / "whole")
    assert whole == read_manifest(tmp_path / "whole")
    _render(4, tmp_path / "parts")
    first = shard_path(tmp_path / "parts", 0)
    stamp = first.stat().st_mtime_ns
    _render(6, tmp_path / "parts")
    assert first.stat().st_mtime_ns == stamp  # kept, not rendered again
    for a, b in zip(list_shards(tmp_path / "whole"), list_shards(tmp_path / "parts"), strict=True):
        assert a.read_bytes() == b.read_bytes()
    assert (tmp_path / "whole" / "manifest.json").read_bytes() == (tmp_path / "parts" / "manifest.json").read_bytes()
    manifest = read_manifest(tmp_path / "parts")
    del manifest["shards"]["1"]  # as if killed before the entry was written
    (tmp_path / "parts" / "manifest.json").write_text(json.dumps(manifest))
    _render(6, tmp_path / "parts")
    assert read_manifest(tmp_path / "whole") == read_manifest(tmp_path / "parts")
    with pytest.raises(ValueError, match="holds data"):
        _render(6, tmp_path / "parts", seed=999)


def test_the_manifest_says_what_is_there(tmp_path, made_up):
    manifest = _render(6, tmp_path)
    assert manifest["seeds"] == [100, 105] and manifest["records"] == 5 and manifest["failures"] == 1
    entry = manifest["shards"]["1"]
    assert entry["failures"] == {"103": "RuntimeError: unlucky"}
    assert (entry["first_seed"], entry["last_seed"], entry["records"]) == (102, 103, 1)
    assert entry["sha256"] == file_sha256(shard_path(tmp_path, 1))
    assert entry["code"] == render_data.world_code() and len(entry["code"]) == 12


def test_code_that_has_changed_is_said(tmp_path, made_up, monkeypatch):
    _render(2, tmp_path)
    monkeypatch.setattr(render_data, "world_code", lambda: "0123456789ab")
    _render(2, tmp_path)  # nothing to render, nothing to warn of
    with pytest.warns(RuntimeWarning, match="other code .*0123456789ab"):
        manifest = _render(4, tmp_path)
    assert len({entry["code"] for entry in manifest["shards"].values()}) == 2


def test_what_ails_the_machine_ends_the_job_and_writes_no_empty_shard(tmp_path, made_up, monkeypatch):
    def no_denoiser(seed: int, size: int, spp: int) -> Record:
        raise ImportError("no pyoidn")

    monkeypatch.setattr(render_data, "render_record", no_denoiser)
    with pytest.raises(ImportError, match="pyoidn"):
        _render(1, tmp_path)
    assert not list_shards(tmp_path)


def _square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def _end_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)
    return number


def test_processes_are_replaced_and_every_job_is_done():
    results = list(run_jobs(_square, range(9), 2, jobs_per_process=2))
    assert sorted(value for value, _ in results) == [n**2 for n in range(9)]
    assert len({process for _, process in results}) >= 5


def test_a_killed_process_ends_the_job_and_what_others_had_begun_is_kept():
    done = []
    with pytest.raises(BrokenProcessPool):
        done.extend(_collect(run_jobs(_end_at_three, range(2, 9), 2), done))
    assert 2 in done and 3 not in done and len(done) <= 3


def _collect(results, into: list) -> list:
    for result in results:
        into.append(result)
    return []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left .* intact; the same command goes on"),
        (BrokenProcessPool("gone"), "worker process was killed.* intact; the same command goes on"),
        (PermissionError(errno.EACCES, "Permission denied"), "cannot write to .*Permission denied; choose another"),
        (FileExistsError(errno.EEXIST, "File exists"), "cannot write to .*File exists"),
        (ImportError("no pyoidn"), "ImportError: no pyoidn"),
    ],
)
def test_the_command_says_in_one_line_what_ended_it(tmp_path, monkeypatch, error, words):
    def ended(*args, **options):
        raise error

    monkeypatch.setattr(render_data, "render_dataset", ended)
    with pytest.raises(SystemExit, match=f"^anchorgen data render: .*{words}") as caught:
        main(["data", "render", "--count", "1", "--out", str(tmp_path)])
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in why_it_ended(OSError(errno.ENOSPC, "full"), tmp_path)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_is_no_folder_is_named(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="anchorgen data render: cannot write to .*file"):
        main(["data", "render", "--count", "1", "--out", str(tmp_path / place)])


def _job(out: Path, *options: str) -> list[str]:
    sizes = ["--count", "8", "--shard-size", "2", "--size", "16", "--spp", "1", "--workers", "2"]
    return [sys.executable, "-m", "anchorgen", "data", "render", *sizes, "--out", str(out), *options]


def _children(parent: int) -> list[int]:
    """Worker processes, oldest first (Linux)."""
    commands = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"spawn_main" in (path.parent / "cmdline").read_bytes():
                commands[int(path.parent.name)] = int(fields[19])  # start time
        except (OSError, IndexError):
            continue
    return sorted(commands, key=commands.__getitem__)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the worker in /proc")
def test_a_killed_worker_is_named_and_the_same_command_gives_the_same_bytes(tmp_path):
    pytest.importorskip("mitsuba")
    subprocess.run(_job(tmp_path / "whole"), check=True, capture_output=True)
    out = tmp_path / "killed"
    with subprocess.Popen(_job(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        deadline = time.monotonic() + 60
        while not list_shards(out) and job.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(_children(job.pid)[0], signal.SIGKILL)
        message = job.communicate(timeout=60)[1]
    assert job.returncode != 0
    assert "anchorgen data render: a worker process was killed" in message and "Traceback" not in message
    assert not list(out.glob("*.partial"))
    done = {path.name: path.stat().st_mtime_ns for path in list_shards(out) if _entered(out, path)}
    assert 1 <= len(done) < 4
    subprocess.run(_job(out), check=True, capture_output=True)
    assert {name: (out / name).stat().st_mtime_ns for name in done} == done
    assert [p.name for p in list_shards(out)] == [f"rooms-{i:06d}.tar" for i in range(4)]
    for name in (path.name for path in list_shards(out)):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def _entered(out: Path, path: Path) -> bool:
    return str(int(path.stem[-6:])) in read_manifest(out)["shards"]


def test_a_disk_that_is_full_ends_the_job_and_leaves_nothing_half_written(tmp_path):
    pytest.importorskip("mitsuba")
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)); "
    call = f"from anchorgen.__main__ import main; main({_job(tmp_path / 'out')[3:]!r})"
    script = tmp_path / "job.py"  # workers import it, so that each has the limit
    script.write_text(f"{limit}\nif __name__ == '__main__':\n    {call}\n")
    job = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert job.returncode != 0
    assert "anchorgen data render: no space left for" in job.stderr and "Traceback" not in job.stderr
    assert not list((tmp_path / "out").iterdir())
