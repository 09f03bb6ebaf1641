"""Model cards and model.json contain the measured figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from imageprocess.errors import ModelError, UsageError
from imageprocess.evaluate import card
from imageprocess.evaluate.grades import refresh_card
from imageprocess.evaluate.pictures import read_dataset
from imageprocess.evaluate.study import evaluate
from imageprocess.model import registry

PAGE = f"# Title\n\nbefore\n{card.BEGIN}\nold figures\n{card.END}\nafter\n"


@pytest.fixture(scope="module")
def records(small_dataset: Path, tiny_model_dir: Path) -> list[dict]:
    dataset = read_dataset(small_dataset)
    one = evaluate(dataset, [tiny_model_dir], ["equalised"], jobs=1, resamples=20).record
    many = evaluate(dataset, [tiny_model_dir], ["raw", "web"], jobs=1, resamples=20).record
    one["data"]["split"], many["data"]["split"] = "test", "open_test"
    return [one, many]


@pytest.fixture
def folder(tmp_path: Path, tiny_model_dir: Path) -> Path:
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    return tmp_path / "tiny"


def test_model_json_gets_figures_and_folder_still_verifies(folder, records):
    card.write_card(folder, records, 0)
    measured = registry.verify(folder).facts["measured"]
    assert measured["data_id"] == records[0]["data"]["id"]
    test, open_test = measured["splits"]["test"], measured["splits"]["open_test"]
    assert test["tier"] == "equalised" and test["n"] == 24
    assert open_test["raw"]["accuracy"] == pytest.approx(21 / 24)
    assert len(open_test["web"]["intervals"]["auroc"]) == 2


def test_card_shows_every_tier_generator_and_sanity_check(folder, records):
    card.write_card(folder, records, 0)
    text = (folder / "CARD.md").read_text(encoding="utf-8")
    for words in (
        "| test | equalised |",
        "| web |",
        "| g1 |",
        "| r2 |",
        "87.5 [",
        "labels shuffled",
        "always real",
    ):
        assert words in text
    assert "nan" not in text and "None" not in text


def test_card_describes_tiers(folder, records):
    card.write_card(folder, records, 0)
    consistency = records[1]["models"][0]["consistency"]
    low, high = consistency["intervals"]["web"]
    share = consistency["flips_from_first"]["web"]
    sentence = f"Against raw alone: web {100 * share:.1f} [{100 * low:.1f}, {100 * high:.1f}] %."
    assert sentence in (folder / "CARD.md").read_text(encoding="utf-8")


def test_card_names_calibration_data(folder, records):
    card.write_card(folder, records, 0)
    assert "calibrated on" not in (folder / "CARD.md").read_text(encoding="utf-8")
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["calibration"]["fitted_on"] = "four folds"
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    card.write_card(folder, records, 0)
    assert "| calibrated on | four folds |" in (folder / "CARD.md").read_text(encoding="utf-8")


def test_card_is_deterministic(folder, records):
    card.write_card(folder, records, 0)
    first = (folder / "CARD.md").read_bytes(), (folder / "model.json").read_bytes()
    card.write_card(folder, records, 0)
    assert first == ((folder / "CARD.md").read_bytes(), (folder / "model.json").read_bytes())


def test_model_with_grades_only_has_no_row(folder, records):
    card.write_card(folder, records, 0)
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    other = {**facts, "name": "other", "measured": {"grades": {}}}
    assert card.render_table([facts, other]) == card.render_table([facts])


def test_figures_of_other_model_are_rejected(folder, records):
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["files"]["model.onnx"] = "0" * 64
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ModelError, match="not the model that was measured"):
        card.write_card(folder, records, 0)
    assert "Brightness" in (folder / "CARD.md").read_text(encoding="utf-8")


def test_page_changes_only_between_markers(folder, records, tmp_path):
    card.write_card(folder, records, 0)
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    card.write_table(page, [folder])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\nbefore\n") and text.endswith("\nafter\n")
    assert "old figures" not in text and "| tiny | open test" in text and "87.5" in text


def test_page_without_markers_is_rejected(folder, records, tmp_path):
    card.write_card(folder, records, 0)
    (tmp_path / "page.md").write_text("# Title\n", encoding="utf-8")
    with pytest.raises(UsageError, match="measured:begin"):
        card.write_table(tmp_path / "page.md", [folder])


def test_card_shows_ablation(folder, records):
    path = folder / "model.json"
    facts = json.loads(path.read_text())
    variants = [
        {"name": "from nothing", "auroc": {"degraded_0": 0.71234}},
        {"name": "start", "auroc": {"degraded_0": 0.8}},
    ]
    facts["training"] = {
        "ablation": {"steps": 1200, "pictures": 8, "learning_rate": 3e-4, "variants": variants}
    }
    path.write_text(json.dumps(facts))
    card.write_card(folder, records, 0)
    text = (folder / "CARD.md").read_text()
    assert (
        "| trained | light degradation |" in text
        and "| from nothing | 0.712 |" in text
        and "1,200 steps" in text
    )
    assert "ablation:" not in text
    facts = json.loads(path.read_text())
    variants[0]["auroc"]["degraded_0"] = 0.75
    facts["training"]["ablation"]["variants"] = variants
    refresh_card(folder, facts)
    assert (folder / "CARD.md").read_text() == text.replace("0.712", "0.750")
