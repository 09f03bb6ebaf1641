"""`imageprocess watch`: new pictures of a folder -> rows appended to a file.

Polling, with the standard library alone: it works the same on local disks, network shares and container mounts, where
file-system events are often missing, and the sizes have to be polled anyway to see that a file has stopped growing.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..types import MODES, Mode, Result, Source
from .output import destination, name_better_model
from .watch_output import Output

if TYPE_CHECKING:
    from types import FrameType

    from ..detector import Detector

_Stamp = tuple[int, int]  # size in bytes, time of the last change in ns


class Settling:
    """Decides which files are ready: new or changed, and unchanged for `settle_s` since they were first seen so."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._growing: dict[Path, tuple[_Stamp, float]] = {}
        self._done: dict[Path, _Stamp] = {}

    def is_ready(self, path: Path, now: float) -> bool:
        """Call it at every poll for every file. `now` in seconds of a monotonic clock."""
        stamp = _stamp(path)
        if stamp is None or self._done.get(path) == stamp:
            self._growing.pop(path, None)
            return False
        last, since = self._growing.get(path, (None, now))
        if last != stamp:
            since = now
        self._growing[path] = (stamp, since)
        return now - since >= self._settle_s

    def mark_done(self, path: Path) -> None:
        """The file as it was when it became ready; what is written to it later makes it new again."""
        stamp, _ = self._growing.pop(path, (None, 0.0))
        stamp = stamp or _stamp(path)
        if stamp is not None:
            self._done[path] = stamp

    def forget_missing(self, present: set[Path]) -> None:
        for known in (self._growing, self._done):
            for path in known.keys() - present:
                del known[path]


def _stamp(path: Path) -> _Stamp | None:
    try:
        facts = path.stat()
    except OSError:
        return None  # removed meanwhile, or the folder is closed to us; tried again at the next poll
    return facts.st_size, facts.st_mtime_ns


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.jsonl|FILE.csv",
    help="Append a row per image to FILE; images already in it are skipped.",
)  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="Include subfolders.")
@click.option(
    "--sidecar", is_flag=True, help="Also write each record to NAME.imageprocess.json beside its image."
)
@click.option(
    "--mode", type=click.Choice(MODES), default="balanced", show_default=True,
    help="Required certainty of the model; best-guess never answers 'unsure' for lack of it.",
)  # fmt: skip
@click.option("--model", metavar="NAME|DIR", help="Name of a model, or a model folder.")
@click.option(
    "--interval", type=click.FloatRange(0.05, 3600), default=1.0, show_default=True, metavar="SECONDS",
    help="Polling interval.",
)  # fmt: skip
@click.option(
    "--settle", type=click.FloatRange(0, 3600), default=2.0, show_default=True, metavar="SECONDS",
    help="Analyse a file once its size and modification time have been stable for this long.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No notes on standard error.")
def watch(
    folder: Path, output: Path, recursive: bool, sidecar: bool, mode: Mode, model: str | None,
    interval: float, settle: float, quiet: bool,
) -> None:  # fmt: skip
    """Analyse the images in DIR and every new one until interrupted (Ctrl-C or SIGTERM).

    A file that changes after its row was written gets another row. After a restart, an image counts as done if the
    output lists it with its current size. An image that fails gets a row with the error and is not retried.

    Exit status: 0 interrupted; 2 usage error, or output not writable.
    """
    from ..detector import Detector

    if not quiet:
        name_better_model(model)
    with Output(output) as rows, _stop_signals() as stop:
        detector = Detector(model)
        if not quiet:
            click.echo(f"Watching {folder}; Ctrl-C ends.", err=True)
        settling = Settling(settle)
        written = failed = 0
        while not stop.is_set():
            for source in _ready(folder, recursive, rows, settling):
                result = _analyse(detector, source, mode)
                if sidecar:
                    _write_sidecar(source, result)
                rows.append(result)
                written, failed = written + 1, failed + (result.status == "error")
                if stop.is_set():
                    break
            stop.wait(interval)
    if not quiet:
        click.echo(f"{written} pictures, {failed} failed: {output}", err=True)


def _ready(folder: Path, recursive: bool, rows: Output, settling: Settling) -> Iterator[Source]:
    """One look at the folder: the pictures that are complete and have no row yet."""
    from .. import sources

    present: set[Path] = set()
    for source in sources.expand([str(folder)], recursive=recursive):
        assert source.path is not None  # expand gives paths
        present.add(source.path)
        if not settling.is_ready(source.path, time.monotonic()):
            continue
        settling.mark_done(source.path)
        if not rows.has_from_earlier_run(source):
            yield source
    settling.forget_missing(present)


def _analyse(detector: Detector, source: Source, mode: Mode) -> Result:
    return next(iter(detector.detect_many([source], mode=mode)))


def _write_sidecar(source: Source, result: Result) -> None:
    from ..report.records import to_json

    assert source.path is not None
    path = source.path.with_name(f"{source.path.name}.imageprocess.json")
    with destination(path) as stream:
        stream.write(f"{to_json(result, indent=1)}\n".encode())


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets, so that the row being written is completed; a second SIGINT interrupts."""
    stop = threading.Event()

    def handle(number: int, _: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    earlier = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
