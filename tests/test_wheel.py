"""The built wheel, in an environment of its own: weights, front-end files and commands are inside."""

from __future__ import annotations

import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

USE = """
import anchorgen as ag, anchorgen_widgets, pathlib, sys
assert pathlib.Path(ag.__file__).is_relative_to(sys.prefix), ag.__file__
pipe, room = ag.load("bedrooms-128", device="cpu"), ag.examples()[0]
scene = pipe.encode(room.image)
image = pipe.render(pipe.sample(room.scene.release("bed.appearance"), steps=4)[0].remove("lamp"), draft=True)
assert image.size == (128, 128)
from anchorgen_widgets import SceneEditor
editor = SceneEditor(pipe, room.scene)
assert editor.scene.equals(room.scene)
editor.close()
print("used", ag.__version__)
"""


@pytest.mark.wheel
def test_wheel_is_complete_and_works(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    wheel = next(tmp_path.glob("anchorgen-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for needed in (
            "anchorgen/py.typed",
            "anchorgen_widgets/static/overlay.js",
            "anchorgen_widgets/static/overlay.css",
            "anchorgen/pretrained/bedrooms-128/decoder.safetensors",
            "anchorgen/pretrained/bedrooms-128/config.json",
        ):
            assert needed in names, needed
        assert not [n for n in names if n.startswith(("tests", "notebooks"))]
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # Dependencies are lent from this environment: fetching them again would test the network, not the wheel.
    # A plain path line, not addsitedir: the outer environment's own .pth (the editable install) must not be followed.
    (packages / "outer.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    done = subprocess.run([python, "-c", USE], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "used 0.1.0" in done.stdout
