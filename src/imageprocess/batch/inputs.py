"""Expands the arguments of a batch into inputs, one per row, lazily and in a stable order.

An image is a Source: a path or URI that the worker opens. A shard (a tar, a Parquet file) is one item until it is
read; then it yields its images, each with its bytes.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from .. import sources
from ..detector import error_result
from ..errors import CorruptImageError, InputError, MissingExtraError, UsageError
from ..sources.remote import is_uri, list_uri
from ..types import Result, Source

_KINDS: dict[str, Literal["tar", "parquet"]] = {
    ".tar": "tar", ".tar.gz": "tar", ".tgz": "tar", ".tar.bz2": "tar", ".tar.xz": "tar",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shard:
    """A file that contains many images. `first`: number of its inputs that are already done."""

    name: str  # a path or a URI
    kind: Literal["tar", "parquet"]
    first: int = 0
    column: str | None = None  # Parquet: the image column; None if there is only one
    is_explicit: bool = True  # False: listed from a folder, where Parquet files without images are allowed


# A Result stands for an input that failed before it could be read, e.g. a damaged shard.
Input = Source | Result
Item = Input | Shard


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs given on the command line."""

    arguments: tuple[str, ...] = ()
    from_list: Path | None = None  # a file of paths and URIs, one per line
    recursive: bool = False
    column: str | None = None

    def items(self) -> Iterator[Item]:
        for argument in self.arguments:
            yield from _expand(argument, self.recursive, self.column)
        if self.from_list is not None:
            with self.from_list.open("rb") as lines:
                yield from _from_list(lines, self.column)

    def count(self) -> int | None:
        """Estimated number of images, for the progress line. Shards are counted without reading the images; None if
        that is not possible."""
        total = 0
        for item in self.items():
            count = _count_in(item) if isinstance(item, Shard) else 1
            if count is None:
                return None
            total += count
        return total


def open_shard(shard: Shard, *, max_bytes: int) -> Iterator[Input]:
    """The inputs in `shard` from number `shard.first` on. A damaged shard does not raise: it ends in a failed row."""
    if shard.kind == "tar":
        from .tar import read_tar

        inputs = read_tar(shard.name, max_bytes=max_bytes)
    else:
        from .parquet import read_pictures

        inputs = read_pictures(shard.name, shard.column, max_bytes=max_bytes, required=shard.is_explicit)
    try:
        for number, item in enumerate(inputs):
            if number >= shard.first:
                yield item
    except MissingExtraError:  # the same for every shard
        raise
    except Exception as error:  # noqa: BLE001 (each store has its own errors; one shard must not end the job)
        name = sources.display_name(shard.name)
        problem = CorruptImageError(f"{name}: cannot be read ({type(error).__name__}: {error})")
        yield error_result(name, problem)


def flatten(items: Iterable[Item], *, max_bytes: int) -> Iterator[Input]:
    """Replace every shard by its images."""
    for item in items:
        if isinstance(item, Shard):
            yield from open_shard(item, max_bytes=max_bytes)
        else:
            yield item


def _count_in(shard: Shard) -> int | None:
    if is_uri(shard.name) or not sources.may_open(shard.name):  # a pipe can be read only once
        return None
    if shard.kind == "parquet":
        from .parquet import count_rows

        return count_rows(shard.name)
    from .tar import count_pictures

    return count_pictures(shard.name)


def name_of(item: Input) -> str:
    """The name of the input, as in its row."""
    return item.source if isinstance(item, Result) else item.name


def skip_done(items: Iterator[Item], done: Iterable[str], *, max_bytes: int) -> Iterator[Item]:
    """The items after the inputs named `done`, which must come first.

    Raises UsageError if they do not: the inputs have changed, and rows would be lost or repeated.
    """
    names = iter(done)
    number = 0
    expected = next(names, None)
    for item in items:
        if expected is None:
            yield item
            continue
        within = 0
        for one in flatten([item], max_bytes=max_bytes):
            if expected is None:
                break
            if name_of(one) != expected:
                raise UsageError(
                    f"the inputs have changed: number {number + 1} was {expected}, now it is {name_of(one)};"
                    " use --overwrite to start again"
                )
            number, within, expected = number + 1, within + 1, next(names, None)
        else:
            continue
        yield replace(item, first=within) if isinstance(item, Shard) else item
    if expected is not None:
        raise UsageError(
            f"the inputs have changed: number {number + 1} ({expected}) is missing; use --overwrite to start again"
        )


def _expand(argument: str, recursive: bool, column: str | None) -> Iterator[Item]:
    if is_uri(argument):
        yield from _expand_uri(argument, recursive, column)
    elif os.path.isdir(argument):  # noqa: PTH112 (Path.is_dir raises on names that are too long)
        yield from _shards_in(Path(argument), recursive, column)
        yield from sources.expand([argument], recursive=recursive)
    else:
        for source in sources.expand([argument], recursive=recursive):
            yield _to_item(str(source.path), column, source)


def _expand_uri(uri: str, recursive: bool, column: str | None) -> Iterator[Item]:
    try:
        names = list_uri(uri, recursive=recursive)
    except InputError as error:
        yield error_result(sources.display_name(uri), error)
        return
    for name in names:
        item = _to_item(name, column)
        if isinstance(item, Shard):
            yield replace(item, is_explicit=name == uri or glob.has_magic(uri))
        elif name == uri or sources.has_picture_suffix(name):
            yield item


def _from_list(lines: BinaryIO, column: str | None) -> Iterator[Item]:
    for source in sources.from_list(lines):
        # Path would collapse the two slashes.
        yield _to_item(source.name if is_uri(source.name) else str(source.path), column, source)


def _to_item(name: str, column: str | None, source: Source | None = None) -> Item:
    lower = name.lower()
    for suffix, kind in _KINDS.items():
        if lower.endswith(suffix):
            return Shard(name, kind, column=column)
    if is_uri(name):
        return Source(name, uri=name)
    return source or Source(sources.display_name(name), path=Path(name))


def _shards_in(folder: Path, recursive: bool, column: str | None) -> Iterator[Shard]:
    """Unreadable folders are not reported here; expanding the folder's images does that."""
    for parent, children, names in os.walk(folder):
        children[:] = sorted(child for child in children if not child.startswith(".")) if recursive else []
        for name in sorted(names):
            item = _to_item(str(Path(parent, name)), column)
            if isinstance(item, Shard) and not name.startswith(".") and sources.may_open(item.name):
                yield replace(item, is_explicit=False)
