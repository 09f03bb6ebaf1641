"""Results as CSV: one row each, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from ..types import Result

_COLUMNS = (
    "source", "status", "label", "probability_ai", "decided_by", "reason",
    "format", "width", "height", "frames", "bytes", "sha256",
    "model", "model_version", "elapsed_ms", "evidence", "error_code", "error_message", "grade",
    "maker",
)  # fmt: skip
# What makes a spreadsheet take a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_header() -> str:
    return _line(list(_COLUMNS))


def to_csv_row(result: Result) -> str:
    """One row, line break included; fields that a failed input lacks are empty."""
    image, verdict, model, error = result.image, result.verdict, result.model, result.error
    evidence = " | ".join(f"{item.kind} ({item.trust}): {item.claim}" for item in result.evidence)
    row: list[str | int | float | None] = [result.source, result.status]
    row += (
        [verdict.label, verdict.probability_ai, verdict.decided_by, verdict.reason] if verdict else [None] * 4
    )
    row += [image.format, image.width, image.height, image.frames, image.bytes] if image else [None] * 5
    row += [result.sha256]
    row += [model.name, model.version] if model else [None] * 2
    row += [result.elapsed_ms, evidence]
    row += [error.code, error.message] if error else [None] * 2
    row += [verdict.grade if verdict else None, _maker(result)]
    return _line(row)


def _maker(result: Result) -> str | None:
    """The generator's family, where the model's evidence names one: a text, or a mapping with a `name`."""
    for item in result.evidence:
        if item.kind == "model":
            maker = item.detail.get("maker")
            name = maker.get("name") if isinstance(maker, Mapping) else maker
            return name if isinstance(name, str) else None
    return None


def _line(cells: list[str | int | float | None] | list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(defuse(cell) for cell in cells)
    return stream.getvalue()


def defuse(cell: str | int | float | None) -> str | int | float | None:
    """A leading apostrophe tells spreadsheets that the cell is text."""
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
