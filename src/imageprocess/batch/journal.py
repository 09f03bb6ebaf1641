"""What is done of a job, on disk: whole parts that are never touched again, and at the end the one file.

    out.jsonl.parts/job.json            the question; a resumed job must ask the same
    out.jsonl.parts/000000000000.jsonl  the rows from number 0 on;  000000000512.jsonl those from 512 on, and so on
    out.jsonl                           all of them, when the last is in
    .out.jsonl.job.json                 and the question that they answer: hidden, since a folder of such files is a
                                        table to other programs

A part takes its name only when its bytes are on the disk, so whatever ends the process, what has a name is whole and
the rows are the first inputs' without a gap. Nothing else needs to be remembered.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UsageError

_JOB, _LOCK = "job.json", "lock"


class Journal:
    """The parts of one job. One process at a time may hold it."""

    def __init__(self, out: Path, question: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Raises UsageError where `out` or its parts are there and neither `resume` nor `overwrite` is asked, where
        the question has changed since or is not known, and where another process is at it."""
        self.out = out
        self.folder = out.with_name(f"{out.name}.parts")
        self._answered = out.with_name(f".{out.name}.{_JOB}")
        for leftover in out.parent.glob(f".{self.folder.name}.*.done"):
            shutil.rmtree(leftover)
        self.finished = resume and out.exists() and not self.folder.exists()
        if self.finished:
            self._check_answered(question)
            return
        if not (resume or overwrite) and (out.exists() or self.folder.exists()):
            what = (
                f"{out} is there" if out.exists() else f"a job that has not finished is there ({self.folder})"
            )
            raise UsageError(f"{what}; --resume goes on with it, --overwrite begins anew")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        try:
            if not resume:
                self._clear()
            self._check_question(question)
            self.rows = self._count()
        except BaseException:
            self._lock.close()
            raise

    def _take_lock(self) -> BinaryIO:
        lock = (self.folder / _LOCK).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it when we die
        except OSError as error:
            lock.close()
            raise UsageError(f"{self.folder}: another process is at work on it") from error
        return lock

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                path.unlink()

    def _check_question(self, question: Mapping[str, Any]) -> None:
        path = self.folder / _JOB
        if not path.exists():
            with _committed(path) as stream:
                stream.write(json.dumps(question, sort_keys=True, indent=1).encode())
        elif changed := _changed(path, question):
            raise UsageError(f"{self.folder}: begun with another {changed}; use the same, or --overwrite")

    def _check_answered(self, question: Mapping[str, Any]) -> None:
        """Is `out` the answer to this question? Not if another program wrote it."""
        try:
            changed = _changed(self._answered, question)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.out}: not known to be this job's (no {self._answered.name} beside it); --overwrite begins anew"
            ) from error
        if changed:
            raise UsageError(f"{self.out}: finished with another {changed}; --overwrite begins anew")

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.jsonl"))

    def _count(self) -> int:
        parts = self._parts()
        if not parts:
            return 0
        with parts[-1].open("rb") as stream:
            return int(parts[-1].stem) + sum(1 for _ in stream)

    def committed(self) -> Iterator[str]:
        """Every row so far, in order, without its newline."""
        for path in self._parts():
            with path.open(encoding="utf-8", newline="\n") as stream:
                for line in stream:
                    yield line.rstrip("\n")

    def commit(self, rows: Iterable[str]) -> None:
        """The next rows, all or none of them."""
        count = 0
        with _committed(self.folder / f"{self.rows:012}.jsonl") as stream:
            for row in rows:
                stream.write(row.encode() + b"\n")
                count += 1
        self.rows += count

    def finish(self) -> None:
        """Join the parts into `out` and remove them. May be done again after being cut off anywhere."""
        with _committed(self.out) as stream:
            if self.out.suffix == ".parquet":
                from .parquet import write_rows

                write_rows(self.committed(), stream)
            else:
                for path in self._parts():
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, stream, 1 << 20)
        with _committed(self._answered) as stream:
            stream.write((self.folder / _JOB).read_bytes())
        # The folder goes in one step: half of it would look like a job that has not finished.
        gone = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.done")
        self.folder.rename(gone)
        shutil.rmtree(gone)
        self.close()

    def close(self) -> None:
        if not self.finished:
            self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _changed(path: Path, question: Mapping[str, Any]) -> str:
    """What is asked otherwise than the question in `path`; empty where nothing is."""
    held = json.loads(path.read_text(encoding="utf-8"))
    return ", ".join(key for key, value in question.items() if held.get(key) != value)


@contextlib.contextmanager
def _committed(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when everything is in it and on the disk."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        error.filename = error.filename or str(unfinished)  # a full disk does not say where
        raise
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name too
    finally:
        os.close(folder)
