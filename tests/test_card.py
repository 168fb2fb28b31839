"""The README and the model card say what the result files say, of the weights that are in the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anchorgen.analysis.card import BEGIN, END, card_text, figures_table, fill_readme, read_results
from anchorgen.analysis.results import weights_sha256
from anchorgen.pipeline.pretrained import bundled_folder

ROOT = Path(__file__).parents[1]


def test_readme_and_card_quote_the_result_files():
    folder, results = bundled_folder("bedrooms-128"), read_results(ROOT / "docs" / "results")
    readme = (ROOT / "README.md").read_text()
    assert fill_readme(readme, figures_table(results)) == readme, "run: python -m anchorgen card"
    training = json.loads((folder / "training.json").read_text())
    card = card_text((folder / "card.md").read_text(), training, results)
    assert card == (folder / "README.md").read_text(), "run: python -m anchorgen card"


@pytest.mark.parametrize("name", ["decoder", "encoder"])
def test_result_files_belong_to_the_bundled_weights(name):
    result = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text())
    assert result["weights_sha256"] == weights_sha256()


def test_missing_results_and_markers_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="bench decoder"):
        read_results(tmp_path)
    with pytest.raises(ValueError, match="markers"):
        fill_readme("no markers", "table")
    assert fill_readme(f"a {BEGIN} old {END} b", "new") == f"a {BEGIN}\n\nnew\n\n{END} b"
