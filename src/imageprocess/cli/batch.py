"""`imageprocess batch`: analyse very many images, one output row each."""

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
from ..types import CHECKS, MODES, Check, Mode
from .detect import parse_only
from .output import count_of, progress_display, suggest_better_model
from .tally import remarks

if TYPE_CHECKING:
    from ..batch import Summary
    from ..batch.inputs import Inputs

_INTERRUPTED = 130  # 128 + SIGINT, as in shells
_MAX_JOBS = 100_000  # catches typing errors
_MAX_TIMEOUT_S = 86_400
_REFRESH_S = 0.2  # of the progress line


@click.command()
@click.argument("sources", nargs=-1, metavar="SRC...")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.jsonl|FILE.parquet",
    help="Output, one row per input. Parts are kept in FILE.parts/ while the job runs.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="This machine, or a Ray cluster (RAY_ADDRESS; unset: a local one is started).",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Continue an interrupted job, or start it if there is none.")
@click.option("--overwrite", is_flag=True, help="Start again and replace existing output.")
@click.option(
    "--jobs", type=click.IntRange(1, _MAX_JOBS), default=None, metavar="N",
    help="Worker processes. Default: one per core; on Ray, one core is left for reading.",
)  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="Include subfolders.")
@click.option(
    "--from-list", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Read paths and URIs from FILE, one per line.",
)  # fmt: skip
@click.option("--image-column", metavar="NAME", help="Parquet: the image column, if there are several.")
@click.option("--mode", type=click.Choice(MODES), default="balanced", show_default=True, help="As in detect.")
@click.option("--threshold", type=click.FloatRange(0, 1), metavar="X", help="As in detect.")
@click.option("--model", metavar="NAME|DIR", help="Name of a model, or a model folder.")
@click.option(
    "--only", callback=parse_only, metavar=",".join(CHECKS), help="Run only these checks (default: all)."
)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, _MAX_TIMEOUT_S), default=60, show_default=True,
    metavar="SECONDS", help="Time limit per image (local engine).",
)  # fmt: skip
@click.option("--no-reuse", is_flag=True, help="Analyse identical files again instead of reusing the result.")
@click.option("-q", "--quiet", is_flag=True, help="No progress or notes on standard error.")
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
    only: tuple[Check, ...] | None,
    timeout_s: float,
    no_reuse: bool,
    quiet: bool,
) -> None:
    """Analyse very many images: one row each, in input order.

    SRC is an image, a folder, a glob, a tar (.tar, .tar.gz, ...), a Parquet file with a column of image bytes, or a
    URI of any of these (s3://, gs://, ...).

    After a crash or Ctrl-C, the same command with --resume continues without losing or repeating a row.

    Exit status: 0 all analysed; 1 some input failed (its row gives the error), or no image was found; 2 usage error;
    130 interrupted.
    """
    if not sources and from_list is None:
        raise click.UsageError("no input: give a path, a folder, a shard, a URI or --from-list")
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    from ..batch import Job, run
    from ..batch.inputs import Inputs
    from ..batch.score import Task

    inputs = Inputs(sources, from_list, recursive, image_column)
    task = Task(model, mode, threshold, only, reuse=not no_reuse)
    if not quiet and (only is None or "model" in only):
        suggest_better_model(model)
    workers = jobs or (0 if engine == "ray" else os.cpu_count() or 1)
    job = Job(inputs, out, task, engine, workers, timeout_s)
    with _progress(inputs, enabled=not quiet and sys.stderr.isatty()) as progress:
        try:
            summary = run(job, resume=resume, overwrite=overwrite, report=progress)
        except KeyboardInterrupt:
            click.echo(f"{out}: interrupted; run the same command with --resume to continue", err=True)
            ctx.exit(_INTERRUPTED)
    if not quiet:
        for remark in remarks(sources, recursive, summary.rows, summary.remedies):
            click.echo(escaped(remark), err=True)
        click.echo(_summary_line(summary, out), err=True)
    ctx.exit(1 if summary.failed or not summary.rows else 0)


@contextmanager
def _progress(inputs: Inputs, *, enabled: bool) -> Iterator[Callable[[Summary], None]]:
    """A progress line on standard error: count, rate, time left. The total is counted in a thread."""
    if not enabled:
        yield lambda summary: None
        return
    with progress_display(after=["{task.fields[rate]}", "{task.fields[failed]}"]) as bars:
        line = bars.add_task("", total=None, rate="", failed="")

        def count() -> None:
            with contextlib.suppress(ImageProcessError):  # the job itself reports it
                bars.update(line, total=inputs.count())

        threading.Thread(target=count, name="count", daemon=True).start()
        refreshed_at = 0.0

        def report(summary: Summary) -> None:
            nonlocal refreshed_at
            if time.monotonic() - refreshed_at < _REFRESH_S:
                return
            refreshed_at = time.monotonic()
            rate = (summary.rows - summary.resumed) / max(summary.elapsed_s, 1e-3)
            failed = f"{summary.failed:,} failed" if summary.failed else ""
            bars.update(line, completed=summary.rows, rate=f"{rate:.1f}/s", failed=failed)

        yield report


def _summary_line(summary: Summary, out: Path) -> str:
    """As "2 images (1 of them earlier), 0 failed, 3.1/s: out.jsonl"."""
    new_rows = summary.rows - summary.resumed
    rate = f", {new_rows / summary.elapsed_s:.1f}/s" if new_rows and summary.elapsed_s else ""
    earlier = f" ({summary.resumed:,} of them earlier)" if summary.resumed else ""
    return f"{count_of(summary.rows, 'image')}{earlier}, {summary.failed:,} failed{rate}: {out}"
