"""`imageprocess detect`: analyse images and print their records."""

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
from ..types import CHECKS, MODES, Check, Mode, Result, Source
from . import reports
from .output import destination, suggest_better_model, with_progress
from .tally import Tally, remarks

if TYPE_CHECKING:
    from ..batch.score import Task
    from ..decode import Limits

_STDIN = "-"
_FEW = 32  # images that one process analyses in the time that others need to start and load the model
_TIMEOUT_S = 60.0  # for one image, in a worker process
_MAX_DEFAULT_JOBS = 8  # each holds the model and a decoded image: about 0.4 GB at 12 megapixels
_MAX_JOBS, _MAX_BATCH = 1_000, 10_000  # more than any machine can use: catches typing errors
_BY_SUFFIX: dict[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


def parse_only(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Check, ...] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    checks = {str(check): check for check in CHECKS}
    if not all(name in checks for name in names):
        raise click.BadParameter(f"{value!r} is not a comma-separated list of {', '.join(CHECKS)}")
    return tuple(checks[name] for name in names)


@click.command()
@click.argument("inputs", nargs=-1, metavar="[PATH|DIR|GLOB|URL|-]...")
@click.option("-r", "--recursive", is_flag=True, help="Include subfolders.")
@click.option(
    "--from-list",
    type=click.File("rb"),
    metavar="FILE|-",
    help="Read paths and URLs from FILE, one per line.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS),
    help="Output format. Default: by the suffix of the output file (.json, .jsonl, .csv), else text.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), metavar="FILE",
    help="Write to FILE instead of standard output; FILE is created when everything is done.",
)  # fmt: skip
@click.option(
    "--mode", type=click.Choice(MODES), default="balanced", show_default=True,
    help="Required certainty of the model; best-guess never answers 'unsure' for lack of it.",
)  # fmt: skip
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="X",
    help="Answer 'ai' if the model's probability is at least X, else 'real'. Overrides --mode.",
)  # fmt: skip
@click.option("--model", metavar="NAME|DIR", help="Name of a model, or a model folder.")
@click.option(
    "--only", callback=parse_only, metavar=",".join(CHECKS), help="Run only these checks (default: all)."
)
@click.option(
    "--heatmap", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write NAME.heatmap.png into DIR: which regions contribute to 'ai'.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE.html|DIR",
    help="Write a self-contained report: FILE.html for one image, or NAME.report.html in DIR for each.",
)  # fmt: skip
@click.option("--report-with-picture", is_flag=True, help="Include the image itself in its report.")
@click.option(
    "--explain", is_flag=True,
    help="Show the model's score of each view, the closest training sources, and the answers for re-saved copies.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(1, _MAX_JOBS), default=lambda: min(_MAX_DEFAULT_JOBS, os.cpu_count() or 1),
    show_default=f"number of cores, at most {_MAX_DEFAULT_JOBS}", metavar="N",
    help=f"Analyse N images in parallel; in worker processes if there are more than {_FEW} images.",
)  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(1, _MAX_BATCH), default=16, show_default=True, metavar="N",
    help="Images per model batch.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["ai", "unsure"]),
    help="Exit with status 3 if any verdict is 'ai' (or, with 'unsure', is 'ai' or 'unsure').",
)  # fmt: skip
@click.option(
    "--max-pixels", type=click.IntRange(1), metavar="N",
    help="Decode images of up to N pixels at full size, and larger ones (up to 220 million) at a reduced size. "
    "Default: 100 million.",
)  # fmt: skip
@click.option("--allow-private", is_flag=True, help="Allow URLs on this machine and in private networks.")
@click.option("-q", "--quiet", is_flag=True, help="No progress or notes on standard error.")
@click.pass_context
def detect(
    ctx: click.Context, inputs: tuple[str, ...], recursive: bool, from_list: IO[bytes] | None, form: Format | None,
    output: Path | None, mode: Mode, threshold: float | None, model: str | None, only: tuple[Check, ...] | None,
    heatmap: Path | None, report: Path | None, report_with_picture: bool, explain: bool, jobs: int, batch_size: int,
    fail_on: str | None, max_pixels: int | None, allow_private: bool, quiet: bool,
) -> None:  # fmt: skip
    """Detect whether images were made by AI, and why.

    A folder stands for the images in it, "-" for one image on standard input; an http(s) URL is downloaded. Output is
    in input order.

    Exit status: 0 all analysed; 1 some input failed (its record gives the error; the others are complete), a heat map
    or report could not be written, or no image was found; 2 usage error, or output not writable; 3 --fail-on matched
    (takes precedence over 1).
    """
    arguments = _Inputs(inputs, recursive, from_list, allow_private, quiet)
    _check_usage(arguments, only, heatmap, report, explain)
    task = _task(model, mode, threshold, only, heatmap, report, explain, max_pixels)
    if not quiet and (only is None or "model" in only):
        suggest_better_model(model)
    # Heat maps and reports need the image again, so the sources are iterated once more for each.
    copies = (heatmap is not None) + (report is not None)
    originals, *again = itertools.tee(arguments.sources(task.limits), 1 + copies)
    results = _analyse(originals, task, jobs, batch_size)
    tally = Tally(fail_on)

    def on_error(what: str, name: str, error: Exception) -> None:
        tally.failed = True
        if not quiet:
            click.echo(f"{name}: no {what} written: {error}", err=True)

    for writer in reports.writers(heatmap, report, with_picture=report_with_picture):
        results = reports.write_files(results, again.pop(), task.limits, writer, on_error)
    form = form or _BY_SUFFIX.get(output.suffix.lower() if output else "", "text")
    with destination(output) as stream:
        to_terminal = stream.isatty()
        colour = to_terminal and not os.environ.get("NO_COLOR")  # https://no-color.org
        if not (quiet or to_terminal):
            results = with_progress(results, arguments.known_total())
        marks = only is None or {"provenance", "watermark"} <= set(only)
        for text in render(tally.count(results), form, colour=colour, marks=marks):
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
    if not quiet:
        _print_notes(tally, inputs, recursive)
    ctx.exit(tally.exit_code)


