"""`imageprocess detect`: pictures in, records out."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from ..report.render import FORMATS, Format, render
from ..report.text import escaped
from ..types import MODES, WITNESSES, Mode, Result, Source, Witness
from . import reports
from .output import destination, name_better_model, with_progress
from .tally import Tally, remarks

if TYPE_CHECKING:
    from ..batch.score import Task
    from ..decode import Limits

_STDIN = "-"
_FEW = 32  # pictures that one process has done before others have started and loaded the network
_TIMEOUT_S = 60.0  # for one picture, where a process of its own looks at it
_MAX_DEFAULT_JOBS = 8  # each holds the network and a decoded picture: about 0.4 GB for 12 megapixels
_MAX_JOBS, _MAX_BATCH = 1_000, 10_000  # beyond any machine's use; a slip of the finger is told
_BY_SUFFIX: dict[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


def parse_only(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Witness, ...] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    known = {str(witness): witness for witness in WITNESSES}
    if not all(name in known for name in names):
        raise click.BadParameter(f"{value!r}: a comma-separated list of {', '.join(WITNESSES)}")
    return tuple(known[name] for name in names)


@click.command()
@click.argument("inputs", nargs=-1, metavar="[PATH|DIR|GLOB|URL|-]...")
@click.option("-r", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option(
    "--from-list",
    type=click.File("rb"),
    metavar="FILE|-",
    help="Read paths and addresses from FILE, one a line.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS),
    help="What to write: words, an array of records, a record a line, or a table. Default: what the name of the"
    " output FILE says (.json, .jsonl, .csv), else text.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), metavar="FILE",
    help="Write to FILE, which appears when all is done, instead of standard output.",
)  # fmt: skip
@click.option(
    "--mode", type=click.Choice(MODES), default="balanced", show_default=True,
    help="How sure the model must be; best-guess never answers 'unsure' for want of certainty.",
)  # fmt: skip
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="X",
    help="The model's probability from which a picture is 'ai'; below it is 'real'. Overrides --mode.",
)  # fmt: skip
@click.option("--model", metavar="NAME|DIR", help="A shipped model or a model folder.")
@click.option(
    "--only", callback=parse_only, metavar=",".join(WITNESSES), help="Ask these alone; the default is all."
)
@click.option(
    "--heatmap", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write NAME.heatmap.png into DIR: where the model sees an AI's hand.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE.html|DIR",
    help="Write a report to pass on: FILE.html for one picture, or NAME.report.html in DIR for each.",
)  # fmt: skip
@click.option("--report-with-picture", is_flag=True, help="Put the picture itself into its report.")
@click.option(
    "--explain", is_flag=True,
    help="Tell more of the model: each view, the closest training sources, and whether re-saved copies get the same"
    " answer.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(1, _MAX_JOBS), default=lambda: min(_MAX_DEFAULT_JOBS, os.cpu_count() or 1),
    show_default=f"the number of cores, {_MAX_DEFAULT_JOBS} at most", metavar="N",
    help=f"Look at N pictures at a time; where there are more than {_FEW}, each in a process of its own.",
)  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(1, _MAX_BATCH), default=16, show_default=True, metavar="N",
    help="Ask the network about N pictures at once.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["ai", "unsure"]),
    help="Exit with 3 if a verdict is 'ai'; with 'unsure', if one is 'ai' or 'unsure'.",
)  # fmt: skip
@click.option(
    "--max-pixels", type=click.IntRange(1), metavar="N",
    help="Decode pictures of up to N pixels in full; larger ones, to 220 million, are looked at smaller. "
    "The default is 100 million.",
)  # fmt: skip
@click.option("--allow-private", is_flag=True, help="Fetch from this machine and from private networks too.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on standard error.")
@click.pass_context
def detect(
    ctx: click.Context,
    inputs: tuple[str, ...],
    recursive: bool,
    from_list: IO[bytes] | None,
    form: Format | None,
    output: Path | None,
    mode: Mode,
    threshold: float | None,
    model: str | None,
    only: tuple[Witness, ...] | None,
    heatmap: Path | None,
    report: Path | None,
    report_with_picture: bool,
    explain: bool,
    jobs: int,
    batch_size: int,
    fail_on: str | None,
    max_pixels: int | None,
    allow_private: bool,
    quiet: bool,
) -> None:
    """Tell whether pictures were made by an AI, and why.

    A folder gives its pictures, "-" reads one picture from standard input, an http(s) address is fetched. The output
    keeps the input's order.

    Exit status: 0 all analysed; 1 some input failed (its record says why; the others are done), its heat map or
    report could not be written, or no picture was found; 2 wrong usage, or nowhere to write; 3 --fail-on matched,
    whatever else happened.
    """
    if not inputs and from_list is None:
        raise click.UsageError("nothing to look at: give a path, a folder, a glob, '-' or --from-list")
    if heatmap and only and "model" not in only:
        raise click.UsageError("--heatmap shows what the model sees; add it to --only")
    if explain and only and "model" not in only:
        raise click.UsageError("--explain tells more of what the model sees; add it to --only")
    named = _Inputs(inputs, recursive, from_list, allow_private, quiet)
    if report and reports.is_page(report) and (named.known_total() or 1) > 1:
        raise click.UsageError(f"--report {report}: one file holds one picture; name a folder for several")
    task = _task(model, mode, threshold, only, heatmap, report, explain, max_pixels)
    if not quiet and (only is None or "model" in only):
        name_better_model(model)
    # A map or a report is made of its picture, so the sources are needed once more for each.
    copies = (heatmap is not None) + (report is not None)
    given, *again = itertools.tee(named.sources(task.limits), 1 + copies)
    results = _judge(given, task, jobs, batch_size)
    tally = Tally(fail_on)

    def missing(what: str, name: str, error: Exception) -> None:
        tally.failed = True
        if not quiet:
            click.echo(f"No {what} of {name}: {error}", err=True)

    for writer in reports.writers(heatmap, report, with_picture=report_with_picture):
        results = reports.beside(results, again.pop(), task.limits, writer, missing)
    form = form or _BY_SUFFIX.get(output.suffix.lower() if output else "", "text")
    with destination(output) as stream:
        to_terminal = stream.isatty()
        colour = to_terminal and not os.environ.get("NO_COLOR")  # https://no-color.org
        if not (quiet or to_terminal):
            results = with_progress(results, named.known_total())
        marks = only is None or {"provenance", "watermark"} <= set(only)
        for text in render(tally.count(results), form, colour=colour, marks=marks):
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
    if not quiet:
        for remark in remarks(inputs, recursive, tally.total, tally.remedies):
            click.echo(escaped(remark), err=True)
        if tally.total > 1:
            click.echo(tally, err=True)
    ctx.exit(tally.exit_code)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What the command line named."""

    arguments: tuple[str, ...]
    recursive: bool
    from_list: IO[bytes] | None
    allow_private: bool
    quiet: bool

    def sources(self, limits: Limits) -> Iterator[Source | Result]:
        from .. import sources

        stdin = sys.stdin.buffer
        if self.arguments.count(_STDIN) + (self.from_list is not None and self.from_list is stdin) > 1:
            raise click.UsageError("standard input can be read once")
        for argument in self.arguments:
            if argument == _STDIN or sources.is_web_address(argument):
                yield self._read(argument, limits)
            else:
                yield from sources.expand([argument], recursive=self.recursive)
        for source in sources.from_list(self.from_list) if self.from_list is not None else ():
            yield self._read(source.name, limits) if sources.is_web_address(source.name) else source

    def _read(self, name: str, limits: Limits) -> Source | Result:
        from .. import sources
        from ..detector import failed
        from ..errors import InputError

        try:
            if name == _STDIN:
                return sources.from_stream(sys.stdin.buffer, name, max_bytes=limits.max_bytes)
            return sources.fetch(name, allow_private=self.allow_private, on_redirect=self._tell_redirect)
        except InputError as error:
            return failed(name, error)

    def _tell_redirect(self, old: str, new: str) -> None:
        if not self.quiet:
            click.echo(f"{escaped(old)} redirects to {escaped(new)}", err=True)

    def known_total(self) -> int | None:
        """How many pictures there are, where no folder has to be walked to know it."""
        # Path.is_file raises on a name that is too long, or below a folder that is closed to us.
        plain = all(name == _STDIN or os.path.isfile(name) for name in self.arguments)  # noqa: PTH113
        return len(self.arguments) if plain and self.from_list is None else None


