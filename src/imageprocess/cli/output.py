"""Output and progress of commands: data on standard output, everything else on standard error."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import click

from ..files import replacing

if TYPE_CHECKING:
    from rich.progress import Progress

_T = TypeVar("_T")


def count_of(number: int, noun: str) -> str:
    """ "1 image", "2,000 images"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@contextmanager
def destination(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output if `path` is None or "-"; else the file `path`, which appears only when it is complete.

    Raises click.FileError if it cannot be written, UsageError if standard output is closed.
    """
    if path is None or str(path) == "-":
        if sys.stdout is None:
            raise click.UsageError("standard output is closed")
        try:
            yield sys.stdout.buffer
        except OSError as error:
            if error.errno == errno.ENOSPC and error.filename is None:
                error.filename = "standard output"
            raise
        return
    try:
        path = path.resolve()  # replace the target of a symbolic link, not the link
        if path.exists() and not path.is_file():  # /dev/null and pipes cannot be replaced
            with path.open("wb") as stream:
                yield stream
            return
        with replacing(path) as stream:
            yield stream
    except BrokenPipeError:
        raise  # the reader closed the pipe
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error


def suggest_better_model(model: str | None) -> None:
    """Note on standard error that the small model is used because the more accurate one is not installed."""
    from ..model import registry

    if model is None and (better := registry.better_model()):
        click.echo(
            f"Using the small model. For a far more accurate one, run: imageprocess model get {better}",
            err=True,
        )


def with_progress(items: Iterable[_T], total: int | None) -> Iterator[_T]:
    """Yield the items, with a progress bar on standard error if that is a terminal."""
    with progress_bar("images") as step:
        for number, item in enumerate(items, 1):
            yield item
            step(number, total)


def progress_display(*, before: Iterable[str] = (), after: Iterable[str] = ()) -> Progress:
    """Rich's progress display on standard error: a bar, count and time left, with text columns on both sides."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        *map(TextColumn, before), *columns, *map(TextColumn, after),
        console=Console(stderr=True), redirect_stdout=False,
    )  # fmt: skip


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A callable (done, total) that draws a progress bar on standard error if that is a terminal."""
    with named_progress_bar(what) as step:
        yield lambda done, total: step("", done, total)


@contextmanager
def named_progress_bar(what: str, *, lines: bool = False) -> Iterator[Callable[[str, int, int | None], None]]:
    """A callable (name of the step or "", done, total) that draws a progress bar on standard error if that is a
    terminal; if not, and with `lines`, it prints a line per step."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: click.echo(f"{done}/{total} {name}", err=True) if lines else None
        return
    with progress_display(before=["{task.description}"]) as bars:
        task = bars.add_task(what, total=None)
        yield lambda name, done, total: bars.update(
            task, description=name or what, completed=done, total=total
        )
