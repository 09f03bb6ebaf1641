"""`imageprocess watch`: analyse new images of a folder and append their rows to a file.

The folder is polled, with the standard library alone: this works on local disks, network shares and container mounts,
where file-system events are often missing, and sizes must be polled anyway to know that a file has stopped growing.
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
from .output import count_of, destination, suggest_better_model
from .watch_output import Output

if TYPE_CHECKING:
    from types import FrameType

    from ..detector import Detector

_Stamp = tuple[int, int]  # size in bytes, modification time in ns


class Settling:
    """Decides which files are ready: new or modified, and then stable for `settle_s` seconds."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._pending: dict[Path, tuple[_Stamp, float]] = {}  # stamp, and the time it was first observed
        self._done: dict[Path, _Stamp] = {}

    def is_ready(self, path: Path, now: float) -> bool:
        """To be called at every poll for every file. `now`: seconds of a monotonic clock."""
        stamp = _stamp(path)
        if stamp is None or self._done.get(path) == stamp:
            self._pending.pop(path, None)
            return False
        last, since = self._pending.get(path, (None, now))
        if last != stamp:
            since = now
        self._pending[path] = (stamp, since)
        return now - since >= self._settle_s

    def mark_done(self, path: Path) -> None:
        """Record the state in which the file became ready; a later modification makes it new again."""
        stamp, _ = self._pending.pop(path, (None, 0.0))
        stamp = stamp or _stamp(path)
        if stamp is not None:
            self._done[path] = stamp

    def forget_missing(self, present: set[Path]) -> None:
        for stamps in (self._pending, self._done):
            for path in stamps.keys() - present:
                del stamps[path]


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None  # deleted meanwhile, or no permission; retried at the next poll
    return status.st_size, status.st_mtime_ns


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
        suggest_better_model(model)
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
        click.echo(f"{count_of(written, 'image')}, {failed:,} failed: {output}", err=True)


def _ready(folder: Path, recursive: bool, rows: Output, settling: Settling) -> Iterator[Source]:
    """One poll of the folder: the images that are stable and have no row yet."""
    from .. import sources

    present: set[Path] = set()
    for source in sources.expand([str(folder)], recursive=recursive):
        assert source.path is not None  # sources.expand sets it
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

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
