"""Small files of each kind of record beside the repository: every row of both tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageprocess.detector import Detector
from tests.support.record_rows import SHARED, describe, detect_provenance, is_right, rows

ROWS = [(SHARED / name, row) for name in ("failing", "passing") for row in rows(SHARED / name)]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.mark.skipif(not ROWS, reason="needs ../shared/fixtures")
@pytest.mark.parametrize(
    ("folder", "row"), ROWS, ids=lambda value: value["file"] if isinstance(value, dict) else ""
)
def test_record_row_matches_expected(folder: Path, row: dict[str, str], detector: Detector) -> None:
    if row["file"].startswith("c2pa-"):
        pytest.importorskip("c2pa", reason="needs the extra [c2pa]")
    result = detect_provenance(detector, folder / row["file"])
    assert is_right(row, result), f"{row['right']}: {describe(result)}"
