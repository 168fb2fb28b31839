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
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from record_helpers import make_record

from anchorgen.__main__ import main
from anchorgen.data.atomic import file_sha256
from anchorgen.data.explain import AllFailed, why_it_ended
from anchorgen.data.lanes import run_jobs
from anchorgen.data.lock import locked
from anchorgen.data.manifest import read_manifest
from anchorgen.data.pack_folder import pack_folder
from anchorgen.data.records import Record
from anchorgen.data.shards import list_shards, shard_path
from anchorgen.train import render_data

# Not `importorskip`: once it is imported, `use_mitsuba` can no longer choose its LLVM.
NEEDS_MITSUBA = pytest.mark.skipif(find_spec("mitsuba") is None, reason="renders")


@pytest.fixture
def made_up(monkeypatch):
    """Rendering in this process, of made-up records."""
    monkeypatch.setattr(render_data, "limit_threads", lambda threads: None)
    monkeypatch.setattr(render_data, "renderer", lambda: "mitsuba 1")
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
    assert entry["renderer"] == "mitsuba 1"


def test_code_that_has_changed_is_said(tmp_path, made_up, monkeypatch):
    _render(2, tmp_path)
    monkeypatch.setattr(render_data, "world_code", lambda: "0123456789ab")
    _render(2, tmp_path)  # nothing to render, nothing to warn of
    with pytest.warns(RuntimeWarning, match="other code .*0123456789ab"):
        manifest = _render(4, tmp_path)
    assert len({entry["code"] for entry in manifest["shards"].values()}) == 2


def test_a_renderer_that_has_changed_is_said(tmp_path, made_up, monkeypatch):
    _render(2, tmp_path)
    monkeypatch.setattr(render_data, "renderer", lambda: "mitsuba 2")
    _render(2, tmp_path)
    with pytest.warns(RuntimeWarning, match=r"other renderer \(mitsuba 1; this is mitsuba 2\)"):
        manifest = _render(4, tmp_path)
    assert [entry["renderer"] for entry in manifest["shards"].values()] == ["mitsuba 1", "mitsuba 2"]


@NEEDS_MITSUBA
def test_the_renderer_is_named_with_its_versions():
    words = render_data.renderer().split()
    import mitsuba

    assert words[:2] == ["mitsuba", mitsuba.__version__]
    assert words[2].rstrip(",") in mitsuba.variants()
    assert words[3:] == ["pyoidn", version("pyoidn")]


def test_a_shard_of_failures_alone_is_not_written(tmp_path, made_up, monkeypatch, capsys):
    def broken(seed: int, size: int, spp: int) -> Record:
        if seed >= 102:
            raise KeyError(f"no mesh {seed}")
        return make_record(seed)

    with monkeypatch.context() as patch:
        patch.setattr(render_data, "render_record", broken)
        with pytest.raises(RuntimeError, match=r"every room of rooms-000001.tar failed.*102: KeyError: 'no mesh 102'"):
            _render(6, tmp_path)
        line = ["data", "render", "--count", "2", "--shard-size", "2", "--seed", "200", "--out", str(tmp_path / "new")]
        with pytest.raises(SystemExit, match="data render: every room of .*no mesh 200.*the same command goes on"):
            main(line)
    assert [p.name for p in list_shards(tmp_path)] == ["rooms-000000.tar"]
    assert list(read_manifest(tmp_path)["shards"]) == ["0"] and not list(tmp_path.glob("*.partial"))
    assert _render(6, tmp_path)["records"] == 5  # mended: the same command goes on


def test_a_shard_without_rooms_is_rendered_again(tmp_path, made_up):
    manifest = _render(4, tmp_path)
    manifest["shards"]["0"] |= {"records": 0, "failures": {"100": "x", "101": "x"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert _render(4, tmp_path)["shards"]["0"]["records"] == 2


@pytest.mark.filterwarnings("error")
def test_a_shard_that_was_changed_is_named_and_rendered_again(tmp_path, made_up):
    _render(6, tmp_path)
    first, second = shard_path(tmp_path, 0), shard_path(tmp_path, 1)
    whole, stamp = second.read_bytes(), first.stat().st_mtime_ns
    second.write_bytes(whole[:-1])
    with pytest.warns(RuntimeWarning, match="rooms-000001.tar is not as it was written.*rendered again"):
        _render(6, tmp_path)
    assert second.read_bytes() == whole and first.stat().st_mtime_ns == stamp
    _render(6, tmp_path)  # and all is well: no warning


def test_one_folder_has_one_job_at_a_time(tmp_path, made_up):
    pytest.importorskip("fcntl")
    with locked(tmp_path), pytest.raises(SystemExit, match=r"^anchorgen data render: another command .*wait for it"):
        main(["data", "render", "--count", "1", "--out", str(tmp_path)])
    assert not list_shards(tmp_path)
    assert _render(2, tmp_path)["records"] == 2  # let go of
    with locked(tmp_path):
        pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="flock of another process")
def test_a_killed_job_lets_go_of_its_folder(tmp_path):
    code = f"from pathlib import Path; from anchorgen.data.lock import locked; lock = locked(Path({str(tmp_path)!r}))\n"
    code += "lock.__enter__(); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as job:
        assert job.stdout.readline().strip() == b"held"
        with pytest.raises(ValueError, match="one at a time"), locked(tmp_path):
            pass
        job.kill()
    with locked(tmp_path):
        pass


def test_seeds_of_two_splits_are_refused(tmp_path, made_up):
    with pytest.raises(ValueError, match=r"9999998 to 10000001, of splits 'train' and 'val'"):
        _render(3, tmp_path, seed=9_999_998)  # over whole shards
    assert not list(tmp_path.iterdir())
    assert _render(2, tmp_path, seed=9_999_998)["records"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seed", "20000005"), "got 20000005, of split 'test'; expected one of --split train, which begins at 0"),
        (("--split", "val", "--seed", "9999999"), "of split 'train'; expected one of --split val"),
        (("--seed", "-1"), "seed: got -1"),
    ],
)
def test_a_seed_of_another_split_is_refused(tmp_path, options, words):
    with pytest.raises(SystemExit, match=f"^anchorgen data render: .*{words}"):
        main(["data", "render", "--count", "1", "--out", str(tmp_path / "out"), *options])
    assert not (tmp_path / "out").exists()


def test_a_pack_is_not_rendered_into(tmp_path, made_up):
    _render(2, tmp_path / "rooms")
    pack_folder(tmp_path / "rooms", tmp_path / "pack", progress=False)
    before = (tmp_path / "pack" / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="holds a pack.*another --out"):
        _render(2, tmp_path / "pack")
    assert (tmp_path / "pack" / "manifest.json").read_bytes() == before and not list_shards(tmp_path / "pack")


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
        (AllFailed("every room failed"), "every room failed.* intact; the same command goes on"),
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


@NEEDS_MITSUBA
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the worker in /proc")
def test_a_killed_worker_is_named_and_the_same_command_gives_the_same_bytes(tmp_path):
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


@NEEDS_MITSUBA
def test_a_disk_that_is_full_ends_the_job_and_leaves_nothing_half_written(tmp_path):
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)); "
    call = f"from anchorgen.__main__ import main; main({_job(tmp_path / 'out')[3:]!r})"
    script = tmp_path / "job.py"  # workers import it, so that each has the limit
    script.write_text(f"{limit}\nif __name__ == '__main__':\n    {call}\n")
    job = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert job.returncode != 0
    assert "anchorgen data render: no space left for" in job.stderr and "Traceback" not in job.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