def _check_usage(
    inputs: _Inputs, only: tuple[Check, ...] | None, heatmap: Path | None, report: Path | None, explain: bool
) -> None:
    if not inputs.arguments and inputs.from_list is None:
        raise click.UsageError("no input: give a path, a folder, a glob, '-' or --from-list")
    if heatmap and only and "model" not in only:
        raise click.UsageError("--heatmap needs the model: add 'model' to --only")
    if explain and only and "model" not in only:
        raise click.UsageError("--explain needs the model: add 'model' to --only")
    if report and reports.is_page(report) and (inputs.known_total() or 1) > 1:
        raise click.UsageError(
            f"--report {report}: a report file is for one image; give a folder for several"
        )


def _print_notes(tally: Tally, inputs: tuple[str, ...], recursive: bool) -> None:
    for remark in remarks(inputs, recursive, tally.total, tally.remedies):
        click.echo(escaped(remark), err=True)
    if tally.total > 1:
        click.echo(tally, err=True)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The inputs given on the command line."""

    arguments: tuple[str, ...]
    recursive: bool
    from_list: IO[bytes] | None
    allow_private: bool
    quiet: bool

    def sources(self, limits: Limits) -> Iterator[Source | Result]:
        from .. import sources

        stdin = sys.stdin.buffer
        if self.arguments.count(_STDIN) + (self.from_list is not None and self.from_list is stdin) > 1:
            raise click.UsageError("standard input can be read only once: give either '-' or --from-list -")
        for argument in self.arguments:
            if argument == _STDIN or sources.is_web_address(argument):
                yield self._read(argument, limits)
            else:
                yield from sources.expand([argument], recursive=self.recursive)
        for source in sources.from_list(self.from_list) if self.from_list is not None else ():
            yield self._read(source.name, limits) if sources.is_web_address(source.name) else source

    def _read(self, name: str, limits: Limits) -> Source | Result:
        from .. import sources
        from ..detector import error_result
        from ..errors import InputError

        try:
            if name == _STDIN:
                return sources.from_stream(sys.stdin.buffer, name, max_bytes=limits.max_bytes)
            return sources.fetch(name, allow_private=self.allow_private, on_redirect=self._print_redirect)
        except InputError as error:
            return error_result(name, error)

    def _print_redirect(self, old: str, new: str) -> None:
        if not self.quiet:
            click.echo(f"{escaped(old)} redirects to {escaped(new)}", err=True)

    def known_total(self) -> int | None:
        """The number of images, if it is known without listing a folder."""
        # Path.is_file raises on names that are too long and in folders without read permission.
        plain = all(name == _STDIN or os.path.isfile(name) for name in self.arguments)  # noqa: PTH113
        return len(self.arguments) if plain and self.from_list is None else None


def _task(
    model: str | None, mode: Mode, threshold: float | None, only: tuple[Check, ...] | None,
    heatmap: Path | None, report: Path | None, explain: bool, max_pixels: int | None,
) -> Task:  # fmt: skip
    """A report includes a heat map if the model has one; --heatmap requires it."""
    from ..batch.score import Task
    from ..decode import DETECTOR_LIMITS
    from ..model import registry
    from ..model.spec import load_spec

    limits = dataclasses.replace(DETECTOR_LIMITS, max_pixels=max_pixels) if max_pixels else DETECTOR_LIMITS
    in_report = report is not None and (only is None or "model" in only)
    with_heatmap = heatmap is not None or (in_report and load_spec(registry.resolve(model)).has_heatmap)
    return Task(model, mode, threshold, only, heatmap=with_heatmap, explain=explain, limits=limits)


def _analyse(inputs: Iterator[Source | Result], task: Task, jobs: int, batch_size: int) -> Iterator[Result]:
    """Few images are analysed in this process, so that the first verdict comes at once; many in a process per core, as
    `batch` does, because threads would contend for the interpreter lock."""
    first = list(itertools.islice(inputs, _FEW + 1))
    inputs = itertools.chain(first, inputs)
    if jobs > 1 and len(first) > _FEW:
        from ..batch.pool import analyse_in_processes

        return analyse_in_processes(inputs, task, jobs=jobs, timeout_s=_TIMEOUT_S, chunk_size=batch_size)
    from ..detector import Detector

    return Detector(task.model, limits=task.limits).detect_many(
        inputs, mode=task.mode, threshold=task.threshold, only=task.only,
        heatmap=task.heatmap, explain=task.explain, batch_size=batch_size, jobs=jobs,
    )  # fmt: skip
