"""Formats a stream of Results as a stream of text in one of the formats, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from ..types import Result
from .records import to_json
from .table import csv_header, to_csv_row
from .text import to_text

Format = Literal["text", "json", "jsonl", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    results: Iterable[Result], form: Format, *, colour: bool = False, marks: bool = False
) -> Iterator[str]:
    """json: an array of records, also for a single one; jsonl: one record per line; csv: a header and one row each;
    text: see text.to_text for `colour` and `marks`."""
    if form == "json":
        yield from _json_array(results)
        return
    if form == "csv":
        yield csv_header()
    for result in results:
        if form == "csv":
            yield to_csv_row(result)
        elif form == "jsonl":
            yield to_json(result) + "\n"
        else:
            yield to_text(result, colour=colour, marks=marks) + "\n"


def _json_array(results: Iterable[Result]) -> Iterator[str]:
    separator = "[\n"
    for result in results:
        yield separator + to_json(result)
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"
