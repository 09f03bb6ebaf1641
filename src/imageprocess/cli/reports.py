"""Files that `detect` writes per image in addition to its record: heat maps and reports."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..types import DecodedImage, Result, Source

if TYPE_CHECKING:
    from ..decode import Limits

MAX_STEM_BYTES = 200  # file systems allow 255 bytes for a name with its suffixes


@dataclass(frozen=True)
class Writer:
    """Writes the file of one image from its result, its bytes and its pixels."""

    what: str  # kind of file, for messages
    write: Callable[[Result, bytes, DecodedImage], None]


def is_page(target: Path) -> bool:
    """Whether --report names a file rather than a folder."""
    return target.suffix.lower() in (".html", ".htm")


def writers(heatmap: Path | None, report: Path | None, *, with_picture: bool) -> list[Writer]:
    """The writers for the given folders and files; folders are created. Raises OSError."""
    chosen = []
    if heatmap is not None:
        chosen.append(_heatmap_writer(heatmap))
    if report is not None:
        chosen.append(_report_writer(report, with_picture=with_picture))
    return chosen


def write_files(
    results: Iterable[Result],
    inputs: Iterable[Source | Result],
    limits: Limits,
    writer: Writer,
    on_error: Callable[[str, str, Exception], None],
) -> Iterator[Result]:
    """Yield `results` unchanged, writing a file for each; `inputs` are their inputs, in the same order.
    `on_error(what, name, error)` is called if a file cannot be written."""
    from .. import sources
    from ..decode import decode
    from ..errors import InputError

    for result, source in zip(results, inputs, strict=True):
        if result.verdict is not None and isinstance(source, Source):
            try:
                data = sources.read(source, max_bytes=limits.max_bytes)
                writer.write(result, data, decode(data, name=source.name, limits=limits))
            except (InputError, OSError) as error:
                on_error(writer.what, source.name, error)
        yield result


def _heatmap_writer(folder: Path) -> Writer:
    """NAME.heatmap.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = _Names()

    def write(result: Result, data: bytes, image: DecodedImage) -> None:
        from ..model.heatmap import overlay_png

        if result.heatmap is not None:
            path = folder / f"{names.unique_stem(result.source)}.heatmap.png"
            path.write_bytes(overlay_png(image.pixels, result.heatmap))

    return Writer("heat map", write)


def _report_writer(target: Path, *, with_picture: bool) -> Writer:
    """FILE.html for one image, or NAME.report.html in a folder."""
    names = _Names()
    if not is_page(target):
        target.mkdir(parents=True, exist_ok=True)

    def write(result: Result, data: bytes, image: DecodedImage) -> None:
        from ..report import page

        stem = names.unique_stem(result.source)
        if is_page(target) and len(names) > 1:
            raise click.UsageError(
                f"--report {target}: a report file is for one image; give a folder for several"
            )
        path = target if is_page(target) else target / f"{stem}.report.html"
        made = datetime.now().astimezone()
        text = page.of_result(result, data, image, made=made, with_picture=with_picture)
        path.write_text(text, encoding="utf-8")

    return Writer("report", write)


class _Names:
    """Unique file names for images; duplicates get a number."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def __len__(self) -> int:
        return len(self._used)

    def unique_stem(self, source: str) -> str:
        stem = "stdin" if source == "-" else Path(source).stem
        stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore")
        numbered = (f"{stem}-{number}" for number in itertools.count(2))
        unique = next(name for name in itertools.chain([stem], numbered) if name not in self._used)
        self._used.add(unique)
        return unique
