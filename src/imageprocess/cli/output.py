"""Where a verb's data goes, and how its progress shows: data on standard output, the rest on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import click

_T = TypeVar("_T")


@contextmanager
def destination(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that takes its name only when everything is in it."""
    if path is None or str(path) == "-":
        yield sys.stdout.buffer
        return
    path = path.resolve()  # a link keeps pointing to its file
    if path.exists() and not path.is_file():  # /dev/null and pipes cannot be replaced
        with path.open("wb") as stream:
            yield stream
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("xb") as stream:
            yield stream
        unfinished.replace(path)
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
    finally:
        unfinished.unlink(missing_ok=True)


def with_progress(items: Iterable[_T], total: int | None) -> Iterator[_T]:
    """Pass items by, with a progress bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as progress:
        yield from progress.track(items, total=total)
