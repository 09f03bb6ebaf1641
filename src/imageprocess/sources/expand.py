"""Expands paths, folders, globs and lists into Sources, lazily and in a stable order: a folder may contain millions of
files."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ..types import Source
from .read import display_name

# Suffixes of images. In a folder, a file with another suffix is included if it has the signature of an image.
_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif",
    ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".hif",
}  # fmt: skip
_MAX_NAMES = 20_000  # examined for a hint, which must not take longer than the work
_SIGNATURE_BYTES = 300  # that decode.sniff reads


def expand(arguments: Iterable[str], *, recursive: bool = False) -> Iterator[Source]:
    """A file gives one Source, a folder its images (with `recursive`, also those of its subfolders), a glob its
    matches.

    A path that does not exist becomes a Source too, so that the error is reported at its position.
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
    """One path per line, verbatim, so that names with spaces, # or * work. Empty lines are skipped."""
    for line in lines:
        name = os.fsdecode(line.rstrip(b"\r\n"))
        if name:
            yield Source(display_name(name), path=Path(name))


def _folder(folder: Path, recursive: bool) -> Iterator[Source]:
    unreadable: list[str] = []  # folders: each becomes a Source, so that the error is reported
    # Symbolic links to folders are not followed, so there are no loops.
    for parent, children, names in os.walk(folder, onerror=lambda error: unreadable.append(error.filename)):
        yield from _pop_all(unreadable)
        children[:] = sorted(child for child in children if not child.startswith(".")) if recursive else []
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and _is_picture(path):
                yield Source(display_name(path), path=path)
    yield from _pop_all(unreadable)


def has_pictures_below(folder: str) -> bool:
    """Whether subfolders of `folder` contain files with the suffix of an image. False after a limited number of
    names."""
    remaining = _MAX_NAMES
    for parent, children, names in os.walk(folder):
        children[:] = [child for child in children if not child.startswith(".")]
        remaining -= len(children) + len(names)
        if remaining < 0:
            return False
        if parent != folder and any(not n.startswith(".") and has_picture_suffix(n) for n in names):
            return True
    return False


def _pop_all(names: list[str]) -> Iterator[Source]:
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
    """Whether the name has the suffix of an image format."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES  # noqa: PTH122 (names in archives are not paths)


def may_open(path: str | os.PathLike[str]) -> bool:
    """False for a pipe or a device: opening one that is found in a folder may block forever.

    True for files whose status cannot be read, so that reading them reports the error.
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
    from ..decode import sniff  # imported here, because it loads Pillow

    try:
        with path.open("rb") as stream:
            return sniff(stream.read(_SIGNATURE_BYTES)) is not None
    except OSError:
        return False
