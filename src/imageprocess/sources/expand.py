"""Paths, folders, globs and lists -> Sources, in a stable order and lazily: a folder may hold millions."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ..types import Source
from .read import display_name

# Names that promise a picture. In a folder, a file with another is taken if its signature is a picture's.
_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif",
    ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".hif",
}  # fmt: skip
_MOST_NAMES = 20_000  # a hint must not take longer than the work
_SIGNATURE_BYTES = 300  # what decode.sniff looks at


def expand(arguments: Iterable[str], *, recursive: bool = False) -> Iterator[Source]:
    """A file as it is, a folder as its pictures (those below it too when `recursive`), a glob as its matches.

    What does not exist becomes a Source as well: reading it says so, in its place in the order.
    """
    for argument in arguments:
        path = Path(argument)
        if os.path.isdir(argument):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
            yield from _folder(path, recursive)
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            yield from _glob(argument, recursive)
        else:
            yield Source(display_name(argument), path=path)


def from_list(lines: IO[bytes]) -> Iterator[Source]:
    """One path a line, taken literally, so that names with spaces, # or * work. Empty lines are skipped."""
    for line in lines:
        name = os.fsdecode(line.rstrip(b"\r\n"))
        if name:
            yield Source(display_name(name), path=Path(name))


def _folder(folder: Path, recursive: bool) -> Iterator[Source]:
    closed: list[str] = []  # folders that cannot be opened: each is a Source too, and reading it says why
    # Links to folders are not followed, so no loops.
    for parent, children, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        yield from _take(closed)
        children[:] = sorted(child for child in children if not child.startswith(".")) if recursive else []
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and _is_picture(path):
                yield Source(display_name(path), path=path)
    yield from _take(closed)


def has_pictures_below(folder: str) -> bool:
    """Do the folders of this folder hold files with a picture's name? Looks at so many names, and no more."""
    left = _MOST_NAMES
    for parent, children, names in os.walk(folder):
        children[:] = [child for child in children if not child.startswith(".")]
        left -= len(children) + len(names)
        if left < 0:
            return False
        if parent != folder and any(not n.startswith(".") and has_picture_suffix(n) for n in names):
            return True
    return False


def _take(names: list[str]) -> Iterator[Source]:
    while names:
        name = names.pop(0)
        yield Source(display_name(name), path=Path(name))


def _glob(pattern: str, recursive: bool) -> Iterator[Source]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    if not matches:
        yield Source(display_name(pattern), path=Path(pattern))
    for match in matches:
        if os.path.isdir(match):  # noqa: PTH112 (as above)
            if recursive:
                yield from _folder(Path(match), recursive)
        elif may_open(match):
            yield Source(display_name(match), path=Path(match))


def has_picture_suffix(name: str) -> bool:
    """Does this name end as a picture's does?"""
    return os.path.splitext(name)[1].lower() in _SUFFIXES  # noqa: PTH122 (names in archives are no paths)


def may_open(path: str | os.PathLike[str]) -> bool:
    """False for a pipe or a device: opening one that merely lies in a folder may wait for ever.

    What cannot even be looked at is for the reader to tell.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 (a glob's match is text)
    except OSError:
        return True


def _is_picture(path: Path) -> bool:
    if not may_open(path):
        return False
    if has_picture_suffix(path.name):
        return True
    from ..decode import sniff  # here, since it loads Pillow

    try:
        with path.open("rb") as stream:
            return sniff(stream.read(_SIGNATURE_BYTES)) is not None
    except OSError:
        return False
