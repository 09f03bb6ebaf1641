"""`imageprocess detect`: pictures in, records out."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

import click

from ..report.render import FORMATS, Format, render
from ..types import MODES, WITNESSES, Mode, Result, Source, Witness
from . import reports
from .output import destination, name_better_model, with_progress

if TYPE_CHECKING:
    from ..decode import Limits
    from ..detector import Detector

_ALL_ANALYSED, _SOME_FAILED, _MATCHED = 0, 1, 3
_STDIN = "-"
_MAX_DEFAULT_JOBS = 4  # each holds a decoded picture: about 0.2 GB for 12 megapixels
_MAX_JOBS, _MAX_BATCH = 1_000, 10_000  # beyond any machine's use; a slip of the finger is told


def parse_only(_: click.Context, __: click.Parameter, value: str | None) -> tuple[Witness, ...] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    known = {str(witness): witness for witness in WITNESSES}
    if not all(name in known for name in names):
        raise click.BadParameter(f"{value!r}: a comma-separated list of {', '.join(WITNESSES)}")
    return tuple(known[name] for name in names)


@click.command()
@click.argument("inputs", nargs=-1, metavar="[PATH|DIR|GLOB|-]...")
@click.option("-r", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option(
    "--from-list", type=click.File("rb"), metavar="FILE|-", help="Read paths from FILE, one a line."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
    help="What to write: words, an array of records, a record a line, or a table.",
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
    "--jobs", type=click.IntRange(1, _MAX_JOBS), default=lambda: min(_MAX_DEFAULT_JOBS, os.cpu_count() or 1),
    show_default=f"the number of cores, {_MAX_DEFAULT_JOBS} at most", metavar="N", help="Decode N at a time.",
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
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on standard error.")
@click.pass_context
def detect(
    ctx: click.Context,
    inputs: tuple[str, ...],
    recursive: bool,
    from_list: IO[bytes] | None,
    form: Format,
    output: Path | None,
    mode: Mode,
    threshold: float | None,
    model: str | None,
    only: tuple[Witness, ...] | None,
    heatmap: Path | None,
    report: Path | None,
    report_with_picture: bool,
    jobs: int,
    batch_size: int,
    fail_on: str | None,
    max_pixels: int | None,
    quiet: bool,
) -> None:
    """Tell whether pictures were made by an AI, and why.

    A folder gives its pictures, "-" reads one picture from standard input. The output keeps the input's order.

    Exit status: 0 all analysed; 1 some input failed (its record says why; the others are done), or its heat map
    or report could not be written; 2 wrong usage, or nowhere to write; 3 --fail-on matched, whatever else happened.
    """
    if not inputs and from_list is None:
        raise click.UsageError("nothing to look at: give a path, a folder, a glob, '-' or --from-list")
    if heatmap and only and "model" not in only:
        raise click.UsageError("--heatmap shows what the model sees; add it to --only")
    from ..decode import DETECTOR_LIMITS
    from ..detector import Detector

    limits = dataclasses.replace(DETECTOR_LIMITS, max_pixels=max_pixels) if max_pixels else DETECTOR_LIMITS
    detector = Detector(model, limits=limits)
    if not quiet and (only is None or "model" in only):
        name_better_model(model)
    given = _sources(inputs, recursive, from_list, detector.limits)
    total = _known_total(inputs, from_list)
    if report and reports.is_page(report) and (total or 1) > 1:
        raise click.UsageError(f"--report {report}: one file holds one picture; name a folder for several")
    # A map or a report is made of its picture, so the sources are needed once more for each.
    given, *again = itertools.tee(given, 1 + (heatmap is not None) + (report is not None))
    results = detector.detect_many(
        given, mode=mode, threshold=threshold, only=only, heatmap=_needs_heatmap(detector, only, heatmap, report),
        batch_size=batch_size, jobs=jobs,
    )  # fmt: skip
    tally = _Tally(fail_on)

    def missing(what: str, name: str, error: Exception) -> None:
        tally.failed = True
        if not quiet:
            click.echo(f"No {what} of {name}: {error}", err=True)

    for writer in reports.writers(heatmap, report, with_picture=report_with_picture):
        results = reports.beside(results, again.pop(), detector.limits, writer, missing)
    with destination(output) as stream:
        to_terminal = stream.isatty()
        colour = to_terminal and not os.environ.get("NO_COLOR")  # https://no-color.org
        if not (quiet or to_terminal):
            results = with_progress(results, total)
        marks = only is None or {"provenance", "watermark"} <= set(only)
        for text in render(tally.count(results), form, colour=colour, marks=marks):
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
    if tally.total == 0 and not quiet:
        click.echo("No picture found.", err=True)
    ctx.exit(tally.exit_code)


def _sources(
    inputs: tuple[str, ...], recursive: bool, from_list: IO[bytes] | None, limits: Limits
) -> Iterator[Source | Result]:
    from .. import sources

    stdin = sys.stdin.buffer
    if inputs.count(_STDIN) + (from_list is not None and from_list is stdin) > 1:
        raise click.UsageError("standard input can be read once")
    for argument in inputs:
        if argument == _STDIN:
            yield _read_stdin(stdin, limits)
        else:
            yield from sources.expand([argument], recursive=recursive)
    if from_list is not None:
        yield from sources.from_list(from_list)


def _read_stdin(stdin: BinaryIO, limits: Limits) -> Source | Result:
    from .. import sources
    from ..detector import failed
    from ..errors import InputError

    try:
        return sources.from_stream(stdin, _STDIN, max_bytes=limits.max_bytes)
    except InputError as error:
        return failed(_STDIN, error)


def _needs_heatmap(
    detector: Detector, only: tuple[Witness, ...] | None, heatmap: Path | None, report: Path | None
) -> bool:
    """A report shows a map where there is one; --heatmap insists on it."""
    asked = only is None or "model" in only
    return heatmap is not None or (report is not None and asked and detector.spec.has_heatmap)


def _known_total(inputs: tuple[str, ...], from_list: IO[bytes] | None) -> int | None:
    """How many pictures there are, where no folder has to be walked to know it."""
    # Path.is_file raises on a name that is too long, or below a folder that is closed to us.
    plain = from_list is None and all(name == _STDIN or os.path.isfile(name) for name in inputs)  # noqa: PTH113
    return len(inputs) if plain else None


class _Tally:
    """Counts what passes by, for the exit status."""

    def __init__(self, fail_on: str | None) -> None:
        self.total = 0
        self.failed = False
        self._matched = False
        self._fatal = {"ai": {"ai"}, "unsure": {"ai", "unsure"}}.get(fail_on or "", set())

    def count(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.total += 1
            self.failed |= result.status == "error"
            self._matched |= result.verdict is not None and result.verdict.label in self._fatal
            yield result

    @property
    def exit_code(self) -> int:
        if self._matched:
            return _MATCHED
        return _SOME_FAILED if self.failed else _ALL_ANALYSED
