"""Compare the rows of a fixture table with the results. As a program: prints a summary and the wrong rows.

python -m tests.support.record_rows [FOLDER]...
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from imageprocess.detector import Detector, error_result
from imageprocess.errors import InputError
from imageprocess.types import Result, Source

SHARED = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "records"
# Rows that expect a message: the words that it must contain.
SENTENCES = {
    "c2pa-store-not-readable.jpg": lambda text: "could not be read" in text and "changed after" not in text,
    "jpeg-header-broken.jpg": lambda text: "corrupt" in text and "MPO" not in text,
    "dng-thumbnail.dng": lambda text: "raw" in text or "preview" in text,
    "cmyk-adobe.jpg": lambda text: "ok" in text,
    "orientation-6.jpg": lambda text: "240x320" in text,
}


def rows(folder: Path) -> list[dict[str, str]]:
    table = folder / "expected.csv"
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines())) if table.is_file() else []


def detect_provenance(detector: Detector, path: Path) -> Result:
    """Result from provenance evidence only."""
    try:
        return detector.detect(Source(path.name, path.read_bytes()), only=("provenance", "watermark"))
    except InputError as error:
        return error_result(path.name, error)


def is_right(row: dict[str, str], result: Result) -> bool:
    points_to = {item.points_to for item in result.evidence}
    label = result.verdict.label if result.verdict else None
    camera_of_a_generator = any(
        item.kind == "exif" and "names a camera" in item.claim for item in result.evidence
    )
    if row["expect"] == "ai":
        return label == "ai" and not camera_of_a_generator
    if row["expect"] == "ai_edited":
        return "ai_edited" in points_to and label != "ai"
    if row["expect"] == "none":
        return result.status == "ok" and not points_to & {"ai", "ai_edited"}
    if row["expect"] == "readable":
        return result.status == "ok"
    return SENTENCES[row["file"]](describe(result))


def describe(result: Result) -> str:
    if result.error:
        return f"error {result.error.code}: {result.error.message}"
    assert result.verdict and result.image
    size = f"{result.image.width}x{result.image.height}"
    claims = "; ".join(f"{item.kind}/{item.points_to}: {item.claim}" for item in result.evidence)
    return f"ok {size} {result.verdict.label} by {result.verdict.decided_by} | {result.verdict.reason} | {claims}"


def main() -> None:
    detector = Detector()
    for folder in map(Path, sys.argv[1:] or [SHARED / "failing", SHARED / "passing"]):
        right = 0
        table = rows(folder)
        for row in table:
            result = detect_provenance(detector, folder / row["file"])
            if is_right(row, result):
                right += 1
            else:
                print(f"WRONG {row['file']}: {row['right']}\n      {describe(result)}")
        print(f"{folder.name}: {right} of {len(table)} right")


if __name__ == "__main__":
    main()
