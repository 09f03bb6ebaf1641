"""`detect --heatmap`: each picture with the model's map laid over it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..types import Result, Source
from .tally import Tally

if TYPE_CHECKING:
    from ..decode import Limits

_STDIN = "-"
_MAX_STEM_BYTES = 200  # of the 255 that file systems allow a name


def write_heatmaps(
    results: Iterable[Result],
    again: Iterable[Source | Result],
    folder: Path,
    limits: Limits,
    tally: Tally,
    quiet: bool,
) -> Iterator[Result]:
    """Pass results by, writing each one's map over its picture. Names that meet are numbered."""
    from .. import sources
    from ..decode import decode
    from ..errors import InputError
    from ..model.heatmap import overlay_png

    taken: set[str] = set()
    for result, source in zip(results, again, strict=True):
        if result.heatmap is not None and isinstance(source, Source):
            path = folder / f"{_stem(source.name, taken)}.heatmap.png"
            try:
                data = sources.read(source, max_bytes=limits.max_bytes)
                image = decode(data, name=source.name, limits=limits)
                path.write_bytes(overlay_png(image.pixels, result.heatmap))
            except (InputError, OSError) as error:
                tally.failed = True
                if not quiet:
                    click.echo(f"No heat map of {source.name}: {error}", err=True)
        yield result


def _stem(name: str, taken: set[str]) -> str:
    """What a picture's map is called, which is `taken` then."""
    whole = "stdin" if name == _STDIN else Path(name).stem
    stem = whole.encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    free = next(one for one in itertools.chain([stem], numbered) if one not in taken)
    taken.add(free)
    return free
