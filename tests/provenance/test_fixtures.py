"""Real files of generators and cameras beside the repository: every row of expected.csv."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from imageprocess.decode import decode
from imageprocess.provenance import read_provenance
from imageprocess.types import Evidence, Thresholds
from imageprocess.verdict import decide

TABLE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "provenance" / "expected.csv"
ROWS = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())) if TABLE.is_file() else []
BALANCED = Thresholds(ai=0.8, real=0.2)


@pytest.mark.skipif(not ROWS, reason="needs ../shared/fixtures")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_fixture_row_matches_expected(row: dict[str, str]) -> None:
    if row["file"].endswith(".heic"):
        pytest.importorskip("pi_heif", reason="needs the extra [heic]")
    if row["c2pa_state"] != "none":
        pytest.importorskip("c2pa", reason="needs the extra [c2pa]")
    data = (TABLE.parent / row["file"]).read_bytes()
    evidence = read_provenance(
        data, decode(data).facts, trust_list=TABLE.parents[1] / "trust" / "C2PA-TRUST-LIST.pem"
    )
    states = {item.detail["state"] for item in evidence if item.kind == "c2pa"} or {"none"}
    assert states == {row["c2pa_state"]}
    for p in (0.02, 0.14, 0.5, 0.99):
        verdict = decide([*evidence, model(p)], BALANCED)
        if row["label_by_evidence"] == "ai":
            assert (verdict.label, verdict.decided_by) == ("ai", row["decided_by"])
        else:
            assert verdict.decided_by in ("model", "abstain")
    for kind in ("exif", "iptc", "generator_metadata"):
        claimed = any(part.strip().startswith(f"{kind}:") for part in row["claims"].split(";"))
        assert not claimed or any(item.kind == kind for item in evidence)


def model(p: float) -> Evidence:
    return Evidence("model", "", "measured", "nothing", {"probability_ai": p})
