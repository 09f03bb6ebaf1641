"""The file that `imageprocess watch` appends to, JSONL or CSV: which pictures it has, and one row more."""

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
    """Opened for appending. A last row that a crash cut short is removed: its picture is analysed again.

    Raises UsageError where the file's name or content is not an output of this command.
    """

    def __init__(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix not in (".jsonl", ".ndjson", ".csv"):
            raise click.UsageError(f"-o {path}: the name must end in .jsonl or .csv")
        self._path = path
        self._is_csv = suffix == ".csv"
        self._sizes: dict[str, int | None] = {}  # source -> bytes; None where a failed row does not say

    def __enter__(self) -> Self:
        try:
            self._stream = self._path.open("a+b")
            self._stream.seek(0)
            whole = self._read()
            self._stream.truncate(whole)
            if self._is_csv and whole == 0:
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
        """True once for a picture whose row an earlier run wrote; False where its size has changed since."""
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

    def _read(self) -> int:
        """Fills the sizes; -> how many bytes of the file are complete rows."""
        whole, row, number = 0, b"", 0
        for line in self._stream:
            row += line
            if not row.endswith(b"\n") or (self._is_csv and row.count(b'"') % 2):
                continue  # a CSV cell may hold line breaks
            number += 1
            self._take(row, number)
            whole += len(row)
            row = b""
        return whole

    def _take(self, row: bytes, number: int) -> None:
        text = row.decode("utf-8", "replace")
        try:
            if not self._is_csv:
                record = json.loads(text)
                self._sizes[record["source"]] = (record.get("image") or {}).get("bytes")
            elif number == 1:
                if text != csv_header():
                    raise ValueError("other columns")
            else:
                columns = next(csv.reader([csv_header()]))
                cells = dict(zip(columns, next(csv.reader(io.StringIO(text, newline=""))), strict=True))
                self._sizes[cells["source"]] = int(cells["bytes"]) if cells["bytes"] else None
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise click.UsageError(
                f"-o {self._path}: row {number} was not written by this version of this command; name another file"
            ) from error