def _task(
    model: str | None, mode: Mode, threshold: float | None, only: tuple[Witness, ...] | None,
    heatmap: Path | None, report: Path | None, explain: bool, max_pixels: int | None,
) -> Task:  # fmt: skip
    """A report shows a map where the model gives one; --heatmap insists on it."""
    from ..batch.score import Task
    from ..decode import DETECTOR_LIMITS
    from ..model import registry
    from ..model.spec import load_spec

    limits = dataclasses.replace(DETECTOR_LIMITS, max_pixels=max_pixels) if max_pixels else DETECTOR_LIMITS
    shown = report is not None and (only is None or "model" in only)
    with_map = heatmap is not None or (shown and load_spec(registry.resolve(model)).has_heatmap)
    return Task(model, mode, threshold, only, heatmap=with_map, explain=explain, limits=limits)


def _judge(given: Iterator[Source | Result], task: Task, jobs: int, batch_size: int) -> Iterator[Result]:
    """Few pictures here, so that the first verdict comes at once; many in a process a core, as `batch` does:
    threads would wait for each other wherever Python itself is at work."""
    first = list(itertools.islice(given, _FEW + 1))
    given = itertools.chain(first, given)
    if jobs > 1 and len(first) > _FEW:
        from ..batch.pool import judge_locally

        return judge_locally(given, task, jobs=jobs, timeout_s=_TIMEOUT_S, chunk_size=batch_size)
    from ..detector import Detector

    return Detector(task.model, limits=task.limits).detect_many(
        given, mode=task.mode, threshold=task.threshold, only=task.only,
        heatmap=task.heatmap, explain=task.explain, batch_size=batch_size, jobs=jobs,
    )  # fmt: skip
