"""Commands, settings and tables of docs/flux2.md are those of the code."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import tyro
import yaml
from accelerate.commands.config.config_args import ClusterConfig

from anchorgen.__main__ import main
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
        assert (config.loop.sharding == "full") == ("sharding full" in command) and config.decoder_config().grid == 32


def test_the_config_file_is_accelerates(tmp_path):
    path = tmp_path / "fsdp.yaml"
    path.write_text(blocks("yaml")[0])
    config = ClusterConfig.from_yaml_file(str(path))
    assert config.fsdp_config["fsdp_version"] == 2 == yaml.safe_load(path.read_text())["fsdp_config"]["fsdp_version"]


def test_python_blocks_compile():
    for block in blocks("python"):
        compile(block, "flux2.md", "exec")


def test_the_tables_are_what_the_command_prints(capsys):
    main(["flux2", "sizes"])
    out = capsys.readouterr().out
    needs = [line for line in out.splitlines() if line.startswith("|")]
    assert len(needs) == 10 and "Derived" in out
    assert not [line for line in needs if line not in TEXT]
    counts = re.findall(r"^(\w.*?) +([\d,.]+) M parameters$", out, flags=re.MULTILINE)
    rows = {re.sub(r"adapter \((\w+)\)", r"adapter, \1 blocks", name): number for name, number in counts}
    assert rows["backbone"] == "3,875.5" and {"adapter, double blocks", "adapter, all blocks"} < rows.keys()
    assert all(f"| {name} | {number} |" in TEXT for name, number in rows.items())


def test_figures_of_the_gpu_are_those_of_the_result_file():
    root = Path(__file__).parents[1]
    text = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = json.loads((root / "docs" / "results" / "flux2.json").read_text())["figures"]
    said = [
        figures["device"], f"{figures['backbone_step_ms']:.1f} ms", f"{figures['adapter_overhead']:.1%}",
        f"of {figures['steps']} steps", f"{figures['picture_seconds']:.2f} s", f"{figures['peak_gib']:.1f} GiB",
        f"batch of {figures['batch_size']}", f"{figures['train_samples_per_second']:.1f} pictures a second",
        f"{figures['train_peak_gib']:.1f} GiB", f"{figures['peak_flops_share']:.0%}", f"{figures['matmul_flops_share']:.0%}",
    ]  # fmt: skip
    assert [words for words in said if words not in text] == []
