"""The repository keeps its own rules: dependencies agree, imports point one way, files stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def names(requirements: list[str]) -> dict[str, str]:
    """Package name -> version specifier."""
    parsed = (re.match(r"([A-Za-z0-9_.-]+)(?:\[.*?\])?(.*)", r) for r in requirements)
    return {m.group(1): m.group(2) for m in parsed if m and m.group(1) != "anchorgen"}


def wanted(*extras: str) -> dict[str, str]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    return {name: version for requirements in lists for name, version in names(requirements).items()}


def test_conda_environment_agrees_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    entries = [e for e in environment["dependencies"] if isinstance(e, str)]
    pip = next(e["pip"] for e in environment["dependencies"] if isinstance(e, dict))
    there = names(entries) | names(pip)
    expected = {CONDA_NAMES.get(n, n): v for n, v in wanted("widgets", "notebooks", "world", "train").items()}
    assert {n: there.get(n) for n in expected} == expected


def test_constraints_pin_every_direct_dependency():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    direct = {n.lower() for n in wanted("widgets", "notebooks", "world", "train", "dev")}
    assert not direct - pinned
    assert "torch==2.13.0" in lines


def test_importing_anchorgen_imports_nothing_heavy():
    code = "import sys, anchorgen; print([m for m in ('torch', 'scipy', 'diffusers', 'numpy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_package_never_imports_widgets_or_ipython():
    for path in (ROOT / "anchorgen").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [m for m in modules if m.split(".")[0] in ("ipywidgets", "IPython", "anchorgen_widgets")], path


def test_imports_point_one_way():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'widgets'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def sources() -> list[Path]:
    return [p for folder in ("anchorgen", "widgets", "tests") for p in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 350
    if "tests" not in path.parts:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno + 1 <= 60, node.name
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body:
                    assert body[-1].end_lineno - body[0].lineno + 1 <= 50, node.name


def test_unknown_names_are_explained():
    import anchorgen

    with pytest.raises(AttributeError, match="it offers"):
        anchorgen.nonsense  # noqa: B018
    assert set(anchorgen.__all__) <= set(dir(anchorgen))
