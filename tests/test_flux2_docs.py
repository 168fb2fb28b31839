"""Commands, settings and tables of docs/flux2.md are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import tyro
import yaml
from accelerate.commands.config.config_args import ClusterConfig

from anchorgen.analysis.flux2_sizes import GIB, memory_needs, parameter_counts
from anchorgen.train.flux2 import Flux2Training

TEXT = (Path(__file__).parents[1] / "docs" / "flux2.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_training_commands_parse():
    commands = [line for line in blocks("bash")[0].replace("\\\n", " ").splitlines() if "train flux2" in line]
    assert len(commands) == 3
    for command in commands:
        arguments = shlex.split(command)
        config = tyro.cli(Flux2Training, args=arguments[arguments.index("flux2") + 1 :])
        assert config.shard == ("--shard" in command) and config.decoder_config().grid == 32


def test_the_config_file_is_accelerates(tmp_path):
    path = tmp_path / "fsdp.yaml"
    path.write_text(blocks("yaml")[0])
    config = ClusterConfig.from_yaml_file(str(path))
    assert config.fsdp_config["fsdp_version"] == 2 == yaml.safe_load(path.read_text())["fsdp_config"]["fsdp_version"]


def test_python_blocks_compile():
    for block in blocks("python"):
        compile(block, "flux2.md", "exec")


def test_the_tables_are_what_the_command_derives():
    counts = parameter_counts()
    for name in ("backbone", "autoencoder", "scene tokens"):
        assert f"| {name} | {counts[name] / 1e6:,.1f} |" in TEXT
    for sites in ("double", "all"):
        assert f"| adapter, {sites} blocks | {counts[f'adapter ({sites})'] / 1e6:,.1f} |" in TEXT
    for need in memory_needs():
        cards = ", ".join(map(str, need.fits()))
        numbers = f"{need.weights / GIB:.1f} | {need.activations / GIB:.1f} | {need.gib:.1f}"
        assert f"| {need.what} | {numbers} | {cards} |" in TEXT
