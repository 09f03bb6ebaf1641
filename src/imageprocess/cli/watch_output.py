"""The output file of `imageprocess watch`, JSONL or CSV: reads which images it has, and appends rows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from ..report.records import to_json
from ..report.table import csv_header, defuse, to_csv_row
from ..types import Result, Source


class Output:
    """A context manager that opens the file for appending. An incomplete last row, left by a crash, is removed, so that
    its image is analysed again.

    Raises click.UsageError if the suffix or the content is not that of an output of this command, click.FileError if
    the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix not in (".jsonl", ".ndjson", ".csv"):
            raise click.UsageError(f"-o {path}: the name must end in .jsonl or .csv")
        self._path = path
        self._is_csv = suffix == ".csv"
        self._sizes: dict[str, int | None] = {}  # source -> bytes; None: unknown, as in rows with an error

    def __enter__(self) -> Self:
        try:
            self._stream = self._path.open("a+b")
            self._stream.seek(0)
            complete = self._read_sizes()
            self._stream.truncate(complete)
            if self._is_csv and complete == 0:
                self._write(csv_header())
        except OSError as error:
            raise click.FileError(str(self._path), error.strerror or str(error)) from error
        except click.UsageError:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stream.close()

    def has_from_earlier_run(self, source: Source) -> bool:
        """Whether an earlier run wrote a row for this image in its current size. True only at the first call."""
        name = defuse(source.name) if self._is_csv else source.name
        if name not in self._sizes:
            return False
        size = self._sizes.pop(name)
        try:
            return size is None or source.path is None or source.path.stat().st_size == size
        except OSError:
            return False

    def append(self, result: Result) -> None:
        self._write(to_csv_row(result) if self._is_csv else to_json(result) + "\n")

    def _write(self, row: str) -> None:
        try:
            self._stream.write(row.encode("utf-8", "backslashreplace"))
            self._stream.flush()
        except OSError as error:
            raise click.FileError(str(self._path), error.strerror or str(error)) from error

    def _read_sizes(self) -> int:
        """Fill `_sizes` from the file. Returns the length of its complete rows in bytes."""
        complete, row, number = 0, b"", 0
        for line in self._stream:
            row += line
            if not row.endswith(b"\n") or (self._is_csv and row.count(b'"') % 2):
                continue  # a CSV cell may hold line breaks
            number += 1
            self._parse_row(row, number)
            complete += len(row)
            row = b""
        return complete

    def _parse_row(self, row: bytes, number: int) -> None:
        text = row.decode("utf-8", "replace")
        try:
            if not self._is_csv:
                record = json.loads(text)
                self._sizes[record["source"]] = (record.get("image") or {}).get("bytes")
            elif number == 1:
                if text != csv_header():
                    raise ValueError("unexpected columns")
            else:
                columns = next(csv.reader([csv_header()]))
                cells = dict(zip(columns, next(csv.reader(io.StringIO(text, newline=""))), strict=True))
                self._sizes[cells["source"]] = int(cells["bytes"]) if cells["bytes"] else None
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise click.UsageError(
                f"-o {self._path}: row {number} was not written by this version of this command; choose another file"
            ) from error
