"""Pictures, tiers and a real network in; the figures that must follow out."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from imageprocess.data.tiers import deliver, open_original
from imageprocess.detector import Detector
from imageprocess.errors import DataError, ModelError
from imageprocess.evaluate import runner
from imageprocess.evaluate.pictures import read_dataset
from imageprocess.evaluate.study import Study, evaluate
from imageprocess.types import MODES, Source


@pytest.fixture(scope="module")
def study(drawn_set: Path, tiny_model_dir: Path) -> Study:
    return evaluate(read_dataset(drawn_set), [tiny_model_dir], ["raw", "web"], jobs=1, resamples=50)


def test_the_figures_are_those_of_the_drawn_mistakes(study):
    raw = study.record["models"][0]["tiers"]["raw"]["by_picture"]
    assert raw["accuracy"] == pytest.approx(21 / 24)
    assert raw["tpr@best-guess"] == pytest.approx(10 / 12)
    assert raw["fpr@best-guess"] == pytest.approx(1 / 12)
    low, high = raw["intervals"]["accuracy"]
    assert low < 21 / 24 < high


def test_groups(study):
    groups = study.record["models"][0]["tiers"]["web"]["groups"]
    by_name = {row["name"]: row for row in groups["generator"]}
    assert by_name.keys() == {"g1", "g2"}
    assert by_name["g1"]["accuracy"] == pytest.approx(4 / 6) and by_name["g2"]["accuracy"] == 1
    assert by_name["g1"]["fpr"] is None
    assert {row["name"] for row in groups["real_origin"]} == {"r1", "r2"}
    (size,) = groups["size"]
    assert size["name"] == "under 200 px" and size["n_ai"] == size["n_real"] == 12
    # Of the pictures of g1 against all real ones: 4 bright over 11 dark, and so on.
    assert 0.5 < by_name["g1"]["auroc"] < by_name["g2"]["auroc"]


def test_brightness_survives_the_web_so_no_label_flips(study):
    found = study.record["models"][0]["consistency"]
    assert found["flips"] == 0 and found["flips_from_first"] == {"web": 0}


def test_what_is_counted_is_what_the_product_says_of_each_delivery(tmp_path, drawn_set, tiny_model_dir):
    """Of a model that has learnt from none under 120 pixels: raw are 160 long, crops 113, those of a feed 96 to 144."""
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    facts = json.loads((tmp_path / "tiny/model.json").read_text(encoding="utf-8"))
    facts["training"] = {"smallest_px": 120}
    (tmp_path / "tiny/model.json").write_text(json.dumps(facts), encoding="utf-8")
    dataset, tiers = read_dataset(drawn_set), ["raw", "crop", "social"]
    found = evaluate(dataset, [tmp_path / "tiny"], tiers, jobs=1, resamples=0).record["models"][0]
    detector = Detector(tmp_path / "tiny")
    for tier in tiers:
        said: Counter[tuple[str, bool, str]] = Counter()
        for picture in dataset.pictures:
            delivered = deliver(open_original(picture.path.read_bytes(), "x"), tier).data
            for mode in MODES:
                result = detector.detect(Source("x", delivered), mode=mode, only={"model"})
                said[mode, picture.is_ai, result.verdict.label] += 1
        for mode, table in found["tiers"][tier]["confusion"].items():
            for truth, row in table.items():
                assert row == {label: said[mode, truth == "ai", label] for label in row}, (tier, mode)
    answered = {tier: found["tiers"][tier]["by_picture"]["coverage@balanced"] for tier in tiers}
    assert answered["crop"] == 0 < answered["social"] < answered["raw"] == 1
    unsure = {row["name"]: row["unsure"] for row in found["tiers"]["crop"]["groups"]["generator"]}
    assert unsure == {"g1": 1, "g2": 1}


def test_controls_are_at_chance(study):
    rows = study.record["models"][0]["honesty"]
    assert rows["blank"]["auroc"] == 0.5 and rows["blank"]["mean_score"] == pytest.approx(0.5, abs=0.02)
    mean, low, high = rows["shuffled_labels"]["auroc"]
    assert low < 0.5 < high and mean == pytest.approx(0.5, abs=0.05)
    assert study.record["honesty"]["always_real"]["balanced_accuracy"] == 0.5


def test_the_record_is_json(study):
    again = json.loads(json.dumps(study.record, allow_nan=False))
    assert again["data"]["n_ai"] == 12 and again["data"]["sources_real"] == 2
    assert again["tiers"]["raw"] == "The file as it is."


def test_unreadable_pictures_are_told_and_not_scored(tmp_path, drawn_set, tiny_model_dir):
    shutil.copytree(drawn_set, tmp_path / "set")
    (tmp_path / "set/ai/g1/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    found = evaluate(read_dataset(tmp_path / "set"), [tiny_model_dir], ["raw"], jobs=1, resamples=0)
    assert [row["path"] for row in found.record["data"]["not_scored"]] == ["broken.png"]
    assert found.record["data"]["n_ai"] == 12 and len(found.pictures) == 24


def test_nothing_but_broken_pictures_is_refused(tmp_path, tiny_model_dir):
    for label in ("ai", "real"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"a\.png: not a supported image format"):
        evaluate(read_dataset(tmp_path), [tiny_model_dir], ["raw"], jobs=1, resamples=0)


def test_worker_processes_give_the_same_scores(study, drawn_set, tiny_model_dir):
    found = runner.score(read_dataset(drawn_set).pictures, [tiny_model_dir], ["raw", "web"], jobs=2)
    assert np.array_equal(found.scores[0], study.scores[0])
    assert found.is_complete.all() and (found.sizes == (160, 120)).all()


def test_a_broken_model_is_told_before_the_pool_starts(tmp_path, drawn_set, tiny_model_dir):
    shutil.copytree(tiny_model_dir, tmp_path / "tiny")
    (tmp_path / "tiny/model.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="sha256"):
        evaluate(read_dataset(drawn_set), [tmp_path / "tiny"], ["raw"], jobs=2)
