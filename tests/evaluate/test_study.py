"""Evaluation of images on tiers with a real network: figures, groups, errors."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from imageprocess.data.tiers import apply_tier, open_original
from imageprocess.detector import Detector
from imageprocess.errors import DataError, ModelError
from imageprocess.evaluate import runner
from imageprocess.evaluate.pictures import read_dataset
from imageprocess.evaluate.study import Study, evaluate
from imageprocess.types import MODES, Source


@pytest.fixture(scope="module")
def study(small_dataset: Path, tiny_model_dir: Path) -> Study:
    return evaluate(read_dataset(small_dataset), [tiny_model_dir], ["raw", "web"], jobs=1, resamples=50)


def test_figures_match_constructed_errors(study):
    raw = study.record["models"][0]["tiers"]["raw"]["by_picture"]
    assert raw["accuracy"] == pytest.approx(21 / 24)
    assert raw["tpr@best-guess"] == pytest.approx(10 / 12)
    assert raw["fpr@best-guess"] == pytest.approx(1 / 12)
    low, high = raw["intervals"]["accuracy"]
    assert low < 21 / 24 < high


def test_group_figures(study):
    groups = study.record["models"][0]["tiers"]["web"]["groups"]
    by_name = {row["name"]: row for row in groups["generator"]}
    assert by_name.keys() == {"g1", "g2"}
    assert by_name["g1"]["accuracy"] == pytest.approx(4 / 6) and by_name["g2"]["accuracy"] == 1
    assert by_name["g1"]["fpr"] is None
    assert {row["name"] for row in groups["real_origin"]} == {"r1", "r2"}
    (size,) = groups["size"]
    assert size["name"] == "under 200 px" and size["n_ai"] == size["n_real"] == 12
    # Images of g1 against all real ones: 4 bright above 11 dark, and so on.
    assert 0.5 < by_name["g1"]["auroc"] < by_name["g2"]["auroc"]


def test_no_label_flips_on_web_tier(study):
    consistency = study.record["models"][0]["consistency"]
    assert consistency["flips"] == 0 and consistency["flips_from_first"] == {"web": 0}


def test_counts_match_detector_on_each_tier(tmp_path, small_dataset, tiny_model_dir):
    """With a minimum training size of 120 pixels: raw images have 160, crops 113, feed images 96 to 144."""
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    facts = json.loads((tmp_path / "tiny/model.json").read_text(encoding="utf-8"))
    facts["training"] = {"smallest_px": 120}
    (tmp_path / "tiny/model.json").write_text(json.dumps(facts), encoding="utf-8")
    dataset, tiers = read_dataset(small_dataset), ["raw", "crop", "social"]
    actual = evaluate(dataset, [tmp_path / "tiny"], tiers, jobs=1, resamples=0).record["models"][0]
    detector = Detector(tmp_path / "tiny")
    for tier in tiers:
        counts: Counter[tuple[str, bool, str]] = Counter()
        for picture in dataset.pictures:
            delivered = apply_tier(open_original(picture.path.read_bytes(), "x"), tier).data
            for mode in MODES:
                result = detector.detect(Source("x", delivered), mode=mode, only={"model"})
                counts[mode, picture.is_ai, result.verdict.label] += 1
        for mode, table in actual["tiers"][tier]["confusion"].items():
            for truth, row in table.items():
                assert row == {label: counts[mode, truth == "ai", label] for label in row}, (tier, mode)
    answered = {tier: actual["tiers"][tier]["by_picture"]["coverage@balanced"] for tier in tiers}
    assert answered["crop"] == 0 < answered["social"] < answered["raw"] == 1
    unsure = {row["name"]: row["unsure"] for row in actual["tiers"]["crop"]["groups"]["generator"]}
    assert unsure == {"g1": 1, "g2": 1}


def test_sanity_checks_are_at_chance(study):
    rows = study.record["models"][0]["honesty"]
    assert rows["blank"]["auroc"] == 0.5 and rows["blank"]["mean_score"] == pytest.approx(0.5, abs=0.02)
    mean, low, high = rows["shuffled_labels"]["auroc"]
    assert low < 0.5 < high and mean == pytest.approx(0.5, abs=0.05)
    assert study.record["honesty"]["always_real"]["balanced_accuracy"] == 0.5


def test_study_is_valid_json(study):
    again = json.loads(json.dumps(study.record, allow_nan=False))
    assert again["data"]["n_ai"] == 12 and again["data"]["sources_real"] == 2
    assert again["tiers"]["raw"] == "The file as it is."


def test_unreadable_images_are_reported_and_not_scored(tmp_path, small_dataset, tiny_model_dir):
    shutil.copytree(small_dataset, tmp_path / "set")
    (tmp_path / "set/ai/g1/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    actual = evaluate(read_dataset(tmp_path / "set"), [tiny_model_dir], ["raw"], jobs=1, resamples=0)
    assert [row["path"] for row in actual.record["data"]["not_scored"]] == ["broken.png"]
    assert actual.record["data"]["n_ai"] == 12 and len(actual.pictures) == 24


def test_data_of_unreadable_images_only_is_rejected(tmp_path, tiny_model_dir):
    for label in ("ai", "real"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"a\.png: not a supported image format"):
        evaluate(read_dataset(tmp_path), [tiny_model_dir], ["raw"], jobs=1, resamples=0)


def test_worker_processes_give_the_same_scores(study, small_dataset, tiny_model_dir):
    actual = runner.score(read_dataset(small_dataset).pictures, [tiny_model_dir], ["raw", "web"], jobs=2)
    assert np.array_equal(actual.scores[0], study.scores[0])
    assert actual.is_complete.all() and (actual.sizes == (160, 120)).all()


def test_broken_model_is_reported_before_pool_starts(tmp_path, small_dataset, tiny_model_dir):
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    (tmp_path / "tiny/model.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="sha256"):
        evaluate(read_dataset(small_dataset), [tmp_path / "tiny"], ["raw"], jobs=2)
