"""The README and the model card say what the result files say, of the weights that are in the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from test_pipeline import tiny_pipeline

from anchorgen.analysis.card import (
    card_text,
    edits_measured,
    edits_table,
    figures_table,
    fill_drawing_page,
    read_results,
)
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.pages import fill_page
from anchorgen.analysis.results import weights_sha256
from anchorgen.pipeline.hub_card import CardFacts
from anchorgen.pipeline.hub_card import card_text as hub_text
from anchorgen.pipeline.pretrained import bundled_folder

ROOT = Path(__file__).parents[1]


def test_readme_and_card_quote_the_result_files():
    folder, results = bundled_folder("bedrooms-128"), read_results(ROOT / "docs" / "results")
    readme = (ROOT / "README.md").read_text()
    assert fill_page(readme, figures_table(results)) == readme, "run: python -m anchorgen card"
    drawing = (ROOT / "docs" / "drawing.md").read_text()
    assert fill_drawing_page(drawing, ROOT / "docs" / "results") == drawing, "run: python -m anchorgen card"
    training = json.loads((folder / "training.json").read_text())
    card = card_text((folder / "card.md").read_text(), training, results)
    assert card == (folder / "README.md").read_text(), "run: python -m anchorgen card"


def test_the_bundled_card_is_one_of_the_hub():
    check_hub_card(bundled_folder("bedrooms-128"))


def test_a_saved_pipeline_is_ready_for_the_hub(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path, licence="cc-by-4.0")
    card = check_hub_card(tmp_path)
    assert card.data.license == "cc-by-4.0" and "| slots | 6 |" in card.text
    (tmp_path / "README.md").write_text("mine")
    tiny_pipeline().save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    facts = CardFacts("adapter", "apache-2.0", "", ("bed",), {"decoder": 1}, {}, base_model="owner/name")
    assert ModelCard(hub_text(facts)).data.base_model == "owner/name"


def check_hub_card(folder: Path) -> ModelCard:
    """Metadata that the hub's own parser reads, and nothing in the folder but weights, JSON, pictures and text."""
    card = ModelCard.load(folder / "README.md", ignore_metadata_errors=False)
    assert card.data.library_name == "anchorgen" and card.data.license and card.data.pipeline_tag == "image-to-image"
    assert "anchored-generation" in card.data.tags and card.text.strip().startswith("# ")
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert {".md", ".json", ".safetensors"} <= kinds <= {".md", ".json", ".safetensors", ".webp"}
    return card


@pytest.mark.parametrize("name", ["decoder", "encoder"])
def test_result_files_belong_to_the_bundled_weights(name):
    result = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text())
    assert result["weights_sha256"] == weights_sha256()


def test_missing_results_and_markers_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="bench decoder"):
        read_results(tmp_path)
    with pytest.raises(ValueError, match="markers"):
        fill_page("no markers", "table")
    begin, end = "<!-- faithful -->", "<!-- /faithful -->"
    assert fill_page(f"a {begin} old {end} b", "new", "faithful") == f"a {begin}\n\nnew\n\n{end} b"


def test_what_was_not_measured_has_no_row():
    results = read_results(ROOT / "docs" / "results")
    decoder = results["decoder"]["figures"]
    bare = {name: decoder[name] for name in ("rooms", "noise_seeds", "steps", "draft_steps", "moves", "recon_psnr_db")}
    table = figures_table(results | {"decoder": results["decoder"] | {"figures": bare | {"lamp_slope": None}}})
    assert f"PSNR | {bare['recon_psnr_db']:.2f} dB |" in table and "±" not in table.split("IoU")[0].split("PSNR")[1]
    assert "how bright" not in table and "autoencoder" not in table and "100 moves of 0.5 m;" in table


def test_edits_of_the_evaluation_set_are_quoted():
    results = read_results(ROOT / "docs" / "results")
    new = {"edit_pairs": 897, "edit_scenes": 99, "adapter_overhead": 0.314}
    new |= {"lamp_correlation": 0.567, "lamp_correlation_ci95": 0.089, "lamp_slope": 0.432, "lamp_slope_ci95": None}
    figures = results["decoder"]["figures"] | new
    table = figures_table(results | {"decoder": results["decoder"] | {"figures": figures}})
    for row in ("drawn with true, r | 0.57 ± 0.09 |", "(1 is as bright) | 0.43 |", "of its backbone | 31% |"):
        assert row in table
    assert "897 edits of 99 more, of nine kinds" in table and "0.5 m" not in table
    assert edits_measured(figures) in table


def test_every_edit_has_its_row():
    figures = {"edit_gain_db_rotate": 0.504, "edit_change_db_rotate": 22.04, "collateral_psnr_db_rotate": None}
    lines = edits_table(figures).splitlines()
    assert "| rotate | 0.5 |  |  |  | 22.0 |" in lines and len(lines) == 2 + len(EDITS)
    assert any(line.startswith("| remove lit lamp |") for line in lines)


def test_the_drawing_page_shows_what_was_measured(tmp_path):
    page = "<!-- sampling -->\n<!-- /sampling -->\n<!-- faithful -->\n<!-- /faithful -->"
    assert fill_drawing_page(page, tmp_path) == page
    way = {"psnr_db": 23.456, "ssim": 0.7654, "laplacian_ratio": 0.876, "seconds": 0.333}
    sampling = {"figures": {"rooms": 64, "heun_4_guidance_1.6": way}}
    (tmp_path / "sampling.json").write_text(json.dumps(sampling))
    assert "| heun | 4 | 1.6 | 23.46 | 0.765 | 0.88 | 0.33 |" in fill_drawing_page(page, tmp_path)
    ways = ("copy", "plain", "inversion", "inversion_keep", "keep", "keep_draft")
    columns = ("edit_psnr_db", "source_psnr_db", "round_trip_db")
    faithful = {f"{column}_{way}": 20.04 for column in columns for way in ways} | {"round_trip_db_keep": 60.0}
    (tmp_path / "faithful.json").write_text(json.dumps({"figures": faithful}))
    text = fill_drawing_page(page, tmp_path)
    assert "| the source itself, unedited | 20.0 | equal | equal |" in text
    assert "| `keep` | 20.0 | 20.0 | equal |" in text and "| `keep`, draft | 20.0 | 20.0 | 20.0 |" in text
