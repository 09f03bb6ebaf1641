"""Formats Results as CSV rows for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from ..types import Result
from .records import to_record

_COLUMNS = (
    "source", "status", "label", "probability_ai", "decided_by", "reason",
    "format", "width", "height", "frames", "bytes", "sha256",
    "model", "model_version", "elapsed_ms", "evidence", "error_code", "error_message", "grade",
    "maker",
)  # fmt: skip
# Characters with which spreadsheets recognise a cell as a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_header() -> str:
    return _line(list(_COLUMNS))


def to_csv_row(result: Result) -> str:
    """One row, line break included; fields that a failed input lacks are empty."""
    return record_to_csv_row(to_record(result))


def record_to_csv_row(record: Mapping[str, Any]) -> str:
    """As `to_csv_row`, for a record from to_record."""
    verdict, image, error = (record.get(part) or {} for part in ("verdict", "image", "error"))
    model, evidence = record.get("model") or {}, record.get("evidence") or []
    row = [record["source"], record["status"]]
    row += [verdict.get(key) for key in ("label", "probability_ai", "decided_by", "reason")]
    row += [image.get(key) for key in ("format", "width", "height", "frames", "bytes")]
    row += [record.get("sha256"), model.get("name"), model.get("version"), record.get("elapsed_ms")]
    row += [" | ".join(f"{item['kind']} ({item['trust']}): {item['claim']}" for item in evidence)]
    row += [error.get("code"), error.get("message"), verdict.get("grade"), _maker(evidence)]
    return _line(row)


def _maker(evidence: Sequence[Mapping[str, Any]]) -> str | None:
    """The generator family in the model's evidence, which is a text or a mapping with a `name`; None without one."""
    for item in evidence:
        if item["kind"] == "model":
            maker = item["detail"].get("maker")
            name = maker.get("name") if isinstance(maker, Mapping) else maker
            return name if isinstance(name, str) else None
    return None


def _line(cells: list[str | int | float | None] | list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(defuse(cell) for cell in cells)
    return stream.getvalue()


def defuse(cell: str | int | float | None) -> str | int | float | None:
    """`cell`, with a leading apostrophe if a spreadsheet could execute it as a formula."""
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell
