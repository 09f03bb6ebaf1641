"""`imageprocess detect`: pictures in, records out."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from ..report.render import FORMATS, Format, render
from ..types import MODES, WITNESSES, Mode, Result, Source, Witness
from .output import destination, with_progress

if TYPE_CHECKING:
    from ..decode import Limits

_ALL_ANALYSED, _SOME_FAILED, _MATCHED = 0, 1, 3
_STDIN = "-"
_MAX_DEFAULT_JOBS = 4  # each holds a decoded picture: about 0.2 GB for 12 megapixels


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
    "--jobs", type=click.IntRange(min=1), default=lambda: min(_MAX_DEFAULT_JOBS, os.cpu_count() or 1),
    show_default=f"the number of cores, {_MAX_DEFAULT_JOBS} at most", metavar="N", help="Decode N at a time.",
)  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=16, show_default=True, metavar="N",
    help="Ask the network about N pictures at once.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["ai", "unsure"]),
    help="Exit with 3 if a verdict is 'ai'; with 'unsure', if one is 'ai' or 'unsure'.",
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
    jobs: int,
    batch_size: int,
    fail_on: str | None,
    quiet: bool,
) -> None:
    """Tell whether pictures were made by an AI, and why.

    A folder gives its pictures, "-" reads one picture from standard input. The output keeps the input's order.

    Exit status: 0 all analysed; 1 some input failed (its record says why; the others are done); 2 wrong usage;
    3 --fail-on matched, whether or not some input failed.
    """
    if not inputs and from_list is None:
        raise click.UsageError("nothing to look at: give a path, a folder, a glob, '-' or --from-list")
    if heatmap and only and "model" not in only:
        raise click.UsageError("--heatmap shows what the model sees; add it to --only")
    from ..detector import Detector

    detector = Detector(model)
    given = _sources(inputs, recursive, from_list, detector.limits)
    again: Iterator[Source] = iter(())
    if heatmap:  # a map is drawn over its picture, so the sources are needed twice
        given, again = itertools.tee(given)
    results = detector.detect_many(
        given, mode=mode, threshold=threshold, only=only,
        heatmap=heatmap is not None, batch_size=batch_size, jobs=jobs,
    )  # fmt: skip
    if heatmap:
        results = _write_heatmaps(results, again, heatmap, detector.limits)
    tally = _Tally(fail_on)
    with destination(output) as stream:
        to_terminal = stream.isatty()
        colour = to_terminal and not os.environ.get("NO_COLOR")  # https://no-color.org
        if not (quiet or to_terminal):
            results = with_progress(results, _known_total(inputs, from_list))
        for text in render(tally.count(results), form, colour=colour):
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
    if tally.total == 0 and not quiet:
        click.echo("No picture found.", err=True)
    ctx.exit(tally.exit_code)


def _sources(
    inputs: tuple[str, ...], recursive: bool, from_list: IO[bytes] | None, limits: Limits
) -> Iterator[Source]:
    from .. import sources

    stdin = sys.stdin.buffer
    if _STDIN in inputs and (inputs.count(_STDIN) > 1 or from_list is stdin):
        raise click.UsageError("standard input can be read once")
    for argument in inputs:
        if argument == _STDIN:
            yield sources.from_stream(stdin, _STDIN, max_bytes=limits.max_bytes)
        else:
            yield from sources.expand([argument], recursive=recursive)
    if from_list is not None:
        yield from sources.from_list(from_list)


def _known_total(inputs: tuple[str, ...], from_list: IO[bytes] | None) -> int | None:
    """How many pictures there are, where no folder has to be walked to know it."""
    plain = from_list is None and all(name == _STDIN or Path(name).is_file() for name in inputs)
    return len(inputs) if plain else None


class _Tally:
    """Counts what passes by, for the exit status."""

    def __init__(self, fail_on: str | None) -> None:
        self.total = 0
        self._failed = False
        self._matched = False
        self._fatal = {"ai": {"ai"}, "unsure": {"ai", "unsure"}}.get(fail_on or "", set())

    def count(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.total += 1
            self._failed |= result.status == "error"
            self._matched |= result.verdict is not None and result.verdict.label in self._fatal
            yield result

    @property
    def exit_code(self) -> int:
        if self._matched:
            return _MATCHED
        return _SOME_FAILED if self._failed else _ALL_ANALYSED


def _write_heatmaps(
    results: Iterable[Result], again: Iterable[Source], folder: Path, limits: Limits
) -> Iterator[Result]:
    """Pass results by, writing each one's map over its picture. Names that meet are numbered."""
    from .. import sources
    from ..decode import decode
    from ..model.heatmap import overlay_png

    taken: set[str] = set()
    for result, source in zip(results, again, strict=True):
        if result.heatmap is not None:
            stem = "stdin" if source.name == _STDIN else Path(source.name).stem
            numbered = (f"{stem}-{number}" for number in itertools.count(2))
            name = next(name for name in itertools.chain([stem], numbered) if name not in taken)
            taken.add(name)
            image = decode(sources.read(source, max_bytes=limits.max_bytes), name=source.name, limits=limits)
            path = folder / f"{name}.heatmap.png"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(overlay_png(image.pixels, result.heatmap))
            except OSError as error:
                raise click.FileError(str(path), error.strerror) from error
        yield result
