"""The state of a job on disk: complete parts that are never changed, joined into one file at the end.

    out.jsonl.parts/job.json            the job's options; a resumed job must have the same
    out.jsonl.parts/000000000000.jsonl  the rows from number 0 on;  000000000512.jsonl those from 512 on, and so on
    out.jsonl                           all rows, once the job is finished
    .out.jsonl.job.json                 the options that produced them; hidden, because other programs read a folder
                                        of such files as one table

A part is renamed to its final name only after it has been synced to disk. However the process ends, every named part is
complete, and the parts contain the rows of the first inputs without a gap.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UsageError
from ..files import replacing

_JOB, _LOCK = "job.json", "lock"


class Journal:
    """The parts of one job, locked by one process at a time."""

    def __init__(self, out: Path, options: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Raises UsageError if `out` or its parts exist and neither `resume` nor `overwrite` is given, if the options
        have changed or are not known, or if another process has locked the job."""
        self.out = out
        self.folder = out.with_name(f"{out.name}.parts")
        self._options_file = out.with_name(f".{out.name}.{_JOB}")
        for leftover in out.parent.glob(f".{self.folder.name}.*.done"):
            shutil.rmtree(leftover)
        self.finished = resume and out.exists() and not self.folder.exists()
        if self.finished:
            self._check_finished(options)
            return
        if not (resume or overwrite) and (out.exists() or self.folder.exists()):
            problem = f"{out} exists" if out.exists() else f"an unfinished job exists ({self.folder})"
            raise UsageError(f"{problem}; use --resume to continue it, or --overwrite to start again")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._acquire_lock()
        try:
            if not resume:
                self._clear()
            self._check_options(options)
            self.rows = self._count()
        except BaseException:
            self._lock.close()
            raise

    def _acquire_lock(self) -> BinaryIO:
        lock = (self.folder / _LOCK).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the kernel when the process ends
        except OSError as error:
            lock.close()
            raise UsageError(f"{self.folder}: in use by another process; wait for it to end") from error
        return lock

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                path.unlink()

    def _check_options(self, options: Mapping[str, Any]) -> None:
        path = self.folder / _JOB
        if not path.exists():
            with replacing(path, durable=True) as stream:
                stream.write(json.dumps(options, sort_keys=True, indent=1).encode())
        elif differing := _differing_options(path, options):
            raise UsageError(
                f"{self.folder}: started with a different {differing}; use the same, or --overwrite to start again"
            )

    def _check_finished(self, options: Mapping[str, Any]) -> None:
        """Check that `out` was written by a job with these options, and not by another program."""
        try:
            differing = _differing_options(self._options_file, options)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.out}: not known to be output of this job (no {self._options_file.name} beside it);"
                " use --overwrite to replace it"
            ) from error
        if differing:
            raise UsageError(
                f"{self.out}: finished with a different {differing}; use --overwrite to start again"
            )

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.jsonl"))

    def _count(self) -> int:
        parts = self._parts()
        if not parts:
            return 0
        with parts[-1].open("rb") as stream:
            return int(parts[-1].stem) + sum(1 for _ in stream)

    def committed(self) -> Iterator[str]:
        """All rows so far, in order, without newlines."""
        for path in self._parts():
            with path.open(encoding="utf-8", newline="\n") as stream:
                for line in stream:
                    yield line.rstrip("\n")

    def commit(self, rows: Iterable[str]) -> None:
        """Write the next rows, all or none of them."""
        count = 0
        with replacing(self.folder / f"{self.rows:012}.jsonl", durable=True) as stream:
            for row in rows:
                stream.write(row.encode() + b"\n")
                count += 1
        self.rows += count

    def finish(self) -> None:
        """Join the parts into `out` and remove them. Can be repeated after an interruption at any point."""
        with replacing(self.out, durable=True) as stream:
            if self.out.suffix == ".parquet":
                from .parquet import write_rows

                write_rows(self.committed(), stream)
            else:
                for path in self._parts():
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, stream, 1 << 20)
        with replacing(self._options_file, durable=True) as stream:
            stream.write((self.folder / _JOB).read_bytes())
        # Rename first: a half-deleted folder would look like an unfinished job.
        renamed = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.done")
        self.folder.rename(renamed)
        shutil.rmtree(renamed)
        self.close()

    def close(self) -> None:
        if not self.finished:
            self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _differing_options(path: Path, options: Mapping[str, Any]) -> str:
    """The names of the options that differ from those in `path`; empty if none do."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return ", ".join(key for key, value in options.items() if stored.get(key) != value)
