"""Share of AI per grade: sources and classes are weighted equally, small samples are omitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageprocess.detector import Detector
from imageprocess.errors import UsageError
from imageprocess.evaluate.grades import grade_table, grades_section, measured_grades, write_grades
from imageprocess.evaluate.metrics import Scored
from imageprocess.model import registry
from imageprocess.model.spec import load_spec
from imageprocess.report.text import to_text
from imageprocess.types import Thresholds
from testkit.pictures import encode, scene
from tests.support.tiny_model import write_tiny_model

CUTS = {
    "high-confidence": Thresholds(0.95, 0.05),
    "balanced": Thresholds(0.8, 0.2),
    "best-guess": Thresholds(0.5, 0.5),
}


def _scored(rows: list[tuple[bool, str, float, int]]) -> Scored:
    """(is_ai, source, score, count)"""
    listed = [row[:3] for row in rows for _ in range(row[3])]
    is_ai, sources, scores = (np.array(column) for column in zip(*listed, strict=True))
    return Scored(is_ai, scores, sources)


def test_sources_and_classes_have_equal_weight() -> None:
    """Five AI sources in one grade, one of them huge; of five real sources one is in it with half of its images."""
    rows = [(True, f"a{i}", 0.7, 1000 if i == 0 else 10) for i in range(5)]
    rows += [(False, f"r{i}", 0.3, 10) for i in range(4)] + [(False, "r4", 0.3, 50), (False, "r4", 0.7, 50)]
    actual = grade_table(_scored(rows), CUTS)
    assert list(actual) == ["leaning_ai", "leaning_real"]
    assert actual["leaning_ai"]["ai_share"] == pytest.approx(
        1 / 1.1, abs=1e-4
    )  # r4 is one of five sources, half of it in this grade
    assert (actual["leaning_ai"]["pictures"], actual["leaning_ai"]["sources"]) == (1090, 6)
    assert actual["leaning_real"]["ai_share"] == 0


def test_no_grade_share_from_few_images() -> None:
    rows = [(True, f"a{i}", 0.7, 10) for i in range(5)] + [(False, f"r{i}", 0.1, 10) for i in range(5)]
    rows += [(True, "a0", 0.99, 100), (False, "r0", 0.5, 3), (False, "r1", 0.5, 3)]
    assert list(grade_table(_scored(rows), CUTS)) == ["leaning_ai", "likely_real"]


def test_too_small_image_counts_for_no_grade() -> None:
    scored = _scored(
        [(True, f"a{i}", 0.7, 10) for i in range(5)] + [(False, f"r{i}", 0.1, 10) for i in range(5)]
    )
    small = Scored(scored.is_ai, scored.scores, scored.sources, scored.is_ai)
    assert list(grade_table(small, CUTS)) == ["likely_real"]


def _records(spec: Any, split: str = "open_test", tier: str = "web") -> list[dict[str, Any]]:
    by = {"very_likely_ai": {"ai_share": 0.93, "pictures": 412, "sources": 31}}
    tiers = {"raw": {"grades": {}}, tier: {"grades": by}}
    model = {"sha256": spec.onnx_sha256, "tiers": tiers}
    return [{"data": {"split": split, "id": "0" * 12}, "date": "2026-01-01", "models": [model]}]


def test_measured_grades_reach_the_verdict(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    (folder / "CARD.md").write_text("# tiny\n\n## Limits\n\nNone.\n", "utf-8")
    facts = json.loads((folder / "model.json").read_text("utf-8"))
    facts["files"]["CARD.md"] = registry.file_sha256(folder / "CARD.md")
    (folder / "model.json").write_text(json.dumps(facts), "utf-8")
    for _ in range(2):  # writing again replaces it
        write_grades(folder, _records(load_spec(folder)), 0)
    registry.verify(folder)  # the hash of the card was updated
    card = (folder / "CARD.md").read_text("utf-8")
    assert card.count("very_likely_ai | 93.0 | 412 | 31") == 1 and card.endswith("## Limits\n\nNone.\n")
    result = Detector(folder).detect(encode(scene(1).point(lambda value: 200 + value // 5), "PNG"))
    assert result.verdict and result.verdict.measured
    assert result.verdict.measured["ai_share"] == 0.93 and result.verdict.measured["split"] == "open_test"
    assert "93 of 100" in to_text(result)
    grades = json.loads((folder / "model.json").read_text("utf-8"))["measured"]["grades"]
    assert grades["tier"] == "web" and "very_likely_ai | 93.0 | 412 | 31" in grades_section(grades)


def test_grades_use_only_the_test_split(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    spec = load_spec(folder)
    assert measured_grades(_records(spec, split="val"), 0) is None
    with pytest.raises(UsageError, match="open_test"):
        write_grades(folder, _records(spec, split="val"), 0)


@pytest.mark.parametrize("name", ["clip", "student", "cnn"])
def test_shipped_cards_match_model_json(name: str) -> None:
    folder = registry.MODELS / name
    facts = json.loads((folder / "model.json").read_text("utf-8"))
    assert grades_section(facts["measured"]["grades"]) in (folder / "CARD.md").read_text("utf-8")
