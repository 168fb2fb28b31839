"""Whatever LLVM is about, rendering works or warns; the interpreter never aborts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from anchorgen.world.variant import MIN_LLVM, find_llvm, llvm_version

ROOT = Path(__file__).parents[1]
RENDER = """
import warnings
from anchorgen.world.rooms import sample_scene
from anchorgen.world.rendering import render
from anchorgen.world.variant import use_mitsuba
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    picture = render(sample_scene(9), 16, 1, denoise=False)
print(use_mitsuba().variant(), picture.image.shape, [str(w.message) for w in caught if w.category is RuntimeWarning])
"""


def run(code: str, **environment: str) -> str:
    base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(Path.home())}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=base | environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_packaged_llvm_is_fit():
    assert llvm_version(find_llvm()) >= MIN_LLVM
    assert "llvm_ad_rgb (16, 16, 3) []" in run(RENDER)


def test_what_is_no_llvm_has_no_version(tmp_path):
    (tmp_path / "libLLVM.so").write_text("not a library")
    assert llvm_version(tmp_path / "libLLVM.so") == 0
    assert llvm_version(tmp_path / "missing.so") == 0


def test_without_a_fit_llvm_the_scalar_renderer_says_so():
    code = "import anchorgen.world.variant as v; v.find_llvm = lambda: None\n" + RENDER
    out = run(code)
    assert "scalar_rgb (16, 16, 3)" in out
    assert "slow scalar_rgb" in out


def test_a_drjit_that_chose_its_own_llvm_is_not_trusted():
    out = run("import drjit\n" + RENDER)
    assert "scalar_rgb (16, 16, 3)" in out
    assert "DRJIT_LIBLLVM_PATH" in out
