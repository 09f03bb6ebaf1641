"""`imageprocess batch`: very many pictures in, a row each out."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..errors import ImageProcessError
from ..report.text import escaped
from ..types import MODES, WITNESSES, Mode, Witness
from .detect import parse_only
from .output import name_better_model
from .tally import remarks

if TYPE_CHECKING:
    from ..batch import Summary
    from ..batch.inputs import Inputs

_CONTROL_C = 130
_MAX_JOBS = 100_000  # a slip of the finger is told
_MAX_TIMEOUT_S = 86_400
_SHOWN_EVERY_S = 0.2


@click.command()
@click.argument("sources", nargs=-1, metavar="SRC...")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.jsonl|FILE.parquet",
    help="One row an input. While the job runs its parts lie beside it, in FILE.parts/.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="The cores of this machine, or a Ray cluster (RAY_ADDRESS; without it one is started here).",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True, help="Go on where the job stopped or was killed; begin if it has not."
)
@click.option("--overwrite", is_flag=True, help="Begin anew, whatever is there.")
@click.option(
    "--jobs", type=click.IntRange(1, _MAX_JOBS), default=None, metavar="N",
    help="Worker processes. Default: one a core; on Ray one a core of the cluster but one, which reads.",
)  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option(
    "--from-list", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Read paths and URIs from FILE, one a line.",
)  # fmt: skip
@click.option("--image-column", metavar="NAME", help="Parquet: the column of pictures, if more than one is.")
@click.option("--mode", type=click.Choice(MODES), default="balanced", show_default=True, help="As in detect.")
@click.option("--threshold", type=click.FloatRange(0, 1), metavar="X", help="As in detect.")
@click.option("--model", metavar="NAME|DIR", help="A shipped model or a model folder.")
@click.option(
    "--only", callback=parse_only, metavar=",".join(WITNESSES), help="Ask these alone; the default is all."
)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, _MAX_TIMEOUT_S), default=60, show_default=True,
    metavar="SECONDS", help="For one picture; local engine.",
)  # fmt: skip
@click.option("--no-reuse", is_flag=True, help="Look again at a picture whose bytes were seen before.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on standard error.")
@click.pass_context
def batch(
    ctx: click.Context,
    sources: tuple[str, ...],
    out: Path,
    engine: Literal["local", "ray"],
    resume: bool,
    overwrite: bool,
    jobs: int | None,
    recursive: bool,
    from_list: Path | None,
    image_column: str | None,
    mode: Mode,
    threshold: float | None,
    model: str | None,
    only: tuple[Witness, ...] | None,
    timeout_s: float,
    no_reuse: bool,
    quiet: bool,
) -> None:
    """Go through very many pictures, one row each, in order.

    SRC is a picture, a folder, a glob, a tar (.tar, .tar.gz, ...), a Parquet file with a column of picture bytes, or a
    URI of any of these (s3://, gs://, ...).

    What is done stays done: after a kill, a crash or Ctrl-C, the same command with --resume goes on, no row lost and
    none twice. Exit status: 0 all analysed; 1 some input failed (its row says why), or no picture was found; 2 wrong
    usage; 130 stopped.
    """
    if not sources and from_list is None:
        raise click.UsageError("nothing to look at: give a path, a folder, a shard, a URI or --from-list")
    if resume and overwrite:
        raise click.UsageError("--resume goes on, --overwrite begins anew: one of them")
    from ..batch import Job, run
    from ..batch.inputs import Inputs
    from ..batch.score import Task

    inputs = Inputs(sources, from_list, recursive, image_column)
    task = Task(model, mode, threshold, only, reuse=not no_reuse)
    if not quiet and (only is None or "model" in only):
        name_better_model(model)
    workers = jobs or (0 if engine == "ray" else os.cpu_count() or 1)
    job = Job(inputs, out, task, engine, workers, timeout_s)
    with _progress(inputs, shown=not quiet and sys.stderr.isatty()) as progress:
        try:
            summary = run(job, resume=resume, overwrite=overwrite, report=progress)
        except KeyboardInterrupt:
            click.echo(f"stopped; the same command with --resume goes on ({out})", err=True)
            ctx.exit(_CONTROL_C)
    if not quiet:
        for remark in remarks(sources, recursive, summary.rows, summary.remedies):
            click.echo(escaped(remark), err=True)
        click.echo(_told(summary, out), err=True)
    ctx.exit(1 if summary.failed or not summary.rows else 0)


@contextmanager
def _progress(inputs: Inputs, *, shown: bool) -> Iterator[Callable[[Summary], None]]:
    """A line on standard error: how many, how fast, how long still. The whole is counted on the side."""
    if not shown:
        yield lambda summary: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(), TextColumn("{task.fields[failed]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bars:
        line = bars.add_task("", total=None, rate="", failed="")

        def count() -> None:
            with contextlib.suppress(ImageProcessError):  # the job itself tells it
                bars.update(line, total=inputs.count())

        threading.Thread(target=count, name="count", daemon=True).start()
        shown_at = 0.0

        def report(summary: Summary) -> None:
            nonlocal shown_at
            if time.monotonic() - shown_at < _SHOWN_EVERY_S:
                return
            shown_at = time.monotonic()
            rate = (summary.rows - summary.resumed) / max(summary.elapsed_s, 1e-3)
            failed = f"{summary.failed:,} failed" if summary.failed else ""
            bars.update(line, completed=summary.rows, rate=f"{rate:.1f} a second", failed=failed)

        yield report


def _told(summary: Summary, out: Path) -> str:
    now = summary.rows - summary.resumed
    rate = f", {now / summary.elapsed_s:.1f} a second" if now and summary.elapsed_s else ""
    before = f" ({summary.resumed:,} of them earlier)" if summary.resumed else ""
    return f"{summary.rows:,} pictures{before}, {summary.failed:,} failed{rate}: {out}"
