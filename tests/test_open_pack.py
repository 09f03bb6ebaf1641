"""Regression test of the shipped model on real images of held-out sources."""

from __future__ import annotations

import csv
from pathlib import Path

from sklearn.metrics import roc_auc_score

from imageprocess.api import detect_many
from imageprocess.model import registry
from imageprocess.model.spec import load_spec


def test_open_pack_auroc_matches_card(shared_dir: Path) -> None:
    pack = shared_dir / "fixtures" / "open-pack"
    with (pack / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    results = list(detect_many([pack / row["path"] for row in rows], only=["model"], jobs=2))
    scores = [result.evidence[0].detail["probability_ai"] for result in results]
    auroc = roc_auc_score([row["label"] == "ai" for row in rows], scores)
    measured = load_spec(registry.resolve()).facts["training"]["measured"][
        "open_test_1"
    ]  # sources in the pack
    assert auroc >= measured["auroc"]["clean"] - 0.05  # images of the pack have at most 768 px
